"""Recovery where the account can differ, and orders that were given up.

Everything is read, healed or judged before the desk may trade; doing it again changes nothing. What was given up is
watched, taken back when it lands late, and forgotten in time.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from mqd_core.domain.events import OrderStatus, Outcome, SubmitOutcome
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import Side
from mqd_core.domain.records import Alert, BookMoved, DeskMoved
from mqd_core.engine.effects import CancelOrder, QueryOrder, SubmitOrder, TakeSnapshot
from mqd_core.engine.settings import ReconcileSettings, ResolveSettings
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, leave, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

D = Decimal
DAY_NS = 24 * 3600 * SECOND_NS
Act = Callable[["Workbench"], None]


class LossyVenue(ObedientVenue):
    """A venue that may lose what it says, and at which an order may land late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.is_final = False
        #: Orders whose submission is lost on the way: they may still land.
        self.loses = False
        self.lost: list[SubmitOrder] = []
        self.is_mute = False

    def perform(self, effect: Any, now_ns: int) -> Any:
        if isinstance(effect, SubmitOrder) and self.loses:
            self.lost.append(effect)
            if not self.is_mute:
                yield SubmitOutcome(
                    ts=now_ns,
                    client_order_id=effect.order.client_order_id,
                    attempt=effect.attempt,
                    outcome=Outcome.UNKNOWN,
                )
            return
        if isinstance(effect, CancelOrder) and effect.order.client_order_id not in self.orders:
            return
        answers = [*super().perform(effect, now_ns)]
        if not self.is_mute:
            yield from answers

    def land(self, now_ns: int) -> None:
        """Let what was lost arrive."""
        self.loses = False
        for effect in self.lost:
            list(super().perform(effect, now_ns))
        self.lost.clear()


def desk(script: dict[int, Any] | None = None, venue: LossyVenue | None = None, **changes: Any) -> Workbench:
    options = {"reconcile": ReconcileSettings(**changes), "resolve": ResolveSettings()}
    slot = make_slot(ScriptedStrategy(script or {}))
    return Workbench(make_settings([slot], FixedSizer("10"), **options), venue or LossyVenue())


def restarted(old: Workbench, seconds: int = 60) -> Workbench:
    """The desk of a new process at the same venue, given time to recover."""
    bench = desk(venue=old.venue, starts_max=99)  # type: ignore[arg-type]
    bench.engine.restore(old.engine.snapshot())
    bench.start(old.engine.now_ns, "again")
    return later(bench, seconds)


def later(bench: Workbench, seconds: int) -> Workbench:
    bench.wait(bench.engine.now_ns + seconds * SECOND_NS)
    return bench


def state(bench: Workbench) -> str:
    return bench.engine.facts.desk_state.value


def codes(bench: Workbench) -> list[str]:
    return [alert.code for alert in bench.of(Alert)]


def lost_entry() -> Workbench:
    """A desk whose entry was lost on the way; nobody knows that yet."""
    bench = desk({1: enter()}).start()
    bench.venue.loses = True  # type: ignore[attr-defined]
    return bench.play(make_bars([50.0]))


def only(bench: Workbench) -> Any:
    (order,) = bench.engine._desk.orders.all_orders()
    return order


class TestNotFound:
    def test_proven(self) -> None:
        """Given up only when three answers, a minute's quiet and a list of all orders say so; then the cash is free."""
        bench = lost_entry()
        later(bench, 59)
        assert only(bench).machine.life is Life.UNKNOWN
        assert bench.engine.facts.cash_free < D(1000)
        later(bench, 90)
        assert only(bench).machine.life is Life.ABANDONED
        assert (bench.engine.facts.cash_free, state(bench)) == (D(1000), "ready")
        assert len(bench.sent(SubmitOrder)) == 1

    def test_not_without_a_list(self) -> None:
        """Answers alone prove nothing while no list of orders can be read."""
        bench = lost_entry()
        bench.venue.is_silent = True
        later(bench, 900)
        assert only(bench).machine.life is Life.UNKNOWN
        bench.venue.is_silent = False
        later(bench, 90)
        assert only(bench).machine.life is Life.ABANDONED

    def test_lands_late(self) -> None:
        """One that lands after it was given up is taken back out of the next list, and canceled at once."""
        bench = later(lost_entry(), 150)
        bench.venue.is_holding = True
        bench.venue.land(bench.engine.now_ns)  # type: ignore[attr-defined]
        later(bench, 61)
        assert only(bench).machine.life is Life.CANCELED
        assert len(bench.sent(CancelOrder)) == 1
        assert "order_anomaly" in codes(bench)

    def test_lands_filled(self) -> None:
        """What it has filled by then is booked, and a person is told."""
        bench = later(lost_entry(), 150)
        bench.venue.land(bench.engine.now_ns)  # type: ignore[attr-defined]
        (identifier,) = bench.venue.orders
        bench.venue.fill(identifier, "10", "50", bench.engine.now_ns)
        later(bench, 61)
        assert (only(bench).machine.life, bench.engine.facts.cash) == (Life.FILLED, D(500))
        assert state(bench) == "frozen"

    def test_watched(self) -> None:
        """It is watched until the next close and a day more, then forgotten; what is merely over, for a day."""
        bench = later(lost_entry(), 150)
        close_ns = session_of().close_ns
        bench.wait(close_ns + DAY_NS - MINUTE_NS)
        assert only(bench).machine.life is Life.ABANDONED
        bench.wait(close_ns + 3 * DAY_NS)
        assert list(bench.engine._desk.orders.all_orders()) == []

    def test_before_the_first_session(self) -> None:
        """Where the calendar knows no session before, nothing given up is forgotten."""
        bench = later(lost_entry(), 150)
        bench.engine._desk.scribe.now_ns = 0
        assert bench.engine._desk._abandoned_before_ns() == 0

    def test_vanished(self) -> None:
        """An order that the broker once had and neither lists nor knows any more halts the desk."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        bench.venue.orders.clear()
        later(bench, 200)
        assert (state(bench), bench.engine.working) == ("halted", 1)


class TestRecovery:
    def test_heals_what_happened_meanwhile(self) -> None:
        """Fills, fees and a cancel by hand that came while no desk was there are taken before it is ready."""
        old = desk({1: enter()}).start()
        old.venue.is_holding = True
        old.play(make_bars([50.0]))
        (identifier,) = old.venue.orders
        old.venue.fill(identifier, "4", "49", old.engine.now_ns)
        old.venue.orders[identifier].status = OrderStatus.CANCELED
        old.venue.move_cash("FEE", "-0.05", old.engine.now_ns)
        bench = restarted(old)
        assert [move.after.value for move in bench.of(DeskMoved)] == ["recovering", "ready"]
        assert sorted(move.cause for move in bench.of(BookMoved)) == ["activity:FEE", "fill"]
        assert (bench.engine.facts.cash, bench.engine.working) == (D("803.95"), 0)

    @pytest.mark.parametrize(("settles", "after"), [(True, "ready"), (False, "halted")])
    def test_waits_for_a_difference(self, settles: bool, after: str) -> None:
        """A difference keeps it recovering until it has gone or is believed; then the desk is halted, not frozen."""
        old = desk({1: enter()}).start().play(make_bars([50.0, 50.0]))
        later(old, 60)
        old.venue.positions["SPY"] = D(9)
        bench = restarted(old, 1)
        assert state(bench) == "recovering"
        if settles:
            old.venue.positions["SPY"] = D(10)
        later(bench, 60)
        assert state(bench) == after

    def test_a_lost_execution_does_not_hold_it_for_ever(self) -> None:
        """An execution that cannot be found freezes the desk, which then recovers: exits must go on."""
        old = desk({1: enter()}).start()
        old.venue.is_holding = True
        old.play(make_bars([50.0]))
        (known,) = old.venue.orders.values()
        known.filled, known.status = D(4), OrderStatus.PARTIALLY_FILLED
        bench = restarted(old, 120)
        assert "execution_lost" in codes(bench)
        assert state(bench) in ("frozen", "halted")

    def test_late_fill_of_a_closed_order(self) -> None:
        """An order that is over at the desk and has filled more at the broker is not compared until that is known."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        (known,) = bench.venue.orders.values()
        known.status = OrderStatus.CANCELED
        bench.enter(known.report(bench.engine.now_ns))
        known.filled = D(4)
        bench.venue.positions["SPY"] = D(4)
        later(bench, 3)
        assert bench.engine._desk.freezes.state() == ()

    def test_a_cancel_in_doubt(self) -> None:
        """A cancel whose fate is not known is sent again when a list shows the order open."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        bench.venue.cancel_outcome = Outcome.UNKNOWN
        bench.venue.query_outcome = Outcome.UNKNOWN
        bench.engine._desk.orders.cancel(only(bench))
        later(bench, 35)
        assert len(bench.sent(CancelOrder)) >= 2

    def test_a_young_order_may_be_missing(self) -> None:
        """An order that a list does not show seconds after it was sent is not asked about for that."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        asked = len(bench.sent(QueryOrder))
        reading = bench.venue.reading(TakeSnapshot(0), bench.engine.now_ns)
        bench.enter(structs.replace(reading, orders=()))
        assert len(bench.sent(QueryOrder)) == asked


def _fill(bench: Workbench, quantity: str) -> None:
    for identifier, known in bench.venue.orders.items():
        if known.is_open and known.filled < 8:
            bench.venue.fill(identifier, quantity, "50", bench.engine.now_ns)


def _cancel(bench: Workbench) -> None:
    for known in bench.venue.orders.values():
        if known.is_open:
            known.status = OrderStatus.CANCELED


ACTS: dict[str, Act] = {
    "fill": lambda bench: _fill(bench, "2"),
    "fee": lambda bench: bench.venue.move_cash("FEE", "-0.01", bench.engine.now_ns) and None,
    "deposit": lambda bench: bench.venue.move_cash("CSD", "25", bench.engine.now_ns) and None,
    "by hand": lambda bench: bench.venue.trade_by_hand("QQQ", Side.BUY, "1", "3", bench.engine.now_ns) and None,
    "cancel": _cancel,
    "difference": lambda bench: bench.venue.positions.update(SPY=D(1)),
}


def essence(bench: Workbench) -> Any:
    """What a desk is, without when it was last looked at."""
    engine = bench.engine._desk
    orders = [
        (one.approved.client_order_id, one.machine.life, one.machine.cumulative) for one in engine.orders.all_orders()
    ]
    return engine.ledger.state(), orders, state(bench), engine.freezes.state(), engine.reconciler.state().cursor


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=5), st.booleans(), st.integers(0, 2))
def test_recovering_again_changes_nothing(acts: list[str], lost: bool, interrupted: int) -> None:
    """recover(recover(s)) = recover(s), whatever happened meanwhile and wherever the first was cut off."""
    old = desk({1: enter(), 3: leave()}).start()
    old.venue.is_holding = True
    old.venue.loses = lost  # type: ignore[attr-defined]
    old.play(make_bars([50.0]))
    for act in acts:
        ACTS[act](old)
    for _ in range(interrupted):
        old = restarted(old, 0)
    once = restarted(old, 300)
    # A second start takes what was true at the first as it is: nothing has happened in between.
    twice = restarted(once, 0)
    later(twice, 60)
    assert essence(twice) == essence(once)
    assert twice.of(BookMoved) == []
    assert [alert.code for alert in twice.of(Alert) if alert.code == "execution_worked_out"] == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=4), st.integers(1, 200))
def test_a_snapshot_carries_all_of_it(acts: list[str], seconds: int) -> None:
    """A desk restored in the middle of reconciling takes the same events to the same records and the same state."""
    bench = desk({1: enter()}, starts_max=99).start()
    bench.venue.is_holding = True
    bench.play(make_bars([50.0]))
    for act in acts:
        ACTS[act](bench)
    later(bench, seconds)
    middle, count, begun = bench.engine.snapshot(), len(bench.events), len(bench.records)
    later(bench, 120)
    fresh = desk(starts_max=99)
    fresh.engine.restore(middle)
    records: list[Any] = []
    for _, event in bench.events[count:]:
        records += fresh.engine.on_event(event).records
    assert records == bench.records[begun:]
    assert fresh.engine.snapshot() == bench.engine.snapshot()
