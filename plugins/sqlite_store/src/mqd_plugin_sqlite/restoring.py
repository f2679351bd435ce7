"""Putting a backup into the place of a store: the replaced files are set aside whole, and the store is marked.

The mark (`restored` in the file) makes the next start freeze the desk until a person has looked: the books went back
in time and the market did not. Killed at any moment, either the old store is in its place or none is, which a start
refuses; restoring again ends it. May not run while a desk has the store, and never deletes a store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from mqd_core.api import Head, StoreError
from mqd_plugin_sqlite.backups import stamp
from mqd_plugin_sqlite.connection import BUSY_TIMEOUT_MS, copy_to, make_folder, open_writer, reading, settle
from mqd_plugin_sqlite.faults import explained
from mqd_plugin_sqlite.journal import folded, head_of
from mqd_plugin_sqlite.opening import require_local
from mqd_plugin_sqlite.reader import SqliteReader, require_sound
from mqd_plugin_sqlite.schema import MIGRATIONS, Migration, version_of

_MARK: Final = "INSERT OR REPLACE INTO meta VALUES ('restored', ?)"
#: What belongs to a database and must never stand beside another one: SQLite would apply it.
_COMPANIONS: Final = ("-wal", "-journal")


class Restored(NamedTuple):
    """What a restore did: the head that the store has now, and where the replaced files are, if there were any."""

    head: Head
    set_aside: tuple[Path, ...]


def checked_backup(backup: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Head:
    """Check a file that is to become a store; raises StoreError, StoreCorrupt or StoreSchemaError.

    One of an older version is checked as far as this version can: pages and chain. The next start migrates it.
    """
    if not backup.is_file():
        raise StoreError(f"{backup} is no file: name a backup, or a store that was set aside")
    with reading(backup) as connection:
        version = version_of(connection, backup, len(migrations))
        if version == 0:
            raise StoreError(f"{backup} is empty: name a backup, or a store that was set aside")
        if version < len(migrations):
            require_sound(connection, backup, "integrity_check")
            connection.execute("BEGIN")
            folded(connection, backup)
            return head_of(connection)
    return SqliteReader(backup, migrations).verify()


def restore(
    backup: Path,
    path: Path,
    *,
    connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> Restored:
    """Put a copy of a backup into the place of a store; raises StoreError. The caller keeps desks away."""
    require_local(path)
    head = checked_backup(backup, migrations)
    moment = stamp()
    ready = path.with_name(f"{path.name}.restoring")
    try:
        make_folder(path.parent)
        with explained(ready, "could not be written"):
            with reading(backup) as connection:
                copy_to(connection, ready, connection_class)
            with closing(open_writer(ready, connection_class, BUSY_TIMEOUT_MS)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute(_MARK, (f"from {backup.name}, at {moment}, up to sequence {head.sequence}",))
        return Restored(head, _exchange(ready, path, moment))
    except OSError as error:
        raise StoreError(
            f"{path} could not be restored: {error.strerror} ({error.filename}). No store was deleted; remove the "
            "cause, then run the command again"
        ) from error


def _exchange(ready: Path, path: Path, moment: str) -> tuple[Path, ...]:
    """Set aside what is in the store's place, then rename; a log goes after its database and before the new one."""
    aside = path.with_name(f"{path.name}.replaced-{moment}")
    moved: list[Path] = []
    for suffix in ("", *_COMPANIONS):
        source = path.with_name(f"{path.name}{suffix}")
        if suffix and source.is_file() and not source.stat().st_size:
            source.unlink()  # A reader left it; nothing is in it.
        elif source.exists():
            target = aside.with_name(f"{aside.name}{suffix}")
            source.rename(target)
            moved.append(target)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    settle(path.parent)
    ready.rename(path)
    settle(path.parent)
    return tuple(moved)
