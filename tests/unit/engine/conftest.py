"""Desks whose broker says what a test lets it say: with one order in flight, or under protection."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import (
    CancelOutcome,
    Command,
    Fill,
    FillBusted,
    OrderReport,
    OrderStatus,
    Outcome,
    QueryOutcome,
    SubmitOutcome,
)
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import Purpose, Side
from mqd_core.domain.records import Alert, Approved
from mqd_core.engine.effects import Step
from mqd_core.engine.order import Order
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

D = Decimal
LOSS = D("0.02")
CLOSE_NS = session_of().close_ns


class SilentVenue(ObedientVenue):
    """Takes effects and answers none: the test is the broker."""

    def perform(self, effect: Any, now_ns: int) -> Any:
        if type(effect).__name__ == "TakeSnapshot":
            yield self.account(now_ns)


class InFlight:
    """A desk that has decided to buy ten SPY at $50 on its second bar; nothing was answered yet."""

    def __init__(self, sizer: FixedSizer | None = None, **changes: Any) -> None:
        self.strategy = ScriptedStrategy({2: enter(**changes)})
        settings = make_settings([make_slot(self.strategy)], sizer or FixedSizer("10"))
        self.bench = Workbench(settings, SilentVenue("1000")).start().play(make_bars([50.0, 50.0]))
        (self.order,) = self.bench.engine._desk.orders.open_orders()
        self.id = self.order.approved.client_order_id

    @property
    def engine(self) -> Any:
        return self.bench.engine

    @property
    def now_ns(self) -> int:
        return self.bench.engine.now_ns

    @property
    def life(self) -> Life:
        return self.order.machine.life

    @property
    def state(self) -> str:
        return self.bench.engine.facts.desk_state.value

    def alerts(self, step: Step) -> list[str]:
        return [effect.alert.code for effect in step.effects if hasattr(effect, "alert")]

    def asks(self, step: Step) -> list[str]:
        """The effects of a step but alerts, in a word each."""
        return [type(effect).__name__ for effect in step.effects if not hasattr(effect, "alert")]

    def report(self, status: OrderStatus, filled: str = "0", broker: str = "b-1") -> OrderReport:
        return OrderReport(
            ts=self.now_ns,
            client_order_id=self.id,
            broker_order_id=broker,
            symbol="SPY",
            side=Side.BUY,
            status=status,
            filled_quantity=D(filled),
        )

    def say(self, status: OrderStatus, filled: str = "0") -> Step:
        return self.bench.enter(self.report(status, filled))

    def submitted(self, outcome: Outcome, status: OrderStatus | None = None) -> Step:
        report = None if status is None else self.report(status)
        return self.bench.enter(
            SubmitOutcome(
                ts=self.now_ns, client_order_id=self.id, attempt=1, outcome=outcome, report=report, code="x", text="y"
            )
        )

    def work(self) -> InFlight:
        self.submitted(Outcome.ACCEPTED, OrderStatus.NEW)
        return self

    def fill(self, quantity: str, cumulative: str, execution: str = "", price: str = "50") -> Fill:
        return Fill(
            ts=self.now_ns,
            client_order_id=self.id,
            broker_order_id="b-1",
            symbol="SPY",
            side=Side.BUY,
            quantity=D(quantity),
            price=D(price),
            cumulative_quantity=D(cumulative),
            execution_id=execution,
        )

    def fills(self, quantity: str, cumulative: str, execution: str = "") -> Step:
        return self.bench.enter(self.fill(quantity, cumulative, execution))

    def busts(self, quantity: str, execution: str = "") -> Step:
        return self.bench.enter(
            FillBusted(
                ts=self.now_ns,
                client_order_id=self.id,
                broker_order_id="b-1",
                symbol="SPY",
                side=Side.BUY,
                quantity=D(quantity),
                price=D(50),
                execution_id=execution,
            )
        )

    def answers(
        self, status: OrderStatus | None = None, filled: str = "0", fills: tuple[Fill, ...] = (), *, final: bool = False
    ) -> Step:
        """The answer to a query: found, or, without a status, not found."""
        outcome, report = (Outcome.NOT_FOUND, None) if status is None else (Outcome.FOUND, self.report(status, filled))
        return self.bench.enter(
            QueryOutcome(
                ts=self.now_ns, client_order_id=self.id, outcome=outcome, report=report, fills=fills, final=final
            )
        )

    def no_answer(self) -> Step:
        return self.bench.enter(QueryOutcome(ts=self.now_ns, client_order_id=self.id, outcome=Outcome.UNKNOWN))

    def cancels(self) -> Step:
        """Let a person halt the desk, which cancels entries."""
        return self.bench.enter(Command(ts=self.now_ns, command_id="c", name="halt", reason="test"))

    def cancel_outcome(self, outcome: Outcome) -> Step:
        return self.bench.enter(CancelOutcome(ts=self.now_ns, client_order_id=self.id, outcome=outcome, text="z"))

    @property
    def held(self) -> Decimal:
        return self.bench.engine.facts.book_quantity("scripted", "SPY")

    def remembered(self) -> list[Order]:
        return list(self.bench.engine._desk.orders.all_orders())


class Guarded:
    """A desk that buys on its second bar, under protection at the broker, and a venue that can be told to misbehave."""

    def __init__(self, script: Any = None, size: str = "3", parts: int = 1, venue: Any = None, **changes: Any) -> None:
        self.strategy = ScriptedStrategy({2: enter(stop_loss=LOSS)} if script is None else script)
        self.venue = venue or ObedientVenue("1000", parts=parts)
        changes = {"protection": "broker", **changes}
        self.settings = make_settings([make_slot(self.strategy)], FixedSizer(size), **changes)
        self.bench = Workbench(self.settings, self.venue)
        if venue is None:
            self.bench.start()
        self.bars = 0

    def play(self, *closes: float) -> Guarded:
        """Minutes of these closes, one after the other."""
        bars = make_bars([100.0] * self.bars + list(closes))[self.bars :]
        self.bars += len(closes)
        self.bench.play(bars)
        return self

    def hold(self) -> Guarded:
        """Up to the fill of the entry at 100."""
        return self.play(100.0, 100.0, 100.0)

    @property
    def keeper(self) -> Any:
        return self.bench.engine._desk.protection

    @property
    def state(self) -> str:
        return str(self.keeper.covers["scripted", "SPY"].state.value)

    @property
    def held(self) -> Decimal:
        return self.bench.engine.facts.book_quantity("scripted", "SPY")

    @property
    def now_ns(self) -> int:
        return self.bench.engine.now_ns

    def open(self, purpose: Purpose) -> list[Any]:
        return [order for order in self.bench.engine._desk.orders.open_orders() if order.purpose is purpose]

    @property
    def stop(self) -> Any:
        (order,) = self.open(Purpose.PROTECT)
        return order

    def sent(self, purpose: Purpose) -> list[Approved]:
        return [record for record in self.bench.of(Approved) if record.purpose is purpose]

    def alerts(self) -> list[str]:
        return [alert.code for alert in self.bench.of(Alert)]

    def later(self, seconds: float) -> Guarded:
        """Time passes, with its timers."""
        self.bench.wait(self.now_ns + int(seconds * SECOND_NS))
        return self

    def say(self, order: Any, status: OrderStatus, filled: str = "0", **fields: Any) -> None:
        approved = order.approved
        if approved.client_order_id in self.venue.orders:
            self.venue.orders[approved.client_order_id].status = status
        report = OrderReport(
            ts=self.now_ns,
            client_order_id=approved.client_order_id,
            broker_order_id="b",
            symbol="SPY",
            side=approved.side,
            status=status,
            filled_quantity=D(filled),
            **fields,
        )
        self.bench.enter(report)

    def fill(self, order: Any, quantity: str, price: str = "100") -> Fill:
        made = self.venue.fill(order.approved.client_order_id, quantity, price, self.now_ns)
        self.bench.enter(made)
        return made

    def command(self, name: str, symbol: str = "") -> None:
        arguments = (("symbol", symbol),) if symbol else ()
        event = Command(ts=self.now_ns, command_id="1", name=name, person="me", reason="why", arguments=arguments)
        self.bench.enter(event)

    def expire(self, at_ns: int = CLOSE_NS) -> None:
        """The session closes: timers fire, and the venue ends its DAY orders."""
        self.bench.wait(at_ns)
        for event in self.venue.expire(at_ns):
            self.bench.enter(event)

    def lose(self) -> None:
        """From now on the venue takes orders and every answer of it is lost."""
        self.venue.outcome = self.venue.query_outcome = Outcome.UNKNOWN


@pytest.fixture
def in_flight() -> Callable[..., InFlight]:
    """Makes desks with one order in flight."""
    return InFlight


@pytest.fixture
def guarded() -> Callable[..., Guarded]:
    """Makes desks under protection at the broker."""
    return Guarded
