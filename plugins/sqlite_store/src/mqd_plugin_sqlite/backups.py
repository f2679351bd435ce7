"""Backups of a store: consistent copies in a folder of their own, the newest so many of them kept.

A copy is made by SQLite while the desk goes on, under a name that says when. May remove nothing but backups beyond the
number to keep.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from mqd_core.api import Log, StoreError, xnys
from mqd_plugin_sqlite.ballast import free_bytes
from mqd_plugin_sqlite.connection import make_folder
from mqd_plugin_sqlite.reader import SqliteReader

#: Sessions of a finite feed pass in milliseconds: one backup in this much of a person's time is enough.
PAUSE_SECONDS: Final = 3_600.0
_NEVER: Final = 2**63 - 1


def stamp(moment: datetime | None = None) -> str:
    """A moment (UTC; None: now) as it stands in the names of backups and of stores set aside: sorts by time."""
    return (moment or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%S%fZ")  # noqa: TID251  names a file only


class Backups:
    """The backups of one store: `<folder>/<store's name>-<UTC>.backup`."""

    def __init__(self, store: Path, folder: Path, keep: int) -> None:
        self._store = store
        self._folder = folder
        self._keep = keep
        self._name = re.compile(re.escape(store.name) + r"-\d{8}T\d{12}Z\.backup")

    def __iter__(self) -> Iterator[Path]:
        """All of them, oldest first."""
        names = self._folder.iterdir() if self._folder.is_dir() else ()
        return iter(sorted(file for file in names if self._name.fullmatch(file.name)))

    def make(self) -> Path:
        """Make one more, then remove those beyond the number to keep, oldest first; raises StoreError."""
        try:
            size = self._store.stat().st_size
            make_folder(self._folder)
            if free_bytes(self._folder / "any") < 2 * size:
                raise StoreError(
                    f"no backup of {self._store} was made: there is room for less than two copies of it on the disk of "
                    f"{self._folder}. Free some space"
                )
            target = self._folder / f"{self._store.name}-{stamp()}.backup"
            SqliteReader(self._store).backup(target)
            for old in list(self)[: -self._keep]:
                old.unlink()
        except OSError as error:
            raise StoreError(f"no backup of {self._store} was made in {self._folder}: {error.strerror}") from error
        return target


class SessionBackups:
    """Makes a backup when a session of the exchange has ended, in a thread beside the desk; a failure is told."""

    def __init__(self, backups: Backups, log: Log, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._backups = backups
        self._log = log
        self._pause_seconds = pause_seconds
        #: End of the session that runs, or of the next one; 0 before the first commit.
        self._ends_ns = 0
        self._last: float | None = None
        self._thread: threading.Thread | None = None

    def passed(self, ts_ns: int) -> None:
        """Take note of the desk's time after a commit."""
        if ts_ns < self._ends_ns:
            return
        has_ended = self._ends_ns > 0
        session = xnys().next_session(ts_ns)
        self._ends_ns = session.close_ns if session is not None else _NEVER
        now = time.monotonic()  # noqa: TID251  spares the disk, decides nothing
        rests = self._last is not None and now - self._last < self._pause_seconds
        if has_ended and not rests and (self._thread is None or not self._thread.is_alive()):
            self._last = now
            self._thread = threading.Thread(target=self._make, name="store-backup")
            self._thread.start()

    def close(self) -> None:
        """Wait for a backup that is being made."""
        if self._thread is not None:
            self._thread.join()

    def _make(self) -> None:
        try:
            target = self._backups.make()
        except StoreError as error:
            self._log.warning("the store was not backed up at the session's end", extra={"reason": str(error)})
        else:
            self._log.info("the store was backed up at the session's end", extra={"file": str(target)})
