"""What a store does between commits: its log is folded in and read back, but never in front of an order."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from mqd_core.api import Head, StoreCorrupt
from mqd_plugin_sqlite.connection import reading
from mqd_plugin_sqlite.store import Keeping, SqliteStore

Open = Callable[..., SqliteStore]
#: Due after each commit when nothing waits, and never when an order does.
CALM = Keeping(calm_bytes=1, latest_bytes=10**9)


def marked(path: Path) -> Head:
    """Up to where the file says that its journal was checked."""
    with reading(path) as connection:
        (value,) = connection.execute("SELECT value FROM meta WHERE key = 'verified'").fetchone()
    return msgspec.json.decode(value, type=Head)


def traced(store: SqliteStore) -> list[str]:
    """The statements of a store from now on."""
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    return statements


def test_an_order_never_waits_for_the_log(opened: Open, trading: ModuleType) -> None:
    """A commit that lets an order out goes straight to its transaction; the next that lets none out does the work."""
    store = opened(keeping=CALM)
    store.commit(trading.batch(trading.bar(1)))
    statements = traced(store)
    store.commit(trading.batch(trading.trade(2)))
    assert statements[0] == "BEGIN IMMEDIATE"
    assert not any("checkpoint" in statement for statement in statements)
    statements.clear()
    store.commit(trading.batch(trading.bar(4)))
    assert [line for line in statements if "checkpoint" in line] == ["PRAGMA wal_checkpoint(PASSIVE)"]


def test_a_log_beyond_measure_is_folded_in_before_any_commit(opened: Open, trading: ModuleType) -> None:
    """Where nothing but orders comes, the log is folded in all the same before it fills the disk."""
    store = opened(keeping=Keeping(calm_bytes=1, latest_bytes=200_000))
    statements = traced(store)
    for _ in range(40):
        store.commit(trading.next_trade(store))
    assert 1 <= sum("checkpoint" in statement for statement in statements) <= 10


def test_the_log_stays_small(path: Path, opened: Open, trading: ModuleType) -> None:
    """Five hundred commits with snapshots leave a log of some commits, and a file that holds one snapshot."""
    store = opened(keeping=Keeping(calm_bytes=100_000))
    for sequence in range(1, 501):
        store.commit(trading.batch(trading.bar(sequence), snapshot=trading.snapshot(sequence)))
    assert path.with_name("desk.db-wal").stat().st_size < 400_000
    assert store._connection.execute("SELECT count(*) FROM snapshot").fetchone() == (1,)


def test_a_file_does_not_grow_by_a_snapshot_a_commit(path: Path, opened: Open, trading: ModuleType) -> None:
    """A snapshot takes the place of the one before: a hundred of 4 kB each take the room of a few."""
    sizes = []
    for commits in (1, 100):
        store = opened()
        for _ in range(commits):
            sequence = store.view().as_of_sequence + 1
            snapshot = msgspec.structs.replace(trading.snapshot(sequence), engine=bytes(4_000))
            store.commit(trading.batch(trading.bar(sequence), snapshot=snapshot))
        store.close()
        sizes.append(path.stat().st_size)
    assert sizes[1] - sizes[0] < 100 * 4_000 / 4


def test_the_mark_follows_the_writer(path: Path, opened: Open, trading: ModuleType) -> None:
    """What was written is read back and checked while the desk is calm, so that the next start has little to check."""
    store = opened(keeping=CALM)
    for sequence in range(1, 5):
        store.commit(trading.batch(trading.bar(sequence)))
    assert marked(path).sequence == 3
    store.commit(trading.batch(trading.trade(5)))
    assert marked(path).sequence == 3


def test_an_edit_while_the_desk_runs_ends_it(path: Path, opened: Open, trading: ModuleType) -> None:
    """A row that is not what was written is found by the next calm commit, of which nothing is kept."""
    store = opened(keeping=CALM)
    store.commit(trading.batch(trading.bar(1)))
    store.commit(trading.batch(trading.bar(2)))
    other = sqlite3.connect(path)
    other.execute("DROP TRIGGER journal_is_never_changed")
    other.execute("UPDATE journal SET body = x'7b7d' WHERE sequence = 2")
    other.commit()
    other.close()
    with pytest.raises(StoreCorrupt, match=r"row \(sequence 2, ordinal 0\)"):
        store.commit(trading.batch(trading.bar(3)))
    assert [row[0] for row in store._connection.execute("SELECT sequence FROM journal")] == [1, 2]


def test_a_log_that_somebody_holds_is_told_once(
    path: Path, opened: Open, trading: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """When a reader keeps the log from being folded in, and it has become large, a person is told, once."""
    store = opened(keeping=Keeping(calm_bytes=1, log_bytes_warn=100_000, log=logging.getLogger("store")))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM journal").fetchall()
    with caplog.at_level(logging.WARNING):
        for sequence in range(1, 40):
            store.commit(trading.batch(trading.bar(sequence), snapshot=trading.snapshot(sequence)))
    other.close()
    assert len([message for message in caplog.messages if "the store's log grows" in message]) == 1
