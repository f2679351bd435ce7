"""What the exchange's calendar means for the desk now: open or closed, when that changes, whether an entry may be made.

The engine asks it at every decision and wakes it by one timer, at `wake_ns`; it is on no bar's path. It may not read a
clock, trade, or know of limits and orders: it says which sessions opened and closed, and the engine draws the
conclusions. The table is what the exchange planned; `override` is what the broker says of an unscheduled close. The
broker's word can only take trading time away, never add any: a date that the table does not know stays closed.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.sessions import Session, SessionTable

EntryDenial = Literal["session_closed", "no_entry_window"]

SESSION_CLOSED: Final = "session_closed"
NO_ENTRY_WINDOW: Final = "no_entry_window"


class SessionChange(msgspec.Struct, frozen=True):
    """A session opened, at its `open_ns`, or closed, at its `close_ns`; either may lie before the time it is told.

    What the broker takes back or puts off after the fact closes and opens a second time, with the hours then in
    effect: whoever rolls limits goes by `session.date`.
    """

    kind: Literal["opened", "closed"]
    session: Session


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a `SessionManager` remembers, for the engine's snapshot. An override that is empty is a closed day."""

    now_ns: int | None = None
    opened: Session | None = None
    overrides: tuple[Session, ...] = ()


class SessionManager:
    """Exchange sessions as the desk lives through them.

    `no_entry_minutes_after_open` and `no_entry_minutes_before_close` are measured from the session's real hours, so
    they follow half days and unscheduled closes.
    """

    def __init__(
        self, table: SessionTable, no_entry_minutes_after_open: int, no_entry_minutes_before_close: int
    ) -> None:
        """Start before any time; `advance` or `restore` sets it.

        Raises:
            ValueError: a number of minutes was negative.
        """
        if no_entry_minutes_after_open < 0 or no_entry_minutes_before_close < 0:
            minutes = f"{no_entry_minutes_after_open} and {no_entry_minutes_before_close}"
            raise ValueError(f"no-entry minutes after open and before close must be 0 or more, were {minutes}")
        self._table = table
        self._after_open_ns = no_entry_minutes_after_open * MINUTE_NS
        self._before_close_ns = no_entry_minutes_before_close * MINUTE_NS
        self._now_ns: int | None = None
        self._opened: Session | None = None
        self._overrides: dict[str, Session] = {}

    # Asking: any instant may be asked for, and nothing changes.

    def current(self, ts_ns: int) -> Session | None:
        """The session that is open at that instant, overrides applied, or None. At its close it no longer is."""
        planned = self._table.session_at(ts_ns)
        session = None if planned is None else self._in_effect(planned)
        return session if session is not None and session.holds(ts_ns) else None

    def next_session(self, ts_ns: int) -> Session | None:
        """The first session that closes after that instant, overrides applied: the open one, else the one to come.

        A day order that is sent now expires at its `close_ns`.
        """
        planned = self._table.next_session(ts_ns)
        while planned is not None:
            session = self._in_effect(planned)
            if session.close_ns > ts_ns and session.open_ns < session.close_ns:
                return session
            planned = self._table.next_session(planned.close_ns)
        return None

    def may_enter(self, ts_ns: int) -> EntryDenial | None:
        """Why an entry decided at that instant is denied, or None if it is not.

        An order fills after its decision. What is decided at a close, as on a session's last bar, could thus fill only
        in a later session, and is denied as `session_closed`. The windows are [open, open + after) and
        [close - before, close).
        """
        session = self.current(ts_ns)
        if session is None:
            return SESSION_CLOSED
        if session.open_ns + self._after_open_ns <= ts_ns < session.close_ns - self._before_close_ns:
            return None
        return NO_ENTRY_WINDOW

    def entry_window_ns(self, ts_ns: int) -> tuple[int, int]:
        """From when to before when an entry is allowed in the session open at that instant; (0, 0) if none is."""
        session = self.current(ts_ns)
        if session is None:
            return 0, 0
        return session.open_ns + self._after_open_ns, session.close_ns - self._before_close_ns

    def regular_bar(self, start_ns: int, length_ns: int) -> bool:
        """Whether a bar lies wholly within regular hours: it starts at the open or later and ends by the close."""
        session = self.current(start_ns)
        return session is not None and start_ns + length_ns <= session.close_ns

    def outside_table(self, ts_ns: int) -> bool:
        """Whether the table knows nothing of that instant: before its first open or after its last close.

        There every session is closed. A desk that comes to the end needs a newer mqd-core to go on.
        """
        return not self._table.first_ns <= ts_ns <= self._table.last_ns

    def wake_ns(self, after_ns: int | None = None) -> int | None:
        """The first open or close after that instant (by default: after the last `advance`); None where none is left.

        Before the first `advance` there is no default, and None is returned.
        """
        after = self._now_ns if after_ns is None else after_ns
        session = None if after is None else self.next_session(after)
        if session is None or after is None:
            return None
        return session.open_ns if session.open_ns > after else session.close_ns

    # Living: time goes on, or the broker says something.

    def advance(self, ts_ns: int) -> tuple[SessionChange, ...]:
        """Go on to that time and return every session that opened or closed on the way, in order.

        The first call has no way behind it: it returns the session that is open then, if one is. A time before the
        last one counts as the last one, as engine time never decreases.
        """
        after_ns = ts_ns if self._now_ns is None else self._now_ns
        self._now_ns = now_ns = max(after_ns, ts_ns)
        changes: list[SessionChange] = []
        before, self._opened = self._opened, None
        if before is not None:
            session = self._of_date(before.date)
            if session is not None and session.holds(now_ns):
                self._opened = session
            else:
                changes.append(SessionChange("closed", session or before))
        for planned in self._table.sessions_between(after_ns, now_ns + 1):
            session = self._in_effect(planned)
            told = before is not None and before.date == session.date
            # An override may have moved the session out of the way just gone, or left nothing of it.
            if told or session.open_ns > now_ns or session.close_ns <= after_ns or session.open_ns == session.close_ns:
                continue
            changes.append(SessionChange("opened", session))
            if session.close_ns <= now_ns:
                changes.append(SessionChange("closed", session))
            else:
                self._opened = session
        return tuple(changes)

    def override(self, date: str, open_ns: int | None, close_ns: int | None) -> tuple[SessionChange, ...]:
        """Take the broker's word for the hours of one exchange date; return what that changes at once.

        No hours at all: no trading on that date from now on, and what has passed of its session stays. One hour alone
        leaves the other as it is. Hours outside of the table's are cut to the table's, and hours that leave nothing
        close the day; a later word replaces an earlier one; a date without a session is left alone. Raises nothing:
        the word comes from outside, and trading less is always safe.
        """
        session = self._of_date(date)
        if session is None:
            return ()
        if open_ns is None and close_ns is None:
            close_ns = min(session.close_ns, self._now_ns or 0)
        opens = session.open_ns if open_ns is None else open_ns
        closes = session.close_ns if close_ns is None else close_ns
        self._cut(date, opens, closes)
        return () if self._now_ns is None else self.advance(self._now_ns)

    def _in_effect(self, planned: Session) -> Session:
        return self._overrides.get(planned.date, planned)

    def _of_date(self, date: str) -> Session | None:
        planned = self._table.session_of_date(date)
        return None if planned is None else self._in_effect(planned)

    def _cut(self, date: str, open_ns: int, close_ns: int) -> None:
        planned = self._table.session_of_date(date)
        if planned is None:
            return
        opens = min(max(open_ns, planned.open_ns), planned.close_ns)
        closes = max(min(close_ns, planned.close_ns), opens)
        if (opens, closes) == (planned.open_ns, planned.close_ns):
            self._overrides.pop(date, None)
            return
        early = planned.early_close or closes < planned.close_ns
        self._overrides[date] = Session(date, opens, closes, early)

    # Snapshot.

    def state(self) -> SessionState:
        """All that is remembered, as plain values."""
        return SessionState(now_ns=self._now_ns, opened=self._opened, overrides=tuple(self._overrides.values()))

    def restore(self, state: SessionState) -> None:
        """Become what `state` was taken from, to be followed by `advance`.

        The table may be a newer one: overrides are cut to it, and a session that it has lost closes at that `advance`.
        """
        self._now_ns = state.now_ns
        self._opened = state.opened
        self._overrides = {}
        for session in state.overrides:
            self._cut(session.date, session.open_ns, session.close_ns)
