"""Log lines of a run, written from committed journal entries: the log tells what is durable already.

May not change what it reads, and nothing may read the log back as truth: that is the journal's part.
"""

from __future__ import annotations

from collections.abc import Iterable

from mqd_core.domain.journal import Entry
from mqd_core.domain.records import Alert, SignalMade
from mqd_core.logging import LogStream, write_record


class JournalLog:
    """Writes the lines of one run's journal, entry by entry, with the events' own times."""

    def write(self, entries: Iterable[Entry]) -> None:
        """Write the lines of committed entries, in order."""
        for entry in entries:
            body = entry.body
            if isinstance(body, Alert):
                fields = {
                    "severity": body.severity.value,
                    "code": body.code,
                    "subject": body.subject,
                    "reason": body.text,
                }
                write_record(LogStream.SYSTEM, "WARNING", "Alert raised", None, body.ts, fields)
            elif isinstance(body, SignalMade):
                signal = {"strategy_id": body.strategy_id, "symbol": body.symbol, "action": body.action.value}
                write_record(LogStream.TRADING, "INFO", "Signal made", body.correlation_id, body.ts, signal)

    def timing(self, kind: str, order_id: str, duration_ns: int) -> None:
        """Write how long something took."""
