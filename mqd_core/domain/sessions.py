"""Exchange sessions: when the market is open, in UTC nanoseconds and nothing else.

Pure values and look-ups: no clock, no time zone, no I/O. What a broker says of an unscheduled close is not here but in
the engine's `session_manager`; a table never changes once made.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from mqd_core.domain import session_table
from mqd_core.domain.market import MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_DAY_NS: Final = 24 * 60 * MINUTE_NS
_EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()
# Text of the days of a leap year, `01-01` to `12-31`: made once, since to format each date costs more than the rest.
_LEAP_YEAR: Final = [dt.date.fromordinal(dt.date(2000, 1, 1).toordinal() + day).isoformat()[5:] for day in range(366)]
_WEEKEND: Final = frozenset({6, 0})  # date.toordinal() % 7: day 1, 0001-01-01, was a Monday
_SUMMER_OFFSET_NS: Final = 4 * 60 * MINUTE_NS
_WINTER_OFFSET_NS: Final = 5 * 60 * MINUTE_NS
_OPEN_NS: Final = session_table.OPEN_MINUTE * MINUTE_NS
_CLOSE_NS: Final = session_table.CLOSE_MINUTE * MINUTE_NS
_EARLY_CLOSE_NS: Final = session_table.EARLY_CLOSE_MINUTE * MINUTE_NS


# gc=False: a session holds only atoms, and a table holds thousands of them.
class Session(msgspec.Struct, frozen=True, gc=False):
    """The regular hours of one exchange date: open at `open_ns` and every instant after it before `close_ns`.

    `date` is the exchange's own date, ISO 8601 (`2026-11-27`); limits roll by it, never by a midnight.
    """

    date: str
    open_ns: int
    close_ns: int
    early_close: bool = False

    @property
    def iso_week(self) -> tuple[int, int]:
        """ISO year and week of the date: what weekly limits are kept by. 2024-12-30 is in (2025, 1)."""
        year, week, _ = dt.date.fromisoformat(self.date).isocalendar()
        return year, week

    def holds(self, ts_ns: int) -> bool:
        """Whether the session is open at that instant; at `close_ns` it no longer is."""
        return self.open_ns <= ts_ns < self.close_ns


class SessionTable:
    """Sessions in order, looked up by time or date in O(log n). Covers `first_ns` to `last_ns`, both included.

    Outside of that range the table knows nothing, so it says "no session": whoever trades by it stops there.
    """

    __slots__ = ("_closes", "_dates", "_opens", "_sessions", "first_ns", "last_ns")

    def __init__(self, sessions: Iterable[Session]) -> None:
        """Take sessions in order of time.

        Raises:
            ValueError: there is none, one closes before it opens, or one is not wholly after the one before it.
        """
        self._sessions: tuple[Session, ...] = tuple(sessions)
        if not self._sessions:
            raise ValueError("a session table needs at least one session, and was given none")
        self._dates: list[str] = [session.date for session in self._sessions]
        self._opens: list[int] = [session.open_ns for session in self._sessions]
        self._closes: list[int] = [session.close_ns for session in self._sessions]
        self._refuse_disorder()
        self.first_ns: int = self._opens[0]
        self.last_ns: int = self._closes[-1]

    def _refuse_disorder(self) -> None:
        last_date, last_close_ns = "", -1
        for date, open_ns, close_ns in zip(self._dates, self._opens, self._closes, strict=True):
            if open_ns >= close_ns:
                raise ValueError(f"session {date}: its open {open_ns} was not before its close {close_ns}")
            if date <= last_date or open_ns < last_close_ns:
                raise ValueError(f"session {date} (open {open_ns}) was not after {last_date} (close {last_close_ns})")
            last_date, last_close_ns = date, close_ns

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions)

    def session_at(self, ts_ns: int) -> Session | None:
        """The session that is open at that instant, or None."""
        session = self.next_session(ts_ns)
        return session if session is not None and session.open_ns <= ts_ns else None

    def next_session(self, ts_ns: int) -> Session | None:
        """The first session that closes after that instant: the open one, else the one to come; None at the end."""
        index = bisect_right(self._closes, ts_ns)
        return self._sessions[index] if index < len(self._sessions) else None

    def previous_session(self, ts_ns: int) -> Session | None:
        """The last session that has closed by that instant, or None before the first."""
        index = bisect_right(self._closes, ts_ns)
        return self._sessions[index - 1] if index else None

    def session_of_date(self, date: str) -> Session | None:
        """The session of an ISO date, or None if the exchange is closed that day or the table does not reach it."""
        index = bisect_left(self._dates, date)
        found = index < len(self._dates) and self._dates[index] == date
        return self._sessions[index] if found else None

    def sessions_between(self, start_ns: int, end_ns: int) -> Sequence[Session]:
        """All sessions that are open at some instant from `start_ns` up to, not including, `end_ns`, in order."""
        return self._sessions[bisect_right(self._closes, start_ns) : bisect_left(self._opens, end_ns)]


@cache
def xnys() -> SessionTable:
    """The New York Stock Exchange, as shipped in `session_table`. Made once per process, when first asked for."""
    return SessionTable(session for year in session_table.CLOSED for session in _sessions_of_year(year))


def _sessions_of_year(year: int) -> Iterator[Session]:
    closed = frozenset(session_table.CLOSED[year].split())
    early_closes = frozenset(session_table.EARLY_CLOSES[year].split())
    summer_start, winter_start = session_table.DAYLIGHT[year].split()
    first, end = dt.date(year, 1, 1).toordinal(), dt.date(year + 1, 1, 1).toordinal()
    leap = end - first == len(_LEAP_YEAR)
    month_days = _LEAP_YEAR if leap else [month_day for month_day in _LEAP_YEAR if month_day != "02-29"]
    for ordinal, month_day in enumerate(month_days, first):
        if ordinal % 7 in _WEEKEND or month_day in closed:
            continue
        early = month_day in early_closes
        offset_ns = _SUMMER_OFFSET_NS if summer_start <= month_day < winter_start else _WINTER_OFFSET_NS
        midnight_ns = (ordinal - _EPOCH_ORDINAL) * _DAY_NS + offset_ns
        close_ns = midnight_ns + (_EARLY_CLOSE_NS if early else _CLOSE_NS)
        yield Session(f"{year}-{month_day}", midnight_ns + _OPEN_NS, close_ns, early)
