"""The tables, as numbered migrations: version n of the file is what the first n of them make.

`PRAGMA application_id` marks the file as a desk's store, `PRAGMA user_version` holds its version. A migration that has
been released is never changed; the next one is added below it. May not open a file.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from mqd_core.api import StoreError, StoreSchemaError

#: The statements of one step, run in one transaction.
Migration: TypeAlias = tuple[str, ...]

#: "mqds", so that no other database is taken for a store.
APPLICATION_ID: Final = 0x6D716473

_JOURNAL: Final[Migration] = (
    # Not WITHOUT ROWID: SQLite has a short way of appending, but to trees of rowids only. A commit of eight rows writes
    # 4.4 pages to the log this way, 6.0 the other (measured with SQLite 3.40); the index costs 3 % of the file.
    """
    CREATE TABLE journal (
        sequence INTEGER NOT NULL,
        ordinal INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (sequence, ordinal)
    ) STRICT
    """,
    # Also stops INSERT OR REPLACE, which removes a row without firing a trigger for DELETE.
    """
    CREATE TRIGGER journal_grows_at_its_end BEFORE INSERT ON journal
    WHEN (NEW.sequence, NEW.ordinal)
        <= (SELECT sequence, ordinal FROM journal ORDER BY sequence DESC, ordinal DESC LIMIT 1)
    BEGIN
        SELECT RAISE(ABORT, 'the journal grows at its end only');
    END
    """,
    """
    CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
    BEGIN
        SELECT RAISE(ABORT, 'the journal is never changed');
    END
    """,
    """
    CREATE TRIGGER journal_is_never_shortened BEFORE DELETE ON journal
    BEGIN
        SELECT RAISE(ABORT, 'the journal is never shortened');
    END
    """,
)

_STATE: Final[Migration] = (
    """
    CREATE TABLE snapshot (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sequence INTEGER NOT NULL,
        body BLOB NOT NULL,
        digest BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE desk (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        as_of_sequence INTEGER NOT NULL,
        as_of_ns INTEGER NOT NULL,
        desk_state TEXT NOT NULL,
        desk_reason TEXT NOT NULL,
        run_id TEXT NOT NULL,
        mode TEXT NOT NULL,
        running INTEGER NOT NULL,
        cash TEXT NOT NULL,
        head_sequence INTEGER NOT NULL,
        head_ordinal INTEGER NOT NULL,
        head_rows INTEGER NOT NULL,
        head_hash BLOB NOT NULL
    ) STRICT
    """,
    "INSERT INTO desk VALUES (1, 0, 0, 'starting', '', '', '', 0, '0', 0, 0, 0, zeroblob(32))",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "INSERT INTO meta VALUES ('created', strftime('%Y-%m-%dT%H:%M:%SZ', 'now')), ('desk', '')",
)

# Decimals are text: SQLite has no exact number that holds them. Rows stay in the order of their first appearance.
_PROJECTIONS: Final[Migration] = (
    """
    CREATE TABLE orders (
        place INTEGER PRIMARY KEY,
        client_order_id TEXT NOT NULL UNIQUE,
        broker_order_id TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        strategy_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        purpose TEXT NOT NULL,
        side TEXT NOT NULL,
        order_type TEXT NOT NULL,
        time_in_force TEXT NOT NULL,
        quantity TEXT,
        notional TEXT,
        limit_price TEXT,
        stop_price TEXT,
        reference_price TEXT NOT NULL,
        state TEXT NOT NULL,
        filled_quantity TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        updated_ns INTEGER NOT NULL,
        code TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE positions (
        place INTEGER PRIMARY KEY,
        strategy_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        quantity TEXT NOT NULL,
        cost TEXT NOT NULL,
        average_price TEXT NOT NULL,
        realized TEXT NOT NULL,
        updated_ns INTEGER NOT NULL,
        mark TEXT,
        protection TEXT NOT NULL,
        UNIQUE (strategy_id, symbol)
    ) STRICT
    """,
    """
    CREATE TABLE limits (
        place INTEGER PRIMARY KEY,
        "limit" TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        loss TEXT NOT NULL,
        level TEXT NOT NULL,
        until_ns INTEGER,
        session TEXT NOT NULL,
        updated_ns INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE freezes (
        place INTEGER PRIMARY KEY,
        symbol TEXT NOT NULL,
        code TEXT NOT NULL,
        state TEXT NOT NULL,
        text TEXT NOT NULL,
        updated_ns INTEGER NOT NULL,
        UNIQUE (symbol, code)
    ) STRICT
    """,
    """
    CREATE TABLE differences (
        place INTEGER PRIMARY KEY,
        symbol TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        books TEXT NOT NULL,
        broker TEXT NOT NULL,
        updated_ns INTEGER NOT NULL
    ) STRICT
    """,
)

MIGRATIONS: Final[Sequence[Migration]] = ((*_JOURNAL, *_STATE, *_PROJECTIONS),)


def version_of(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """The file's version, 0 for an empty one; raises StoreError for another program's database or a newer store."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID:
        if version > newest:
            writer = writer_of(connection) or "a newer mqd-plugin-sqlite"
            raise StoreSchemaError(
                f"{path} has version {version} and was written by {writer}; this one knows versions up to {newest}: "
                "install that one or a newer one (pip install --upgrade mqd-plugin-sqlite), or put the backup in its "
                "place that was made before the upgrade (`mqd store restore`)"
            )
        return version
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application or version or tables:
        raise StoreError(f"{path} is another program's SQLite database: choose another `path` for the store")
    return 0


def writer_of(connection: sqlite3.Connection) -> str:
    """Name and version of the distribution that last opened the file for writing; "" where it does not say."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'writer'").fetchone()
    except sqlite3.DatabaseError:
        return ""
    return str(row[0]) if row else ""


def migrate(connection: sqlite3.Connection, version: int, migrations: Sequence[Migration]) -> None:
    """Run the migrations above a version, all in one transaction; raises sqlite3.Error.

    An error leaves the transaction open: closing the connection rolls it back.
    """
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in itertools.chain.from_iterable(migrations[version:]):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={len(migrations)}")
    connection.execute("COMMIT")
