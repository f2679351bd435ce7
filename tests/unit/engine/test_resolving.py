"""Resolving what is not known: asking about orders and cancels whose outcome was lost, never sending an order again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from mqd_core.domain.events import OrderStatus, Outcome, TimerFired
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.order_state import Life, Request
from mqd_core.domain.orders import Side
from mqd_core.domain.records import Alert, DeskState
from mqd_core.engine.effects import CancelOrder, QueryOrder, SubmitOrder
from mqd_core.engine.order import Order

D = Decimal
Make = Callable[..., Any]
S = OrderStatus


def wait(desk: Any, seconds: int) -> None:
    """Let time pass, with its timers and to the second."""
    until_ns = desk.now_ns + seconds * SECOND_NS
    desk.bench.wait(until_ns)
    desk.bench.enter(TimerFired(ts=until_ns))


class TestUnknown:
    def test_asked_at_growing_intervals(self, in_flight: Make) -> None:
        """An order of unknown outcome is asked about after 1, 3, 7, 15 and 31 s, then every 30 s; never sent again."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        begun_ns, asked = desk.now_ns, []
        while desk.now_ns - begun_ns < 150 * SECOND_NS:
            before = len(desk.bench.sent(QueryOrder))
            desk.bench.wait(desk.engine.next_timer_ns)
            asked += [(desk.now_ns - begun_ns) // SECOND_NS] * (len(desk.bench.sent(QueryOrder)) - before)
            desk.no_answer()
        assert asked == [1, 3, 7, 15, 31, 61, 91, 121, 151]
        assert len(desk.bench.sent(SubmitOrder)) == 1

    def test_found(self, in_flight: Make) -> None:
        """What the broker knows of it is adopted, executions included."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        desk.answers(S.PARTIALLY_FILLED, "4", (desk.fill("4", "4"),))
        assert (desk.life, desk.held, desk.order.broker_order_id) == (Life.WORKING, D(4), "b-1")
        assert desk.order.next_query_ns == 0

    @pytest.mark.parametrize("other", [{"symbol": "QQQ"}, {"side": Side.SELL}, {"quantity": D(7)}])
    def test_another_order_of_that_id(self, in_flight: Make, other: dict[str, Any]) -> None:
        """An id that the broker uses for another order is a collision: nothing is adopted, and the desk halts."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        desk.bench.enter(structs.replace(desk.report(S.NEW), **other))
        assert desk.life is Life.UNKNOWN
        assert desk.engine.facts.desk_state is DeskState.HALTED
        assert "id_collision" in [alert.code for alert in desk.bench.of(Alert)]

    def test_the_same_order(self, in_flight: Make) -> None:
        """Its own symbol, side and quantity are adopted."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        desk.bench.enter(structs.replace(desk.report(S.NEW), quantity=desk.order.approved.quantity))
        assert desk.life is Life.WORKING

    def test_proven(self, in_flight: Make) -> None:
        """It is given up after three answers of "not found", a minute after it was sent, and not before either."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        for _ in range(5):
            desk.answers()
            assert desk.life is Life.UNKNOWN
        wait(desk, 54)
        desk.answers()
        wait(desk, 5)
        desk.answers()
        assert (desk.life, desk.order.not_found) == (Life.UNKNOWN, 3)
        wait(desk, 5)
        desk.answers()
        assert desk.life is Life.ABANDONED
        assert desk.engine.facts.cash_free == D(1000)

    def test_not_by_one_answer(self, in_flight: Make) -> None:
        """However long ago it was sent, one or two answers of "not found" prove nothing; it is asked again."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        wait(desk, 600)
        for _ in range(2):
            for _ in range(2):
                # The same answer at once again is no second one.
                desk.answers()
                assert desk.life is Life.UNKNOWN
            assert desk.now_ns < desk.order.next_query_ns <= desk.now_ns + MINUTE_NS
            wait(desk, 5)
        desk.answers()
        assert desk.life is Life.ABANDONED

    def test_a_sighting_begins_the_count_anew(self, in_flight: Make) -> None:
        """Answers of "not found" count in a row: one sighting between them takes the earlier ones back."""
        desk = in_flight().work()
        for _ in range(2):
            desk.answers()
            desk.answers()
            desk.answers(S.NEW)
        assert (desk.life, desk.state) == (Life.WORKING, "ready")

    def test_arrives_late(self, in_flight: Make) -> None:
        """An order that lands after it was given up is taken back, told of, and canceled at once; its fills count."""
        desk = in_flight()
        desk.submitted(Outcome.UNKNOWN)
        wait(desk, 60)
        for _ in range(3):
            desk.answers()
            wait(desk, 5)
        step = desk.say(S.NEW)
        assert desk.life is Life.WORKING
        assert desk.alerts(step) == ["order_anomaly"]
        assert desk.asks(step) == ["CancelOrder"]
        assert desk.engine.working == 1
        desk.fills("4", "4")
        desk.say(S.CANCELED, "4")
        assert (desk.life, desk.held) == (Life.CANCELED, D(4))

    def test_never_sent(self, in_flight: Make) -> None:
        """Where "not found" is final, as at a venue in process, the order is sent, for the first time in truth."""
        desk = in_flight()
        step = desk.answers(final=True)
        assert desk.asks(step) == ["SubmitOrder"]
        assert [(effect.order.client_order_id, effect.attempt) for effect in desk.bench.sent(SubmitOrder)] == [
            (desk.id, 1),
            (desk.id, 2),
        ]

    def test_never_sent_and_no_longer_wanted(self, in_flight: Make) -> None:
        """An order that was canceled before it was sent is given up: a halted desk sends no entry."""
        desk = in_flight()
        desk.cancels()
        step = desk.answers(final=True)
        assert desk.asks(step) == []
        assert (desk.life, desk.state) == (Life.ABANDONED, "halted")

    def test_vanished(self, in_flight: Make) -> None:
        """An order that the broker once had and three times does not know halts the desk, once."""
        desk = in_flight().work()
        for _ in range(2):
            desk.answers()
            assert desk.state == "ready"
            assert desk.now_ns < desk.order.next_query_ns <= desk.now_ns + MINUTE_NS
            wait(desk, 5)
        assert desk.alerts(desk.answers()) == ["order_table"]
        assert desk.state == "halted"
        for _ in range(5):
            step = desk.answers()
            assert (step.records, step.effects) == ((), ())
        assert desk.life is Life.WORKING

    @pytest.mark.parametrize("final", [True, False])
    def test_over_and_not_found(self, in_flight: Make, final: bool) -> None:
        """That the broker no longer knows an order that is over says nothing."""
        desk = in_flight().work()
        desk.fills("10", "10")
        for _ in range(4):
            step = desk.answers(final=final)
            assert (step.records, step.effects) == ((), ())
        assert (desk.life, desk.state) == (Life.FILLED, "ready")

    def test_order_of_orders(self, in_flight: Make) -> None:
        """An order that was taken back is the youngest open one, before a restart and after it."""
        desk = in_flight()
        manager = desk.engine._desk.orders
        first = desk.order.state()
        desk.submitted(Outcome.REFUSED)
        other = structs.replace(first, fields=structs.replace(first.fields, client_order_id="other"))
        gate = desk.engine._desk.gate
        fields = {name: getattr(other.fields, name) for name in other.fields.__struct_fields__}
        manager.restore([desk.order, Order.restored(other, gate.reinstate(fields), None)])
        desk.say(S.NEW)
        desk.answers(S.NEW)
        assert list(manager.open) == ["other", desk.id]
        manager.restore(list(manager.all_orders()))
        assert list(manager.open) == ["other", desk.id]


class TestQueries:
    def test_dead_order_that_is_open(self, in_flight: Make) -> None:
        """A report that a canceled order works makes the desk ask; if it does, it is taken back and canceled."""
        desk = in_flight().work()
        desk.say(S.CANCELED)
        assert desk.asks(desk.say(S.NEW)) == ["QueryOrder"]
        assert desk.life is Life.CANCELED
        assert desk.asks(desk.answers(S.NEW)) == ["CancelOrder"]
        assert desk.life is Life.WORKING

    def test_dead_order_that_is_dead(self, in_flight: Make) -> None:
        """An old report about a canceled order is asked about, and the answer settles it."""
        desk = in_flight().work()
        desk.say(S.CANCELED)
        desk.say(S.NEW)
        step = desk.answers(S.CANCELED)
        assert (step.records, step.effects) == ((), ())
        assert desk.life is Life.CANCELED

    @pytest.mark.parametrize("first", [S.CANCELED, S.FILLED])
    def test_answers_that_ask_again(self, in_flight: Make, first: OrderStatus) -> None:
        """An answer that makes the desk ask again does so three times at the most: no loop at the broker's cost."""
        desk = in_flight().work()
        if first is S.FILLED:
            desk.fills("10", "10")
        else:
            desk.say(first)
        filled = "10" if first is S.FILLED else "0"
        step, asked = desk.say(S.REPLACED, filled), 0
        while "QueryOrder" in desk.asks(step):
            asked += 1
            step = desk.answers(S.REPLACED, filled)
        assert asked == 3

    def test_no_answer_is_no_information(self, in_flight: Make) -> None:
        """A query without an answer changes nothing about the order, and it is asked again within a minute."""
        desk = in_flight().work()
        desk.cancels()
        desk.cancel_outcome(Outcome.UNKNOWN)
        desk.order.next_query_ns = 0
        desk.no_answer()
        assert (desk.life, desk.state) == (Life.WORKING, "halted")
        assert desk.now_ns < desk.order.next_query_ns <= desk.now_ns + MINUTE_NS
        later_ns = desk.order.next_query_ns
        desk.no_answer()
        assert desk.order.next_query_ns == later_ns


class TestCancels:
    def test_before_the_answer(self, in_flight: Make) -> None:
        """A cancel of an order that is still being submitted is remembered, and sent with the broker's first word."""
        desk = in_flight()
        assert desk.asks(desk.cancels()) == []
        assert desk.asks(desk.submitted(Outcome.ACCEPTED, S.NEW)) == ["CancelOrder"]
        assert desk.order.machine.request is Request.CANCEL
        assert desk.bench.sent(CancelOrder)[0].order.broker_order_id == "b-1"

    def test_first_word_is_a_fill(self, in_flight: Make) -> None:
        """That first word may be an execution."""
        desk = in_flight()
        desk.cancels()
        assert desk.asks(desk.fills("4", "4")) == ["CancelOrder"]
        assert desk.asks(desk.submitted(Outcome.ACCEPTED, S.NEW)) == []

    def test_pointless(self, in_flight: Make) -> None:
        """A cancel of an order that has filled meanwhile is not sent."""
        desk = in_flight()
        desk.cancels()
        assert desk.asks(desk.fills("10", "10")) == []
        assert desk.life is Life.FILLED

    def test_taken_is_not_done(self, in_flight: Make) -> None:
        """A cancel that was taken leaves the order working until the broker says that it is gone; it may fill.

        Where the end does not come by itself it is asked for.
        """
        desk = in_flight().work()
        desk.cancels()
        desk.cancel_outcome(Outcome.ACCEPTED)
        assert desk.engine.next_timer_ns == desk.now_ns + SECOND_NS
        desk.fills("4", "4")
        assert (desk.life, desk.held) == (Life.WORKING, D(4))
        desk.say(S.CANCELED, "4")
        assert desk.life is Life.CANCELED

    def test_refused(self, in_flight: Make) -> None:
        """A refused cancel is over: the order is asked about, and may be canceled again."""
        desk = in_flight().work()
        desk.cancels()
        assert desk.asks(desk.cancel_outcome(Outcome.REFUSED)) == ["QueryOrder"]
        assert desk.order.machine.request is Request.NONE
        assert desk.asks(desk.say(S.CANCEL_REJECTED)) == ["QueryOrder"]
        assert desk.asks(desk.cancels()) == ["CancelOrder"]

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.NOT_SENT])
    def test_lost(self, in_flight: Make, outcome: Outcome) -> None:
        """A cancel whose outcome is lost is asked about at once; while the order is open it is sent again."""
        desk = in_flight().work()
        desk.cancels()
        step = desk.cancel_outcome(outcome)
        assert desk.asks(step) == ["QueryOrder"]
        assert desk.order.machine.request_unknown
        assert desk.asks(desk.answers(S.NEW)) == ["CancelOrder"]
        assert not desk.order.machine.request_unknown

    def test_lost_and_done(self, in_flight: Make) -> None:
        """A lost cancel that arrived is found out by asking, and not sent again."""
        desk = in_flight().work()
        desk.cancels()
        desk.cancel_outcome(Outcome.UNKNOWN)
        assert desk.asks(desk.answers(S.CANCELED)) == []
        assert desk.life is Life.CANCELED

    def test_lost_again_and_again(self, in_flight: Make) -> None:
        """After five lost cancels a person is told, once, and no more are sent by themselves."""
        desk = in_flight().work()
        desk.cancels()
        for _ in range(8):
            desk.cancel_outcome(Outcome.UNKNOWN)
            desk.answers(S.NEW)
        assert len(desk.bench.sent(CancelOrder)) == 5
        assert [alert.code for alert in desk.bench.of(Alert)].count("cancel_unanswered") == 1

    def test_of_an_order_that_is_over(self, in_flight: Make) -> None:
        """Outcomes of a cancel that lost the race say nothing any more."""
        desk = in_flight().work()
        desk.cancels()
        desk.fills("10", "10")
        for outcome in (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.ACCEPTED):
            assert desk.asks(desk.cancel_outcome(outcome)) == []
        assert desk.life is Life.FILLED
