"""What a writing connection does between commits: fold the log in, and read back what was written lately.

Neither is done in front of a commit that lets an order out, unless the log has grown beyond all measure. May not be
called inside a transaction.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from mqd_core.api import Head, Log
from mqd_plugin_sqlite.journal import checked_head
from mqd_plugin_sqlite.log_file import log_of

#: Bytes written, about, after which a commit that no order waits for folds the log in, and after which any one does.
CALM_BYTES: Final = 2 * 1024 * 1024
LATEST_BYTES: Final = 32 * 1024 * 1024
#: A log of this size is told to a person: somebody holds an old state of it for long.
LOG_BYTES_WARN: Final = 256 * 1024 * 1024
#: What a commit writes beside its rows and its snapshot: pages of the trees above them.
COMMIT_BYTES: Final = 16 * 1024

_Limits: TypeAlias = tuple[int, int, int]

_CHECKED: Final = "INSERT OR REPLACE INTO meta VALUES ('verified', ?)"


def verify_since_mark(connection: sqlite3.Connection, path: Path) -> Head:
    """Check the rows since the mark of the last check and move the mark to the end of the journal.

    Raises StoreCorrupt and sqlite3.Error. Call it in a transaction. Takes about two microseconds a row.
    """
    head = checked_head(connection, path)
    connection.execute(_CHECKED, (msgspec.json.encode(head).decode(),))
    return head


class Upkeep:
    """Counts what is written to the log, and says when it is time to fold it in."""

    def __init__(self, connection: sqlite3.Connection, path: Path, log: Log | None, limits: _Limits) -> None:
        """`limits`: bytes after which it is due at the latest, when calm, and at which the log's size is told."""
        self._connection = connection
        self._path = path
        self._log = log
        self._latest_bytes, self._calm_bytes, self._warn_bytes = limits
        self._written = 0
        self._is_told = False

    def wrote(self, size_bytes: int) -> None:
        """Count what a commit wrote, about."""
        self._written += size_bytes + COMMIT_BYTES

    def is_due(self, *, calm: bool) -> bool:
        """Whether to do it now; `calm` says that no order waits for the next commit."""
        return self._written >= (self._calm_bytes if calm else self._latest_bytes)

    def fold(self) -> None:
        """Bring the log's pages into the database and let the log begin anew; raises sqlite3.Error.

        Waits for nobody: pages that a reader still needs stay in the log until the next time.
        """
        _busy, pages, folded = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._written = (pages - folded) * 4_096
        self._watch()

    def _watch(self) -> None:
        log = log_of(self._path)
        size = log.stat().st_size if log.exists() else 0
        if size > self._warn_bytes and not self._is_told and self._log is not None:
            self._is_told = True
            self._log.warning(
                "the store's log grows: a program holds an old state of it for long; end programs that read the store",
                extra={"file": str(log), "bytes": size},
            )
