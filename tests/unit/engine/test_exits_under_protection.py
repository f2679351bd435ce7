"""Exits, halts and a person's flatten where a stop rests: what is canceled, what is sold, what is told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from mqd_core.domain.events import OrderStatus, Outcome, RunStarted, TimerFired
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import OrderType, Purpose
from mqd_core.domain.records import Alert, Denied, DeskState
from mqd_core.engine.cover import RETRY_NS
from mqd_core.engine.effects import CancelOrder, QueryOrder
from mqd_core.engine.engine import Engine
from mqd_core.testing.bars import session_of
from mqd_core.testing.engines import (
    ScriptedStrategy,
    enter,
    leave,
    make_settings,
    make_slot,
)

D = Decimal
Make = Callable[..., Any]
S = OrderStatus
LOSS = D("0.02")
CLOSE_NS = session_of().close_ns


class TestExit:
    def exiting(self, guarded: Make) -> Any:
        """A desk that wants to leave on its fifth bar."""
        return guarded(script={2: enter(stop_loss=LOSS), 4: leave(), 5: leave()}).hold()

    def test_while_the_stop_rests(self, guarded: Make) -> None:
        """The stop is canceled, and when that is confirmed what remains is sold; meanwhile a second exit is denied."""
        desk = self.exiting(guarded)
        desk.venue.cancel_outcome = Outcome.UNKNOWN
        desk.play(100.0, 100.0)
        assert desk.sent(Purpose.EXIT) == []
        assert desk.bench.of(Denied)[-1].code == "duplicate"
        desk.fill(desk.stop, "1", "98")
        assert desk.sent(Purpose.EXIT) == []
        desk.say(desk.stop, S.CANCELED, "1")
        assert [record.quantity for record in desk.sent(Purpose.EXIT)] == [D(2)]
        assert desk.state == "exiting"
        desk.play(100.0)
        assert (desk.held, desk.bench.engine.facts.trips) == (D(0), 1)

    def test_the_stop_fills_while_its_cancel_is_on_its_way(self, guarded: Make) -> None:
        """Then the exit is over, and the record says why."""
        desk = self.exiting(guarded)
        desk.venue.cancel_outcome = Outcome.UNKNOWN
        desk.play(100.0)
        desk.fill(desk.stop, "3", "98")
        assert (desk.held, desk.sent(Purpose.EXIT)) == (D(0), [])
        assert desk.bench.of(Denied)[-1].code == "stopped_out"

    def test_waits_too_long(self, guarded: Make) -> None:
        """A cancel without an end for five seconds is told of."""
        desk = self.exiting(guarded)
        desk.venue.cancel_outcome, desk.venue.query_outcome = Outcome.UNKNOWN, Outcome.UNKNOWN
        desk.play(100.0).later(4)
        assert desk.alerts() == []
        desk.later(5)
        assert desk.alerts() == ["exit_waits"]
        desk.venue.cancel_outcome = Outcome.ACCEPTED
        desk.later(5)
        assert desk.state == "exiting"
        assert len(desk.sent(Purpose.EXIT)) == 1

    def test_that_the_gate_would_deny_leaves_the_stop(self, guarded: Make) -> None:
        """For an exit that could not be sent no stop is canceled."""
        desk = self.exiting(guarded)
        desk.bench.engine._desk.facts.orders_this_session = 10_000
        desk.play(100.0)
        assert desk.bench.of(Denied)[-1].code == "order_rate"
        assert desk.state == "armed"
        assert desk.bench.sent(CancelOrder) == []

    def test_answer_lost(self, guarded: Make) -> None:
        """An exit nobody answered for is told of after five seconds; the position counts as unprotected until then."""
        desk = self.exiting(guarded)
        desk.lose()
        desk.play(100.0)
        assert desk.state == "exiting"
        desk.later(30)
        assert (desk.alerts(), desk.state) == (["exit_unknown"], "unprotected")
        assert "flatten" in desk.bench.of(Alert)[-1].text
        assert len(desk.sent(Purpose.EXIT)) == 1
        desk.venue.query_outcome = None
        desk.later(60)
        assert desk.state == "exiting"
        desk.play(100.0)
        assert desk.held == D(0)

    def test_answer_lost_without_stops(self, guarded: Make) -> None:
        """The same where strategies protect themselves; when the answer is there nothing is left to say."""
        desk = guarded(script={2: enter(), 4: leave()}, protection="strategy").hold()
        desk.lose()
        desk.play(100.0).later(30)
        assert desk.alerts() == ["protection_waived", "exit_unknown"]
        assert desk.state == "unprotected"
        desk.venue.outcome, desk.venue.query_outcome, desk.venue.is_final = Outcome.ACCEPTED, Outcome.NOT_FOUND, False
        desk.later(300)
        assert desk.open(Purpose.EXIT) == []
        assert desk.state == ""

    def test_asked_about_first(self, guarded: Make) -> None:
        """Of several orders without an answer those that close a position are asked about first."""
        desk = self.exiting(guarded)
        desk.lose()
        desk.play(100.0)
        before = len(desk.bench.sent(QueryOrder))
        desk.later(1)
        first = desk.bench.sent(QueryOrder)[before]
        assert first.client_order_id == desk.open(Purpose.EXIT)[0].approved.client_order_id

    def test_refused(self, guarded: Make) -> None:
        """An exit that the broker refuses leaves a position, and that gets its stop back."""
        desk = self.exiting(guarded)
        desk.venue.outcome = Outcome.REFUSED
        desk.play(100.0)
        desk.venue.outcome = Outcome.ACCEPTED
        desk.later(1)
        assert (desk.held, desk.state) == (D(3), "armed")


class TestHalt:
    def test_while_holding(self, guarded: Make) -> None:
        """A halted desk keeps its stop, and sends it again at the next open."""
        desk = guarded().hold()
        desk.command("halt")
        assert desk.state == "armed"
        desk.expire()
        desk.bench.wait(desk.bench.engine.next_timer_ns)
        assert (desk.bench.engine.facts.desk_state.value, desk.state) == ("halted", "armed")

    def test_with_a_partial_entry(self, guarded: Make) -> None:
        """A halt cancels the entry, and what it had bought is protected."""
        desk = guarded(parts=3).hold()
        desk.command("halt")
        assert (desk.open(Purpose.ENTRY), desk.stop.approved.quantity) == ([], D(1))


class TestFlatten:
    @pytest.mark.parametrize("symbol", ["SPY", "all"])
    @pytest.mark.parametrize("protection", ["broker", "strategy"])
    def test_sells(self, guarded: Make, symbol: str, protection: str) -> None:
        """A person's flatten cancels what works and sells the book, in a halted desk too."""
        desk = guarded(protection=protection).hold()
        desk.command("halt")
        desk.command("flatten", symbol)
        (record,) = desk.sent(Purpose.FLATTEN)
        assert (record.quantity, record.order_type) == (D(3), OrderType.MARKET)
        assert desk.state == "exiting"
        desk.play(100.0)
        assert (desk.held, desk.open(Purpose.PROTECT), desk.state) == (D(0), [], "")

    def test_with_an_entry(self, guarded: Make) -> None:
        """What an entry has bought is sold as soon as the rest of it is canceled."""
        desk = guarded(parts=3).hold()
        desk.command("flatten", "SPY")
        assert [record.quantity for record in desk.sent(Purpose.FLATTEN)] == [D(1)]

    def test_an_entry_that_has_bought_nothing(self, guarded: Make) -> None:
        """It is canceled, and that is all."""
        desk = guarded()
        desk.play(100.0, 100.0)
        desk.command("flatten", "all")
        assert (desk.bench.engine.working, desk.sent(Purpose.FLATTEN), desk.state) == (0, [], "")

    @pytest.mark.parametrize("symbol", ["QQQ", "all"])
    def test_nothing(self, guarded: Make, symbol: str) -> None:
        """Without a position it says so."""
        desk = guarded(script={})
        desk.command("flatten", symbol)
        assert "no such position" in desk.bench.of(Alert)[-1].text

    def test_without_a_symbol(self, guarded: Make) -> None:
        """A flatten that does not say what is told to be ignored."""
        desk = guarded()
        desk.command("flatten")
        assert desk.alerts() == ["command_ignored"]

    def test_at_night(self, guarded: Make) -> None:
        """While the exchange is closed it waits for the open, and says so."""
        desk = guarded().hold()
        desk.expire()
        desk.command("flatten", "SPY")
        assert desk.alerts() == ["flatten", "flatten_waits"]
        desk.bench.wait(desk.bench.engine.next_timer_ns)
        assert len(desk.sent(Purpose.FLATTEN)) == 1
        assert desk.open(Purpose.PROTECT) == []

    def test_refused_again_and_again(self, guarded: Make) -> None:
        """What cannot be sold is told of, and gets its stop back."""
        desk = guarded().hold()
        desk.venue.outcome = Outcome.REFUSED
        desk.command("flatten", "SPY")
        desk.later(81)
        assert desk.alerts() == ["flatten", "flatten_failed"]
        assert len(desk.sent(Purpose.FLATTEN)) == len(RETRY_NS) + 1
        desk.venue.outcome = Outcome.ACCEPTED
        desk.later(80)
        assert desk.state == "armed"

    def test_denied(self, guarded: Make) -> None:
        """One that the gate denies is tried again, too."""
        desk = guarded().hold()
        desk.bench.engine._desk.facts.orders_this_session = 10_000
        desk.command("flatten", "SPY")
        assert desk.bench.of(Denied)[-1].code == "order_rate"
        desk.bench.engine._desk.facts.orders_this_session = 0
        desk.later(1)
        assert len(desk.sent(Purpose.FLATTEN)) == 1

    def test_with_an_exit_of_unknown_outcome(self, guarded: Make) -> None:
        """The exit is not doubled: its cancel is remembered until it is known, and then the rest is sold."""
        desk = guarded(script={2: enter(stop_loss=LOSS), 4: leave()}).hold()
        desk.lose()
        desk.play(100.0)
        desk.command("flatten", "SPY")
        (waiting,) = desk.open(Purpose.EXIT)
        assert waiting.machine.cancel_wanted
        desk.later(20)
        assert desk.state == "unprotected"
        desk.venue.outcome, desk.venue.query_outcome = Outcome.ACCEPTED, None
        desk.later(60)
        assert len(desk.sent(Purpose.FLATTEN)) == 1
        assert waiting.machine.life is Life.CANCELED

    def test_with_an_exit_on_its_way(self, guarded: Make) -> None:
        """A market exit that works is left alone; what it leaves is sold."""
        desk = guarded(script={2: enter(stop_loss=LOSS), 4: leave()}).hold()
        desk.venue.is_holding = True
        desk.play(100.0)
        desk.command("flatten", "SPY")
        (working,) = desk.open(Purpose.EXIT)
        desk.fill(working, "1")
        desk.say(working, S.CANCELED, "1")
        assert [record.quantity for record in desk.sent(Purpose.FLATTEN)] == [D(2)]

    def test_one_that_a_person_canceled(self, guarded: Make) -> None:
        """A flatten that somebody else canceled is sent again."""
        desk = guarded().hold()
        desk.venue.is_holding = True
        desk.command("flatten", "SPY")
        desk.say(desk.open(Purpose.FLATTEN)[0], S.CANCELED)
        desk.later(1)
        assert len(desk.sent(Purpose.FLATTEN)) == 2


class TestUnsure:
    def test_while_it_recovers(self, guarded: Make) -> None:
        """Until a desk knows what it holds nothing is sent, nor asked about because a session opens."""
        desk = guarded().hold()
        engine = Engine(desk.settings)
        engine.restore(desk.bench.engine.snapshot())
        keeper = engine._desk.protection
        engine._desk.facts.desk_state = DeskState.RECOVERING
        keeper.on_open()
        keeper.settle()
        assert keeper.touched
        assert engine._desk.scribe.effects == []


class TestRestart:
    @pytest.mark.parametrize("status", [S.CANCELED, S.FILLED])
    def test_an_exit_whose_stop_ended_meanwhile(self, guarded: Make, status: OrderStatus) -> None:
        """It is sent when the desk knows what it holds; where the stop has sold everything there is nothing to send."""
        desk = guarded(script={2: enter(stop_loss=LOSS), 4: leave()}).hold()
        desk.venue.cancel_outcome = Outcome.UNKNOWN
        desk.play(100.0)
        again = guarded(script={}, venue=desk.venue)
        again.bench.engine.restore(desk.bench.engine.snapshot())
        if status is S.FILLED:
            desk.venue.fill(desk.stop.approved.client_order_id, "3", "98", desk.now_ns)
        desk.venue.orders[desk.stop.approved.client_order_id].status = status
        again.bench.start(desk.now_ns, "run-2")
        assert [record.quantity for record in again.sent(Purpose.EXIT)] == ([D(3)] if status is S.CANCELED else [])
        assert again.held == (D(3) if status is S.CANCELED else D(0))

    def test_one_that_may_not_go_leaves_a_stop(self, guarded: Make) -> None:
        """Where the gate denies the exit that waited, the position gets its stop back."""
        desk = guarded(script={2: enter(stop_loss=LOSS), 4: leave()}).hold()
        desk.venue.cancel_outcome = Outcome.UNKNOWN
        desk.play(100.0)
        again = guarded(script={}, venue=desk.venue)
        again.bench.engine.restore(desk.bench.engine.snapshot())
        desk.venue.orders[desk.stop.approved.client_order_id].status = S.CANCELED
        again.expire(CLOSE_NS)
        again.bench.engine._desk.facts.desk_state = DeskState.STARTING
        again.bench.start(CLOSE_NS, "run-2")
        assert (again.sent(Purpose.EXIT), again.state) == ([], "asleep")

    def test_goes_on(self, guarded: Make) -> None:
        """A restored desk knows its covers, and asks about stops nobody had answered for."""
        desk = guarded().play(100.0, 100.0)
        desk.lose()
        (entry,) = desk.open(Purpose.ENTRY)
        desk.fill(entry, "3")
        engine = Engine(guarded().settings)
        engine.restore(desk.bench.engine.snapshot())
        assert engine.snapshot() == desk.bench.engine.snapshot()
        assert list(engine._desk.protection.unanswered) == [desk.stop.approved.client_order_id]

    def test_waits_for_the_end_of_recovery(self, guarded: Make) -> None:
        """What is due while the desk does not know what it holds is no timer that fires again and again."""
        desk = guarded().hold()
        desk.say(desk.stop, S.REJECTED)
        engine = Engine(guarded().settings)
        engine.restore(desk.bench.engine.snapshot())
        (cover,) = engine._desk.protection.covers.values()
        due_ns = cover.due_ns
        assert due_ns > desk.now_ns
        started = next(event for _, event in desk.bench.events if isinstance(event, RunStarted))
        engine.on_event(structs.replace(started, ts=desk.now_ns))
        engine.on_event(TimerFired(ts=due_ns))
        assert engine.next_timer_ns is None or engine.next_timer_ns > due_ns

    def test_a_position_that_is_no_longer_configured(self, guarded: Make) -> None:
        """Its cover is left out: the start refuses such a configuration before."""
        desk = guarded().hold()
        engine = Engine(make_settings([make_slot(ScriptedStrategy(), strategy_id="other")], protection="broker"))
        engine.restore(desk.bench.engine.snapshot())
        assert engine._desk.protection.covers == {}
