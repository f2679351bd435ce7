"""Everything that keeps a store from writing is a StoreError that says what it is and what to do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import Batch, Entry, StoreCorrupt, StoreError, StoreSchemaError
from mqd_plugin_sqlite.connection import require_sqlite
from mqd_plugin_sqlite.faults import store_error
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]


def test_a_full_disk_keeps_what_was_acknowledged(opened: Open, trading: ModuleType) -> None:
    """When SQLite may take no further page the commit fails in words; a restart with space goes on after the last."""
    store = opened()
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages + 20}").fetchone()
    done = 0

    def commit_on() -> None:
        nonlocal done
        while True:
            store.commit(trading.next_trade(store))
            done += 1

    with pytest.raises(StoreError, match=r"desk\.db could not be written: the disk is full\. Free some space"):
        commit_on()
    assert done > 5
    with pytest.raises(StoreError, match="takes no more commits"):
        store.commit(trading.batch(trading.bar(5_000)))
    store.close()
    again = opened()
    assert again.verify().rows == done * len(trading.trade(1))
    again.commit(trading.next_trade(again))
    assert again.verify().rows == (done + 1) * len(trading.trade(1))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")
def test_a_limit_of_the_system_keeps_what_was_acknowledged(path: Path, start: Start, trading: ModuleType) -> None:
    """When the system refuses to let a file grow, a process's commit fails in words, and what it had said is there."""
    output, errors = start("limited", path, 300_000).communicate()
    acknowledged = [int(line) for line in output.splitlines() if line.isdigit()]
    failures = [line for line in output.splitlines() if not line.isdigit()]
    assert errors == ""
    assert len(acknowledged) > 3
    assert "could not be written: the disk" in failures[0]
    assert "takes no more commits" in failures[1]
    assert SqliteReader(path).verify().sequence == acknowledged[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="how root gives up its privilege is known for Linux only")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_store_that_may_only_be_read_is_refused_at_the_start(
    path: Path, opened: Open, start: Start, trading: ModuleType, what: str
) -> None:
    """A file or folder without the right to write ends the start, before any order, with a word about rights."""
    store = opened()
    store.commit(trading.next_trade(store))
    store.close()
    place, mode = (path, 0o400) if what == "file" else (path.parent, 0o500)
    place.chmod(mode)
    try:
        output, _ = start("open", path).communicate()
    finally:
        place.chmod(0o700)
    assert output.startswith(f"{path} could not be opened: the file or its folder may only be read. Give this user")
    assert path.exists()
    assert opened().verify().rows == 5


def test_a_connection_that_may_not_write_fails_at_the_start(path: Path, opened: Open) -> None:
    """Opening writes once, so that what cannot be written is found before the first order."""

    class ReadOnly(sqlite3.Connection):
        def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:  # type: ignore[override]
            if sql.startswith("INSERT OR REPLACE INTO meta"):
                super().execute("PRAGMA query_only=ON")
            return super().execute(sql, parameters)

    opened().close()
    with pytest.raises(StoreError, match="could not be opened: the file or its folder may only be read"):
        opened(connection_class=ReadOnly)


def test_a_busy_file_is_an_error_and_keeps_nothing(path: Path, opened: Open, trading: ModuleType) -> None:
    """While another connection holds the file for longer than the store waits, a commit fails and names the cause."""
    store = opened(busy_timeout_ms=20)
    store.commit(trading.next_trade(store))
    batch = trading.next_trade(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process holds it"):
        store.commit(batch)
    with pytest.raises(StoreError, match="could not be opened: another process holds it"):
        SqliteStore(path, busy_timeout_ms=20)
    other.close()
    with pytest.raises(StoreError, match="takes no more commits"):
        store.commit(batch)
    assert store.verify().rows == 5


def test_a_second_writer_cannot_fork_the_journal(opened: Open, trading: ModuleType) -> None:
    """Of two stores on one file, the one that commits after the other's commit fails; the chain stays whole."""
    one, other = opened(), opened()
    batch = trading.batch(trading.trade(1))
    one.commit(batch)
    with pytest.raises(StoreError, match="another process has written to it"):
        other.commit(trading.batch(trading.trade(3)))
    with pytest.raises(StoreError, match="takes no more commits"):
        other.commit(batch)
    one.commit(trading.batch(trading.trade(3)))
    assert one.verify().rows == 10


@pytest.mark.parametrize("size", [2, 99, 100, 5_000, 100_000])
def test_what_is_no_database_is_refused_and_kept(path: Path, opened: Open, size: int) -> None:
    """A file that SQLite does not know is StoreCorrupt with its remedy, and not a byte of it changes."""
    content = (b"journal of a desk, in words\n" * 4_000)[:size]
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"it is not an SQLite database.*Keep the file"):
        opened()
    with pytest.raises(StoreCorrupt, match="could not be read: it is not an SQLite database"):
        SqliteReader(path).view()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE notes (line)", "PRAGMA user_version=1", "PRAGMA application_id=252006674"]
)
def test_another_programs_database_is_refused_and_kept(path: Path, opened: Open, statement: str) -> None:
    """A database without the mark of a store is left alone: it is someone else's."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE made (line)")
    connection.execute("DROP TABLE made")
    connection.execute(statement)
    connection.commit()
    connection.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match="another program's SQLite database: choose another `path`"):
        opened()
    with pytest.raises(StoreError, match="another program's SQLite database"):
        SqliteReader(path).view()
    assert path.read_bytes() == content


def test_a_folder_is_no_store(path: Path, opened: Open) -> None:
    """A path that is a folder is an error with the path in it."""
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"desk\.db could not be opened"):
        opened()


def test_a_path_through_a_file_is_an_error(tmp_path: Path, opened: Open) -> None:
    """A path whose folder is a file cannot be made, and says so."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot be created: .*; choose another `path`"):
        opened(tmp_path / "file" / "desk.db")


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_store_that_was_taken_away_is_not_written(
    path: Path, opened: Open, trading: ModuleType, replaced: bool
) -> None:
    """A commit to a file that no path leads to any more would be durable nowhere: it fails."""
    store = opened()
    store.commit(trading.next_trade(store))
    batch = trading.next_trade(store)
    path.rename(path.with_name("taken.db"))
    if replaced:
        path.write_bytes(b"")
    with pytest.raises(StoreError, match="removed or replaced while the desk ran"):
        store.commit(batch)


def test_entries_that_do_not_follow_are_refused(opened: Open, trading: ModuleType) -> None:
    """An entry at or before the journal's end, or out of order in its batch, is an error, and nothing is written."""
    for entries in ([*trading.bar(5), *trading.bar(5)], trading.bar(2), [*trading.bar(6), *trading.bar(4)]):
        store = opened()
        if not list(store.read(0)):
            store.commit(trading.batch(trading.bar(3)))
        with pytest.raises(StoreError, match="came after"):
            store.commit(trading.batch(entries))
        assert [row.sequence for row in store.read(0)] == [3]


@pytest.mark.parametrize("sequence", [3, 400], ids=["of its entries", "of the last batch"])
def test_a_batch_that_ends_too_early_is_refused(opened: Open, trading: ModuleType, sequence: int) -> None:
    """What readers are told of the time of a view never goes back, nor is it before the entries that it holds."""
    store = opened()
    store.commit(trading.batch(trading.bar(3)))
    if sequence == 400:
        store.commit(Batch(ts=500, sequence=500, entries=()))
    with pytest.raises(StoreError, match=f"a batch up to sequence {sequence} came too late"):
        store.commit(Batch(ts=501, sequence=sequence, entries=tuple(trading.bar(4)) if sequence == 3 else ()))
    assert store.verify().rows == 1


@pytest.mark.parametrize(
    "broken",
    [
        lambda trading: trading.batch([Entry(2**63, 0, trading.bar(2)[0].body)]),
        lambda trading: Batch(ts=2**64, sequence=2, entries=tuple(trading.bar(2))),
        lambda trading: trading.batch([Entry(2, 0, object())]),
        lambda trading: trading.batch(trading.approved(2, text="\ud800")),
    ],
    ids=["sequence", "time", "body", "text"],
)
def test_what_cannot_be_encoded_is_an_error(opened: Open, trading: ModuleType, broken: Callable[..., Batch]) -> None:
    """A value that no store can hold is a StoreError, keeps nothing, and ends the object as every error does."""
    store = opened()
    store.commit(trading.batch(trading.bar(1)))
    with pytest.raises(StoreError, match="a value cannot be encoded"):
        store.commit(broken(trading))
    with pytest.raises(StoreError, match="takes no more commits"):
        store.commit(trading.batch(trading.bar(2)))
    assert store.verify().rows == 1


def test_a_closed_store_takes_no_more(opened: Open, trading: ModuleType) -> None:
    """After `close`, which may be called twice, a commit is refused and what was committed can be read."""
    store = opened()
    store.commit(trading.next_trade(store))
    store.close()
    store.close()
    with pytest.raises(StoreError, match="takes no more commits: it is closed"):
        store.commit(trading.batch(trading.bar(9)))
    assert store.view().cash == Decimal(99_999)


def test_a_copy_never_replaces_a_file(path: Path, opened: Open) -> None:
    """A backup to a file that exists is refused, and the file stays."""
    store = opened()
    with pytest.raises(StoreError, match="exists already"):
        store.backup(path)
    target = path.parent / "folder"
    (target.with_name("folder.partial") / "in").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"cannot be written: .*; no copy was made"):
        store.backup(target)
    assert not target.exists()


def test_an_old_sqlite_is_named_with_the_one_that_is_needed() -> None:
    """A Python with an SQLite that has no STRICT tables is refused with both versions."""
    with pytest.raises(StoreError, match=r"needs SQLite 3\.37\.0 or newer, was 3\.36\.0"):
        require_sqlite((3, 36, 0))
    require_sqlite((3, 37, 0))


def test_an_sqlite_that_does_not_take_a_setting_is_refused(opened: Open) -> None:
    """Every pragma is read back: one that did not take ends the start with its name."""

    class Deaf(sqlite3.Connection):
        def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute("SELECT 1" if sql == "PRAGMA foreign_keys=ON" else sql, parameters)

    class Unknowing(sqlite3.Connection):
        def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(sql.replace("trusted_schema", "untrusted_schema"), parameters)

    class WithoutLog(sqlite3.Connection):
        def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(sql.replace("journal_mode=WAL", "journal_mode"), parameters)

    with pytest.raises(StoreError, match=r"cannot have a write-ahead log.*put the store on a local disk"):
        opened(connection_class=WithoutLog)
    with pytest.raises(StoreError, match=r"does not take PRAGMA foreign_keys=ON \(was 0\)"):
        opened(connection_class=Deaf)
    with pytest.raises(StoreError, match=r"does not take PRAGMA trusted_schema=OFF \(was unknown to it\)"):
        opened(connection_class=Unknowing)


def test_an_error_nobody_foresaw_keeps_sqlites_words(tmp_path: Path) -> None:
    """What is not known by its text is passed on with it."""
    error = store_error(sqlite3.OperationalError("no such table: journal"), tmp_path / "desk.db", "could not be read")
    assert type(error) is StoreError
    assert str(error).endswith("desk.db could not be read (SQLite: no such table: journal)")
    assert not isinstance(error, StoreSchemaError)
