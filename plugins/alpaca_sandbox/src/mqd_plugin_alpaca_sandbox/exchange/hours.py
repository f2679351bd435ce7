"""When the exchange trades, and when an order ends. Asks a table of sessions; may not read a clock."""

from __future__ import annotations

from typing import Final

from mqd_core.api import MINUTE_NS, Session, SessionTable
from mqd_plugin_alpaca_sandbox.exchange.errors import rule

_HOUR_NS: Final = 60 * MINUTE_NS
#: 04:00 New York: five and a half hours before the open.
_BEFORE_OPEN_NS: Final = 330 * MINUTE_NS
#: 20:00 New York, on half days 17:00.
_AFTER_CLOSE_NS: Final = 4 * _HOUR_NS
#: GTC orders end at a close about 90 days later.
_GTC_NS: Final = 90 * 24 * _HOUR_NS
_OPEN_MINUTE: Final = 570


class Hours:
    """Regular and extended hours of the table's exchange."""

    __slots__ = ("table",)

    def __init__(self, table: SessionTable) -> None:
        self.table = table

    def is_open(self, ts_ns: int) -> bool:
        """Whether the regular session is open at that instant."""
        return self.table.session_at(ts_ns) is not None

    def is_open_for(self, ts_ns: int, *, extended: bool) -> bool:
        """Whether an order with or without extended hours can execute at that instant."""
        if not extended:
            return self.is_open(ts_ns)
        start, end = self.span_for(ts_ns, extended=True)
        return start <= ts_ns < end

    def span_for(self, ts_ns: int, *, extended: bool) -> tuple[int, int]:
        """First and last instant of the trading day that an order of this instant belongs to: this one or the next."""
        session = self._session_for(ts_ns - (_AFTER_CLOSE_NS if extended else 0))
        if extended:
            return session.open_ns - _BEFORE_OPEN_NS, session.close_ns + _AFTER_CLOSE_NS
        return session.open_ns, session.close_ns

    def expiry(self, ts_ns: int, time_in_force: str, *, extended: bool) -> int:
        """When an order ends by itself: with its trading day, a GTC order at a close some 90 days later."""
        _, end = self.span_for(ts_ns, extended=extended)
        if time_in_force != "gtc":
            return end
        last = self.table.previous_session(ts_ns + _GTC_NS)
        return end if last is None else max(last.close_ns, end)

    def offset_hours(self, ts_ns: int) -> int:
        """New York's distance from UTC around that instant, by the nearest session's open at 09:30."""
        session = self.table.next_session(ts_ns) or self.table.previous_session(ts_ns)
        if session is None:
            return -5
        minutes = session.open_ns // MINUTE_NS % (24 * 60)
        return (_OPEN_MINUTE - minutes) // 60

    def _session_for(self, ts_ns: int) -> Session:
        session = self.table.next_session(ts_ns)
        if session is None:
            raise rule("the sandbox's table of sessions ends before this time: it does not trade")
        return session
