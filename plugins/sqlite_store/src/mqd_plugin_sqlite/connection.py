"""Opening the database file: who may read it, how SQLite is set, and the proof that it took the settings.

One connection of the whole system writes; all others open the file read-only. May not know a table.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from mqd_core.api import StoreError
from mqd_plugin_sqlite.faults import explained

#: The first SQLite with STRICT tables.
OLDEST_SQLITE: Final = (3, 37, 0)
BUSY_TIMEOUT_MS: Final = 5_000
#: What the write-ahead log is cut back to after a checkpoint.
WAL_BYTES_MAX: Final = 64 * 1024 * 1024

_COMMON: Final[tuple[tuple[str, str, int], ...]] = (
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("temp_store", "MEMORY", 2),
)
_WRITING: Final[tuple[tuple[str, str, int], ...]] = (
    *_COMMON,
    ("synchronous", "FULL", 2),
    # macOS answers an ordinary fsync before the disk has the data; elsewhere the two have no effect.
    ("fullfsync", "ON", 1),
    ("checkpoint_fullfsync", "ON", 1),
    # The log is folded in between commits, never by one that an order waits for: `upkeep` does it.
    ("wal_autocheckpoint", "0", 0),
    ("journal_size_limit", str(WAL_BYTES_MAX), WAL_BYTES_MAX),
)
_READING: Final[tuple[tuple[str, str, int], ...]] = (*_COMMON, ("query_only", "ON", 1))


def require_sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Raise StoreError when this Python was built with an SQLite that has no STRICT tables."""
    if version < OLDEST_SQLITE:
        was, least = (".".join(map(str, number)) for number in (version, OLDEST_SQLITE))
        raise StoreError(
            f"the store needs SQLite {least} or newer, was {was}: it comes with Python, so use a newer one"
        )


def make_private(path: Path) -> None:
    """Create a file for its owner alone (0600, in folders of 0700), or take others' rights to one that is there.

    Raises StoreError. Must run before SQLite opens the file: closing a descriptor drops the locks of a process.
    """
    try:
        if path.exists():
            mode = path.stat().st_mode
            if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
                path.chmod(stat.S_IMODE(mode) & 0o700)
            return
        make_folder(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        settle(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be created: {error.strerror}; choose another `path` for the store") from error


def make_folder(folder: Path) -> None:
    """Create a folder for its owner alone, with those above it, so that its name survives a power cut; OSError."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
        settle(missing.parent)


def open_writer(path: Path, connection_class: type[sqlite3.Connection], busy_timeout_ms: int) -> sqlite3.Connection:
    """Open the writing connection without changing the file yet; raises sqlite3.Error.

    Transactions are begun and ended by hand. The connection may pass between threads, one at a time.
    """
    return sqlite3.connect(
        f"{_uri(path)}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=busy_timeout_ms / 1000,
        check_same_thread=False,
        factory=connection_class,
    )


def set_for_writing(connection: sqlite3.Connection, path: Path) -> None:
    """Set write-ahead logging and everything that makes a commit durable; raises StoreError if one did not take."""
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(
            f"{path} cannot have a write-ahead log (SQLite's journal_mode stayed {mode!r}): "
            "put the store on a local disk; network and cloud folders do not share memory"
        )
    _set(connection, _WRITING, path)


@contextmanager
def reading(path: Path, action: str = "could not be read") -> Iterator[sqlite3.Connection]:
    """A read-only connection for the length of a block, safe while another process writes; raises StoreError."""
    if not path.exists():
        raise StoreError(f"{path} does not exist: a desk makes its store when it first runs")
    with explained(path, action):
        connection = sqlite3.connect(
            f"{_uri(path)}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000
        )
        with closing(connection):
            _set(connection, _READING, path)
            yield connection


def copy_to(
    connection: sqlite3.Connection, target: Path, connection_class: type[sqlite3.Connection] = sqlite3.Connection
) -> None:
    """Write a consistent copy of the database, whole or not at all, in place of whatever `target` was.

    Raises sqlite3.Error and StoreError. The copy is complete in itself: it has no write-ahead log beside it.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        make_private(partial)
        with closing(open_writer(partial, connection_class, BUSY_TIMEOUT_MS)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").fetchone()
        partial.replace(target)
        settle(target.parent)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}; no copy was made") from error


def _set(connection: sqlite3.Connection, pragmas: tuple[tuple[str, str, int], ...], path: Path) -> None:
    """Set each pragma and read it back: SQLite says nothing about one it does not know."""
    for name, value, expected in pragmas:
        connection.execute(f"PRAGMA {name}={value}").fetchall()
        row = connection.execute(f"PRAGMA {name}").fetchone()
        if row != (expected,):
            was = "unknown to it" if row is None else row[0]
            raise StoreError(
                f"{path}: SQLite {sqlite3.sqlite_version} does not take PRAGMA {name}={value} (was {was}), which "
                "the store needs to be safe: use a Python with an ordinary SQLite"
            )


def _uri(path: Path) -> str:
    """The path as a URI: spaces, `#`, `?`, `%` and drive letters keep their meaning."""
    return path.absolute().as_uri()


def settle(folder: Path) -> None:
    """Make a new name in a folder survive a power cut, where folders can be synced; raises OSError."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
