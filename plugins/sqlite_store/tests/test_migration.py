"""A store that an older version wrote: opened with all it held, after a copy, in one transaction or not at all."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mqd_core.api import StoreError, StoreSchemaError
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.schema import MIGRATIONS
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
SCRIPT = Path(__file__).with_name("version_1.sql")
#: Two versions that are not there yet, so that a file of version 1 is two behind.
LATER = (
    *MIGRATIONS,
    ("ALTER TABLE orders ADD COLUMN venue TEXT NOT NULL DEFAULT ''",),
    ("CREATE TABLE notes (line TEXT) STRICT", "INSERT INTO notes SELECT 'by ' || value FROM meta WHERE key = 'desk'"),
)


@pytest.fixture
def old(path: Path) -> Path:
    """The file that version 1 left, made from its script."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(SCRIPT.read_text(encoding="utf-8"))
    connection.close()
    return path


def tables(path: Path) -> dict[str, str]:
    """What each table and trigger is made by, without blanks."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"\s+", " ", sql).strip() for name, sql in rows}


def version(path: Path) -> int:
    """The version that the file states."""
    connection = sqlite3.connect(path)
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return number


def test_the_first_migration_is_what_it_was(old: Path, opened: Open) -> None:
    """The tables of version 1 are those of the script: a migration that was released is never changed."""
    fresh = old.with_name("fresh.db")
    opened(fresh, migrations=MIGRATIONS[:1]).close()
    assert tables(fresh) == tables(old)


def test_a_file_of_version_1_opens_and_goes_on(old: Path, opened: Open, trading: ModuleType) -> None:
    """Rows with their hashes, views, marks and snapshot of the old file are there, and commits go on behind them."""
    store = opened()
    assert [(row.sequence, row.ordinal) for row in store.read(0)][-1] == (4, 1)
    assert store.verify().hash.startswith("1a76efd80cc7420a")
    view = store.view()
    assert (view.desk_state, str(view.cash), view.running) == ("ready", "99999", True)
    assert [(order.client_order_id, order.state) for order in view.orders] == [("m1-demo-2", "filled")]
    assert [str(book.mark) for book in view.positions] == ["41.5"]
    assert store.latest_snapshot() == trading.snapshot(4)
    store.commit(trading.batch(trading.trade(5)))
    assert store.verify().rows == 13


def test_a_file_two_versions_behind_is_brought_up_after_a_copy(old: Path, opened: Open, trading: ModuleType) -> None:
    """All migrations that are missing run, and the copy beside is the file as it was."""
    before = SqliteReader(old, LATER[:1]).view()
    store = opened(migrations=LATER)
    assert version(old) == 3
    assert store._connection.execute("SELECT line FROM notes").fetchall() == [("by demo",)]
    assert store.view() == before
    store.commit(trading.batch(trading.trade(5)))
    assert store.verify().rows == 13
    copy = old.with_name("desk.db.version-1")
    assert version(copy) == 1
    assert SqliteReader(copy, LATER[:1]).view() == before


def test_a_migration_that_fails_changes_nothing(old: Path, opened: Open) -> None:
    """Of several migrations all are kept or none: an error in the last leaves the version that was there."""
    broken = (*LATER[:2], ("CREATE TABLE notes (line TEXT) STRICT", "INSERT INTO nowhere VALUES (1)"))
    before = tables(old)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        opened(migrations=broken)
    assert (version(old), tables(old)) == (1, before)
    assert opened(migrations=LATER[:1]).verify().rows == 8


def test_a_newer_file_is_refused_with_the_name_of_its_writer(old: Path, opened: Open) -> None:
    """Whoever goes back a version reads which one wrote the file; where the file does not say, that it was newer."""
    connection = sqlite3.connect(old)
    connection.execute("PRAGMA user_version = 7")
    connection.commit()
    expected = r"version 7 and was written by {}; this one knows versions up to \d+: install that .*mqd store restore"
    with pytest.raises(StoreSchemaError, match=expected.format("a newer mqd-plugin-sqlite")):
        opened()
    connection.execute("INSERT INTO meta VALUES ('writer', 'mqd-plugin-sqlite 9.4.2')")
    connection.commit()
    for opening in (opened, SqliteReader(old).view):
        with pytest.raises(StoreSchemaError, match=expected.format(r"mqd-plugin-sqlite 9\.4\.2")):
            opening()
    connection.execute("DROP TABLE meta")
    connection.close()
    with pytest.raises(StoreSchemaError, match=expected.format("a newer mqd-plugin-sqlite")):
        opened()


def test_the_script_holds_no_field_that_was_added_later(old: Path) -> None:
    """A body that lacks a newer field is read with its default: what an old desk wrote stays readable."""
    rows: dict[str, Any] = {row.kind: row.body for row in SqliteReader(old).read(0)}
    assert b'"restored"' not in rows["RunStarted"]
    assert set(rows) == {"RunStarted", "DeskMoved", "Approved", "OrderMoved", "Fill", "BookMoved", "LimitMoved"}
