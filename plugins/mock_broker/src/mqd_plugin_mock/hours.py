"""When the venue trades, and to which session an order belongs. Asks a table; may not read a clock."""

from __future__ import annotations

from typing import Final

from mqd_core.api import MINUTE_NS, BrokerClock, Refused, Session, SessionTable, TimeInForce

#: Alpaca ends GTC orders after about 90 days, at a close.
_GTC_NS: Final = 90 * 24 * 60 * MINUTE_NS


def broker_clock(table: SessionTable, now_ns: int) -> BrokerClock:
    """A time, and the exchange's hours around it."""
    session = table.next_session(now_ns)
    if session is None:
        return BrokerClock(now_ns=now_ns, is_open=False)
    is_open = session.holds(now_ns)
    following = table.next_session(session.close_ns) if is_open else session
    return BrokerClock(
        now_ns=now_ns,
        is_open=is_open,
        next_open_ns=None if following is None else following.open_ns,
        next_close_ns=session.close_ns,
    )


class TradingHours:
    """Regular sessions of the exchange. The last one that was asked for is remembered: most questions repeat."""

    __slots__ = ("_recent", "_table")

    def __init__(self, table: SessionTable) -> None:
        self._table = table
        self._recent: Session | None = None

    def session_for(self, ts_ns: int) -> Session:
        """The session that an order sent at this time belongs to: the open one, else the next.

        Raises Refused where the table of sessions ends.
        """
        session = self._session_after(ts_ns)
        if session is None:
            raise Refused("the venue's table of sessions ends before this time: it does not trade", "42210000")
        return session

    def is_open(self, ts_ns: int) -> bool:
        """Whether the regular session is open at that instant; at its close it no longer is."""
        session = self._session_after(ts_ns)
        return session is not None and session.open_ns <= ts_ns

    def expiry(self, submitted_ns: int, session: Session, time_in_force: TimeInForce) -> int:
        """When an order of this session ends by itself: at its close, a GTC order at a close some 90 days later."""
        if time_in_force is not TimeInForce.GTC:
            return session.close_ns
        last = self._table.previous_session(submitted_ns + _GTC_NS)
        return session.close_ns if last is None else max(last.close_ns, session.close_ns)

    def _session_after(self, ts_ns: int) -> Session | None:
        recent = self._recent
        if recent is not None and recent.open_ns <= ts_ns < recent.close_ns:
            return recent
        self._recent = self._table.next_session(ts_ns)
        return self._recent
