"""SessionManager: what opened and closed on the way, when to wake, when an entry is allowed, the broker's overrides."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.sessions import Session, SessionTable, xnys
from mqd_core.engine.session_manager import SessionChange, SessionManager, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def utc(text: str) -> int:
    """Nanoseconds of a time of UTC written as `2013-11-29T18:00`."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000_000


def told(changes: Iterable[SessionChange]) -> list[str]:
    """Changes as short text."""
    return [f"{change.kind} {change.session.date}" for change in changes]


def manager_at(text: str, after_open: int = 0, before_close: int = 0) -> SessionManager:
    """A manager of the shipped table that has come to a time of UTC."""
    manager = SessionManager(xnys(), after_open, before_close)
    manager.advance(utc(text))
    return manager


class TestAdvance:
    def test_first_call(self) -> None:
        """The first call tells of the session that is open then, and nothing of the years before."""
        manager = SessionManager(xnys(), 0, 0)
        assert told(manager.advance(utc("2013-10-07T15:00"))) == ["opened 2013-10-07"]
        assert SessionManager(xnys(), 0, 0).advance(utc("2013-10-06T15:00")) == ()

    @pytest.mark.parametrize(
        ("date", "boundary", "kind"), [("2013-11-29", "14:30", "opened"), ("2013-11-29", "18:00", "closed")]
    )
    def test_boundary(self, date: str, boundary: str, kind: str) -> None:
        """A change is told at its very instant and not a nanosecond earlier; a half day closes at 13:00."""
        manager = manager_at(f"{date}T{'14:00' if kind == 'opened' else '15:00'}")
        assert manager.advance(utc(f"{date}T{boundary}") - 1) == ()
        assert told(manager.advance(utc(f"{date}T{boundary}"))) == [f"{kind} {date}"]
        assert manager.advance(utc(f"{date}T{boundary}")) == ()

    def test_skipped_boundaries(self) -> None:
        """A jump over a holiday and a half day tells every boundary on the way, in order."""
        manager = manager_at("2026-11-25T16:00")
        assert told(manager.advance(utc("2026-11-30T15:00"))) == [
            "closed 2026-11-25",
            "opened 2026-11-27",
            "closed 2026-11-27",
            "opened 2026-11-30",
        ]
        assert manager.current(utc("2026-11-30T15:00")) == xnys().session_of_date("2026-11-30")

    def test_jump_to_a_close(self) -> None:
        """A jump that ends at the very close of a session that was slept through tells both of its boundaries."""
        manager = manager_at("2013-10-04T20:00")
        assert told(manager.advance(utc("2013-10-07T20:00"))) == ["opened 2013-10-07", "closed 2013-10-07"]
        assert manager.state().opened is None

    def test_unscheduled_closures_of_the_past(self) -> None:
        """Between the sessions around 11 September 2001 and around Hurricane Sandy nothing opened."""
        assert told(manager_at("2001-09-10T20:00").advance(utc("2001-09-17T13:30"))) == ["opened 2001-09-17"]
        assert told(manager_at("2012-10-26T20:00").advance(utc("2012-10-31T13:30"))) == ["opened 2012-10-31"]

    def test_time_never_decreases(self) -> None:
        """An earlier time changes nothing: a clock that steps back cannot reopen a session."""
        manager = manager_at("2013-10-07T20:00")
        state = manager.state()
        assert manager.advance(utc("2013-10-07T15:00")) == ()
        assert manager.state() == state

    def test_end_of_table(self) -> None:
        """After the last close nothing opens, wakes or may enter, and the time is outside of the table."""
        manager = manager_at("2028-12-29T15:00")
        assert manager.wake_ns() == utc("2028-12-29T21:00")
        assert told(manager.advance(utc("2029-01-02T15:00"))) == ["closed 2028-12-29"]
        assert manager.wake_ns() is None
        assert manager.next_session(utc("2029-01-02T15:00")) is None
        assert manager.may_enter(utc("2029-01-02T15:00")) == "session_closed"
        assert manager.outside_table(utc("2029-01-02T15:00"))

    def test_edges_of_table(self) -> None:
        """The first open and the last close are covered by the table; a nanosecond outwards is not."""
        manager, first_ns, last_ns = SessionManager(xnys(), 0, 0), xnys().first_ns, xnys().last_ns
        assert [manager.outside_table(ts_ns) for ts_ns in (first_ns - 1, first_ns, last_ns, last_ns + 1)] == [
            True,
            False,
            False,
            True,
        ]


class TestWake:
    @pytest.mark.parametrize(
        ("now", "wake"),
        [
            ("2013-03-08T21:00", "2013-03-11T13:30"),  # over the change to summer time
            ("2013-11-01T20:00", "2013-11-04T14:30"),  # and back
            ("2013-11-29T14:29", "2013-11-29T14:30"),
            ("2013-11-29T14:30", "2013-11-29T18:00"),  # strictly after an open: the half day's close
            ("2013-11-29T18:00", "2013-12-02T14:30"),  # strictly after a close: the next open
            ("2001-09-11T13:00", "2001-09-17T13:30"),
        ],
    )
    def test_next_boundary(self, now: str, wake: str) -> None:
        """The desk is woken at the next open or close strictly after the time it has come to, or is asked about."""
        assert manager_at(now).wake_ns() == utc(wake)
        assert SessionManager(xnys(), 0, 0).wake_ns(utc(now)) == utc(wake)

    def test_before_any_time(self) -> None:
        """A manager that has been told no time has no time to count from."""
        assert SessionManager(xnys(), 0, 0).wake_ns() is None


class TestEntries:
    @pytest.mark.parametrize(
        ("time", "code"),
        [
            ("2013-10-07T13:29", "session_closed"),
            ("2013-10-07T13:30", "no_entry_window"),
            ("2013-10-07T13:34", "no_entry_window"),
            ("2013-10-07T13:35", None),
            ("2013-10-07T19:49", None),
            ("2013-10-07T19:50", "no_entry_window"),
            ("2013-10-07T19:59", "no_entry_window"),
            ("2013-10-07T20:00", "session_closed"),  # what is known at the close was decided on the last bar
            ("2013-11-29T17:49", None),
            ("2013-11-29T17:50", "no_entry_window"),  # half day
            ("2013-11-29T18:00", "session_closed"),
            ("2013-10-05T15:00", "session_closed"),  # Saturday
            ("2026-11-26T15:00", "session_closed"),  # Thanksgiving
        ],
    )
    def test_windows(self, time: str, code: str | None) -> None:
        """Entries are denied outside of sessions, 5 minutes after the open and 10 before the real close."""
        assert SessionManager(xnys(), 5, 10).may_enter(utc(time)) == code

    def test_no_windows(self) -> None:
        """Without windows an entry is allowed from the open on, until before the close."""
        manager = SessionManager(xnys(), 0, 0)
        assert manager.may_enter(utc("2013-10-07T13:30")) is None
        assert manager.may_enter(utc("2013-10-07T20:00") - 1) is None
        assert manager.may_enter(utc("2013-10-07T20:00")) == "session_closed"

    @pytest.mark.parametrize(("after_open", "before_close"), [(-1, 0), (0, -1)])
    def test_negative_window(self, after_open: int, before_close: int) -> None:
        """Negative minutes are refused."""
        with pytest.raises(ValueError, match=f"must be 0 or more, were {after_open} and {before_close}"):
            SessionManager(xnys(), after_open, before_close)

    @pytest.mark.parametrize(
        ("start", "minutes", "regular"),
        [
            ("2013-10-07T13:29", 1, False),
            ("2013-10-07T13:30", 1, True),
            ("2013-10-07T19:59", 1, True),
            ("2013-10-07T20:00", 1, False),  # the closing auction's print
            ("2013-10-07T19:30", 60, False),  # ends after the close
            ("2013-10-07T13:00", 60, False),  # starts before the open
            ("2013-11-29T17:59", 1, True),
            ("2013-11-29T18:00", 1, False),
            ("2013-10-05T15:00", 1, False),
        ],
    )
    def test_regular_bar(self, start: str, minutes: int, regular: bool) -> None:
        """A bar is regular if it starts at the open or later and ends at the close or earlier."""
        assert SessionManager(xnys(), 0, 0).regular_bar(utc(start), minutes * MINUTE_NS) is regular


class TestOverride:
    def test_early_close_ahead(self) -> None:
        """An unscheduled early close moves close, wake, windows and regular bars, and is told when it comes."""
        manager = manager_at("2013-10-07T15:00", before_close=10)
        close_ns = utc("2013-10-07T18:00")
        assert manager.override("2013-10-07", None, close_ns) == ()
        session = manager.current(utc("2013-10-07T15:00"))
        assert session == Session("2013-10-07", utc("2013-10-07T13:30"), close_ns, early_close=True)
        assert manager.wake_ns() == close_ns
        assert manager.may_enter(close_ns - 10 * MINUTE_NS) == "no_entry_window"
        assert manager.may_enter(close_ns) == "session_closed"
        assert not manager.regular_bar(close_ns, MINUTE_NS)
        assert manager.advance(close_ns) == (SessionChange("closed", session),)
        assert manager.advance(close_ns) == ()
        assert manager.wake_ns() == utc("2013-10-08T13:30")

    def test_early_close_told_late(self) -> None:
        """Word of a close that has already passed closes the session at once, with the true hours."""
        manager = manager_at("2013-10-07T18:10")
        (change,) = manager.override("2013-10-07", utc("2013-10-07T13:30"), utc("2013-10-07T18:00"))
        assert (change.kind, change.session.close_ns) == ("closed", utc("2013-10-07T18:00"))
        assert manager.current(utc("2013-10-07T18:10")) is None

    def test_closed_day_ahead(self) -> None:
        """A day that the broker says is closed neither opens nor wakes the desk, and the next session follows it."""
        manager = manager_at("2013-10-07T20:00")
        assert manager.override("2013-10-08", None, None) == ()
        assert manager.wake_ns() == utc("2013-10-09T13:30")
        assert told(manager.advance(utc("2013-10-09T14:00"))) == ["opened 2013-10-09"]
        assert manager.may_enter(utc("2013-10-08T15:00")) == "session_closed"

    def test_closed_under_way(self) -> None:
        """An exchange that shuts in the middle of a session closes it then; the hours before it did happen."""
        manager = manager_at("2013-10-07T15:00")
        (change,) = manager.override("2013-10-07", None, None)
        assert change == SessionChange(
            "closed", Session("2013-10-07", utc("2013-10-07T13:30"), utc("2013-10-07T15:00"), early_close=True)
        )
        assert manager.regular_bar(utc("2013-10-07T14:59"), MINUTE_NS)
        assert not manager.regular_bar(utc("2013-10-07T15:00"), MINUTE_NS)

    def test_closed_after_the_close(self) -> None:
        """A broker that says closed in the evening takes nothing from the session that was."""
        manager = manager_at("2013-10-07T21:00")
        assert manager.override("2013-10-07", None, None) == ()
        assert manager.state().overrides == ()
        manager.override("2013-10-07", None, utc("2013-10-07T18:00"))
        early = manager.state()
        assert manager.override("2013-10-07", None, None) == ()
        assert manager.state() == early

    def test_taken_back(self) -> None:
        """When the broker takes its word back the session opens a second time under the same date."""
        manager = manager_at("2013-10-07T15:00")
        manager.override("2013-10-07", None, None)
        changes = manager.override("2013-10-07", utc("2013-10-07T13:30"), utc("2013-10-07T20:00"))
        assert told(changes) == ["opened 2013-10-07"]
        assert manager.state().overrides == ()
        assert manager.may_enter(utc("2013-10-07T15:00")) is None

    def test_late_open(self) -> None:
        """An open that is put off after the planned one closes the session until it comes."""
        manager = manager_at("2013-10-07T13:31")
        assert told(manager.override("2013-10-07", utc("2013-10-07T14:00"), None)) == ["closed 2013-10-07"]
        assert manager.may_enter(utc("2013-10-07T13:59")) == "session_closed"
        assert manager.wake_ns() == utc("2013-10-07T14:00")
        assert told(manager.advance(utc("2013-10-07T14:00"))) == ["opened 2013-10-07"]

    def test_one_hour_alone(self) -> None:
        """An early close told alone keeps the late open that was told before, and the other way round."""
        opens, closes = utc("2013-10-08T14:00"), utc("2013-10-08T18:00")
        for words_of_broker in ([(opens, None), (None, closes)], [(None, closes), (opens, None)]):
            manager = manager_at("2013-10-07T20:00")
            for open_ns, close_ns in words_of_broker:
                manager.override("2013-10-08", open_ns, close_ns)
            assert manager.current(opens) == Session("2013-10-08", opens, closes, early_close=True)

    @pytest.mark.parametrize(
        ("date", "open_utc", "close_utc"),
        [
            ("2013-11-29", "14:30", "21:00"),  # a half day cannot become a whole one
            ("2013-11-29", "09:00", "23:59"),
            ("2013-11-30", "14:30", "21:00"),  # nor a Saturday a session
            ("not-a-date", "14:30", "21:00"),
        ],
    )
    def test_adds_nothing(self, date: str, open_utc: str, close_utc: str) -> None:
        """The broker's word never adds trading time: longer hours and unknown dates leave the table as it is."""
        manager = manager_at("2013-11-27T22:00")
        before = manager.state()
        assert manager.override(date, utc(f"2013-11-29T{open_utc}"), utc(f"2013-11-29T{close_utc}")) == ()
        assert manager.state() == before

    def test_hours_that_leave_nothing(self) -> None:
        """Hours that are backward or of another day close the date: in doubt, do not trade."""
        manager = manager_at("2013-10-07T20:00")
        manager.override("2013-10-08", utc("2013-10-08T19:00"), utc("2013-10-08T14:00"))
        manager.override("2013-10-09", utc("2013-10-10T13:30"), utc("2013-10-10T20:00"))
        assert manager.wake_ns() == utc("2013-10-10T13:30")
        assert manager.advance(utc("2013-10-10T13:00")) == ()

    def test_before_any_time(self) -> None:
        """An override told before the first time is kept for it."""
        manager = SessionManager(xnys(), 0, 0)
        assert manager.override("2013-10-07", None, None) == ()
        assert manager.advance(utc("2013-10-07T15:00")) == ()


class TestState:
    def test_survives_a_restart(self) -> None:
        """A manager restored from its encoded state goes on where the first one stood, overrides included."""
        first = manager_at("2013-10-07T15:00")
        first.override("2013-10-08", None, None)
        second = SessionManager(xnys(), 0, 0)
        second.override("2013-10-09", None, None)
        second.restore(msgspec.json.decode(msgspec.json.encode(first.state()), type=SessionState))
        assert second.state() == first.state()
        expected = ["closed 2013-10-07", "opened 2013-10-09"]
        assert told(second.advance(utc("2013-10-09T15:00"))) == expected

    def test_newer_table(self) -> None:
        """A session and an override that a newer table does not have close and vanish."""
        monday, tuesday = Session("2020-01-06", 10, 20), Session("2020-01-07", 30, 40)
        manager = SessionManager(SessionTable([tuesday]), 0, 0)
        manager.restore(SessionState(now_ns=15, opened=monday, overrides=(Session("2020-01-06", 10, 18),)))
        assert manager.state().overrides == ()
        assert manager.advance(15) == (SessionChange("closed", monday),)
        assert manager.wake_ns() == 30


@st.composite
def tables(draw: st.DrawFn) -> SessionTable:
    """Small tables, touching sessions included."""
    hours = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=6))
    sessions: list[Session] = []
    end = 0
    for day, (gap, length) in enumerate(hours):
        sessions.append(Session(f"2020-01-0{day + 1}", end + gap, end + gap + length))
        end += gap + length
    return SessionTable(sessions)


hour = st.none() | st.integers(-2, 60)
words = st.tuples(st.sampled_from([f"2020-01-0{day}" for day in range(1, 8)]), hour, hour)
paths = st.lists(st.integers(-2, 60), min_size=1, max_size=8).map(sorted)


def overridden(table: SessionTable, overrides: Sequence[tuple[str, int | None, int | None]]) -> SessionManager:
    """A manager that has been told all overrides before any time."""
    manager = SessionManager(table, 0, 0)
    for date, open_ns, close_ns in overrides:
        manager.override(date, open_ns, close_ns)
    return manager


class TestLaws:
    @given(table=tables(), overrides=st.lists(words, max_size=3), path=paths)
    def test_steps_do_not_matter(
        self, table: SessionTable, overrides: list[tuple[str, int | None, int | None]], path: list[int]
    ) -> None:
        """One jump tells the same changes as any number of steps over the same way."""
        jump, walk = overridden(table, overrides), overridden(table, overrides)
        once = [*jump.advance(path[0]), *jump.advance(path[-1])]
        assert once == [change for ts_ns in path for change in walk.advance(ts_ns)]
        assert jump.state() == walk.state()

    @given(table=tables(), overrides=st.lists(words, max_size=3), start_ns=st.integers(-2, 60))
    def test_wake(
        self, table: SessionTable, overrides: list[tuple[str, int | None, int | None]], start_ns: int
    ) -> None:
        """Nothing changes before the wake time, something does at it, and after the last one nothing ever does."""
        manager = overridden(table, overrides)
        manager.advance(start_ns)
        while (wake_ns := manager.wake_ns()) is not None:
            assert manager.advance(wake_ns - 1) == ()
            assert manager.advance(wake_ns) != ()
        assert manager.advance(1_000) == ()

    @given(table=tables(), steps=st.lists(words | st.integers(-2, 60), max_size=12))
    def test_any_life(self, table: SessionTable, steps: list[tuple[str, int | None, int | None] | int]) -> None:
        """Whatever time and broker say: opened and closed alternate, agree with `current`, and survive a restart."""
        manager = SessionManager(table, 0, 0)
        changes: list[SessionChange] = []
        for step in steps:
            changes += manager.advance(step) if isinstance(step, int) else manager.override(*step)
            state = manager.state()
            if state.now_ns is not None:
                assert state.opened == manager.current(state.now_ns)
                assert (state.opened is not None) == (changes != [] and changes[-1].kind == "opened")
            manager = SessionManager(table, 0, 0)
            manager.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=SessionState))
            assert manager.state() == state
        assert [change.kind for change in changes] == (["opened", "closed"] * len(changes))[: len(changes)]

    @given(table=tables(), overrides=st.lists(words, max_size=4), ts_ns=st.integers(-2, 60))
    def test_only_takes_away(
        self, table: SessionTable, overrides: list[tuple[str, int | None, int | None]], ts_ns: int
    ) -> None:
        """Whatever the broker says, no instant is open that the table has closed; and the next session is the first."""
        manager = overridden(table, overrides)
        session = manager.current(ts_ns)
        if session is not None:
            planned = table.session_at(ts_ns)
            assert planned is not None
            assert (planned.date, planned.open_ns <= session.open_ns) == (session.date, True)
            assert session.close_ns <= planned.close_ns
        coming = manager.next_session(ts_ns)
        first_open_ns = next((instant for instant in range(ts_ns, 70) if manager.current(instant)), None)
        assert first_open_ns == (None if coming is None else max(coming.open_ns, ts_ns))
