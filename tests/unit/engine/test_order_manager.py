"""Orders in flight: what the broker says and does not say, told twice, too late, or in the wrong order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import Command, OrderStatus, Outcome
from mqd_core.domain.identity import client_order_id
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.order_state import Life, Request
from mqd_core.domain.records import Alert, BookMoved, OrderMoved
from mqd_core.engine.effects import CancelOrder, QueryOrder, SubmitOrder
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import DESK, FixedSizer

D = Decimal
Make = Callable[..., Any]
S = OrderStatus
LIVES = {
    S.ACKNOWLEDGED: Life.PENDING,
    S.NEW: Life.WORKING,
    S.PAUSED: Life.PAUSED,
    S.CANCELED: Life.CANCELED,
    S.EXPIRED: Life.EXPIRED,
    S.REJECTED: Life.REJECTED,
    S.REPLACED: Life.REPLACED,
}


class TestSubmission:
    def test_sent_once(self, in_flight: Make) -> None:
        """An order is handed to the broker once, under the id that its approval was recorded with."""
        desk = in_flight()
        (effect,) = desk.bench.sent(SubmitOrder)
        assert (effect.order.client_order_id, effect.attempt) == (desk.id, 1)
        assert desk.life is Life.SUBMITTING

    @pytest.mark.parametrize("status", list(LIVES))
    def test_accepted(self, in_flight: Make, status: OrderStatus) -> None:
        """An accepted order is what the report says it is, under the broker's own id."""
        desk = in_flight()
        desk.submitted(Outcome.ACCEPTED, status)
        assert desk.life is LIVES[status]
        assert desk.order.broker_order_id == "b-1"
        assert desk.engine.working == (1 if desk.order.machine.is_open else 0)

    @pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.NOT_SENT])
    def test_refused(self, in_flight: Make, outcome: Outcome) -> None:
        """What was refused, or never left, is over; the strategy may try again."""
        desk = in_flight()
        desk.submitted(outcome)
        assert desk.life is Life.REJECTED
        assert desk.bench.of(OrderMoved)[-1].code == "x"
        assert not desk.engine.working

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.ACCEPTED])
    def test_unknown(self, in_flight: Make, outcome: Outcome) -> None:
        """A lost answer, as one without a report, never means no: the order keeps its exposure and is asked about."""
        desk = in_flight()
        step = desk.submitted(outcome)
        assert desk.life is Life.UNKNOWN
        assert step.next_timer_ns == desk.now_ns + SECOND_NS
        assert desk.engine.facts.gross_exposure == D(500)
        assert desk.engine.facts.cash_free == D(1000) - D(515)

    def test_unknown_after_a_fill(self, in_flight: Make) -> None:
        """An answer that was lost after the stream told of a fill is asked for, and the fill stays."""
        desk = in_flight()
        desk.fills("4", "4")
        step = desk.submitted(Outcome.UNKNOWN)
        assert (desk.life, desk.held) == (Life.WORKING, D(4))
        assert desk.asks(step) == ["QueryOrder"]
        desk.fills("6", "10")
        assert desk.asks(desk.submitted(Outcome.UNKNOWN)) == []
        assert desk.engine.next_timer_ns != desk.now_ns + SECOND_NS


class TestFills:
    def test_in_parts(self, in_flight: Make) -> None:
        """Each execution moves order, book and cash, in this order, and the strategy is told of it."""
        desk = in_flight().work()
        step = desk.fills("4", "4")
        assert [type(record) for record in step.records] == [OrderMoved, BookMoved]
        assert (desk.life, desk.held, desk.engine.facts.cash) == (Life.WORKING, D(4), D(800))
        assert desk.engine.facts.gross_exposure == D(500)
        desk.fills("6", "10")
        assert (desk.life, desk.held, desk.engine.facts.cash) == (Life.FILLED, D(10), D(500))
        assert [fill.quantity for fill in desk.strategy.fills] == [D(4), D(6)]

    def test_twice(self, in_flight: Make) -> None:
        """A fill that is told again moves nothing: no record, no cash, no word to the strategy."""
        desk = in_flight().work()
        desk.fills("4", "4", "e-1")
        for execution in ("e-1", "", "e-2"):
            step = desk.fills("4", "4", execution)
            assert (step.records, step.effects) == ((), ())
        assert (desk.held, len(desk.strategy.fills)) == (D(4), 1)

    def test_before_the_answer(self, in_flight: Make) -> None:
        """A fill may come before the answer to the submission, which then is old news."""
        desk = in_flight()
        desk.fills("10", "10")
        assert desk.life is Life.FILLED
        step = desk.submitted(Outcome.ACCEPTED, S.NEW)
        assert (desk.life, step.records, step.effects) == (Life.FILLED, (), ())

    @pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED, S.REJECTED, S.REPLACED])
    def test_late(self, in_flight: Make, status: OrderStatus) -> None:
        """A fill after the order's end is booked and alarmed; one after a rejection freezes the desk besides."""
        desk = in_flight().work()
        desk.say(status)
        step = desk.fills("4", "4")
        assert (desk.held, desk.engine.facts.cash) == (D(4), D(800))
        assert desk.alerts(step) == ["order_anomaly"]
        assert desk.state == ("frozen" if status is S.REJECTED else "ready")
        desk.fills("6", "10")
        assert desk.life is Life.FILLED

    def test_too_much(self, in_flight: Make) -> None:
        """More shares than were asked for are booked, and the desk halts."""
        desk = in_flight().work()
        step = desk.fills("11", "11")
        assert (desk.held, desk.state) == (D(11), "halted")
        assert desk.alerts(step) == ["order_anomaly", "order_table"]

    def test_gap(self, in_flight: Make) -> None:
        """A fill behind one that is missing waits: the broker is asked, and its answer brings both in order."""
        desk = in_flight().work()
        step = desk.fills("6", "10", "e-2")
        assert desk.held == D(0)
        assert desk.alerts(step) == ["missing_execution"]
        assert desk.asks(step) == ["QueryOrder"]
        desk.answers(S.FILLED, "10", (desk.fill("4", "4", "e-1"), desk.fill("6", "10", "e-2")))
        assert (desk.life, desk.held, desk.order.asked) == (Life.FILLED, D(10), 0)

    def test_gap_that_stays(self, in_flight: Make) -> None:
        """A missing execution that the broker cannot show is asked for three times; then the desk freezes, once."""
        desk = in_flight().work()
        step, asked = desk.fills("6", "10", "e-2"), 0
        while "QueryOrder" in desk.asks(step):
            asked += 1
            step = desk.answers(S.PARTIALLY_FILLED, "10", (desk.fill("6", "10", "e-2"),))
        for _ in range(3):
            desk.answers(S.PARTIALLY_FILLED, "10")
        assert asked <= 3
        assert desk.state == "frozen"
        assert [alert.code for alert in desk.bench.of(Alert)].count("execution_lost") == 1
        assert desk.engine.next_timer_ns <= desk.now_ns + MINUTE_NS

    def test_notional(self, in_flight: Make) -> None:
        """A notional order reserves what it has not spent, to the cent, and is over when its status says so."""
        desk = in_flight(FixedSizer(notional="300")).work()
        desk.bench.enter(desk.fill("2", "2", price="40"))
        assert (desk.life, desk.engine.facts.cash) == (Life.WORKING, D(920))
        assert desk.engine.facts.cash_free == D(700)
        assert desk.engine.facts.value_held("SPY") == D(2) * 50 + D(220)
        desk.bench.enter(desk.fill("5.6", "7.6", price="40"))
        assert desk.engine.facts.cash_free == desk.engine.facts.cash == D(696)
        desk.say(S.FILLED, "7.6")
        assert desk.life is Life.FILLED


class TestReports:
    def test_knows_of_more(self, in_flight: Make) -> None:
        """A report that knows of more than has come asks for it; an end waits until it has come."""
        desk = in_flight().work()
        step = desk.say(S.CANCELED, "4")
        assert (desk.life, desk.asks(step)) == (Life.WORKING, ["QueryOrder"])
        desk.answers(S.CANCELED, "4", (desk.fill("4", "4"),))
        assert (desk.life, desk.held) == (Life.CANCELED, D(4))

    def test_partial_report_before_its_fill(self, in_flight: Make) -> None:
        """A report that some has filled may come before the fill itself: it is asked for, and counted once."""
        desk = in_flight()
        assert desk.asks(desk.say(S.PARTIALLY_FILLED, "4")) == ["QueryOrder"]
        assert desk.life is Life.WORKING
        desk.fills("4", "4")
        desk.answers(S.PARTIALLY_FILLED, "4", (desk.fill("4", "4"),))
        assert (desk.life, desk.held) == (Life.WORKING, D(4))

    @pytest.mark.parametrize("status", [S.NEW, S.PAUSED, S.REJECTED, S.CANCELED, S.FILLED])
    def test_older_than_what_is_known(self, in_flight: Make, status: OrderStatus) -> None:
        """A report that knows of less than the desk is old: it changes nothing; an end it tells of is asked for."""
        desk = in_flight().work()
        desk.fills("4", "4")
        step = desk.say(status, "3")
        assert (desk.life, desk.held, step.records) == (Life.WORKING, D(4), ())
        assert desk.asks(step) == ([] if status in (S.NEW, S.PAUSED) else ["QueryOrder"])

    def test_filled_without_fills(self, in_flight: Make) -> None:
        """An order that is said to be filled is not, until its executions are there."""
        desk = in_flight()
        step = desk.say(S.FILLED, "10")
        assert (desk.life, desk.asks(step)) == (Life.SUBMITTING, ["QueryOrder"])
        desk.answers(S.FILLED, "10", (desk.fill("10", "10"),))
        assert (desk.life, desk.held) == (Life.FILLED, D(10))

    def test_unknown_order(self, in_flight: Make) -> None:
        """Another's order that the broker speaks of freezes the desk; one by its own name halts it."""
        desk = in_flight().work()
        for identifier, state in (("web-1", "frozen"), (client_order_id(DESK, 99, 1), "halted")):
            desk.id = identifier
            for step in (desk.say(S.NEW), desk.fills("1", "1"), desk.busts("1"), desk.answers(S.NEW)):
                assert desk.alerts(step)[0] == "unknown_order"
            desk.submitted(Outcome.UNKNOWN)
            desk.cancel_outcome(Outcome.ACCEPTED)
            assert desk.state == state
        assert desk.held == D(0)


class TestBusts:
    def test_reverses(self, in_flight: Make) -> None:
        """A busted execution is reversed by a row of its own; a person is told and the desk halts."""
        desk = in_flight().work()
        desk.fills("10", "10", "e-1")
        step = desk.busts("10", "e-1")
        (row,) = [record for record in step.records if isinstance(record, BookMoved)]
        assert (row.cause, row.change, row.cash) == ("bust", D(-10), D(1000))
        assert (desk.held, desk.state) == (D(0), "halted")
        assert desk.asks(step) == ["QueryOrder"]

    def test_twice(self, in_flight: Make) -> None:
        """Neither the bust nor the busted execution counts again, however often they are told."""
        desk = in_flight().work()
        desk.fills("4", "4", "e-1")
        desk.fills("6", "10", "e-2")
        desk.busts("4", "e-1")
        assert (desk.held, desk.engine.facts.cash) == (D(6), D(700))
        for step in (desk.busts("4", "e-1"), desk.fills("4", "4", "e-1"), desk.fills("6", "10", "e-2")):
            assert (step.records, step.effects) == ((), ())
        assert (desk.held, desk.engine.facts.cash) == (D(6), D(700))

    def test_of_what_was_never_booked(self, in_flight: Make) -> None:
        """A bust of an execution that the desk never saw reverses nothing, and the execution is not booked later."""
        desk = in_flight().work()
        desk.busts("4", "e-1")
        desk.fills("4", "4", "e-1")
        assert (desk.held, desk.state) == (D(0), "halted")
        nameless = in_flight().work()
        nameless.busts("4")
        assert (nameless.held, nameless.state) == (D(0), "halted")

    def test_before_any_answer(self, in_flight: Make) -> None:
        """A bust of an order that nothing is known of halts the desk and asks."""
        desk = in_flight()
        assert "QueryOrder" in desk.asks(desk.busts("4"))
        assert desk.state == "halted"


class TestForgetting:
    def test_after_a_day(self, in_flight: Make) -> None:
        """An order that is over is watched for a day and forgotten at the session's open after it."""
        desk = in_flight().work()
        desk.fills("10", "10")
        for date, count in (("2025-01-07", 1), ("2025-01-08", 0)):
            bars = make_bars([50.0], date=date)
            desk.bench.wait(bars[0].start_ns).play(bars)
            assert len(desk.remembered()) == count

    def test_late_end(self, in_flight: Make) -> None:
        """The day is counted from the order's last change of life."""
        desk = in_flight().work()
        desk.say(S.REPLACED)
        closed_ns = desk.order.closed_ns
        desk.bench.wait(desk.now_ns + 9 * 60 * MINUTE_NS)
        desk.fills("10", "10")
        assert desk.order.closed_ns > closed_ns

    def test_open_orders_stay(self, in_flight: Make) -> None:
        """An order that works is not forgotten, however old it is."""
        desk = in_flight().work()
        desk.bench.wait(desk.now_ns + 10 * 24 * 60 * MINUTE_NS)
        assert desk.remembered() == [desk.order]


def test_a_resumed_desk_cancels_nothing(in_flight: Make) -> None:
    """Effects of a halt are asked for once: cancel, then nothing more of it."""
    desk = in_flight().work()
    assert desk.asks(desk.cancels()) == ["CancelOrder"]
    assert desk.asks(desk.cancels()) == []
    assert desk.order.machine.request is Request.CANCEL
    desk.bench.enter(Command(ts=desk.now_ns, command_id="d", name="resume"))
    assert [type(effect) for effect in desk.bench.effects if isinstance(effect, (CancelOrder, QueryOrder))] == [
        CancelOrder
    ]
