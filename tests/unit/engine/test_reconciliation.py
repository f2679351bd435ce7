"""The account read again and again: what is healed, what waits, what freezes a symbol or the desk, what halts it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from mqd_core.domain.events import (
    AccountSnapshot,
    ClockJumped,
    Command,
    OrderStatus,
    StreamStatus,
    TimerFired,
)
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.records import Alert, Denied, DifferenceMoved, SymbolMoved
from mqd_core.engine.comparison import plain
from mqd_core.engine.effects import QueryOrder, TakeSnapshot
from mqd_core.engine.settings import ReconcileSettings
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

D = Decimal
OPEN_NS = session_of().open_ns


def desk(script: dict[int, Any] | None = None, venue: ObedientVenue | None = None, **changes: Any) -> Workbench:
    """A desk whose account is held against its books, and that knows no order to be unsent by "not found"."""
    venue = venue or ObedientVenue()
    venue.is_final = False
    settings = make_settings(
        [make_slot(ScriptedStrategy(script or {}))], FixedSizer("10"), reconcile=ReconcileSettings(**changes)
    )
    return Workbench(settings, venue)


def holding() -> Workbench:
    """A ready desk that has bought ten SPY at $50 and been compared since."""
    bench = desk({1: enter()}).start().play(make_bars([50.0, 50.0]))
    return later(bench, 120)


def later(bench: Workbench, seconds: int) -> Workbench:
    """Let time pass, with every timer."""
    until_ns = bench.engine.now_ns + seconds * SECOND_NS
    bench.wait(until_ns)
    bench.enter(TimerFired(ts=until_ns))
    return bench


def state(bench: Workbench) -> str:
    return bench.engine.facts.desk_state.value


def codes(bench: Workbench) -> list[str]:
    return [alert.code for alert in bench.of(Alert)]


def frozen(bench: Workbench) -> set[tuple[str, str]]:
    return {(one.symbol, one.code) for one in bench.engine._desk.freezes.state()}


def told(bench: Workbench) -> list[tuple[str, str, str, str]]:
    """What was recorded of differences."""
    return [(one.symbol, one.state, plain(one.books), plain(one.broker)) for one in bench.of(DifferenceMoved)]


def readings(bench: Workbench) -> list[TakeSnapshot]:
    return bench.sent(TakeSnapshot)


class TestSchedule:
    def test_every_minute(self) -> None:
        """Account, positions and orders are read each minute, whatever happens, and in the night too."""
        bench = desk().start()
        before = len(readings(bench))
        later(bench, 600)
        assert len(readings(bench)) - before == 10

    def test_open_orders(self) -> None:
        """While an order is open in a session it is half a minute; once it is over, two seconds after that."""
        bench = desk({1: enter()})
        bench.start().play(make_bars([50.0]))
        bench.venue.is_holding = True
        later(bench, 40)
        before = len(readings(bench))
        later(bench, 300)
        assert len(readings(bench)) - before == 10
        (order,) = bench.engine._desk.orders.open_orders()
        bench.venue.orders[order.approved.client_order_id].status = OrderStatus.CANCELED
        now_ns = bench.engine.now_ns
        bench.enter(bench.venue.orders[order.approved.client_order_id].report(now_ns))
        assert bench.engine.next_timer_ns == now_ns + 2 * SECOND_NS

    def test_at_once(self) -> None:
        """It is read after a reconnect, after the clock jumped, and as a session opens and closes."""
        bench = desk().start()
        for event in (
            StreamStatus(ts=bench.engine.now_ns, stream="orders", state="up"),
            ClockJumped(ts=bench.engine.now_ns, gap_ns=9 * SECOND_NS),
        ):
            before = len(readings(bench))
            bench.enter(event)
            assert len(readings(bench)) == before + 1
        for at_ns in (session_of().open_ns, session_of().close_ns):
            bench.wait(at_ns - 1)
            before = len(readings(bench))
            bench.wait(at_ns)
            assert len(readings(bench)) == before + 1

    def test_one_at_a_time(self) -> None:
        """What is wanted while an answer is awaited is asked for when that has come; a lost answer is given up."""
        bench = desk().start()
        bench.venue.perform = lambda _effect, _now: iter(())  # type: ignore[method-assign]
        for _ in range(2):
            bench.enter(StreamStatus(ts=bench.engine.now_ns, stream="orders", state="up"))
        asked = len(readings(bench))
        bench.enter(bench.venue.reading(readings(bench)[-1], bench.engine.now_ns))
        assert len(readings(bench)) == asked + 1
        bench.enter(bench.venue.reading(readings(bench)[-1], bench.engine.now_ns))
        asked = len(readings(bench))
        for _ in range(3):
            bench.enter(StreamStatus(ts=bench.engine.now_ns, stream="orders", state="up"))
        assert len(readings(bench)) == asked + 1
        del bench.venue.perform
        later(bench, 301)
        assert state(bench) == "ready"
        assert len(readings(bench)) == asked + 2

    def test_failed(self) -> None:
        """A reading that fails is no information: it is told once, nothing moves, and it is asked for again."""
        bench = holding()
        bench.venue.is_silent = True
        bench.enter(StreamStatus(ts=bench.engine.now_ns, stream="orders", state="up"))
        before, begun = len(readings(bench)), len(bench.records)
        later(bench, 61)
        assert len(readings(bench)) - before == 6
        assert bench.records[begun:] == []
        assert codes(bench).count("stream_down") == 1
        bench.venue.is_silent = False
        later(bench, 60)
        assert (state(bench), bench.engine.facts.book_quantity("scripted", "SPY")) == ("ready", D(10))

    def test_overflow(self) -> None:
        """An inbox that has lost events is caught up on: the account, and every open order."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        before = len(readings(bench))
        step = bench.enter(StreamStatus(ts=bench.engine.now_ns, stream="inbox", state="overflow", text="full"))
        assert len(readings(bench)) == before + 1
        assert [type(effect) for effect in step.effects][:2] == [TakeSnapshot, QueryOrder]
        assert "stream_overflow" in codes(bench)

    def test_of_a_venue_in_process(self) -> None:
        """An account that cannot differ is read at a start and when something was lost, and never by the clock."""
        bench = Workbench(make_settings([make_slot(ScriptedStrategy())])).start()
        for stream, state_of_it in (("orders", "up"), ("orders", "down"), ("account", "down")):
            bench.enter(StreamStatus(ts=bench.engine.now_ns, stream=stream, state=state_of_it))
        bench.engine._desk.reconciler.touch("SPY", is_over=True)
        assert len(readings(bench)) == 1
        later(bench, 3_000)
        assert len(readings(bench)) == 2
        assert codes(bench).count("stream_down") == 2


class TestAccount:
    def test_another_account(self) -> None:
        """The first account seen is the only one: what is told of another is not taken, and halts the desk."""
        bench = holding()
        event = structs.replace(bench.account, account="other", cash=D(5))
        bench.enter(event)
        assert state(bench) == "halted"
        assert "other" in bench.engine.reason
        assert bench.engine.facts.cash == D(500)

    def test_blocked(self) -> None:
        """A blocked account halts."""
        bench = holding()
        bench.enter(structs.replace(bench.account, blocked=True))
        assert state(bench) == "halted"

    @pytest.mark.parametrize(
        ("seconds", "told", "after"), [(2, 0, "ready"), (-3, 1, "ready"), (31, 2, "frozen"), (-31, 2, "frozen")]
    )
    def test_clock(self, seconds: int, told: int, after: str) -> None:
        """A broker's clock that is more than 2 s off is told of once; more than 30 s freeze the desk."""
        bench = holding()
        for _ in range(2):
            bench.enter(structs.replace(bench.account, clock_skew_ns=seconds * SECOND_NS))
        assert codes(bench).count("clock_skew") == min(told, 1)
        assert state(bench) == after

    def test_buying_power(self) -> None:
        """What the broker lets the desk spend bounds every entry, less what was ordered since it said so."""
        bench = desk({3: enter()}, FewDollars()).start().play(make_bars([50.0, 50.0, 50.0]))
        assert [denied.code for denied in bench.of(Denied)] == ["cash"]
        assert bench.engine.facts.cash_free == D(20)

    def test_buying_power_of_open_orders(self) -> None:
        """An order that the broker did not know of when it said what may be spent counts against it."""
        bench = desk({1: enter(), 2: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        facts = bench.engine.facts
        assert facts.cash_free == D(1000) - D(10) * D(50) * D("1.03")


class FewDollars(ObedientVenue):
    """A venue whose account may spend less than its cash."""

    def account(self, now_ns: int) -> AccountSnapshot:
        return structs.replace(super().account(now_ns), buying_power=D(20))


class TestFills:
    def test_missing(self) -> None:
        """An execution that nobody told is found among the activities, booked, and shown to the strategy."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        (identifier,) = bench.venue.orders
        bench.venue.fill(identifier, "10", "49", bench.engine.now_ns)
        later(bench, 60)
        assert bench.engine.facts.book_quantity("scripted", "SPY") == D(10)
        assert (bench.engine.facts.cash, state(bench), bench.engine.working) == (D(510), "ready", 0)

    def test_recent(self) -> None:
        """What traded a moment ago is not compared: the broker may not show it yet."""
        bench = desk({1: enter()}).start()
        bench.venue.is_holding = True
        bench.play(make_bars([50.0]))
        (identifier,) = bench.venue.orders
        bench.enter(bench.venue.fill(identifier, "10", "50", bench.engine.now_ns))
        bench.venue.positions["SPY"] = D(0)
        later(bench, 4)
        assert frozen(bench) == set()
        later(bench, 4)
        assert frozen(bench) == {("SPY", "position_differs")}


class TestPositions:
    def test_waits_then_halts(self) -> None:
        """An unexplained difference freezes its symbol; three readings over 15 s later it halts the desk, once."""
        bench = holding()
        bench.venue.positions["SPY"] = D(9)
        bench.enter(TimerFired(ts=bench.engine.next_timer_ns or 0))
        begun_ns = bench.engine.now_ns
        later(bench, 60)
        halted = [alert for alert in bench.of(Alert) if alert.code == "position_unexplained"]
        assert state(bench) == "halted"
        assert len(halted) == 1
        assert halted[0].ts - begun_ns <= 30 * SECOND_NS
        assert "SPY: books 10, broker 9" in bench.engine.reason
        assert frozen(bench) == {("SPY", "position_differs")}
        assert bench.engine.facts.book_quantity("scripted", "SPY") == D(10)

    def test_heals(self) -> None:
        """What agrees again before that lets the symbol go."""
        bench = holding()
        bench.venue.positions["SPY"] = D(9)
        bench.enter(TimerFired(ts=bench.engine.next_timer_ns or 0))
        assert frozen(bench) == {("SPY", "position_differs")}
        bench.venue.positions["SPY"] = D(10)
        later(bench, 10)
        assert (frozen(bench), state(bench)) == (set(), "ready")
        assert [(one.state, one.code) for one in bench.of(SymbolMoved)] == [
            ("frozen", "position_differs"),
            ("free", "position_differs"),
        ]
        assert told(bench) == [("SPY", "read", "10", "9"), ("SPY", "agreed", "10", "10")]

    def test_told(self) -> None:
        """Each amount and each verdict is told once, however often it is read; what a person accepts agrees."""
        bench = holding()
        bench.venue.positions["SPY"] = D(9)
        later(bench, 120)
        bench.venue.positions["SPY"] = D(8)
        later(bench, 120)
        bench.enter(Command(ts=bench.engine.now_ns, command_id="1", name="accept", reason="r"))
        assert told(bench) == [
            ("SPY", "read", "10", "9"),
            ("SPY", "position_unexplained", "10", "9"),
            ("SPY", "position_unexplained", "10", "8"),
            ("SPY", "accepted", "8", "8"),
        ]

    @pytest.mark.parametrize("theirs", ["9", "13"])
    def test_accepted_shares_keep_the_average(self, theirs: str) -> None:
        """A stop is measured from the average price: shares that a person accepts, or lets go, do not move it."""
        bench = holding()
        before = bench.engine.facts.books[0].average_price
        bench.venue.positions["SPY"] = D(theirs)
        later(bench, 120)
        bench.enter(Command(ts=bench.engine.now_ns, command_id="1", name="accept", reason="r"))
        book = bench.engine.facts.books[0]
        assert (book.quantity, book.average_price) == (D(theirs), before)
        assert before > 0

    def test_nothing_to_free(self) -> None:
        """To end a cause that a symbol does not have changes nothing."""
        bench = desk().start()
        bench.engine._desk.freezes.free("SPY", "external", "r")
        assert bench.engine._desk.scribe.records == []

    def test_short(self) -> None:
        """A short account halts the desk at once: no order of a desk that only sells what it holds explains it."""
        bench = holding()
        bench.venue.positions["SPY"] = D(-1)
        bench.enter(TimerFired(ts=bench.engine.next_timer_ns or 0))
        assert state(bench) == "halted"
        assert "position_sign" in codes(bench)

    def test_frozen_symbol(self) -> None:
        """Nothing is bought in a frozen symbol; the gate says why; a restart does not forget it."""
        bench = desk({3: enter()}, passes_min=1_000).start().play(make_bars([50.0]))
        bench.venue.positions["SPY"] = D(1)
        later(bench, 61)
        assert frozen(bench) == {("SPY", "position_differs")}
        again = desk({2: enter()}, bench.venue)
        again.engine.restore(bench.engine.snapshot())
        assert frozen(again) == {("SPY", "position_differs")}
        assert again.engine.facts.freeze_text("SPY") is not None
        bench.play(make_bars([50.0, 50.0, 50.0])[1:])
        assert bench.of(Denied)[-1].code == "symbol_frozen"

    def test_unstable(self) -> None:
        """A reading in which orders moved is not compared, and comes again in a few seconds."""
        bench = holding()
        bench.venue.positions["SPY"] = D(9)
        bench.enter(structs.replace(bench.venue.reading(TakeSnapshot(0), bench.engine.now_ns), is_stable=False))
        assert frozen(bench) == set()
        assert bench.engine.next_timer_ns == bench.engine.now_ns + 5 * SECOND_NS


class TestCash:
    @pytest.mark.parametrize(
        ("off", "seconds", "after"),
        [
            ("0.01", 120, "ready"),
            ("-0.99", 120, "ready"),
            ("1.01", 10, "ready"),
            ("1.01", 120, "frozen"),
            ("-4.99", 120, "frozen"),
            ("5.03", 120, "halted"),
        ],
    )
    def test_tolerance(self, off: str, seconds: int, after: str) -> None:
        """A cent is rounding, a dollar may be fees to come, up to $5 freezes and more halts; never at first sight."""
        bench = holding()
        bench.venue.cash += D(off)
        bench.enter(TimerFired(ts=bench.engine.next_timer_ns or 0))
        later(bench, seconds)
        assert state(bench) == after

    def test_fees_overnight(self) -> None:
        """Fees that are booked overnight are waited for until the next session opens, and no longer."""
        bench = holding()
        bench.venue.cash -= D("0.30")
        later(bench, 120)
        assert state(bench) == "ready"
        bench.wait(bench.engine._desk._next_open_ns(bench.engine.now_ns) or 0)
        later(bench, 120)
        assert state(bench) == "frozen"

    def test_fees_that_come(self) -> None:
        """The fee that explains it ends the wait."""
        bench = holding()
        bench.venue.cash -= D("0.30")
        later(bench, 120)
        bench.venue.cash += D("0.30")
        bench.venue.move_cash("FEE", "-0.30", bench.engine.now_ns)
        bench.wait((bench.engine._desk._next_open_ns(bench.engine.now_ns) or 0) + 5 * MINUTE_NS)
        assert (state(bench), bench.engine.facts.cash) == ("ready", D("499.70"))

    def test_rounding_adds_up(self) -> None:
        """What rounding has added up to is remembered at each agreement; a dollar of it is no rounding any more."""
        bench = holding()
        for _ in range(90):
            bench.venue.cash += D("0.01")
            later(bench, 60)
        assert state(bench) == "ready"
        bench.venue.cash += D("0.50")
        later(bench, 180)
        assert state(bench) == "ready"
        bench.venue.cash += D(1)
        later(bench, 180)
        assert state(bench) == "frozen"
