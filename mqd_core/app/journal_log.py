"""Log lines of a run, written from committed journal entries: the log tells only what is durable already.

Each line has its record's time, so that the log of a backtest reads like that of the days themselves. What a line needs
of earlier entries (an order's side, a signal's strategy, a trip's entry) is remembered here; what it says is in
`log_lines`. Nothing may read the log back as truth: that is the journal's part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from mqd_core.app import log_lines
from mqd_core.app.log_lines import PLAIN, LogLine
from mqd_core.app.recall import TERMINAL, Recall
from mqd_core.app.trades import RoundTrips, Trade
from mqd_core.domain import events, records
from mqd_core.domain.journal import Body, Entry
from mqd_core.domain.money import ZERO, subtract
from mqd_core.domain.sessions import xnys
from mqd_core.engine.session_manager import SessionChange, SessionManager
from mqd_core.logging import LogContext, LogStream, catalogue, get_logger
from mqd_core.runtime.validator import Gap, Rejection

_DONE: Final = ("orders", "fills", "trades")
_TIMINGS: Final = {
    "step": catalogue.STEP_TIMED,
    "commit": catalogue.COMMIT_TIMED,
    "submit": catalogue.SUBMIT_TIMED,
    "acknowledgement": catalogue.ACKNOWLEDGEMENT_TIMED,
}
_NO_FILLS: Final[Mapping[tuple[str, Decimal], events.Fill]] = MappingProxyType({})


class JournalLog:
    """Writes the lines of one journal, entry by entry, in order; bounded by what is alive, not by what was.

    `run_id` is for lines that come before the journal has said whose it is.
    """

    def __init__(self, run_id: str = "") -> None:
        self._trips = RoundTrips(self._trade_closed, self._trade_reopened)
        self._orders: Recall[records.Approved] = Recall()
        self._sessions = SessionManager(xnys(), 0, 0)
        #: Profit realized so far, by book; complete only where the journal was taken from its beginning.
        self._realized: dict[tuple[str, str], Decimal] = {}
        self._is_complete = False
        #: Executions that the event in hand carries, by order and cumulative quantity.
        self._fills = _NO_FILLS
        #: What this process has done, for its last line.
        self._done: Counter[str] = Counter()
        self._run_id = run_id
        self._moved_ns = 0
        self._is_writing = True
        self._performance = get_logger(LogStream.PERFORMANCE)
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.RunStarted: self._run_started,
            events.RunEnded: self._run_ended,
            events.TimerFired: self._timer_fired,
            events.SessionChanged: self._session_changed,
            events.SubmitOutcome: self._submit_outcome,
            records.Sized: self._sized,
            records.Approved: self._approved,
            records.OrderMoved: self._order_moved,
            records.BookMoved: self._book_moved,
        }

    def write(self, entries: Iterable[Entry]) -> None:
        """Write the lines of committed entries."""
        for entry in entries:
            body = entry.body
            if not entry.ordinal:
                self._fills = _fills_of(body)
            plain = PLAIN.get(type(body))
            if plain is not None:
                self._put(plain(body))
            else:
                handler = self._handlers.get(type(body))
                if handler is not None:
                    handler(body)
            self._trips.take(body)

    def remember(self, entries: Iterable[Entry]) -> None:
        """Take what an earlier process committed without a line: its orders and round trips go on in this one."""
        self._is_writing = False
        try:
            self.write(entries)
        finally:
            self._is_writing = True

    def timing(self, kind: str, order_id: str, duration_ns: int) -> None:
        """Write how long something took: a step, commit, submit or acknowledgement; `order_id` is empty for none.

        Such a line has the time of day, not the journal's. Raises ValueError for another kind.
        """
        event = _TIMINGS.get(kind)
        if event is None:
            raise ValueError(f"no timing is called {kind!r}; there are {', '.join(_TIMINGS)}")
        log = self._performance.debug if event.level == "DEBUG" else self._performance.info
        fields: dict[str, object] = {"duration_us": duration_ns / 1_000}
        order = self._orders.get(order_id)
        if order is not None:
            with LogContext(order.correlation_id):
                log(event.message, extra={**fields, "order_id": order_id, "symbol": order.symbol})
        else:
            log(event.message, extra={**fields, "order_id": order_id} if order_id else fields)

    def rejected(self, rejections: Iterable[Rejection]) -> None:
        """Write a line for each bar that the validator kept out."""
        for rejection in rejections:
            self._put(log_lines.bar_rejected(rejection))

    def gaps(self, gaps: Iterable[Gap]) -> None:
        """Write a line for each gap that the validator noted."""
        for gap in gaps:
            self._put(log_lines.data_gap(gap))

    def _put(self, line: LogLine) -> None:
        if self._is_writing:
            line.write(self._run_id)

    # The run and its sessions

    def _run_started(self, event: events.RunStarted) -> None:
        if self._is_writing:
            self._run_id = event.run_id
        self._done.clear()
        self._put(log_lines.run_started(event))
        self._sessions_moved(event.ts, self._sessions.advance(event.ts))

    def _run_ended(self, event: events.RunEnded) -> None:
        self._put(log_lines.run_ended(event, {name: self._done[name] for name in _DONE}))

    def _timer_fired(self, event: events.TimerFired) -> None:
        self._sessions_moved(event.ts, self._sessions.advance(event.ts))

    def _session_changed(self, event: events.SessionChanged) -> None:
        self._sessions_moved(event.ts, self._sessions.override(event.date, event.open_ns, event.close_ns))

    def _sessions_moved(self, ts: int, changes: Iterable[SessionChange]) -> None:
        """The engine moves its sessions by the same events and the same table, and writes no record of it."""
        for change in changes:
            session = change.session
            if change.kind == "opened":
                self._put(log_lines.session_opened(ts, session))
            else:
                following = self._sessions.next_session(max(ts, session.close_ns))
                self._put(log_lines.session_closed(ts, session, following))

    # Orders

    def _sized(self, record: records.Sized) -> None:
        self._put(log_lines.signal_sized(record, self._trips.signal(record.correlation_id)))

    def _approved(self, record: records.Approved) -> None:
        """The intent is durable, and the send is what happens next."""
        self._orders.hold(record.client_order_id, record)
        self._done["orders"] += 1
        self._put(log_lines.order_approved(record))
        self._put(log_lines.order_submitted(record, record.ts, 1))

    def _submit_outcome(self, event: events.SubmitOutcome) -> None:
        """A second attempt, made only after proof that the first was never sent, has no record of its own."""
        order = self._orders.get(event.client_order_id)
        if event.attempt > 1 and order is not None:
            self._put(log_lines.order_submitted(order, event.ts, event.attempt))

    def _order_moved(self, record: records.OrderMoved) -> None:
        key = record.client_order_id
        fill = self._fills.get((key, record.cumulative)) if record.code == "fill" else None
        self._done["fills"] += fill is not None
        self._put(log_lines.order_moved(record, self._orders.get(key), fill))
        if record.after in TERMINAL:
            self._orders.let_go(key)

    # Books and trades

    def _book_moved(self, record: records.BookMoved) -> None:
        self._moved_ns = record.ts
        self._is_complete = self._is_complete or record.cause == "opening"
        self._put(log_lines.book_moved(record, self._realized_by(record)))

    def _realized_by(self, record: records.BookMoved) -> Decimal | None:
        key = record.strategy_id, record.symbol
        before = self._realized.get(key, ZERO if self._is_complete else None)
        self._realized[key] = record.realized
        return None if before is None else subtract(record.realized, before)

    def _trade_closed(self, trade: Trade) -> None:
        self._done["trades"] += 1
        self._put(log_lines.trade_closed(trade))

    def _trade_reopened(self, trade: Trade) -> None:
        self._done["trades"] -= 1
        self._put(log_lines.trade_reopened(trade, self._moved_ns))


def _fills_of(body: Body) -> Mapping[tuple[str, Decimal], events.Fill]:
    if isinstance(body, events.Fill):
        return {(body.client_order_id, body.cumulative_quantity): body}
    if isinstance(body, events.AccountSnapshot):
        fills = [one for one in body.activities if isinstance(one, events.Fill)]
        return {(fill.client_order_id, fill.cumulative_quantity): fill for fill in fills}
    if isinstance(body, events.QueryOutcome):
        return {(fill.client_order_id, fill.cumulative_quantity): fill for fill in body.fills}
    return _NO_FILLS
