"""The store of one desk in one SQLite file: the journal, and what readers see of it, in one transaction each commit.

Holds the only writing connection of the system. May not decide what an entry means, and never repairs or deletes
anything by itself.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.api import (
    Batch,
    DeskView,
    Head,
    JournalRow,
    Log,
    Projection,
    RunStarted,
    Snapshot,
    StoreCorrupt,
    StoreError,
    encode_body,
    kind_of,
)
from mqd_plugin_sqlite.backups import SessionBackups
from mqd_plugin_sqlite.ballast import FREE_BYTES_WARN, Ballast, free_bytes
from mqd_plugin_sqlite.chain import Row, link
from mqd_plugin_sqlite.connection import (
    BUSY_TIMEOUT_MS,
    copy_to,
    make_private,
    open_writer,
    require_sqlite,
    set_for_writing,
)
from mqd_plugin_sqlite.faults import RESTORE, explained, understood
from mqd_plugin_sqlite.journal import folded, place_of
from mqd_plugin_sqlite.opening import make_new, require_local, require_whole
from mqd_plugin_sqlite.projections import clear_views, read_desk, write_views
from mqd_plugin_sqlite.reader import SqliteReader, require_sound
from mqd_plugin_sqlite.schema import MIGRATIONS, Migration, migrate, version_of
from mqd_plugin_sqlite.upkeep import CALM_BYTES, LATEST_BYTES, LOG_BYTES_WARN, Upkeep, verify_since_mark

_APPEND: Final = "INSERT INTO journal VALUES (?, ?, ?, ?, ?)"
_SNAPSHOT: Final = "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)"
_NAME_DESK: Final = "UPDATE meta SET value = ? WHERE key = 'desk'"
_WRITER: Final = "INSERT OR REPLACE INTO meta VALUES ('writer', ?)"
_RESTORED: Final = "SELECT value FROM meta WHERE key = 'restored'"
_CONFIRMED: Final = "DELETE FROM meta WHERE key = 'restored'"
#: What lets an order out: nothing that can wait is done in front of it.
_URGENT: Final = "Approved"
# The condition finds a second writer: then no row is updated.
_MOVE_DESK: Final = """
    UPDATE desk SET as_of_sequence = ?, as_of_ns = ?, desk_state = ?, desk_reason = ?, run_id = ?, mode = ?,
        running = ?, cash = ?, head_sequence = ?, head_ordinal = ?, head_rows = ?, head_hash = ?
    WHERE head_rows = ? AND head_hash = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How a store looks after its file and its disk beside keeping what it is handed; by default it does not."""

    #: Given up when the disk is full; 0: none.
    ballast_bytes: int = 0
    backups: SessionBackups | None = None
    log: Log | None = None
    calm_bytes: int = CALM_BYTES
    latest_bytes: int = LATEST_BYTES
    log_bytes_warn: int = LOG_BYTES_WARN


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
        keeping: Keeping = Keeping(),
    ) -> None:
        require_sqlite()
        require_local(path)
        require_whole(path)
        self._path = path
        self._keeping = keeping
        self._reader = SqliteReader(path, migrations)
        self._ballast = Ballast(path, keeping.ballast_bytes)
        #: Why nothing may be written; set while a commit is under way, so that one that is broken off stays so.
        self._refusal = ""
        with explained(path, "could not be opened"), understood(path), ExitStack() as undo:
            if not path.exists():
                make_new(path, connection_class, migrations)
            make_private(path)
            self._connection = open_writer(path, connection_class, busy_timeout_ms)
            undo.callback(self._connection.close)
            self._migrate(migrations)
            self._begin()
            self._projection = Projection(read_desk(self._connection))
            self._file = _identity(path)
            limits = (keeping.latest_bytes, keeping.calm_bytes, keeping.log_bytes_warn)
            self._upkeep = Upkeep(self._connection, path, keeping.log, limits)
            self._upkeep.fold()
            undo.pop_all()
        self._look_at_disk()

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
                self._keep_up(batch)
                head = self._write(batch)
        except StoreError:
            # Whatever failed, the desk ends now, and needs room to do so.
            self._ballast.give_up()
            raise
        except (OverflowError, TypeError, ValueError) as error:
            raise StoreError(f"{self._path} could not be written: a value cannot be encoded ({error})") from error
        self._head = head
        self._refusal = ""
        if self._keeping.backups is not None:
            self._keeping.backups.passed(batch.ts)
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
            clear_views(self._connection)
            write_views(self._connection, projection)
            projection.settle(old.as_of_sequence, old.as_of_ns)
            self._write_desk(projection.head, self._head)
        self._projection = projection

    def close(self) -> None:
        """Release the file; safe to call twice. What was committed can still be read."""
        self._refusal = self._refusal or "it is closed"
        if self._keeping.backups is not None:
            self._keeping.backups.close()
        # Closing folds the log in, for which a full disk has no room as long as the ballast has it.
        self._ballast.give_up()
        self._connection.close()

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the file to the newest version; a foreign or damaged one is refused before anything is changed."""
        version = version_of(self._connection, self._path, len(migrations))
        if version == 0:
            raise StoreCorrupt(f"{self._path} is empty, which no store ever is: it was cut off. {RESTORE}")
        set_for_writing(self._connection, self._path)
        require_sound(self._connection, self._path, "quick_check")
        if version < len(migrations):
            copy = self._path.with_name(f"{self._path.name}.version-{version}")
            copy_to(self._connection, copy, type(self._connection))
        migrate(self._connection, version, migrations)

    def _begin(self) -> None:
        """Check the journal since the last mark, and write: what cannot be written is found before the first order."""
        with self._transaction():
            self._head = verify_since_mark(self._connection, self._path)
            self._connection.execute(_WRITER, (_this_version(),))
            row = self._connection.execute(_RESTORED).fetchone()
        #: What a restore put into this place, and when, until a start has said so in the journal; else "".
        self.restored: str = row[0] if row else ""

    def _look_at_disk(self) -> None:
        """Take the ballast, and tell a person of a disk that is nearly full."""
        has_ballast = self._ballast.make()
        log = self._keeping.log
        if log is None:
            return
        free = free_bytes(self._path)
        if free < FREE_BYTES_WARN:
            extra = {"folder": str(self._path.parent), "free_bytes": free}
            log.warning("less than 1 GiB is free on the store's disk, and a full disk ends the desk", extra=extra)
        if self._keeping.ballast_bytes and not has_ballast:
            log.warning("there is no room for the store's ballast", extra={"file": str(self._ballast.path)})

    def _keep_up(self, batch: Batch) -> None:
        """Fold the log in and read back what was written, where it is due: before the batch, so that it can fail."""
        upkeep = self._upkeep
        if not upkeep.is_due(calm=False):
            if not upkeep.is_due(calm=True) or any(kind_of(entry.body) == _URGENT for entry in batch.entries):
                return
            with self._transaction():
                verify_since_mark(self._connection, self._path)
        upkeep.fold()

    def _write(self, batch: Batch) -> Head:
        """Write a batch in one transaction; the projection in memory is then ahead until it is committed."""
        rows, head = self._chained(batch)
        projection = self._projection
        for entry in batch.entries:
            projection.apply(entry)
        projection.mark(batch.marks)
        with self._transaction():
            # SQLite would go on writing to a file that no path leads to.
            if _identity(self._path) != self._file:
                raise StoreError(
                    f"{self._path} was removed or replaced while the desk ran: put it back and start again"
                )
            write_views(self._connection, projection)
            projection.settle(batch.sequence, batch.ts)
            self._write_desk(projection.head, head)
            self._connection.executemany(_APPEND, rows)
            self._write_names(batch)
            if batch.snapshot is not None:
                body = msgspec.msgpack.encode(batch.snapshot)
                digest = hashlib.sha256(body).digest()
                self._connection.execute(_SNAPSHOT, (batch.snapshot.sequence, body, digest))
                self._upkeep.wrote(len(body))
        self._upkeep.wrote(sum(len(row[3]) for row in rows))
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

    def _write_names(self, batch: Batch) -> None:
        """Note whose store it is, for people who find the file."""
        for entry in batch.entries:
            if isinstance(entry.body, RunStarted):
                self._connection.execute(_NAME_DESK, (entry.body.desk_id,))
                if entry.body.restored:
                    self._connection.execute(_CONFIRMED)

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


@cache
def _this_version() -> str:
    """This distribution and its version, as a file names who wrote it."""
    return f"mqd-plugin-sqlite {version('mqd-plugin-sqlite')}"
