"""Reading a store from any process, while a desk writes to it or not.

Each call opens the file read-only and closes it again, so that nothing has to be closed and no reader stands in the
way of a desk that moves its store. May not change the file.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mqd_core.api import DeskView, Head, JournalRow, PositionView, Snapshot, StoreCorrupt, StoreError, StoreSchemaError
from mqd_plugin_sqlite.connection import copy_to, reading
from mqd_plugin_sqlite.faults import RESTORE, understood
from mqd_plugin_sqlite.journal import folded, head_of, rows_after
from mqd_plugin_sqlite.projections import read_desk
from mqd_plugin_sqlite.schema import MIGRATIONS, Migration, version_of


class SqliteReader:
    """The read-only half of a store in an SQLite file.

    Every method raises StoreError when the file is absent or cannot be read, StoreSchemaError when it has another
    version, StoreCorrupt when its content is not what was written.
    """

    def __init__(self, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self._path = path
        self._version = len(migrations)

    def view(self) -> DeskView:
        """Orders, positions, limits and cash as of one commit."""
        with self._opened("BEGIN") as connection:
            desk = read_desk(connection)
        desk.leave_out_ended()
        return desk

    def read(self, after_sequence: int) -> Iterator[JournalRow]:
        """Rows above a sequence up to the head at the first `next`, each checked against the chain before it is given.

        Some hundred rows are in memory at a time, and no transaction is held between them.
        """
        with self._opened() as connection:
            for sequence, ordinal, kind, body, digest in rows_after(connection, after_sequence, self._path):
                yield JournalRow(sequence=sequence, ordinal=ordinal, kind=kind, body=body, hash=digest.hex())

    def latest_snapshot(self) -> Snapshot | None:
        """The snapshot of the last commit that had one; None for a new store."""
        with self._opened() as connection:
            return read_snapshot(connection, self._path)

    def verify(self) -> Head:
        """Check every page, every row of the chain, the snapshot, and that readers see what the journal says.

        Takes about two microseconds a row, and disk space for what a desk writes meanwhile.
        """
        with self._opened("BEGIN") as connection:
            require_sound(connection, self._path, "integrity_check")
            read_snapshot(connection, self._path)
            projection = folded(connection, self._path)
            kept = read_desk(connection)
            pairs = {
                "orders": (list(projection.orders.values()), kept.orders),
                "positions": (_unmarked(projection.positions.values()), _unmarked(kept.positions)),
                "limits": (list(projection.limits.values()), kept.limits),
                "freezes": (list(projection.freezes.values()), kept.freezes),
                "differences": (list(projection.differences.values()), kept.differences),
                "desk": (_state(projection.head), _state(kept)),
            }
            differing = [name for name, (from_journal, shown) in pairs.items() if from_journal != shown]
            if differing:
                raise StoreCorrupt(
                    f"{self._path}: {', '.join(differing)} as readers see them are not what the journal says; the "
                    "journal itself is intact. Stop the desk and rebuild them from it (SqliteStore.rebuild)"
                )
            return head_of(connection)

    def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file, while a desk runs or not; raises StoreError if it exists."""
        if target.exists():
            raise StoreError(f"{target} exists already: name a new file for the copy of {self._path}")
        with self._opened(action=f"could not be copied to {target}") as connection:
            copy_to(connection, target)

    @contextmanager
    def _opened(self, begin: str = "", action: str = "could not be read") -> Iterator[sqlite3.Connection]:
        """A connection to a store of this version; `begin` holds one state of it until the block ends."""
        with reading(self._path, action) as connection, understood(self._path):
            if begin:
                connection.execute(begin)
            version = version_of(connection, self._path, self._version)
            if version == 0:
                raise StoreError(f"{self._path} is empty: a desk makes its store when it first runs")
            if version < self._version:
                raise StoreSchemaError(
                    f"{self._path} has version {version} and this mqd-plugin-sqlite reads version {self._version}: "
                    "start the desk once, which brings it up to date and keeps a backup"
                )
            yield connection


def require_sound(connection: sqlite3.Connection, path: Path, check: str) -> None:
    """Run quick_check or integrity_check; raises StoreCorrupt with what it found."""
    found = [row[0] for row in connection.execute(f"PRAGMA {check}")]
    if found != ["ok"]:
        raise StoreCorrupt(f"{path}: its pages are damaged ({'; '.join(found[:3])}). {RESTORE}")


def read_snapshot(connection: sqlite3.Connection, path: Path) -> Snapshot | None:
    """The snapshot, if its bytes are those that were written."""
    row = connection.execute("SELECT body, digest FROM snapshot").fetchone()
    if row is None:
        return None
    body, digest = row
    if hashlib.sha256(body).digest() != digest:
        raise StoreCorrupt(f"{path}: the snapshot is not what was written. {RESTORE}")
    try:
        return msgspec.msgpack.decode(body, type=Snapshot)
    except msgspec.ValidationError as error:
        raise StoreSchemaError(
            f"{path}: the snapshot cannot be read by this mqd-core ({error}): install the version that wrote it"
        ) from error


def _unmarked(books: Iterable[PositionView]) -> list[PositionView]:
    """Books without their marks, which are in no journal."""
    return [msgspec.structs.replace(book, mark=None) for book in books]


def _state(desk: DeskView) -> tuple[object, ...]:
    return (desk.desk_state, desk.desk_reason, desk.run_id, desk.mode, desk.running, desk.cash)
