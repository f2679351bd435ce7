"""What stands in the place of a store before it is opened: damage is told in one message, and never made a new book."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import StoreCorrupt, StoreError
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
ADVICE = r"Keep the file.*`mqd store verify`.*`mqd store restore`"


@pytest.fixture
def written(path: Path, opened: Open, trading: ModuleType) -> Path:
    """A store with thirty trades, closed."""
    store = opened()
    for _ in range(30):
        store.commit(trading.next_trade(store))
    store.close()
    return path


def killed(path: Path, opened: Open, trading: ModuleType, commits: int = 5) -> tuple[bytes, bytes]:
    """Database and log as a killed desk leaves them after so many commits."""
    store = opened(path.with_name("living.db"))
    for _ in range(commits):
        store.commit(trading.next_trade(store))
    content, log = path.with_name("living.db").read_bytes(), path.with_name("living.db-wal").read_bytes()
    path.write_bytes(content)
    path.with_name("desk.db-wal").write_bytes(log)
    return content, log


def test_an_empty_file_is_no_new_book(path: Path, opened: Open) -> None:
    """A store that was cut to nothing is damage: a start that made a new book of it would forget positions."""
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(StoreError, match="is empty: a desk makes its store when it first runs"):
        SqliteReader(path).view()
    with pytest.raises(StoreCorrupt, match=rf"desk\.db is empty, which no store ever is.*{ADVICE}"):
        opened()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("trace", ["desk.db-wal", "desk.db.replaced-2026", "desk.db.restoring", "desk.db.version-1"])
def test_a_store_that_is_gone_is_no_new_book(path: Path, opened: Open, trace: str) -> None:
    """Where no store is but something that only a store leaves, the start says what is missing, and makes nothing."""
    path.parent.mkdir(parents=True)
    path.with_name(trace).write_bytes(b"")
    with pytest.raises(StoreCorrupt, match=rf"desk\.db is gone, though {trace} is still there.*`mqd store restore`"):
        opened()
    assert [file.name for file in path.parent.iterdir()] == [trace]


def test_a_making_that_was_broken_off_is_made_again(path: Path, opened: Open, trading: ModuleType) -> None:
    """What a crash left of a store that never came to be is cleared away by the next start."""
    path.parent.mkdir(parents=True)
    path.with_name("desk.db.new").write_bytes(b"half")
    path.with_name("desk.db.new-journal").write_bytes(b"half")
    store = opened()
    store.commit(trading.next_trade(store))
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["desk.db"]


@pytest.mark.parametrize("part", [1, 99, 100, 512, 4_096, 8_192, 20_000, -4_096, -1])
def test_a_store_that_was_cut_off_is_refused(written: Path, opened: Open, part: int) -> None:
    """Wherever the end of the file is missing, the start names the file, what it found, and both commands."""
    content = written.read_bytes()[:part]
    written.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=rf"desk\.db.*{ADVICE}"):
        opened()
    assert written.read_bytes() == content


@pytest.mark.parametrize("begin", [0, 4_096], ids=["all", "all but the first page"])
def test_a_store_full_of_zeros_is_refused(written: Path, opened: Open, begin: int) -> None:
    """Zeros in the place of pages, as some disks leave them, are found by the start."""
    content = written.read_bytes()
    written.write_bytes(content[:begin] + bytes(len(content) - begin))
    with pytest.raises(StoreCorrupt, match=rf"desk\.db.*{ADVICE}"):
        opened()


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda log: bytes(len(log)), "its header is damaged"),
        (lambda log: b"\x55" * len(log), "its header is damaged"),
        (lambda log: log[:9] + b"\x77" + log[10:], "its header is damaged"),
        (lambda log: log[:20] + b"\x77" + log[21:], "its header is damaged"),
        (lambda log: log[:40] + b"\x77" + log[41:], "frame 1 is damaged, though later commits stand behind it"),
        (lambda log: log[:4_999] + b"\x77" + log[5_000:], "frame 2 is damaged, though later commits stand behind it"),
    ],
)
def test_a_log_that_lost_commits_is_refused(
    path: Path, opened: Open, trading: ModuleType, damage: Callable[[bytes], bytes], finding: str
) -> None:
    """Damage that hides whole commits is told, where SQLite would go on without them and without a word."""
    content, log = killed(path, opened, trading)
    path.with_name("desk.db-wal").write_bytes(damage(log))
    with pytest.raises(
        StoreCorrupt, match=rf"desk\.db-wal, where the last commits of desk\.db are: {finding}.*{ADVICE}"
    ):
        opened()
    assert path.read_bytes() == content
    assert path.with_name("desk.db-wal").read_bytes() == damage(log)


@pytest.mark.parametrize("end", [0, 20, 32, 5_000])
def test_the_log_of_a_killed_desk_is_taken_as_far_as_it_is_whole(
    path: Path, opened: Open, trading: ModuleType, end: int
) -> None:
    """A log that ends early is what a power cut leaves of commits that were never acknowledged: the desk goes on."""
    _, log = killed(path, opened, trading, commits=1)
    path.with_name("desk.db-wal").write_bytes(log[:end])
    store = opened()
    assert store.verify().rows == 0
    store.commit(trading.next_trade(store))
    assert store.verify().rows == 5


def test_a_log_that_cannot_be_read_is_named(path: Path, opened: Open) -> None:
    """A folder in the place of the log is an error with its name."""
    opened().close()
    log = path.with_name("desk.db-wal")
    log.mkdir()
    (log / "file").touch()
    with pytest.raises(StoreError, match=r"desk\.db-wal cannot be read: .*Check its rights and its disk"):
        opened()


def test_sqlite_alone_would_go_on_without_the_lost_commits(path: Path, opened: Open, trading: ModuleType) -> None:
    """The reason for looking first: SQLite opens such a log, drops acknowledged commits and calls the file sound."""
    _, log = killed(path, opened, trading)
    path.with_name("desk.db-wal").write_bytes(bytes(len(log)))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    connection.close()
