"""The file itself: its tables, versions, settings and rights."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import StoreSchemaError
from mqd_plugin_sqlite.connection import reading
from mqd_plugin_sqlite.projections import DIFFERENCES, FREEZES, LIMITS, ORDERS, POSITIONS, Table
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.schema import APPLICATION_ID, MIGRATIONS
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
#: A version that is not there yet: what the next one may look like.
NEWER = (*MIGRATIONS, ("ALTER TABLE orders ADD COLUMN venue TEXT NOT NULL DEFAULT ''",))


def pragma(path: Path, name: str) -> object:
    """A setting that is kept in the file."""
    connection = sqlite3.connect(path)
    value: object = connection.execute(f"PRAGMA {name}").fetchone()[0]
    connection.close()
    return value


def test_the_file_says_what_it_is(path: Path, opened: Open, trading: ModuleType) -> None:
    """Mark, version, desk and time of making stand in the file, for people and programs that find it."""
    store = opened()
    store.commit(trading.batch(trading.started(1)))
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "user_version") == len(MIGRATIONS) == 1
    with reading(path) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
    assert meta["desk"] == "demo"
    assert meta["created"].endswith("Z")
    assert len(meta["created"]) == len("2026-01-05T14:30:00Z")


@pytest.mark.parametrize("table", [ORDERS, POSITIONS, LIMITS, FREEZES, DIFFERENCES], ids=lambda table: table.name)
def test_a_table_holds_every_field_of_its_view(opened: Open, path: Path, table: Table[object]) -> None:
    """A field that the core adds to a view is missed here first: it needs a column and a migration."""
    opened()
    columns = {*table.key, *table.values}
    assert columns == set(table.view.__struct_fields__)
    with reading(path) as connection:
        assert {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")} == {*columns, "place"}


def test_every_table_is_strict(opened: Open, path: Path) -> None:
    """SQLite itself keeps text out of numbers: each table of the file is STRICT."""
    opened()
    with reading(path) as connection:
        strict = {row[1]: row[5] for row in connection.execute("PRAGMA table_list") if not row[1].startswith("sqlite_")}
    views = ("orders", "positions", "limits", "freezes", "differences")
    assert strict == dict.fromkeys(("journal", "snapshot", "desk", "meta", *views), 1)


def test_the_writing_connection_is_set_to_be_durable(opened: Open) -> None:
    """Every commit is synced to the disk, and nothing of the connection is left to how SQLite was built."""
    connection = opened()._connection
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5_000,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "temp_store": 2,
        "wal_autocheckpoint": 0,
        "journal_size_limit": 64 * 1024 * 1024,
    }
    assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in expected} == expected


def test_reading_by_sequence_does_not_search_the_whole_journal(path: Path, opened: Open) -> None:
    """A page of rows is found by the key, however long the journal has become."""
    opened()
    from mqd_plugin_sqlite.journal import _HASH_UP_TO, _PAGE

    with reading(path) as connection:
        plans = [
            connection.execute(f"EXPLAIN QUERY PLAN {statement}", numbers).fetchall()
            for statement, numbers in ((_PAGE, (1, 1, 2, 2, 3)), (_HASH_UP_TO, (1, 1)))
        ]
    assert [len(plan) for plan in plans] == [1, 1]
    assert all(plan[0][3].startswith("SEARCH journal USING INDEX sqlite_autoindex_journal_1") for plan in plans)


@pytest.mark.skipif(os.name != "posix", reason="rights are another matter there")
def test_only_the_owner_may_read_the_files(path: Path, opened: Open, trading: ModuleType) -> None:
    """Folders that the store makes have mode 0700, the database and its companions 0600, whatever the umask is."""
    umask = os.umask(0)
    try:
        store = opened()
        store.commit(trading.next_trade(store))
        store.backup(path.with_name("copy.db"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(umask)
    assert modes == dict.fromkeys(("desk.db", "desk.db-wal", "desk.db-shm", "copy.db"), 0o600)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]


@pytest.mark.skipif(os.name != "posix", reason="rights are another matter there")
def test_a_file_that_others_may_read_is_taken_from_them(path: Path, opened: Open) -> None:
    """The next start takes away what a copy or a person has given to others, and gives the owner nothing new."""
    opened().close()
    path.chmod(0o664)
    opened().close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_closed_store_is_one_file(path: Path, opened: Open, trading: ModuleType) -> None:
    """After closing nothing is left beside the database: it can be moved or copied as it is."""
    store = opened()
    store.commit(trading.next_trade(store))
    store.view()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["desk.db"]


def test_an_older_store_is_migrated_after_a_backup(path: Path, opened: Open, trading: ModuleType) -> None:
    """A store of version 1 opens under version 2 with all it held, and the backup is the store as it was."""
    store = opened()
    store.commit(trading.next_trade(store))
    store.commit(trading.next_trade(store))
    rows, view = list(store.read(0)), store.view()
    store.close()

    newer = opened(migrations=NEWER)
    assert pragma(path, "user_version") == 2
    assert list(newer.read(0)) == rows
    assert newer.view() == view
    newer.commit(trading.next_trade(newer))
    assert newer.verify().rows == 15

    backup = path.with_name("desk.db.version-1")
    assert SqliteReader(backup).verify().rows == 10
    assert SqliteReader(backup).view() == view
    assert sorted(file.name for file in path.parent.glob("desk.db.*")) == [backup.name]


def test_an_older_store_is_not_migrated_by_reading(path: Path, opened: Open) -> None:
    """A reader of a newer version says what to do about an older file, and leaves it."""
    opened().close()
    content = path.read_bytes()
    with pytest.raises(StoreSchemaError, match=r"has version 1 and .* reads version 2: start the desk once"):
        SqliteReader(path, NEWER).view()
    assert path.read_bytes() == content


def test_a_newer_store_is_refused_and_kept(path: Path, opened: Open, trading: ModuleType) -> None:
    """A store of a later version is refused by store and reader with what to do, and not a byte of it changes."""
    newer = opened(migrations=NEWER)
    newer.commit(trading.next_trade(newer))
    newer.close()
    content = path.read_bytes()
    message = r"has version 2 .* written by mqd-plugin-sqlite \d+\.\d+.*; this one knows versions up to 1: install that"
    with pytest.raises(StoreSchemaError, match=message):
        opened()
    assert [file.name for file in path.parent.iterdir()] == ["desk.db"]
    with pytest.raises(StoreSchemaError, match="has version 2"):
        SqliteReader(path).view()
    assert path.read_bytes() == content
