"""A desk with one order in flight, whose broker says what a test lets it say."""

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
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import Side
from mqd_core.engine.effects import Step
from mqd_core.engine.order import Order
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

D = Decimal


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


@pytest.fixture
def in_flight() -> Callable[..., InFlight]:
    """Makes desks with one order in flight."""
    return InFlight
