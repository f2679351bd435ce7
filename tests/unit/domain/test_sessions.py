"""Sessions: the shipped table agrees with three independent sources, and look-ups are right for any table."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain import session_table
from mqd_core.domain.sessions import Session, SessionTable, xnys

if TYPE_CHECKING:
    from pathlib import Path

NO_LIBRARY = "the oracle of the calendar is not installed: pip install 'mqd-core[calendar]'"
NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> int:
    """Nanoseconds of a time of UTC written as `2013-11-29T18:00`."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000_000


def new_york(ts_ns: int) -> str:
    """What a clock in New York shows, by the system's time zones."""
    return dt.datetime.fromtimestamp(ts_ns // 1_000_000_000, NEW_YORK).strftime("%Y-%m-%d %H:%M")


def of_date(date: str) -> Session:
    """The shipped session of a date that is known to have one."""
    session = xnys().session_of_date(date)
    assert session is not None, f"no session on {date}"
    return session


@st.composite
def tables(draw: st.DrawFn) -> SessionTable:
    """Small tables with gaps from none to some, so that most instants of a small range mean something."""
    hours = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=8))
    sessions: list[Session] = []
    end = 0
    for day, (gap, length) in enumerate(hours):
        date = (dt.date(2020, 1, 1) + dt.timedelta(days=day)).isoformat()
        sessions.append(Session(date, end + gap, end + gap + length))
        end += gap + length
    return SessionTable(sessions)


instants = st.integers(-3, 90)


class TestAgainstOtherSources:
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what that library uses of pandas is its own affair
    def test_exchange_calendars(self) -> None:
        """Every session of the table has the date, open, close and half day that exchange_calendars gives it."""
        library = pytest.importorskip("exchange_calendars", reason=NO_LIBRARY)
        first_year, last_year = min(session_table.CLOSED), max(session_table.CLOSED)
        calendar = library.get_calendar("XNYS", start=f"{first_year}-01-01", end=f"{last_year}-12-31")
        early = {day.date().isoformat() for day in calendar.early_closes}
        expected = [
            Session(
                day.date().isoformat(), int(row["open"].value), int(row["close"].value), day.date().isoformat() in early
            )
            for day, row in calendar.schedule.iterrows()
        ]
        assert list(xnys()) == expected

    @pytest.mark.slow
    def test_generator(self, project_root: Path) -> None:
        """The generated file is what the generator writes from the installed exchange_calendars."""
        pytest.importorskip("exchange_calendars", reason=NO_LIBRARY)
        script = project_root / "tests" / "tools" / "make_session_table.py"
        check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
        assert (check.returncode, check.stderr) == (0, "")

    def test_market_hours_of_another_source(self, shared_data: Path) -> None:
        """Holidays and half days agree with a second calendar, made by other people, as far as it goes."""
        hours = json.loads((shared_data / "calendar" / "us_equity_market_hours.json").read_text(encoding="utf-8"))
        days = [dt.datetime.strptime(day, "%m/%d/%Y").replace(tzinfo=dt.timezone.utc) for day in hours["holidays"]]
        holidays = {day.date().isoformat() for day in days if day.weekday() < 5}
        assert {f"{year}-{day}" for year, names in session_table.CLOSED.items() for day in names.split()} == holidays
        closes = [dt.datetime.strptime(day, "%m/%d/%Y").replace(tzinfo=dt.timezone.utc) for day in hours["earlyCloses"]]
        half_days = {day.date().isoformat() for day in closes if day.weekday() < 5}
        # That source lacks the half days before 2000, all but one.
        known = {session.date for session in xnys() if session.early_close and session.date >= "2000"}
        assert {day for day in half_days if day >= "2000"} == known
        assert set(hours["earlyCloses"].values()) == {"13:00:00"}

    def test_time_zone(self) -> None:
        """By the system's time zones a session lasts from 09:30 to 16:00 in New York, to 13:00 if it closes early."""
        for session in xnys():
            close = "13:00" if session.early_close else "16:00"
            hours = (new_york(session.open_ns), new_york(session.close_ns))
            assert hours == (f"{session.date} 09:30", f"{session.date} {close}")


class TestShippedTable:
    @pytest.mark.parametrize(
        ("date", "open_utc", "close_utc"),
        [
            ("2008-03-07", "14:30", "21:00"),
            ("2008-03-10", "13:30", "20:00"),
            ("2013-03-08", "14:30", "21:00"),
            ("2013-03-11", "13:30", "20:00"),
            ("2013-11-01", "13:30", "20:00"),
            ("2013-11-04", "14:30", "21:00"),
            ("2006-04-03", "13:30", "20:00"),
            ("2006-10-30", "14:30", "21:00"),
            ("2026-03-09", "13:30", "20:00"),
            ("2026-11-02", "14:30", "21:00"),
        ],
    )
    def test_daylight_saving(self, date: str, open_utc: str, close_utc: str) -> None:
        """The hours in UTC shift by one on the first session after each change of the clocks, old rules included."""
        assert of_date(date) == Session(date, utc(f"{date}T{open_utc}"), utc(f"{date}T{close_utc}"), early_close=False)

    @pytest.mark.parametrize("date", ["2013-11-29", "2026-11-27", "2026-12-24", "1999-12-31"])
    def test_half_day(self, date: str) -> None:
        """A half day in winter closes at 18:00 UTC and says that it is one."""
        assert of_date(date) == Session(date, utc(f"{date}T14:30"), utc(f"{date}T18:00"), early_close=True)

    def test_half_day_in_summer(self) -> None:
        """A half day in summer closes at 17:00 UTC."""
        assert of_date("2028-07-03").close_ns == utc("2028-07-03T17:00")

    @pytest.mark.parametrize(
        ("last", "next_date"),
        [
            ("2001-09-10", "2001-09-17"),  # the attacks of 11 September
            ("2012-10-26", "2012-10-31"),  # Hurricane Sandy
            ("2004-06-10", "2004-06-14"),  # mourning, on a Friday
            ("2025-01-08", "2025-01-10"),  # mourning
            ("2013-10-04", "2013-10-07"),  # an ordinary weekend
            ("2026-11-25", "2026-11-27"),  # Thanksgiving
        ],
    )
    def test_closure(self, last: str, next_date: str) -> None:
        """After a close the next session is the one after the weekend, holiday or unscheduled closure."""
        session = xnys().next_session(of_date(last).close_ns)
        assert session is not None
        assert session.date == next_date
        assert xnys().previous_session(session.open_ns) == of_date(last)

    @pytest.mark.parametrize(
        "date", ["2001-09-12", "2012-10-29", "2013-10-05", "2026-11-26", "1997-06-02", "2031-06-02"]
    )
    def test_no_session(self, date: str) -> None:
        """A date of closure, of a weekend or out of reach has no session, and noon of it is in none."""
        assert xnys().session_of_date(date) is None
        assert xnys().session_at(utc(f"{date}T17:00")) is None

    def test_range(self) -> None:
        """The table reaches from the first session of 1998 to the last of 2028, and beyond it there is none."""
        table = xnys()
        assert (table.first_ns, table.last_ns) == (utc("1998-01-02T14:30"), utc("2028-12-29T21:00"))
        assert table.next_session(table.last_ns) is None
        assert table.previous_session(table.first_ns) is None
        assert table.next_session(0) == of_date("1998-01-02")
        assert table.previous_session(2**63 - 1) == of_date("2028-12-29")

    def test_weekdays_only(self) -> None:
        """No session is on a weekend, and every year has 248 to 253 of them."""
        dates = [dt.date.fromisoformat(session.date) for session in xnys()]
        assert max(date.weekday() for date in dates) == 4
        per_year = [sum(date.year == year for date in dates) for year in session_table.CLOSED]
        assert 248 <= min(per_year) <= max(per_year) <= 253

    def test_made_once(self) -> None:
        """The table is made once per process."""
        assert xnys() is xnys()

    def test_light_import(self) -> None:
        """The table needs no time zones, arrays or calendar library: they are not even imported."""
        heavy = "{'zoneinfo', 'numpy', 'pandas', 'exchange_calendars'}"
        code = f"import sys, mqd_core.domain.sessions as s; s.xnys(); print({heavy} & set(sys.modules))"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout.strip() == "set()"


class TestSession:
    def test_instants(self) -> None:
        """A session is open from its open on and no longer at its close."""
        session = of_date("2013-10-07")
        assert [session.holds(session.open_ns + step) for step in (-1, 0, 1)] == [False, True, True]
        assert [session.holds(session.close_ns + step) for step in (-1, 0, 1)] == [True, False, False]

    @pytest.mark.parametrize(
        ("date", "week"),
        [("2024-12-30", (2025, 1)), ("2026-11-27", (2026, 48)), ("2021-01-04", (2021, 1)), ("2020-12-31", (2020, 53))],
    )
    def test_iso_week(self, date: str, week: tuple[int, int]) -> None:
        """The week of a session is the ISO week of its date, with the ISO year that it belongs to."""
        assert of_date(date).iso_week == week

    def test_value(self) -> None:
        """A session cannot be changed, is equal by value, and survives the journal's encoding."""
        session = of_date("2026-11-27")
        with pytest.raises(AttributeError):
            session.close_ns = 0  # type: ignore[misc]
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(session), type=Session) == session


class TestAnyTable:
    @given(table=tables(), ts_ns=instants)
    def test_look_ups(self, table: SessionTable, ts_ns: int) -> None:
        """Each look-up by time finds what a walk over all sessions finds."""
        ended = [session for session in table if session.close_ns <= ts_ns]
        coming = [session for session in table if session.close_ns > ts_ns]
        running = [session for session in table if session.open_ns <= ts_ns < session.close_ns]
        assert table.previous_session(ts_ns) == (ended[-1] if ended else None)
        assert table.next_session(ts_ns) == (coming[0] if coming else None)
        assert table.session_at(ts_ns) == (running[0] if running else None)

    @given(table=tables(), ts_ns=instants)
    def test_next_is_the_open_one(self, table: SessionTable, ts_ns: int) -> None:
        """While a session is open it is the next to close; else the next one is still to open."""
        session, coming = table.session_at(ts_ns), table.next_session(ts_ns)
        assert session == coming if session is not None else coming is None or coming.open_ns > ts_ns

    @given(table=tables(), start_ns=instants, length_ns=st.integers(1, 40))
    def test_between(self, table: SessionTable, start_ns: int, length_ns: int) -> None:
        """The sessions between two instants are those that are open at one of them or at one in between."""
        span = range(start_ns, start_ns + length_ns)
        expected = [session for session in table if any(session.holds(ts_ns) for ts_ns in span)]
        assert list(table.sessions_between(start_ns, start_ns + length_ns)) == expected

    @given(table=tables())
    def test_order(self, table: SessionTable) -> None:
        """Sessions are disjoint and ordered, each is found by its date, and the range is theirs."""
        sessions = list(table)
        assert len(table) == len(sessions)
        for before, after in pairwise(sessions):
            assert before.close_ns <= after.open_ns
            assert before.date < after.date
        assert all(table.session_of_date(session.date) == session for session in sessions)
        assert (table.first_ns, table.last_ns) == (sessions[0].open_ns, sessions[-1].close_ns)

    def test_shipped_table_is_disjoint(self) -> None:
        """The shipped sessions are disjoint, ordered and at most one full day long."""
        sessions = list(xnys())
        assert all(before.close_ns < after.open_ns for before, after in pairwise(sessions))
        assert {session.close_ns - session.open_ns for session in sessions} == {390 * 60 * 10**9, 210 * 60 * 10**9}

    @pytest.mark.parametrize(
        ("sessions", "message"),
        [
            ([], "needs at least one session"),
            ([Session("2020-01-02", 5, 5)], "2020-01-02: its open 5 was not before its close 5"),
            ([Session("2020-01-02", 1, 5), Session("2020-01-03", 4, 6)], "was not after 2020-01-02"),
            ([Session("2020-01-03", 1, 5), Session("2020-01-02", 5, 6)], "was not after 2020-01-03"),
        ],
    )
    def test_refusal(self, sessions: list[Session], message: str) -> None:
        """A table that is empty, backward or overlapping is refused, naming the session."""
        with pytest.raises(ValueError, match=message):
            SessionTable(sessions)
