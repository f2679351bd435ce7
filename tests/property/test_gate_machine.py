"""The gate over any sequence of wishes, fills, cancels and restarts: were all that is open to fill, no limit is broken.

The desk is this file's own: books, orders and cash in fractions, at prices that do not move, so that what is allowed
once is allowed for good. The gate sees it through the facts that it asks for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Asset
from mqd_core.domain.orders import OrderDraft, OrderType, Side, TimeInForce
from mqd_core.domain.records import DeskState
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.risk.facts import Denial, GateSettings
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_core.testing.engines import make_gate

ZERO: Final = Fraction(0)
PRICES: Final = {"SPY": Decimal("90.01"), "QQQ": Decimal("40.5"), "IWM": Decimal("3.07")}
STRATEGIES: Final = ("one", "two")
COLLAR: Final = Fraction("1.03")
#: A bit less than what the histories were counted to hold.
BUYS_MIN: Final = 40
SELLS_MIN: Final = 150


def exact(value: Fraction) -> Decimal:
    """A fraction that a decimal can hold."""
    found = Decimal(value.numerator) / Decimal(value.denominator)
    assert Fraction(found) == value
    return found


@dataclass
class Working:
    """An approved order and what of it has filled."""

    order: ApprovedOrder
    filled: Fraction = ZERO

    @property
    def left(self) -> Fraction:
        """Shares, or dollars of a notional order."""
        return Fraction(self.order.quantity or self.order.notional or 0) - self.filled

    @property
    def value(self) -> Fraction:
        """What it may still buy, at its reference price."""
        if self.order.side is Side.SELL:
            return ZERO
        return self.left * (1 if self.order.quantity is None else Fraction(self.order.reference_price))

    @property
    def cost(self) -> Fraction:
        """The most cash that it may still take."""
        limit = self.order.limit_price
        if limit is not None and self.order.side is Side.BUY:
            return self.left * Fraction(limit)
        return self.value if self.order.quantity is None else self.value * COLLAR


class Facts:
    """The desk as the gate asks about it."""

    def __init__(self, machine: GateAndDesk) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, f"fact_{name}")()

    def session_code(self) -> None:
        """Always open."""

    def freeze_text(self, _symbol: str) -> None:
        """Nothing is in doubt."""

    def limit_denial(self) -> Denial | None:
        """One loss limit, on or off."""
        return Denial(code="daily_limit", text="lost enough") if self._machine.is_limited else None

    def bar_age_ns(self, _symbol: str) -> int:
        """Always fresh."""
        return 0

    def asset(self, symbol: str) -> Asset:
        """Any fraction of it is traded."""
        return Asset(symbol=symbol)

    def value_held(self, symbol: str) -> Decimal:
        """Held and pending."""
        return exact(self._machine.worst(symbol))

    def occupied_symbols(self) -> frozenset[str]:
        """Held or pending."""
        return frozenset(symbol for symbol in PRICES if self._machine.worst(symbol))

    def book_quantity(self, strategy_id: str, symbol: str) -> Decimal:
        """Of one book."""
        return exact(self._machine.books[strategy_id, symbol])

    def has_working(self, strategy_id: str, symbol: str) -> bool:
        """Of one book."""
        return any(x.order.strategy_id == strategy_id and x.order.symbol == symbol for x in self._machine.working)

    def has_opposite(self, strategy_id: str, symbol: str, side: Side) -> bool:
        """Of another one."""
        return any(
            x.order.strategy_id != strategy_id and x.order.symbol == symbol and x.order.side is not side
            for x in self._machine.working
        )

    def orders_since(self, since_ns: int) -> int:
        """Sent after that time."""
        return sum(sent > since_ns for sent, _ in self._machine.sent)

    def last_like(self, draft: OrderDraft, since_ns: int) -> int | None:
        """The same order."""
        like = [sent for sent, key in self._machine.sent if sent > since_ns and key == alike(draft)]
        return max(like, default=None)


def alike(draft: OrderDraft) -> tuple[object, ...]:
    """What makes two orders the same."""
    return draft.strategy_id, draft.symbol, draft.side, draft.quantity, draft.notional, draft.limit_price


class GateAndDesk(RuleBasedStateMachine):
    """Two strategies, three symbols, one account."""

    #: How many orders were let through, by side, over all histories: a law about nothing would hold, too.
    approved: ClassVar[Counter[Side]] = Counter()

    @initialize(
        cash=st.integers(200, 1500),
        gate=st.builds(
            make_gate,
            max_open_positions=st.sampled_from([1, 2, 3, 3]),
            max_position_size_pct=st.sampled_from([Decimal(10), Decimal("33.3"), Decimal(100)]),
            max_gross_exposure_pct=st.sampled_from([Decimal(25), Decimal(80), Decimal(100)]),
            max_order_value_usd=st.sampled_from([None, Decimal(60), Decimal(300)]),
            max_orders_per_minute=st.sampled_from([2, 5, 100]),
            cash_reserve_usd=st.sampled_from([Decimal(0), Decimal("123.45")]),
        ),
    )
    def begin(self, cash: int, gate: GateSettings) -> None:
        """An account with cash, and a position that both strategies have a part in: 5 and 3 per cent of it."""
        self.settings, self.gate, self.facts = gate, PreTradeRiskGate(gate), Facts(self)
        self.cash = Fraction(cash)
        self.books = {(strategy, symbol): ZERO for strategy in STRATEGIES for symbol in PRICES}
        for strategy, part in zip(STRATEGIES, (5, 3), strict=True):
            shares = Fraction(int(cash * part * 10**7 / Fraction(PRICES["SPY"])), 10**9)
            self.books[strategy, "SPY"] = shares
            self.cash -= shares * Fraction(PRICES["SPY"])
        self.working: list[Working] = []
        self.sent: list[tuple[int, tuple[object, ...]]] = []
        self.now_ns = 10 * MINUTE_NS
        self.state = DeskState.READY
        self.is_limited = False
        self.count = 0

    # What wants to be done

    @rule(
        strategy=st.sampled_from(STRATEGIES),
        symbol=st.sampled_from(sorted(PRICES)),
        edge=st.sampled_from(["tightest", "tightest", "position", "gross", "cash", "value"]),
        beyond=st.sampled_from([0, 0, 1]),
        kind=st.sampled_from(["shares", "shares", "dollars", "limit"]),
    )
    def enter(self, strategy: str, symbol: str, edge: str, beyond: int, kind: str) -> None:
        """Somebody wants to buy what a limit just allows, or a little more."""
        price, rooms = Fraction(PRICES[symbol]), self.rooms(symbol)
        room = min(rooms.values()) if edge == "tightest" else rooms[edge]
        if room < 1:
            return
        amount: dict[str, Any] = {"notional": Decimal(int(room * 100) + beyond).scaleb(-2)}
        if kind != "dollars":
            steps = int(room / price * 10**9) + beyond
            amount = {"quantity": Decimal(steps).scaleb(-9)}
        limit = round(PRICES[symbol] * Decimal("1.02"), 2) if kind == "limit" else None
        draft = self.draft(strategy, symbol, Side.BUY, limit, **amount)
        self.count += 1
        account: Any = None
        self.take(draft, self.gate.check_entry(draft, self.facts, account, f"order-{self.count}"))

    @precondition(lambda self: any(self.books.values()))
    @rule(data=st.data(), parts=st.sampled_from([1, 1, 2]), more=st.sampled_from([0, 0, 1]))
    def leave(self, data: st.DataObject, parts: int, more: int) -> None:
        """Somebody wants to sell a book, half of it, or a little more than it holds."""
        strategy, symbol = data.draw(st.sampled_from([key for key, held in self.books.items() if held]))
        held = int(self.books[strategy, symbol] * 10**9)
        draft = self.draft(
            strategy, symbol, Side.SELL, None, quantity=Decimal(held + 1 if more else -(-held // parts)).scaleb(-9)
        )
        self.count += 1
        answer = self.gate.check_exit(draft, self.facts, f"order-{self.count}")
        assert not more or isinstance(answer, Denial)
        self.take(draft, answer)

    def take(self, draft: OrderDraft, answer: ApprovedOrder | Denial) -> None:
        if isinstance(answer, Denial):
            return
        if draft.side is Side.BUY:
            assert self.state is DeskState.READY
            assert not self.is_limited
            assert len(self.facts.occupied_symbols() | {draft.symbol}) <= self.settings.max_open_positions
        minute = [sent for sent, _ in self.sent if sent > self.now_ns - MINUTE_NS]
        assert len(minute) < self.settings.max_orders_per_minute
        self.working.append(Working(answer))
        self.approved[draft.side] += 1
        self.sent.append((self.now_ns, alike(draft)))

    def draft(self, strategy: str, symbol: str, side: Side, limit: Decimal | None, **amount: Decimal) -> OrderDraft:
        return OrderDraft(
            correlation_id=f"c-{self.count}",
            strategy_id=strategy,
            symbol=symbol,
            side=side,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            reference_price=PRICES[symbol],
            limit_price=limit,
            **amount,
        )

    def rooms(self, symbol: str) -> dict[str, Fraction]:
        """What each limit still allows, in dollars."""
        gate = self.settings
        free = self.cash - sum((x.cost for x in self.working), ZERO) - Fraction(gate.cash_reserve_usd)
        return {
            "position": self.equity * Fraction(gate.max_position_size_pct) / 100 - self.worst(symbol),
            "gross": self.equity * Fraction(gate.max_gross_exposure_pct) / 100 - self.exposure,
            "cash": free / COLLAR,
            "value": Fraction(gate.max_order_value_usd or 200),
        }

    # What happens

    @precondition(lambda self: self.working)
    @rule(data=st.data(), part=st.sampled_from([1, 1, 2, 3]))
    def fill(self, data: st.DataObject, part: int) -> None:
        """An order fills, whole or in part, at its reference price."""
        working = data.draw(st.sampled_from(self.working))
        order, price = working.order, Fraction(PRICES[working.order.symbol])
        amount = working.left if part == 1 else Fraction(int(working.left / part * 100), 100)
        shares = amount if order.quantity is not None else Fraction(int(amount / price * 10**9), 10**9)
        sign = 1 if order.side is Side.BUY else -1
        self.books[order.strategy_id, order.symbol] += sign * shares
        self.cash -= sign * shares * price
        working.filled += amount
        if not working.left:
            self.working.remove(working)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """An order is canceled, expires or is refused."""
        self.working.remove(data.draw(st.sampled_from(self.working)))

    @rule(seconds=st.sampled_from([7, 70, 70]))
    def wait(self, seconds: int) -> None:
        """Time goes on."""
        self.now_ns += seconds * SECOND_NS

    @rule(
        state=st.sampled_from([*[DeskState.READY] * 6, DeskState.FROZEN, DeskState.HALTED]),
        is_limited=st.sampled_from([*[False] * 7, True]),
    )
    def restart(self, state: DeskState, is_limited: bool) -> None:
        """A new process has a new gate, and every order that is open; a halt and a limit may have come or gone."""
        self.state, self.is_limited = state, is_limited
        self.gate = PreTradeRiskGate(self.settings)
        for working in self.working:
            fields = {name: getattr(working.order, name) for name in ORDER_FIELDS}
            working.order = self.gate.reinstate(fields)

    # What the gate is told

    def worst(self, symbol: str) -> Fraction:
        """What is held of a symbol, and what open buys may add."""
        held = sum((shares for (_, other), shares in self.books.items() if other == symbol), ZERO)
        return held * Fraction(PRICES[symbol]) + sum((x.value for x in self.working if x.order.symbol == symbol), ZERO)

    @property
    def exposure(self) -> Fraction:
        """Of all symbols."""
        return sum(map(self.worst, PRICES), ZERO)

    @property
    def equity(self) -> Fraction:
        """Cash and holdings."""
        return self.cash + sum((held * Fraction(PRICES[symbol]) for (_, symbol), held in self.books.items()), ZERO)

    def fact_now_ns(self) -> int:
        return self.now_ns

    def fact_desk_state(self) -> DeskState:
        return self.state

    def fact_equity(self) -> Decimal:
        return exact(self.equity)

    def fact_cash_free(self) -> Decimal:
        return exact(self.cash - sum((x.cost for x in self.working), ZERO))

    def fact_gross_exposure(self) -> Decimal:
        return exact(self.exposure)

    def fact_orders_this_session(self) -> int:
        return len(self.sent)

    # What holds at any time

    @invariant()
    def worst_case_is_inside_every_limit(self) -> None:
        """Were everything that is open to fill: position, exposure, positions, cash, and no share sold short."""
        if not hasattr(self, "settings"):
            return
        gate, equity = self.settings, self.equity
        for symbol in PRICES:
            assert self.worst(symbol) <= equity * Fraction(gate.max_position_size_pct) / 100
        assert self.exposure <= equity * Fraction(gate.max_gross_exposure_pct) / 100
        assert len(self.facts.occupied_symbols()) <= gate.max_open_positions
        spent = sum((x.cost for x in self.working), ZERO)
        assert not spent or self.cash - spent >= Fraction(gate.cash_reserve_usd)
        for (strategy, symbol), held in self.books.items():
            mine = [x for x in self.working if (x.order.strategy_id, x.order.symbol) == (strategy, symbol)]
            assert len(mine) <= 1
            assert held >= sum((x.left for x in mine if x.order.side is Side.SELL), ZERO)
        for symbol in PRICES:
            assert len({x.order.side for x in self.working if x.order.symbol == symbol}) <= 1


ORDER_FIELDS: Final = (
    "client_order_id",
    "strategy_id",
    "symbol",
    "side",
    "order_type",
    "time_in_force",
    "quantity",
    "notional",
    "limit_price",
    "stop_price",
    "reference_price",
    "submitted_ns",
)


def test_the_gate_keeps_the_desk_inside_its_limits() -> None:
    """Over 150 histories no limit is ever broken, and neither side of the market was left out of them."""
    GateAndDesk.approved.clear()
    run_state_machine_as_test(
        GateAndDesk, settings=settings(max_examples=150, stateful_step_count=30, derandomize=True, deadline=None)
    )
    assert GateAndDesk.approved[Side.BUY] >= BUYS_MIN
    assert GateAndDesk.approved[Side.SELL] >= SELLS_MIN
