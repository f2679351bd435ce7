"""Events that are no bars: accounts, activities, commands, sessions, feeds, clocks; what each does and leaves alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest

from mqd_core.domain import events
from mqd_core.domain.events import (
    AccountSnapshot,
    Activity,
    BarRevised,
    ClockJumped,
    Command,
    Event,
    FeedStatus,
    PluginFailed,
    RunEnded,
    SessionChanged,
    StreamStatus,
    TimerFired,
    WarmedUp,
)
from mqd_core.domain.market import MINUTE_NS, Bar
from mqd_core.domain.records import Alert, Approved, BookMoved, Denied, DeskMoved, LimitMoved, PluginMoved, Severity
from mqd_core.engine.effects import CancelOrder, RaiseAlert, TakeSnapshot
from mqd_core.testing.bars import make_bars, merge, session_of
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_limits,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
FLAT = [100.0] * 12


def bench_of(script: dict[int, Any] | None = None, venue: ObedientVenue | None = None, **changes: Any) -> Workbench:
    """A started desk with one scripted strategy in SPY."""
    return Workbench(make_settings([make_slot(ScriptedStrategy(script))], **changes), venue).start()


def alerts(bench: Workbench) -> list[str]:
    """The codes of all alerts but the one that every start makes."""
    return [alert.code for alert in bench.of(Alert) if alert.code != "protection_waived"]


def test_every_event_has_a_handler() -> None:
    """The engine knows what to do with every event that there is, a bar included."""
    handled = set(bench_of().engine._handlers) | {Bar}
    assert handled == set(get_args(Event))
    assert all(getattr(events, kind.__name__) is kind for kind in handled)


def test_time_never_goes_back() -> None:
    """An event that is late is taken, and engine time stays."""
    bench = bench_of().play(make_bars(FLAT))
    now_ns = bench.engine.now_ns
    assert bench.enter(FeedStatus(ts=5, code="gap")).now_ns == now_ns
    assert bench.enter(FeedStatus(ts=now_ns + 7, code="gap")).now_ns == now_ns + 7


class TestStart:
    def test_protection(self) -> None:
        """A start without protective orders says so each time; one with them does not."""
        assert [alert.severity for alert in bench_of().of(Alert)] == [Severity.NOTICE]
        assert bench_of(protection="broker").of(Alert) == []

    def test_alerts_are_raised(self) -> None:
        """Every alert on record is also raised."""
        bench = bench_of()
        bench.enter(PluginFailed(ts=1, plugin="feed", error_type="OSError", place="x.py:1", text="gone"))
        assert [effect.alert for effect in bench.sent(RaiseAlert)] == bench.of(Alert)
        assert bench.of(Alert)[-1].text == "OSError at x.py:1: gone"


class TestMoney:
    def activity(self, bench: Workbench, kind: str, amount: str) -> BookMoved:
        """Something besides a fill that moved the account; returns its record."""
        bench.enter(Activity(ts=bench.engine.now_ns, activity_id="a", kind=kind, amount=D(amount)))
        return bench.of(BookMoved)[-1]

    def test_fee(self) -> None:
        """A fee takes cash and is a loss."""
        bench = bench_of()
        record = self.activity(bench, "FEE", "-0.17")
        assert (record.cause, record.change, record.fee, record.cash) == (
            "activity:FEE",
            D("-0.17"),
            D("0.17"),
            D("999.83"),
        )
        assert bench.engine._desk.ledger.fees == D("0.17")

    def test_dividend(self) -> None:
        """A dividend brings cash and is no fee."""
        bench = bench_of()
        assert self.activity(bench, "DIV", "1.20").fee == 0
        assert bench.engine.facts.cash == D("1001.2")

    @pytest.mark.parametrize("kind", ["CSD", "CSW", "JNLC", "TRANS"])
    def test_transfer(self, kind: str) -> None:
        """A deposit or a withdrawal is neither profit nor loss: every limit moves with it."""
        bench = bench_of(limits=make_limits(daily_loss_limit_usd=D(50))).play(make_bars(FLAT[:1]))
        assert self.activity(bench, kind, "-100").fee == 0
        assert bench.engine._desk.limits.fixed_level() == D(850)
        assert bench.engine._desk.ledger.deposits == D(-100)

    @pytest.mark.parametrize("amount", [500, -500])
    def test_limit_after_a_transfer(self, amount: int) -> None:
        """After a transfer a limit fires at its new level, with the position held, and not a cent before."""
        limits = make_limits(daily_loss_limit_usd=D(50))
        closes = [100.0, 100.0, 100.0, 90.01, 90.0]
        bench = bench_of({1: enter()}, limits=limits, sizer=FixedSizer("5"))
        bench.play(make_bars(closes)[:3])
        self.activity(bench, "CSD", str(amount))
        bench.play(make_bars(closes)[3:4])
        assert [record.state for record in bench.of(LimitMoved)] == ["opened"]
        bench.play(make_bars(closes)[4:])
        assert [record.state for record in bench.of(LimitMoved)] == ["opened", "fired"]
        assert bench.of(LimitMoved)[-1].loss == D(50)

    def test_blocked(self) -> None:
        """An account that the broker blocks while the desk trades halts it."""
        bench = bench_of()
        blocked = AccountSnapshot(ts=1, account="a", cash=D(1000), buying_power=D(0), blocked=True)
        bench.enter(blocked)
        assert bench.engine.facts.desk_state.value == "halted"
        assert bench.engine.reason == "the broker has blocked the account"


class TestCommands:
    def test_halt(self) -> None:
        """A halt cancels what could still raise exposure, denies entries, and says whose word it was."""
        venue = ObedientVenue()
        venue.is_holding = True
        bench = bench_of({1: enter(), 4: enter()}, venue).play(make_bars(FLAT[:2]))
        bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="halt", reason="lunch", person="me"))
        assert len(bench.sent(CancelOrder)) == 1
        bench.play(make_bars(FLAT)[2:])
        assert [denied.code for denied in bench.of(Denied)] == ["desk_halted"]
        assert [(move.after.value, move.code, move.text) for move in bench.of(DeskMoved)][-1] == (
            "halted",
            "person",
            "lunch",
        )

    def test_halt_keeps_exits(self) -> None:
        """An order that lowers exposure goes on through a halt."""
        venue = ObedientVenue()
        bench = bench_of({1: enter(), 3: leave()}, venue).play(make_bars(FLAT[:3]))
        assert bench.engine.working == 1
        bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="halt"))
        assert bench.sent(CancelOrder) == []
        assert bench.engine.reason == "a person halted it"


class TestSessions:
    def test_opening(self) -> None:
        """A session's open rolls the limits, at its very time."""
        bench = bench_of(limits=make_limits(daily_loss_limit_usd=D(50))).play(make_bars(FLAT[:1]))
        (opened,) = bench.of(LimitMoved)
        assert (opened.limit, opened.state, opened.session, opened.level) == ("daily", "opened", "2025-01-06", D(950))
        assert opened.ts == session_of().open_ns

    def test_counts_begin_anew(self) -> None:
        """What was counted in a session begins anew with the next one."""
        bench = bench_of({1: enter()}).play(make_bars(FLAT[:3]))
        assert bench.engine.facts.orders_this_session == 1
        bench.wait(session_of("2025-01-07").open_ns)
        assert bench.engine.facts.orders_this_session == 0

    def test_unscheduled_close(self) -> None:
        """When the broker says that the day is over, entries are denied from then on."""
        bench = bench_of({5: enter()}).play(make_bars(FLAT[:3]))
        bench.enter(SessionChanged(ts=bench.engine.now_ns, date="2025-01-06"))
        bench.play(make_bars(FLAT)[3:])
        assert [denied.code for denied in bench.of(Denied)] == ["session_closed"]

    def test_windows(self) -> None:
        """No entry in the first and the last minutes of a session, as far as it is configured."""
        windows = {"no_entry_minutes_after_open": 5, "no_entry_minutes_before_close": 10}
        bench = bench_of(dict.fromkeys((3, 4, 5, 379, 380), enter()), **windows).play(make_bars([100.0] * 390))
        late = [denied.ts - session_of().open_ns for denied in bench.of(Denied)]
        assert [(code.code, ns // MINUTE_NS) for code, ns in zip(bench.of(Denied), late, strict=True)] == [
            ("no_entry_window", 3),
            ("no_entry_window", 4),
            ("no_entry_window", 380),
        ]

    @pytest.mark.parametrize(
        ("last_minute", "shown", "expected"),
        [
            (389, 392, []),
            (389, 393, []),
            (389, 394, ["stale_data"]),
            (387, 392, ["stale_data"]),
            (0, 392, ["stale_data"]),
        ],
    )
    def test_overnight_price(self, last_minute: int, shown: int, expected: list[str]) -> None:
        """A close of the evening before is as old as the session is; one that was stale at the close is stale."""
        strategy = ScriptedStrategy({shown: enter("QQQ")})
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")])).start()
        bench.play(merge(make_bars([100.0] * 395), make_bars([100.0], symbol="QQQ", minute=last_minute)))
        assert [denied.code for denied in bench.of(Denied)] == expected
        assert len(bench.of(Approved)) == 1 - len(expected)


class TestFeeds:
    def test_news(self) -> None:
        """A feed or a stream that is down or silent is told of; other news is only written down."""
        bench = bench_of()
        for code in ("down", "gap", "silent", "ended", "connected"):
            bench.enter(FeedStatus(ts=1, code=code, symbol="SPY" if code == "down" else ""))
        for state in ("up", "down", "silent"):
            bench.enter(StreamStatus(ts=1, stream="orders", state=state))
        assert alerts(bench) == ["feed_down", "feed_silent", "stream_down", "stream_silent"]
        assert [alert.subject for alert in bench.of(Alert)][1:3] == ["SPY", "feed"]

    def test_revised(self) -> None:
        """A corrected close counts for equity and limits with the next bar; one of an older bar does not."""
        limits = make_limits(daily_loss_limit_usd=D(50))
        bench = bench_of({1: enter()}, limits=limits, sizer=FixedSizer("5")).play(make_bars(FLAT[:3]))
        bars = make_bars([100.0, 100.0, 80.0])
        for bar in (bars[1], make_bars([1.0], symbol="QQQ")[0]):
            bench.enter(BarRevised(ts=bench.engine.now_ns, bar=bar))
            assert bench.engine.facts.equity == D(1000)
        bench.enter(BarRevised(ts=bench.engine.now_ns, bar=bars[2]))
        assert bench.engine.facts.equity == D(900)
        assert len(bench.engine._desk.settings.slots[0].strategy.bars) == 3  # type: ignore[attr-defined]

    def test_clock(self) -> None:
        """A clock that jumped freezes the desk and makes it read the account; a halted desk stays halted."""
        bench = bench_of()
        bench.enter(ClockJumped(ts=1, gap_ns=7_500_000_000))
        assert (bench.engine.facts.desk_state.value, bench.engine.reason) == ("frozen", "the clock jumped by 7.5 s")
        assert len(bench.sent(TakeSnapshot)) == 2
        bench.enter(Command(ts=1, command_id="c", name="halt"))
        bench.enter(ClockJumped(ts=1, gap_ns=1))
        assert bench.engine.facts.desk_state.value == "halted"

    def test_end(self) -> None:
        """At the end of a run nothing is sold and nothing canceled."""
        bench = bench_of({1: enter(), 4: enter()}).play(make_bars(FLAT[:4]))
        before = len(bench.effects)
        bench.enter(RunEnded(ts=bench.engine.now_ns, reason="signal"))
        assert (len(bench.effects), bench.engine.working) == (before, 1)


class TestTimers:
    def test_early_timer(self) -> None:
        """A timer before anything is due does nothing."""
        bench = bench_of()
        step = bench.enter(TimerFired(ts=bench.engine.now_ns))
        assert (step.records, step.effects) == ((), ())

    def test_next(self) -> None:
        """The engine wants to be woken for the session, and never for what has passed."""
        bench = bench_of()
        assert bench.engine.next_timer_ns == session_of().open_ns
        bench.wait(session_of().open_ns)
        assert bench.engine.next_timer_ns == session_of().close_ns
        bench.wait(session_of().close_ns)
        assert bench.engine.next_timer_ns == session_of("2025-01-07").open_ns

    def test_breaker(self) -> None:
        """A breaker's halt is lifted by a timer, at its time, without a bar."""
        limits = make_limits(circuit_breaker_loss_pct=D(5), halt_ns=3 * MINUTE_NS)
        bench = bench_of({1: enter()}, limits=limits, sizer=FixedSizer("5")).play(make_bars([100.0, 100.0, 80.0]))
        fired_ns = session_of().open_ns + 3 * MINUTE_NS
        assert bench.engine.next_timer_ns == fired_ns + 3 * MINUTE_NS
        bench.wait(fired_ns + 3 * MINUTE_NS)
        assert [(move.state, move.ts) for move in bench.of(LimitMoved)] == [
            ("fired", fired_ns),
            ("lifted", fired_ns + 3 * MINUTE_NS),
        ]


class TestWarmUp:
    def warmed(self, strategy: Any, bars: list[Bar], **slot: Any) -> Workbench:
        """A desk whose strategy was shown history before its first bar."""
        bench = Workbench(make_settings([make_slot(strategy, **slot)])).start()
        bench.enter(WarmedUp(ts=bench.engine.now_ns, bars=tuple(bars)))
        return bench

    def test_history(self) -> None:
        """History is shown, its signals are discarded, and it counts towards the lookback."""
        strategy = ScriptedStrategy(dict.fromkeys(range(1, 7), enter()))
        history = make_bars([90.0] * 5, date="2025-01-03", minute=385)
        bench = self.warmed(strategy, history, lookback_bars=5)
        assert strategy.bars == history
        bench.play(make_bars(FLAT[:1]))
        assert len(bench.effects) > 2
        assert bench.engine.facts.orders_this_session == 1

    def test_too_short_and_too_long(self) -> None:
        """Too little history leaves the rest to the first bars; more than is needed is shown all the same."""
        strategy = ScriptedStrategy(dict.fromkeys(range(1, 9), enter()))
        bench = self.warmed(strategy, make_bars([90.0] * 3, date="2025-01-03"), lookback_bars=5).play(
            make_bars(FLAT[:3])
        )
        assert bench.engine.facts.orders_this_session == 1
        long = ScriptedStrategy()
        self.warmed(long, make_bars([90.0] * 9, date="2025-01-03"), lookback_bars=5)
        assert len(long.bars) == 9

    def test_price(self) -> None:
        """History gives a symbol its price until its first bar; other symbols' history passes."""
        bench = self.warmed(ScriptedStrategy(), make_bars([90.0, 91.0], date="2025-01-03"))
        assert bench.engine.facts.close_of("SPY") == D(91)
        bench.play(make_bars(FLAT[:1]))
        bench.enter(WarmedUp(ts=1, bars=tuple(make_bars([5.0], symbol="QQQ") + make_bars([1.0], date="2025-01-03"))))
        assert bench.engine.facts.close_of("SPY") == D(100)

    def test_fault(self) -> None:
        """A strategy that raises over its history is quarantined and shown nothing more."""
        strategy = ScriptedStrategy({2: ValueError("old")})
        bench = self.warmed(strategy, make_bars([90.0] * 5, date="2025-01-03"), lookback_bars=3).play(make_bars(FLAT))
        assert len(strategy.bars) == 2
        assert [fault.state for fault in bench.of(PluginMoved)] == ["quarantined"]
