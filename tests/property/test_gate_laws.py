"""The gate's law: whatever strategies want and sizers say, what is approved keeps every limit, worst case counted.

An account of this file's own is kept beside the desk, from its records and in fractions; every approval is measured
against it at the moment it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mqd_core.domain.market import MINUTE_NS, Bar
from mqd_core.domain.orders import OrderType, Side
from mqd_core.domain.records import Approved, BookMoved, OrderMoved, Record
from mqd_core.domain.signals import Size
from mqd_core.ports import SizingView
from mqd_core.risk.rules import GateSettings
from mqd_core.testing.bars import make_bars, merge
from mqd_core.testing.engines import (
    AnsweringStrategy,
    Workbench,
    enter,
    leave,
    make_gate,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
SYMBOLS = ("SPY", "QQQ", "IWM")
OPEN_STATES = {"submitting", "unknown", "pending", "working", "paused"}


@dataclass
class Pending:
    """An order as the records tell of it."""

    approved: Approved
    filled: Fraction = Fraction(0)
    spent: Fraction = Fraction(0)
    is_open: bool = True

    def left(self, price: Decimal, collar: Fraction = Fraction(1)) -> Fraction:
        """What it may still buy at that price."""
        if not self.is_open or self.approved.side is Side.SELL:
            return Fraction(0)
        if self.approved.quantity is None:
            return max(Fraction(0), Fraction(self.approved.notional or 0) - self.spent)
        return (Fraction(self.approved.quantity) - self.filled) * Fraction(price) * collar

    @property
    def value(self) -> Fraction:
        """At its reference price: what exposure counts."""
        return self.left(self.approved.reference_price)

    @property
    def cost(self) -> Fraction:
        """At its limit, or 3 % above its reference price: what cash has to be there for."""
        limit = self.approved.limit_price
        return self.left(self.approved.reference_price, Fraction(103, 100)) if limit is None else self.left(limit)


@dataclass
class Account:
    """Cash, holdings and orders, folded from records."""

    gate: GateSettings
    cash: Fraction = Fraction(0)
    held: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    orders: list[Pending] = field(default_factory=list)

    def take(self, record: Record, closes: dict[str, Fraction]) -> None:
        """Fold one record; an approval is measured first."""
        if isinstance(record, Approved):
            self.measure(record, closes)
            self.orders.append(Pending(record))
        elif isinstance(record, OrderMoved):
            order = next(one for one in self.orders if one.approved.client_order_id == record.client_order_id)
            order.filled, order.is_open = Fraction(record.cumulative), record.after in OPEN_STATES
        elif isinstance(record, BookMoved):
            change = Fraction(record.change)
            key = record.strategy_id, record.symbol
            self.held[key] = self.held.get(key, Fraction(0)) + change
            self.cash -= change * Fraction(record.price) + Fraction(record.fee)
            if record.cause == "opening":
                self.cash = Fraction(record.cash)
            assert Fraction(record.cash) == self.cash
            for order in self.orders:
                if order.approved.correlation_id == record.correlation_id:
                    order.spent += change * Fraction(record.price)

    def of(self, symbol: str) -> Fraction:
        """What all books together hold of a symbol."""
        return sum((quantity for (_, other), quantity in self.held.items() if other == symbol), Fraction(0))

    def measure(self, order: Approved, closes: dict[str, Fraction]) -> None:
        """Refuse an approval that breaks a limit."""
        gate, asked = self.gate, Pending(order)
        recent = [one for one in self.orders if one.approved.ts > order.ts - MINUTE_NS]
        assert len(recent) < gate.max_orders_per_minute
        assert len(self.orders) < gate.max_orders_per_session
        if order.side is Side.SELL:
            assert Fraction(order.quantity or 0) == self.held[order.strategy_id, order.symbol]
            return
        equity = self.cash + sum((self.of(symbol) * closes[symbol] for symbol in SYMBOLS), Fraction(0))
        pending = dict.fromkeys(SYMBOLS, Fraction(0))
        for one in self.orders:
            pending[one.approved.symbol] += one.value
        position = self.of(order.symbol) * closes[order.symbol] + pending[order.symbol] + asked.value
        assert position <= equity * Fraction(gate.max_position_size_pct) / 100
        exposure = sum((abs(self.of(symbol)) * closes[symbol] + pending[symbol] for symbol in SYMBOLS), Fraction(0))
        assert exposure + asked.value <= equity * Fraction(gate.max_gross_exposure_pct) / 100
        free = self.cash - sum((one.cost for one in self.orders), Fraction(0)) - Fraction(gate.cash_reserve_usd)
        assert asked.cost <= free
        assert gate.max_order_value_usd is None or asked.value <= Fraction(gate.max_order_value_usd)
        open_symbols = {one.approved.symbol for one in self.orders if one.is_open and one.approved.side is Side.BUY}
        occupied = open_symbols | {symbol for symbol in SYMBOLS if self.of(symbol)} | {order.symbol}
        assert len(occupied) <= gate.max_open_positions


class Audited(Workbench):
    """A workbench whose every approval is measured by an account beside it."""

    def __init__(self, settings: Any, venue: ObedientVenue) -> None:
        super().__init__(settings, venue)
        self.beside = Account(settings.gate)

    def _take(self, step: Any) -> None:
        closes = {symbol: Fraction(self.engine.facts.close_of(symbol)) for symbol in SYMBOLS}
        for record in step.records:
            self.beside.take(record, closes)
        super()._take(step)


def strategy(seed: int) -> AnsweringStrategy:
    """Wants something on most bars, by a rule of (seed, bar) alone; also what no strategy should want."""

    def answer(bar: Bar, _view: object) -> Sequence[Any]:
        word = Random(f"{seed} {bar.start_ns} {bar.symbol}").choice(["", "exit", "both", "limit", *["enter"] * 4])
        if word == "limit":
            limit = D(str(round(bar.close * 1.01, 4)))
            return (enter(bar.symbol, order_type=OrderType.LIMIT, limit_price=limit),)
        answers = {"enter": (enter(bar.symbol),), "exit": (leave(bar.symbol),)}
        answers["both"] = answers["exit"] + answers["enter"]
        return answers.get(word, ())

    return AnsweringStrategy(answer)


class GreedySizer:
    """Asks for what a limit just allows, or a little more, or something small; in shares or in dollars."""

    def __init__(self, seed: int, gate: GateSettings) -> None:
        self._random = Random(seed)
        self._gate = gate

    def size(self, _signal: object, view: SizingView) -> Size:
        """Go to the edge."""
        random, gate = self._random, self._gate
        equity, price = Fraction(view.equity), Fraction(view.price)
        edges = {
            "cash": Fraction(view.cash_free) / Fraction("1.03"),
            "dollars": Fraction(view.cash_free),
            "position": equity * Fraction(gate.max_position_size_pct) / 100 - Fraction(view.value_held),
            "gross": equity * Fraction(gate.max_gross_exposure_pct) / 100
            - random.choice([0, Fraction(view.value_held)]),
            "value": Fraction(gate.max_order_value_usd or 10),
            "small": Fraction(random.randint(2, 30)),
        }
        edge = random.choice(list(edges))
        if edges[edge] <= 1:
            return Size(reason="too little")
        if edge == "dollars" or random.random() < 0.3:
            cents = int(edges[edge] * 100) + random.choice([0, 0, 1])
            return Size(reason=edge, notional=D(cents).scaleb(-2))
        steps = int(edges[edge] / price * 10**9) + random.choice([0, 0, 1, 10**8])
        return Size(reason=edge, quantity=D(steps).scaleb(-9))


gates = st.builds(
    make_gate,
    max_open_positions=st.integers(1, 3),
    max_position_size_pct=st.sampled_from([D(10), D("33.3"), D(100)]),
    max_gross_exposure_pct=st.sampled_from([D(25), D(80), D(100)]),
    max_order_value_usd=st.sampled_from([None, None, D(60), D(300)]),
    max_orders_per_minute=st.sampled_from([1, 2, 4, 100]),
    max_orders_per_session=st.sampled_from([3, 12, 500]),
    cash_reserve_usd=st.sampled_from([D(0), D("123.45"), D(800)]),
)


@settings(max_examples=150)
@given(gate=gates, parts=st.integers(1, 3), seed=st.integers(0, 10**9))
def test_no_approval_breaks_a_limit(gate: GateSettings, parts: int, seed: int) -> None:
    """Position, exposure, cash, value, count and rate are kept by every approval, pending orders at their worst."""
    random = Random(seed)
    series = []
    for symbol, price in zip(SYMBOLS, (90.0, 40.0, 3.0), strict=True):
        closes = [price]
        for _ in range(14):
            closes.append(round(closes[-1] * random.choice([0.9, 0.99, 1.0, 1.01, 1.02, 1.1]), 2))
        series.append(make_bars(closes, symbol=symbol))
    slots = [
        make_slot(strategy(seed + number), *SYMBOLS, strategy_id=name) for number, name in enumerate(("one", "two"))
    ]
    venue = ObedientVenue(parts=parts)
    bench = Audited(make_settings(slots, GreedySizer(seed, gate), gate=gate), venue).start()
    for bar in merge(*series):
        bench.play([bar])
    assert Fraction(bench.engine.facts.cash) == Fraction(venue.cash) == bench.beside.cash
    assert {symbol: bench.beside.of(symbol) for symbol in SYMBOLS if bench.beside.of(symbol)} == {
        position.symbol: Fraction(position.quantity) for position in bench.account.positions
    }
