"""Loss limits: what opens, fires and lifts them, at exactly which equity, and what they deny meanwhile."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from mqd_core.domain.market import MINUTE_NS
from mqd_core.risk.limits import LimitChange, LimitSettings, LimitState, PersistentLimitTracker
from mqd_core.testing.engines import make_limits

D = Decimal
CENT = D("0.01")
MONDAY, TUESDAY, WEEK, NEXT_WEEK = "2025-01-06", "2025-01-07", "2025-W02", "2025-W03"
ALL = make_limits(daily_loss_limit_usd=D(50), weekly_loss_limit_usd=D(80), circuit_breaker_loss_pct=D(5))


def opened(settings: LimitSettings = ALL, equity: str = "1000") -> PersistentLimitTracker:
    """A tracker whose first session opened at this equity."""
    tracker = PersistentLimitTracker(settings)
    tracker.open_session(MONDAY, WEEK, D(equity))
    return tracker


def told(changes: tuple[LimitChange, ...]) -> list[tuple[str, str]]:
    """Which limits moved, and how."""
    return [(change.limit, change.state) for change in changes]


def code(tracker: PersistentLimitTracker, now_ns: int = 0) -> str | None:
    """Why no entry is allowed, in a word."""
    denial = tracker.denial(now_ns)
    return None if denial is None else denial.code


class TestOpening:
    def test_levels(self) -> None:
        """A session opens the daily limit, and the week's first one the weekly limit, at the equity they fire at."""
        changes = PersistentLimitTracker(ALL).open_session(MONDAY, WEEK, D(1000))
        assert [(change.limit, change.state, change.level, change.loss) for change in changes] == [
            ("daily", "opened", D(950), D(0)),
            ("weekly", "opened", D(920), D(0)),
        ]

    def test_again(self) -> None:
        """The same session asked for again changes nothing, whatever the equity is now."""
        tracker = opened()
        before = tracker.state()
        assert tracker.open_session(MONDAY, WEEK, D(5)) == ()
        assert tracker.state() == before
        assert tracker.session == MONDAY

    def test_week_goes_on(self) -> None:
        """The second session of a week opens the daily limit anew and leaves the weekly one."""
        tracker = opened()
        assert told(tracker.open_session(TUESDAY, WEEK, D(990))) == [("daily", "opened")]
        assert tracker.fixed_level() == D(940)
        assert told(tracker.open_session("2025-01-13", NEXT_WEEK, D(990))) == [
            ("daily", "opened"),
            ("weekly", "opened"),
        ]

    def test_switched_off(self) -> None:
        """Limits that are off open nothing, have no level and never fire."""
        tracker = opened(make_limits())
        assert tracker.fixed_level() is None
        assert tracker.judge(D(-1000), 0) == ()
        assert code(tracker) is None
        assert tracker.open_session(TUESDAY, WEEK, D(1)) == ()


class TestFiring:
    @pytest.mark.parametrize(
        ("settings", "level", "limit"),
        [
            (make_limits(daily_loss_limit_usd=D(50)), D(950), "daily"),
            (make_limits(weekly_loss_limit_usd=D(80)), D(920), "weekly"),
            (make_limits(circuit_breaker_loss_pct=D(5)), D(950), "breaker"),
        ],
    )
    def test_at_the_level(self, settings: LimitSettings, level: Decimal, limit: str) -> None:
        """A limit fires at its level exactly and not a cent above it, once."""
        tracker = opened(settings)
        assert tracker.judge(level + CENT, 0) == ()
        (change,) = tracker.judge(level, 0)
        assert (change.limit, change.state, change.loss, change.level) == (limit, "fired", D(1000) - level, level)
        assert tracker.judge(level - 5, 0) == ()

    def test_codes(self) -> None:
        """Each limit denies by its own code; the day's comes before the week's, and both before the breaker's."""
        tracker = opened()
        tracker.judge(D(950), 0)
        assert code(tracker) == "daily_loss"
        tracker.open_session(TUESDAY, WEEK, D(950))
        assert code(tracker, 1) == "circuit_breaker"
        tracker.judge(D(920), 1)
        assert code(tracker) == "weekly_loss"
        tracker.judge(D(880), 1)
        assert code(tracker) == "daily_loss"

    def test_day_and_week_end(self) -> None:
        """What the day forbade the next session allows; what the week forbade, the next week."""
        tracker = opened(make_limits(daily_loss_limit_usd=D(50), weekly_loss_limit_usd=D(80)))
        tracker.judge(D(900), 0)
        tracker.open_session(TUESDAY, WEEK, D(900))
        assert code(tracker) == "weekly_loss"
        tracker.open_session("2025-01-13", NEXT_WEEK, D(900))
        assert code(tracker) is None

    def test_fixed_level(self) -> None:
        """The level to watch is the highest one that has not fired; none before a session."""
        assert PersistentLimitTracker(ALL).fixed_level() is None
        tracker = opened()
        assert tracker.fixed_level() == D(950)
        tracker.judge(D(950), 0)
        assert tracker.fixed_level() == D(920)
        tracker.judge(D(920), 0)
        assert tracker.fixed_level() is None

    def test_before_a_session(self) -> None:
        """Before a session is open nothing is measured and nothing fires."""
        tracker = PersistentLimitTracker(ALL)
        assert tracker.judge(D(-500), 0) == ()


class TestTransfers:
    @pytest.mark.parametrize("amount", ["500", "-500"])
    def test_neither_profit_nor_loss(self, amount: str) -> None:
        """A deposit or withdrawal moves every level with it: what fired before it would have fired after it."""
        tracker = opened()
        tracker.note_peak(D(1010))
        tracker.transfer(D(amount))
        equity = D(1010) + D(amount)
        assert tracker.peak == equity
        assert tracker.fixed_level() == D(950) + D(amount)
        assert tracker.judge(equity, 0) == ()
        assert told(tracker.judge(D(950) + D(amount), 0))[0] == ("daily", "fired")


class TestBreaker:
    def test_falls_from_the_peak(self) -> None:
        """The breaker measures from the highest equity of the session, wherever that was seen."""
        tracker = opened(make_limits(circuit_breaker_loss_pct=D(5)))
        assert tracker.judge(D(1100), 0) == ()
        assert tracker.judge(D("1045.01"), 0) == ()
        (change,) = tracker.judge(D(1045), 7)
        assert (change.loss, change.level, change.until_ns) == (D(55), D(1045), 7 + 30 * MINUTE_NS)
        other = opened(make_limits(circuit_breaker_loss_pct=D(5)))
        other.note_peak(D(1100))
        other.note_peak(D(1050))
        assert told(other.judge(D(1045), 7)) == [("breaker", "fired")]

    def test_lifts_by_time(self) -> None:
        """The halt denies until its time has come and not at it; then the peak is what equity is."""
        tracker = opened(make_limits(circuit_breaker_loss_pct=D(5)))
        tracker.judge(D(950), 0)
        lift_ns = tracker.lift_ns
        assert lift_ns == 30 * MINUTE_NS
        assert code(tracker, lift_ns - 1) == "circuit_breaker"
        assert code(tracker, lift_ns) is None
        assert tracker.judge(D(900), lift_ns) == ()
        assert tracker.lift(D(900), lift_ns - 1) == ()
        assert told(tracker.lift(D(900), lift_ns)) == [("breaker", "lifted")]
        assert tracker.lift(D(900), lift_ns) == ()
        assert (tracker.peak, tracker.lift_ns) == (D(900), 0)
        assert tracker.judge(D("855.01"), lift_ns) == ()
        assert told(tracker.judge(D(855), lift_ns)) == [("breaker", "fired")]

    def test_peak_stands_still(self) -> None:
        """While the halt lasts the peak is not followed: it is taken anew when the halt has passed."""
        tracker = opened(make_limits(circuit_breaker_loss_pct=D(5)))
        tracker.judge(D(950), 0)
        tracker.judge(D(2000), 1)
        assert tracker.peak == D(1000)

    def test_outlives_the_session(self) -> None:
        """A halt that reaches into the next session holds there; the peak is the new session's."""
        tracker = opened(make_limits(circuit_breaker_loss_pct=D(5)))
        tracker.judge(D(950), 0)
        tracker.open_session(TUESDAY, WEEK, D(950))
        assert code(tracker, 1) == "circuit_breaker"
        assert tracker.peak == D(950)

    def test_lifts_though_it_was_switched_off(self) -> None:
        """A halt of a breaker that a new configuration has switched off still passes by its time."""
        tracker = opened()
        tracker.judge(D(950), 0)
        restored = PersistentLimitTracker(make_limits())
        restored.restore(tracker.state())
        assert code(restored, 1) == "daily_loss"
        assert told(restored.lift(D(950), restored.lift_ns)) == [("breaker", "lifted")]

    def test_nothing_to_fall_from(self) -> None:
        """An account worth nothing or less has no peak to fall from."""
        tracker = opened(make_limits(circuit_breaker_loss_pct=D(5)), equity="0")
        assert tracker.judge(D(-10), 0) == ()


def test_state() -> None:
    """A tracker restored from its state, through bytes, says and does what the other does."""
    tracker = opened()
    tracker.judge(D(1100), 0)
    tracker.judge(D(949), 5)
    other = PersistentLimitTracker(ALL)
    other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(tracker.state()), type=LimitState))
    assert other.state() == tracker.state()
    for equity, now_ns in ((D(930), 6), (D(915), 40 * MINUTE_NS), (D(2000), 41 * MINUTE_NS), (D(5), 42 * MINUTE_NS)):
        assert other.lift(equity, now_ns) == tracker.lift(equity, now_ns)
        assert other.judge(equity, now_ns) == tracker.judge(equity, now_ns)
        assert other.denial(now_ns) == tracker.denial(now_ns)
    assert other.state() == tracker.state()
