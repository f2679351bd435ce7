"""Protective orders: a stop for every position, kept whole, in time, and never beside the other side."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import (
    FillBusted,
    OrderStatus,
    Outcome,
)
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.orders import OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.records import Alert, CoverState, Denied, ProtectionMoved
from mqd_core.engine.cover import RETRY_NS
from mqd_core.engine.effects import CancelOrder
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    make_gate,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
Make = Callable[..., Any]
S = OrderStatus
LOSS = D("0.02")
CLOSE_NS = session_of().close_ns


class TestStop:
    def test_sent_with_the_fill(self, guarded: Make) -> None:
        """In the step that fills the entry a DAY stop of the whole book is sent, at what was paid less the stop."""
        desk = guarded().hold()
        (record,) = desk.sent(Purpose.PROTECT)
        assert (record.side, record.order_type, record.time_in_force) == (Side.SELL, OrderType.STOP, TimeInForce.DAY)
        assert (record.quantity, record.stop_price, record.limit_price) == (D(3), D("98.00"), None)
        assert [move.state for move in desk.bench.of(ProtectionMoved)] == [CoverState.ARMING, CoverState.ARMED]
        assert desk.alerts() == []

    def test_never_later(self, guarded: Make) -> None:
        """The stop's price is rounded up to its tick."""
        desk = guarded(script={2: enter(stop_loss=D("0.0123456789012345678901234567890123456789"))}).hold()
        assert desk.stop.approved.stop_price == D("98.77")

    def test_not_the_strategys(self, guarded: Make) -> None:
        """The strategy's own working orders do not hold the desk's stop; an entry of it waits until that is gone."""
        desk = guarded(script={2: enter(stop_loss=LOSS), 4: enter(stop_loss=LOSS)}).hold().play(100.0)
        assert desk.strategy.bars[-1].symbol == "SPY"
        (lane,) = desk.bench.engine._desk.lanes()
        assert lane.view is not None
        assert lane.view.working == ()
        assert [denied.code for denied in desk.bench.of(Denied)] == ["duplicate"]

    def test_fills(self, guarded: Make) -> None:
        """A stop that fills closes the position: the strategy is told, the trip counts, the next entry is protected."""
        desk = guarded(script={2: enter(stop_loss=LOSS), 6: enter(stop_loss=LOSS)}).hold()
        desk.play(97.0, 97.0, 97.0, 97.0)
        assert [(fill.side, fill.price) for fill in desk.strategy.fills] == [
            (Side.BUY, D(100)),
            (Side.SELL, D(98)),
            (Side.BUY, D(97)),
        ]
        assert desk.bench.engine.facts.trips == 1
        assert desk.stop.approved.stop_price == D("95.06")

    def test_partly_filled(self, guarded: Make) -> None:
        """What is left of a stop covers what is left of the book."""
        desk = guarded().hold()
        desk.fill(desk.stop, "1", "98")
        assert (desk.held, desk.state, desk.alerts()) == (D(2), "armed", [])

    def test_nothing_but_by_strategy(self, guarded: Make) -> None:
        """Under `protection: strategy` nothing rests, and nothing is said of a position."""
        desk = guarded(protection="strategy").hold()
        assert desk.sent(Purpose.PROTECT) == []
        assert desk.bench.of(ProtectionMoved) == []


class TestWaiver:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"script": {2: enter()}}, "no_stop_loss"),
            ({"can_stop": False}, "not_supported"),
            ({"parts": 1000}, "below_minimum"),
        ],
    )
    def test_once_a_position(self, guarded: Make, changes: Any, code: str) -> None:
        """A position that can have no stop is on record with the reason, and told of once."""
        desk = guarded(**changes)
        # The gate lets no entry through that is worth so little: this is what a partial fill may leave.
        desk.hold().later(5)
        desk.bench.enter(desk.bench.account)
        moves = [move for move in desk.bench.of(ProtectionMoved) if move.state is CoverState.WAIVED]
        assert [move.code for move in moves] == [code]
        assert desk.alerts().count("protection_waived") == 1
        assert desk.open(Purpose.PROTECT) == []

    def test_bought_under_another_rule(self, guarded: Make) -> None:
        """A position from before `protection: broker` has no stop_loss: it is waived when the desk goes on."""
        before = guarded(protection="strategy").hold()
        after = guarded()
        after.bench.engine.restore(before.bench.engine.snapshot())
        after.bench.engine._desk.protection.settle()
        assert after.state == "waived"


class TestEntry:
    def test_that_still_works(self, guarded: Make) -> None:
        """Five seconds after a first fill the entry's rest is canceled, and what was bought is protected."""
        desk = guarded(parts=3).hold()
        assert (desk.held, desk.state) == (D(1), "arming")
        assert desk.bench.engine.next_timer_ns == desk.strategy.fills[0].ts + 5 * SECOND_NS
        desk.later(5)
        assert desk.open(Purpose.ENTRY) == []
        assert (desk.stop.approved.quantity, desk.state) == (D(1), "armed")

    def test_that_cannot_be_canceled(self, guarded: Make) -> None:
        """A buy that stays is told of: beside it no stop may rest."""
        desk = guarded().play(100.0, 100.0)
        desk.venue.cancel_outcome = Outcome.REFUSED
        desk.fill(desk.open(Purpose.ENTRY)[0], "1")
        desk.later(5)
        assert (desk.state, desk.alerts()) == ("arming", [])
        desk.later(5)
        assert desk.alerts() == ["unprotected"]
        assert desk.state == "unprotected"
        assert desk.open(Purpose.PROTECT) == []
        (entry,) = desk.open(Purpose.ENTRY)
        desk.say(entry, S.CANCELED, "1")
        assert desk.state == "armed"

    def test_of_another_strategy(self) -> None:
        """A buy of another strategy in the symbol gives way to the stop in the same manner."""
        one, other = (
            ScriptedStrategy({2: enter(stop_loss=LOSS)}),
            ScriptedStrategy({2: enter(order_type=OrderType.LIMIT, limit_price=D(50))}),
        )
        slots = [make_slot(one), make_slot(other, strategy_id="other")]
        bench = Workbench(make_settings(slots, FixedSizer("3"), protection="broker"), ObedientVenue("1000")).start()
        bench.play(make_bars([100.0] * 3))
        assert [order.purpose for order in bench.engine._desk.orders.open_orders()] == [Purpose.ENTRY]
        bench.wait(bench.engine.now_ns + 5 * SECOND_NS)
        (stop,) = bench.engine._desk.orders.open_orders()
        assert (stop.purpose, stop.approved.strategy_id) == (Purpose.PROTECT, "scripted")


class TestSize:
    def test_late_fill(self, guarded: Make) -> None:
        """A fill after the entry's end makes the stop too small: it is canceled and sent for the whole book."""
        desk = guarded(parts=3).hold().later(5)
        (entry,) = (order for order in desk.bench.engine._desk.orders.all_orders() if order.purpose is Purpose.ENTRY)
        desk.fill(entry, "1", "103")
        assert (desk.stop.approved.quantity, desk.stop.approved.stop_price) == (D(2), D("99.47"))

    def test_bust(self, guarded: Make) -> None:
        """A busted fill makes it too large; with nothing left of the position the stop is canceled."""
        for quantity, left in (("1", [D(2)]), ("3", [])):
            desk = guarded().hold()
            desk.venue.query_outcome = Outcome.UNKNOWN
            (made,) = desk.strategy.fills
            fields = {name: getattr(made, name) for name in ("client_order_id", "broker_order_id", "symbol", "side")}
            desk.bench.enter(FillBusted(ts=desk.now_ns, quantity=D(quantity), price=D(100), **fields))
            assert [order.approved.quantity for order in desk.open(Purpose.PROTECT)] == left

    def test_a_lost_cancel_is_sent_again(self, guarded: Make) -> None:
        """While the size does not fit, a cancel that was refused is sent again every five seconds."""
        desk = guarded(parts=3).hold().later(5)
        (entry,) = (order for order in desk.bench.engine._desk.orders.all_orders() if order.purpose is Purpose.ENTRY)
        desk.venue.cancel_outcome = Outcome.REFUSED
        desk.fill(entry, "1")
        before = len(desk.bench.sent(CancelOrder))
        desk.later(10)
        assert len(desk.bench.sent(CancelOrder)) == before + 2
        desk.venue.cancel_outcome = Outcome.ACCEPTED
        desk.later(5)
        assert desk.stop.approved.quantity == D(2)


class TestAgain:
    def test_day_stop_at_the_change_of_session(self, guarded: Make) -> None:
        """A stop that expired at the close is sent again at the next open, before that session's first bar."""
        desk = guarded().hold()
        desk.expire()
        assert (desk.state, desk.open(Purpose.PROTECT)) == ("asleep", [])
        opens = desk.bench.engine.next_timer_ns
        desk.bench.wait(opens)
        assert (desk.stop.approved.submitted_ns, desk.state) == (opens, "armed")
        assert desk.alerts() == []

    def test_an_expiry_that_nobody_told(self, guarded: Make) -> None:
        """At the open a stop of yesterday's is asked about: it may be gone without a word."""
        desk = guarded().hold()
        desk.bench.wait(CLOSE_NS)
        desk.venue.orders[desk.stop.approved.client_order_id].status = S.EXPIRED
        desk.bench.wait(desk.bench.engine.next_timer_ns)
        assert len(desk.sent(Purpose.PROTECT)) == 2
        assert desk.state == "armed"

    def test_canceled_by_a_person(self, guarded: Make) -> None:
        """What somebody else canceled is sent again after a second while the position remains."""
        desk = guarded().hold()
        desk.say(desk.stop, S.CANCELED)
        assert (desk.open(Purpose.PROTECT), desk.state) == ([], "arming")
        desk.bench.enter(desk.bench.account)
        assert desk.open(Purpose.PROTECT) == []
        desk.later(1)
        assert desk.state == "armed"

    def test_an_early_expiry(self, guarded: Make) -> None:
        """An expiry while the session is open is a failure like others."""
        desk = guarded().play(100.0, 100.0)
        (entry,) = desk.open(Purpose.ENTRY)
        desk.fill(entry, "3")
        desk.say(desk.stop, S.EXPIRED)
        assert desk.state == "arming"
        desk.later(1)
        assert desk.state == "armed"

    def test_refused_again_and_again(self, guarded: Make) -> None:
        """Refusals are tried again at growing intervals, a bounded number of times; then a person is told."""
        desk = guarded().hold()
        desk.venue.outcome = Outcome.REFUSED
        desk.say(desk.stop, S.CANCELED)
        sent = desk.now_ns
        desk.later(1000)
        times = [record.ts - sent for record in desk.sent(Purpose.PROTECT)[1:]]
        assert times == [sum(RETRY_NS[: n + 1]) for n in range(len(RETRY_NS))]
        assert (desk.alerts(), desk.state) == (["unprotected"], "unprotected")
        assert "flatten" in desk.bench.of(Alert)[-1].text
        desk.venue.outcome = Outcome.ACCEPTED
        desk.bench.wait(CLOSE_NS)
        desk.bench.wait(desk.bench.engine.next_timer_ns)
        assert desk.state == "armed"

    def test_denied(self, guarded: Make) -> None:
        """A stop that the gate denies counts as one that failed."""
        desk = guarded(gate=make_gate(max_orders_per_minute=1)).hold()
        assert [denied.code for denied in desk.bench.of(Denied)] == ["order_rate"]
        desk.later(90)
        assert desk.state == "armed"

    def test_one_that_rested_is_no_failure(self, guarded: Make) -> None:
        """Failures are counted in a row: a stop that rested for a minute begins a new count."""
        desk = guarded().hold()
        for _ in range(2 * len(RETRY_NS)):
            desk.later(61)
            desk.bench.engine._desk.scribe.now_ns += 61 * SECOND_NS
            desk.say(desk.stop, S.CANCELED)
            desk.later(1)
            assert desk.state == "armed"

    def test_passed(self, guarded: Make) -> None:
        """Where the price is through the stop already, a stop would be refused: the book is sold."""
        desk = guarded().hold()
        desk.venue.is_holding = True
        desk.play(97.0)
        desk.say(desk.stop, S.CANCELED)
        desk.later(1)
        order = desk.stop
        assert (order.approved.order_type, desk.state) == (OrderType.MARKET, "exiting")
        desk.venue.is_holding = False
        desk.play(96.0, 96.0)
        assert (desk.held, desk.open(Purpose.PROTECT)) == (D(0), [])

    def test_paused(self, guarded: Make) -> None:
        """A stop that the broker paused covers nothing: a person is told, until it works again."""
        desk = guarded().hold()
        desk.say(desk.stop, S.PAUSED)
        assert (desk.state, desk.alerts()) == ("unprotected", ["unprotected"])
        desk.say(desk.stop, S.NEW)
        assert desk.state == "armed"

    def test_unknown(self, guarded: Make) -> None:
        """A stop that nobody answered for is told of after five seconds, never sent twice, and asked about."""
        desk = guarded().play(100.0, 100.0)
        desk.lose()
        (entry,) = desk.open(Purpose.ENTRY)
        desk.fill(entry, "3")
        assert desk.state == "arming"
        desk.later(60)
        assert (desk.state, desk.alerts()) == ("unprotected", ["stop_unknown"])
        assert len(desk.sent(Purpose.PROTECT)) == 1
        desk.venue.query_outcome = None
        desk.later(60)
        assert desk.state == "armed"
