"""The store of one desk in one SQLite file: the journal, and what readers see of it, in one transaction each commit.

Holds the only writing connection of the system. May not decide what an entry means, and never repairs or deletes
anything by itself.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.api import (
    Batch,
    DeskView,
    Head,
    JournalRow,
    LimitView,
    OrderView,
    PositionView,
    Projection,
    RunStarted,
    Snapshot,
    StoreError,
    encode_body,
    kind_of,
)
from mqd_plugin_sqlite.chain import Row, link
from mqd_plugin_sqlite.connection import (
    BUSY_TIMEOUT_MS,
    copy_to,
    make_private,
    open_writer,
    require_sqlite,
    set_for_writing,
)
from mqd_plugin_sqlite.faults import explained, understood
from mqd_plugin_sqlite.journal import checked_head, folded, place_of
from mqd_plugin_sqlite.projections import LIMITS, ORDERS, POSITIONS, read_desk
from mqd_plugin_sqlite.reader import SqliteReader, require_sound
from mqd_plugin_sqlite.schema import MIGRATIONS, Migration, migrate, version_of

_APPEND: Final = "INSERT INTO journal VALUES (?, ?, ?, ?, ?)"
_SNAPSHOT: Final = "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)"
_NAME_DESK: Final = "UPDATE meta SET value = ? WHERE key = 'desk'"
_CHECKED: Final = "INSERT OR REPLACE INTO meta VALUES ('verified', ?)"
# The condition finds a second writer: then no row is updated.
_MOVE_DESK: Final = """
    UPDATE desk SET as_of_sequence = ?, as_of_ns = ?, desk_state = ?, desk_reason = ?, run_id = ?, mode = ?,
        running = ?, cash = ?, head_sequence = ?, head_ordinal = ?, head_rows = ?, head_hash = ?
    WHERE head_rows = ? AND head_hash = ?
"""


class SqliteStore:
    """A store in an SQLite file; opening it checks, migrates (after a backup) and locks nothing.

    That one process writes is the runtime's to see to; if another does all the same, the commit that meets its work
    fails. Raises StoreError, StoreCorrupt or StoreSchemaError when the file cannot be opened as a store.
    """

    #: A restart goes on from it.
    durable = True

    def __init__(
        self,
        path: Path,
        *,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
        migrations: Sequence[Migration] = MIGRATIONS,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> None:
        require_sqlite()
        make_private(path)
        self._path = path
        self._reader = SqliteReader(path, migrations)
        #: Why nothing may be written; set while a commit is under way, so that one that is broken off stays so.
        self._refusal = ""
        with explained(path, "could not be opened"), understood(path), ExitStack() as undo:
            self._connection = open_writer(path, connection_class, busy_timeout_ms)
            undo.callback(self._connection.close)
            self._migrate(migrations)
            # Written at every start: a file that cannot be written is found before the first order.
            with self._transaction():
                self._head = checked_head(self._connection, path)
                self._connection.execute(_CHECKED, (msgspec.json.encode(self._head).decode(),))
            self._projection = Projection(read_desk(self._connection))
            self._file = _identity(path)
            undo.pop_all()

    def commit(self, batch: Batch) -> Head:
        """Keep a batch: journal, projections, head and snapshot, all or nothing, on the disk on return.

        Raises StoreError; from then on this object refuses every commit, since the engine is ahead of the file. Only
        where the disk itself failed is it unknown whether the batch was kept: a restart reads which.
        """
        if self._refusal:
            raise StoreError(f"{self._path} takes no more commits: {self._refusal}")
        self._refusal = "an earlier commit was not finished. Start the desk again, which goes on from the journal"
        try:
            with explained(self._path, "could not be written"):
                head = self._write(batch)
        except (OverflowError, TypeError, ValueError) as error:
            raise StoreError(f"{self._path} could not be written: a value cannot be encoded ({error})") from error
        self._head = head
        self._refusal = ""
        return head

    def read(self, after_sequence: int) -> Iterator[JournalRow]:
        """Rows above a sequence, through a connection of their own; see SqliteReader.read."""
        return self._reader.read(after_sequence)

    def latest_snapshot(self) -> Snapshot | None:
        """The snapshot of the last commit that had one; None for a new store."""
        return self._reader.latest_snapshot()

    def view(self) -> DeskView:
        """Orders, positions, limits and cash as of the last commit."""
        return self._reader.view()

    def verify(self) -> Head:
        """Check everything; see SqliteReader.verify."""
        return self._reader.verify()

    def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file; see SqliteReader.backup."""
        self._reader.backup(target)

    def rebuild(self) -> None:
        """Write what readers see anew from the journal, all or nothing; marks, which are in no journal, are kept."""
        with explained(self._path, "could not be rebuilt"), understood(self._path), self._transaction():
            old = read_desk(self._connection)
            projection = folded(self._connection, self._path)
            for book in old.positions:
                found = projection.positions.get((book.strategy_id, book.symbol))
                if found is not None:
                    found.mark = book.mark
            for table in (ORDERS, POSITIONS, LIMITS):
                table.clear(self._connection)
            projection.settle(old.as_of_sequence, old.as_of_ns)
            self._write_views(projection.orders, projection.positions, projection.limits)
            self._write_desk(projection.head, self._head)
        self._projection = projection

    def close(self) -> None:
        """Release the file; safe to call twice. What was committed can still be read."""
        self._refusal = self._refusal or "it is closed"
        self._connection.close()

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the file to the newest version; a foreign or damaged one is refused before anything is changed."""
        version = version_of(self._connection, self._path, len(migrations))
        set_for_writing(self._connection, self._path)
        require_sound(self._connection, self._path, "quick_check")
        if 0 < version < len(migrations):
            copy_to(self._connection, self._path.with_name(f"{self._path.name}.version-{version}"))
        migrate(self._connection, version, migrations)

    def _write(self, batch: Batch) -> Head:
        """Write a batch in one transaction; the projection in memory is then ahead until it is committed."""
        rows, head = self._chained(batch)
        projection = self._projection
        for entry in batch.entries:
            projection.apply(entry)
        projection.mark(batch.marks)
        changed = (projection.changed_orders, projection.changed_positions, projection.changed_limits)
        projection.settle(batch.sequence, batch.ts)
        with self._transaction():
            # SQLite would go on writing to a file that no path leads to.
            if _identity(self._path) != self._file:
                raise StoreError(
                    f"{self._path} was removed or replaced while the desk ran: put it back and start again"
                )
            self._write_desk(projection.head, head)
            self._connection.executemany(_APPEND, rows)
            self._write_views(*changed)
            self._write_names(batch)
            if batch.snapshot is not None:
                body = msgspec.msgpack.encode(batch.snapshot)
                digest = hashlib.sha256(body).digest()
                self._connection.execute(_SNAPSHOT, (batch.snapshot.sequence, body, digest))
        return head

    def _chained(self, batch: Batch) -> tuple[list[Row], Head]:
        """The batch's rows with their hashes; raises StoreError for what does not follow the last commit."""
        place, rows, digest = place_of(self._head), self._head.rows, bytes.fromhex(self._head.hash)
        chained: list[Row] = []
        for entry in batch.entries:
            key = (entry.sequence, entry.ordinal)
            if key <= place:
                raise StoreError(f"{self._path}: journal entry {key} came after {place}; nothing of it was written")
            kind, body = kind_of(entry.body), encode_body(entry.body)
            digest = link(digest, *key, kind, body)
            chained.append((*key, kind, body, digest))
            place = key
        if batch.sequence < max(place[0], self._projection.head.as_of_sequence):
            raise StoreError(
                f"{self._path}: a batch up to sequence {batch.sequence} came too late; nothing was written"
            )
        if chained:
            rows += len(chained)
            return chained, Head(sequence=place[0], ordinal=place[1], rows=rows, hash=digest.hex())
        return chained, self._head

    def _write_desk(self, desk: DeskView, head: Head) -> None:
        """Move the one row of the desk to a new head; raises StoreError if it is not where this object left it."""
        updated = self._connection.execute(
            _MOVE_DESK,
            (
                desk.as_of_sequence,
                desk.as_of_ns,
                desk.desk_state,
                desk.desk_reason,
                desk.run_id,
                desk.mode,
                desk.running,
                str(desk.cash),
                head.sequence,
                head.ordinal,
                head.rows,
                bytes.fromhex(head.hash),
                self._head.rows,
                bytes.fromhex(self._head.hash),
            ),
        )
        if updated.rowcount != 1:
            raise StoreError(
                f"{self._path} could not be written: another process has written to it. End that process, then start "
                "the desk again; a desk's store has one writer"
            )

    def _write_views(
        self,
        orders: Mapping[str, OrderView],
        positions: Mapping[tuple[str, str], PositionView],
        limits: Mapping[str, LimitView],
    ) -> None:
        """Insert or replace the rows of these views."""
        if orders:
            ORDERS.write(self._connection, orders.values())
        if positions:
            POSITIONS.write(self._connection, positions.values())
        if limits:
            LIMITS.write(self._connection, limits.values())

    def _write_names(self, batch: Batch) -> None:
        """Note whose store it is, for people who find the file."""
        for entry in batch.entries:
            if isinstance(entry.body, RunStarted):
                self._connection.execute(_NAME_DESK, (entry.body.desk_id,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Begin, commit; whatever else happens inside, roll back."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                # What failed is on its way up; SQLite rolls back on closing if it cannot now.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file the path names now; None for none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
