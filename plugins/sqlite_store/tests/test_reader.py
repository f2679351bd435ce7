"""Reading beside a desk that runs: from another process, by odd paths, after a crash."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import PositionStore, StoreError
from mqd_plugin_sqlite.connection import reading
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]
#: Characters that mean something in a URI or a shell, and letters of others.
ODD_NAMES = ["my desk.db", "desk#1.db", "what%20now.db", "50%.db", "a&b=c;d.db", "Börse 市場.db"]
#: Windows allows no such name.
ODDER_NAMES = ["desk?.db", "desk?mode=memory#.db", "file:desk.db", "back\\slash.db"]


@pytest.mark.parametrize("name", ODD_NAMES if os.name == "nt" else [*ODD_NAMES, *ODDER_NAMES])
def test_any_path_names_the_file_it_says(tmp_path: Path, opened: Open, trading: ModuleType, name: str) -> None:
    """Spaces, `#`, `?`, `%` and letters of any language keep their meaning, in folders too, for store and reader."""
    path = tmp_path / f"folder of {name}" / name
    store = opened(path)
    store.commit(trading.next_trade(store))
    reader: PositionStore = SqliteReader(path)
    assert reader.view() == store.view()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [name]
    assert SqliteReader(path).verify().rows == 5


def test_a_relative_path_is_relative_to_the_working_folder(
    tmp_path: Path, opened: Open, trading: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path needs no absolute one from whoever calls."""
    monkeypatch.chdir(tmp_path)
    store = opened(Path("var/desk.db"))
    store.commit(trading.next_trade(store))
    assert SqliteReader(Path("var/desk.db")).view() == SqliteReader(tmp_path / "var" / "desk.db").view()


def test_a_desk_that_never_ran_is_named(path: Path) -> None:
    """Reading a store that is not there says so, and makes neither file nor folder."""
    with pytest.raises(StoreError, match=r"desk\.db does not exist: a desk makes its store when it first runs"):
        SqliteReader(path).view()
    with pytest.raises(StoreError, match="does not exist"):
        list(SqliteReader(path).read(0))
    assert not path.parent.exists()


def test_a_folder_cannot_be_read(path: Path) -> None:
    """A folder in the place of a store is an error with the path in it."""
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"desk\.db could not be read"):
        SqliteReader(path).view()


def test_a_reader_cannot_write(path: Path, opened: Open) -> None:
    """The connection of a reader refuses every change, whatever it is asked."""
    opened()
    with pytest.raises(StoreError, match="may only be read"), reading(path) as connection:
        connection.execute("UPDATE desk SET cash = '1'")


def test_a_view_is_of_one_commit_while_the_desk_goes_on(opened: Open, trading: ModuleType) -> None:
    """Commits made while rows are read and views are taken reach neither: each stands for one moment."""
    store = opened()
    store.commit(trading.next_trade(store))
    view, rows = store.view(), store.read(0)
    next(rows)
    store.commit(trading.next_trade(store))
    assert len(list(rows)) == 4
    assert (len(view.orders), view.as_of_sequence) == (1, 2)


def test_a_reading_that_was_not_ended_lets_the_desk_work(path: Path, opened: Open, trading: ModuleType) -> None:
    """Rows half read hold no lock and no old state: the desk commits, closes, and its log is folded in."""
    store = opened()
    entries = [entry for sequence in range(1, 2_001) for entry in trading.bar(sequence)]
    store.commit(trading.batch(entries))
    rows = SqliteReader(path).read(0)
    next(rows)
    store.commit(trading.batch(trading.bar(2_001)))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    rows.close()


@pytest.mark.slow
def test_another_process_sees_whole_commits_only(path: Path, opened: Open, start: Start, trading: ModuleType) -> None:
    """While this process commits, another one takes thirty different views: each is that of one commit, in order."""
    store = opened()
    store.commit(trading.next_trade(store))
    process = start("look", path, 30)
    commits = 1
    while process.poll() is None and commits < 50_000:
        sequence = commits * trading.STEPS + 1
        store.commit(trading.batch(trading.trade(sequence)))
        commits += 1
    output, errors = process.communicate(timeout=60)
    assert (output, errors, process.returncode) == ("", "", 0)
    assert commits > 30


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_desk_can_be_looked_at(path: Path, start: Start, trading: ModuleType) -> None:
    """After a crash a reader sees the last commit out of the log that was left, before any desk starts again."""
    process = start("commit", path)
    assert process.stdout is not None
    seen = [int(process.stdout.readline()) for _ in range(5)][-1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.with_name("desk.db-wal").stat().st_size > 0
    view = SqliteReader(path).view()
    assert view.as_of_sequence >= seen
    assert len(view.orders) == view.as_of_sequence // trading.STEPS
