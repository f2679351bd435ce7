"""A desk that dies at any moment: what was acknowledged is there, and of the rest all of a batch or nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mqd_core.api import JournalRow, StoreError
from mqd_plugin_sqlite.connection import copy_to, reading
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.restoring import restore
from mqd_plugin_sqlite.schema import MIGRATIONS
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]


#: Of the last commit: BEGIN, desk, journal, orders, positions, the desk's name, snapshot, COMMIT.
STATEMENTS = 8


class Crash(BaseException):
    """The process is gone."""


class Countdown:
    """Lets so many statements pass, then ends all: an error once, or a crash after which nothing runs any more."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False
        self.error: BaseException = Crash()
        self.dead = False

    def arm(self, statements: int, error: BaseException, *, after: bool) -> None:
        """Let so many statements pass; then raise instead of the next one, or right after it."""
        self.left, self.error, self.after = statements, error, after

    def around(self, statement: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Run a statement, or do not."""
        if self.dead:
            raise self.error
        if self.left is None:
            return statement()
        if self.left:
            self.left -= 1
            return statement()
        self.left, self.dead = None, isinstance(self.error, Crash)
        if self.after:
            statement()
        raise self.error


def counted(countdown: Countdown) -> type[sqlite3.Connection]:
    """A connection class whose statements a countdown may stop."""

    class Counted(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            return countdown.around(lambda: sqlite3.Connection.execute(self, *arguments))

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            return countdown.around(lambda: sqlite3.Connection.executemany(self, *arguments))

    return Counted


def state(path: Path) -> tuple[list[JournalRow], object, object]:
    """All that a store holds, read from outside; raises StoreCorrupt if it is not whole."""
    reader = SqliteReader(path)
    reader.verify()
    return list(reader.read(0)), reader.view(), reader.latest_snapshot()


def prepared(store: SqliteStore, trading: ModuleType) -> SqliteStore:
    """A store with two commits."""
    store.commit(trading.next_trade(store))
    store.commit(trading.batch(trading.limited(3)))
    return store


def commit_last(store: SqliteStore, trading: ModuleType) -> None:
    """Commit the batch that is to be broken off: it touches every table but that of the limits."""
    store.commit(trading.batch([*trading.started(4), *trading.trade(5)], [("SPHD", 9.0)], trading.snapshot(6)))


def goes_on(store: SqliteStore, before: object, trading: ModuleType) -> None:
    """After a restart the batch is there whole, or can be committed again."""
    if state(store._path) == before:
        commit_last(store, trading)
    assert [row.sequence for row in store.read(3)] == [4, 4, 5, 5, 6, 6, 6]
    assert store.latest_snapshot() == trading.snapshot(6)
    assert store.verify().rows == 13


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("statements", range(STATEMENTS))
def test_a_crash_at_any_statement_leaves_all_or_nothing(
    path: Path, opened: Open, trading: ModuleType, statements: int, after: bool
) -> None:
    """Whichever statement of a commit a process dies at, the file is as before the commit or as after it."""
    countdown = Countdown()
    store = prepared(opened(connection_class=counted(countdown)), trading)
    before = state(path)
    countdown.arm(statements, Crash(), after=after)
    with pytest.raises(Crash):
        commit_last(store, trading)
    store.close()
    goes_on(opened(), before, trading)


@pytest.mark.parametrize("statements", range(STATEMENTS))
def test_an_error_at_any_statement_keeps_nothing_and_ends_the_store(
    path: Path, opened: Open, trading: ModuleType, statements: int
) -> None:
    """Whichever statement fails, nothing of the batch is kept, and the same object refuses every further commit."""
    countdown = Countdown()
    store = prepared(opened(connection_class=counted(countdown)), trading)
    before = state(path)
    countdown.arm(statements, sqlite3.OperationalError("disk I/O error"), after=False)
    with pytest.raises(StoreError, match="could not be written: the disk failed"):
        commit_last(store, trading)
    assert state(path) == before
    with pytest.raises(StoreError, match="takes no more commits: an earlier commit was not finished"):
        commit_last(store, trading)
    store.close()
    goes_on(opened(), before, trading)


def test_no_statement_of_a_commit_was_left_out(opened: Open, trading: ModuleType) -> None:
    """A commit has as many statements as the tests above break off at."""
    countdown = Countdown()
    store = prepared(opened(connection_class=counted(countdown)), trading)
    countdown.arm(STATEMENTS, Crash(), after=False)
    commit_last(store, trading)
    with pytest.raises(Crash):
        store.commit(trading.batch(trading.bar(7)))


def test_only_a_finished_commit_is_kept(path: Path, opened: Open, trading: ModuleType) -> None:
    """A crash just before the last statement keeps nothing of a batch; one just after it keeps everything."""
    countdown = Countdown()
    statements: list[str] = []
    store = opened(connection_class=counted(countdown))
    store._connection.set_trace_callback(statements.append)
    store.commit(trading.next_trade(store))
    assert statements[0] == "BEGIN IMMEDIATE"
    assert statements[-1] == "COMMIT"
    for after, rows in ((False, 5), (True, 10)):
        countdown = Countdown()
        store = opened(connection_class=counted(countdown))
        batch = trading.next_trade(store)
        # BEGIN, head, journal, orders, positions, snapshot; then COMMIT.
        countdown.arm(6, Crash(), after=after)
        with pytest.raises(Crash):
            store.commit(batch)
        store.close()
        assert len(list(SqliteReader(path).read(0))) == rows


def test_an_opening_that_breaks_off_at_any_statement_can_be_repeated(tmp_path: Path, trading: ModuleType) -> None:
    """Whichever statement the making of a new store does not survive, the next start makes it whole."""
    for statements in range(100):
        path, countdown = tmp_path / f"{statements}.db", Countdown()
        countdown.arm(statements, Crash(), after=False)
        try:
            SqliteStore(path, connection_class=counted(countdown)).close()
        except Crash:
            pass
        else:
            break
        store = SqliteStore(path)
        store.commit(trading.next_trade(store))
        assert store.verify().rows == 5
        store.close()
    assert 20 < statements < 99


def test_a_migration_that_breaks_off_at_any_statement_is_not_there(tmp_path: Path, trading: ModuleType) -> None:
    """Whichever statement a migration does not survive, the file has one version whole, and the next start ends it."""
    newer = (*MIGRATIONS, ("ALTER TABLE orders ADD COLUMN venue TEXT", "CREATE INDEX by_symbol ON orders (symbol)"))
    for statements in range(100):
        path, countdown = tmp_path / f"{statements}.db", Countdown()
        store = SqliteStore(path)
        store.commit(trading.next_trade(store))
        store.close()
        countdown.arm(statements, Crash(), after=True)
        try:
            SqliteStore(path, connection_class=counted(countdown), migrations=newer).close()
        except Crash:
            pass
        else:
            break
        connection = sqlite3.connect(path)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        columns = [row[1] for row in connection.execute("PRAGMA table_info(orders)")]
        indices = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'by_symbol'").fetchone()[0]
        connection.close()
        assert (version, "venue" in columns, indices) in {(1, False, 0), (2, True, 1)}
        store = SqliteStore(path, migrations=newer)
        store.commit(trading.next_trade(store))
        assert store.verify().rows == 10
        store.close()
    assert 20 < statements < 99


def test_a_copy_that_breaks_off_at_any_statement_is_none(tmp_path: Path, trading: ModuleType) -> None:
    """Whichever statement of a copy a process dies at, the source is as it was and the copy is whole or absent."""
    source = tmp_path / "desk.db"
    store = SqliteStore(source)
    store.commit(trading.next_trade(store))
    for after in (False, True):
        for statements in range(20):
            target, countdown = tmp_path / f"{after}-{statements}.backup", Countdown()
            countdown.arm(statements, Crash(), after=after)
            try:
                with reading(source) as connection:
                    copy_to(connection, target, counted(countdown))
            except Crash:
                assert not target.exists()
                SqliteReader(source).backup(target)
                assert SqliteReader(target).verify().rows == 5
                continue
            break
        assert 0 < statements < 20
    assert store.verify().rows == 5
    store.close()


def test_a_restore_that_breaks_off_at_any_statement_can_be_repeated(tmp_path: Path, trading: ModuleType) -> None:
    """Whichever statement of a restore a process dies at, the old store is in its place, and the next one ends it."""
    for statements in range(20):
        path, countdown = tmp_path / str(statements) / "desk.db", Countdown()
        store = SqliteStore(path)
        store.commit(trading.next_trade(store))
        backup = path.with_name("old.backup")
        store.backup(backup)
        store.commit(trading.next_trade(store))
        store.close()
        countdown.arm(statements, Crash(), after=True)
        try:
            restore(backup, path, connection_class=counted(countdown))
        except Crash:
            assert SqliteReader(path).verify().rows == 10
            SqliteStore(path).close()
            restore(backup, path)
        else:
            break
        store = SqliteStore(path)
        assert store.verify().rows == 5
        assert store.restored.startswith("from old.backup")
        store.close()
    assert 2 < statements < 20


@pytest.mark.parametrize("moved", [("",), ("", "-wal")], ids=["database", "database and log"])
def test_a_restore_that_breaks_off_between_its_renames_is_told(
    path: Path, opened: Open, trading: ModuleType, moved: tuple[str, ...]
) -> None:
    """With the old store set aside and none in its place, a start is refused until the restore is repeated."""
    store = opened()
    store.commit(trading.next_trade(store))
    backup = path.with_name("old.backup")
    store.backup(backup)
    log = path.with_name("desk.db-wal").read_bytes()
    store.close()
    path.with_name("desk.db-wal").write_bytes(log)
    for suffix in moved:
        path.with_name(f"desk.db{suffix}").rename(path.with_name(f"desk.db.replaced-1{suffix}"))
    with pytest.raises(StoreError, match=r"desk\.db is gone, though .*`mqd store restore`"):
        opened()
    restore(backup, path)
    assert opened().verify().rows == 5


def test_an_interrupted_commit_is_rolled_back_and_stays_refused(opened: Open, trading: ModuleType) -> None:
    """An interrupt inside a commit passes on; the object then takes nothing more, and readers see the commit before."""
    countdown = Countdown()
    store = opened(connection_class=counted(countdown))
    store.commit(trading.next_trade(store))
    before, batch = store.view(), trading.next_trade(store)
    countdown.arm(3, KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        store.commit(batch)
    assert not store._connection.in_transaction
    with pytest.raises(StoreError, match="takes no more commits"):
        store.commit(batch)
    assert store.view() == before


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_desk_loses_nothing_acknowledged(path: Path, start: Start, trading: ModuleType) -> None:
    """Twenty times a process is killed while it commits: all it acknowledged is there, in whole batches, unbroken."""
    total = 0
    for number in range(20):
        process = start("commit", path)
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(1 + 3 * number)]
        process.send_signal(signal.SIGKILL)
        # The last line may have been cut off by the kill.
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        reader = SqliteReader(path)
        head, view = reader.verify(), reader.view()
        assert head.sequence in {acknowledged[-1], acknowledged[-1] + trading.STEPS}
        assert head.rows == head.sequence // trading.STEPS * len(trading.trade(1))
        assert len(view.orders) == head.sequence // trading.STEPS
        assert view.as_of_sequence == head.sequence
        assert reader.latest_snapshot() == trading.snapshot(head.sequence)
        total += len(acknowledged)
    assert SqliteReader(path).view().as_of_sequence >= total * trading.STEPS
