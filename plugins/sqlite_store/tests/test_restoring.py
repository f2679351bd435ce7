"""A backup put into the place of a store: whole, marked, and with what it replaced kept beside it."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from mqd_core.api import StoreCorrupt, StoreError, StoreSchemaError
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.restoring import restore
from mqd_plugin_sqlite.schema import MIGRATIONS
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
NEWER = (*MIGRATIONS, ("ALTER TABLE orders ADD COLUMN venue TEXT NOT NULL DEFAULT ''",))


@pytest.fixture
def backup(path: Path, opened: Open, trading: ModuleType) -> Path:
    """A backup with two trades of a store that has gone on to four, closed."""
    store = opened()
    target = path.with_name("old.backup")
    for trades in range(4):
        if trades == 2:
            store.backup(target)
        store.commit(trading.next_trade(store))
    store.close()
    return target


def names(path: Path) -> list[str]:
    """The files beside a store, moments left out."""
    return sorted(file.name.split("-2")[0] + ("-wal" * file.name.endswith("-wal")) for file in path.parent.iterdir())


def test_a_backup_takes_the_place_of_the_store(path: Path, backup: Path, opened: Open, trading: ModuleType) -> None:
    """The store is then what the backup is, says so, goes on from there; the replaced one and the backup are whole."""
    done = restore(backup, path)
    assert done.head.rows == 10
    store = opened()
    assert store.restored.startswith("from old.backup, at 2")
    assert store.restored.endswith("up to sequence 4")
    assert store.view().as_of_sequence == 4
    store.commit(trading.next_trade(store))
    assert store.verify().rows == 15
    (aside,) = done.set_aside
    assert aside.name.startswith("desk.db.replaced-2")
    assert SqliteReader(aside).verify().rows == 20
    assert SqliteReader(backup).verify().rows == 10
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mark_stays_until_the_journal_says_it(path: Path, backup: Path, opened: Open, trading: ModuleType) -> None:
    """Starts that end before their first commit find it again; the commit that journals it removes it, for good."""
    restore(backup, path)
    words = opened().restored
    store = opened()
    assert store.restored == words
    store.commit(trading.batch(trading.started(5)))
    assert opened().restored == words
    (run, *others) = trading.started(6)
    body = msgspec.structs.replace(run.body, restored=words)
    store = opened()
    store.commit(trading.batch([msgspec.structs.replace(run, body=body), *others]))
    assert opened().restored == ""
    assert store.verify().rows == 14


def test_the_log_of_the_replaced_store_never_meets_the_new_one(
    path: Path, backup: Path, opened: Open, trading: ModuleType
) -> None:
    """A killed desk's log goes aside with its database, under its name: SQLite would apply it to whatever is there."""
    store = opened(path.with_name("living.db"))
    store.commit(trading.next_trade(store))
    path.write_bytes(path.with_name("living.db").read_bytes())
    path.with_name("desk.db-wal").write_bytes(path.with_name("living.db-wal").read_bytes())
    done = restore(backup, path)
    assert [file.name.endswith("-wal") for file in done.set_aside] == [False, True]
    assert SqliteReader(done.set_aside[0]).view().as_of_sequence == 2
    assert opened().verify().rows == 10


def test_a_store_that_is_gone_or_damaged_is_replaced_all_the_same(path: Path, backup: Path, opened: Open) -> None:
    """What a restore is for: whatever is in the store's place, or nothing, it ends with the backup there."""
    path.write_bytes(b"rubbish")
    assert [file.read_bytes() for file in restore(backup, path).set_aside] == [b"rubbish"]
    path.unlink()
    assert restore(backup, path).set_aside == ()
    assert opened().verify().rows == 10


def test_a_new_machine_gets_its_store(tmp_path: Path, backup: Path, opened: Open) -> None:
    """A backup is restored into folders that are not there yet."""
    target = tmp_path / "elsewhere" / "demo" / "desk.db"
    restore(backup, target)
    assert opened(target).verify().rows == 10


@pytest.mark.parametrize("damage", ["cut", "row", "empty", "absent", "text"])
def test_what_is_no_whole_backup_changes_nothing(path: Path, backup: Path, opened: Open, damage: str) -> None:
    """A backup is checked wholly before anything is touched; the store stays as it was."""
    if damage == "row":
        connection = sqlite3.connect(backup)
        connection.execute("DROP TRIGGER journal_is_never_changed")
        connection.execute("UPDATE journal SET body = x'7b7d' WHERE sequence = 1")
        connection.commit()
        connection.close()
    elif damage == "absent":
        backup.unlink()
    else:
        content = backup.read_bytes()
        backup.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"dear diary" * 999}[damage])
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"old\.backup"):
        restore(backup, path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("desk.db.*"))
    assert opened().verify().rows == 20


def test_a_backup_of_an_older_version_is_restored_and_then_migrated(
    path: Path, backup: Path, opened: Open, trading: ModuleType
) -> None:
    """Pages and chain of an older backup are checked; the next start brings it up to date, after a copy."""
    assert restore(backup, path, migrations=NEWER).head.rows == 10
    store = opened(migrations=NEWER)
    store.commit(trading.next_trade(store))
    assert store.verify().rows == 15
    assert store.restored.startswith("from old.backup")
    connection = sqlite3.connect(backup)
    connection.execute("DROP TRIGGER journal_is_never_changed")
    connection.execute("UPDATE journal SET body = x'7b7d' WHERE sequence = 1")
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorrupt, match=r"row \(sequence 1, ordinal 1\)"):
        restore(backup, path, migrations=NEWER)


def test_a_backup_of_a_newer_version_is_refused(path: Path, backup: Path, opened: Open) -> None:
    """A backup that this version cannot read is named with its writer, and the store stays."""
    connection = sqlite3.connect(backup)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StoreSchemaError, match="version 9 and was written by mqd-plugin-sqlite"):
        restore(backup, path)
    assert opened().verify().rows == 20


@pytest.mark.skipif(sys.platform == "win32", reason="a folder that may not be written is another matter there")
def test_a_failing_rename_is_told_and_deletes_nothing(path: Path, backup: Path, opened: Open) -> None:
    """When a file cannot be moved the message says which, and that no store was deleted."""
    blocked = path.with_name("desk.db-shm")
    blocked.mkdir()
    with pytest.raises(StoreError, match=r"could not be restored: .*desk\.db-shm.*No store was deleted"):
        restore(backup, path)
    blocked.rmdir()
    with pytest.raises(StoreCorrupt, match=r"desk\.db is gone, though desk\.db\.replaced-"):
        opened()
    restore(backup, path)
    assert opened().verify().rows == 10
    assert names(path).count("desk.db.replaced") == 1
