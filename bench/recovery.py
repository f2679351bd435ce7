"""How long a start and a durable order take, beside what SQLite takes for the same, run in turn.

    python bench/recovery.py [--rows 10000 1000000] [--orders 2000] [--folder FOLDER]

Start: from opening a store of so many journal rows to its newest snapshot, pages and chain verified; after a clean
stop and after a kill, when all rows since the last mark have to be read; beside SQLite's own quick_check of that file.
Order: the commit that must be on the disk before an order may leave, two entries of which one is an Approved, with a
snapshot; beside a bare commit of as many bytes in as many rows. Prints milliseconds and ratios: the disk decides the
first, so only the second says something of the store. FOLDER should be on the disk that the desk uses.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

from mqd_core.api import Bar, Batch, Entry, OrderType, Purpose, Side, Snapshot, TimeInForce, encode_body
from mqd_core.domain.records import Approved
from mqd_plugin_sqlite.store import SqliteStore

BATCH_ROWS = 10_000
SNAPSHOT_BYTES = 4_000


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    arguments.add_argument("--orders", type=int, default=2_000)
    arguments.add_argument("--folder", type=Path, default=None)
    asked = arguments.parse_args()
    print(f"SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for rows in asked.rows:
            measure_start(Path(folder) / f"{rows}.db", rows)
        measure_orders(Path(folder), asked.orders)


def bar(sequence: int) -> Entry:
    """A live bar."""
    return Entry(sequence, 0, Bar("SPY", sequence, 41.0, 41.5, 40.5, 41.25, 1_000.0))


def approved(sequence: int) -> Entry:
    """An order that may leave once this is on the disk."""
    body = Approved(
        sequence,
        1,
        sequence,
        correlation_id=f"c{sequence}",
        client_order_id=f"m1-demo-{sequence}",
        strategy_id="vwap",
        symbol="SPY",
        purpose=Purpose.ENTRY,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal("2.123456789"),
        notional=None,
        limit_price=Decimal("41.25"),
        stop_price=None,
        reference_price=Decimal("41.2"),
    )
    return Entry(sequence, 1, body)


def batch(entries: Sequence[Entry]) -> Batch:
    """A commit with a snapshot, as a live desk makes it."""
    sequence = entries[-1].sequence
    snapshot = Snapshot(sequence=sequence, engine=bytes(SNAPSHOT_BYTES))
    return Batch(ts=sequence, sequence=sequence, entries=tuple(entries), snapshot=snapshot)


def measure_start(path: Path, rows: int) -> None:
    """Make a store of so many rows, then open it as a desk does."""
    with closing(SqliteStore(path)) as store:
        for first in range(1, rows + 1, BATCH_ROWS):
            store.commit(batch([bar(sequence) for sequence in range(first, min(first + BATCH_ROWS, rows + 1))]))
    bare = median_of(lambda: checked(path))
    clean = median_of(lambda: opened(path, rows))
    unmarked = []
    for _ in range(3):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DELETE FROM meta WHERE key = 'verified'")
            connection.commit()
        unmarked.append(opened(path, rows))
    everything = statistics.median(unmarked)
    megabytes = path.stat().st_size / 1e6
    print(f"\nstart with {rows:,} rows ({megabytes:.0f} MB)")
    print(f"  quick_check alone                       {bare * 1e3:9.1f} ms   1.00")
    print(f"  open, chain since the mark, snapshot    {clean * 1e3:9.1f} ms   {clean / bare:.2f}")
    print(f"  the same with no mark: the whole chain  {everything * 1e3:9.1f} ms   {everything / bare:.2f}")


def opened(path: Path, rows: int) -> float:
    """Seconds from opening to the snapshot; asserts that both are those of the last commit."""
    begin = time.perf_counter()
    store = SqliteStore(path)
    snapshot = store.latest_snapshot()
    seconds = time.perf_counter() - begin
    assert snapshot is not None
    assert snapshot.sequence == rows
    store.close()
    return seconds


def checked(path: Path) -> float:
    """Seconds that SQLite takes to look at every page."""
    with closing(sqlite3.connect(path)) as connection:
        begin = time.perf_counter()
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        return time.perf_counter() - begin


def measure_orders(folder: Path, orders: int) -> None:
    """Commit orders to a store and as many bytes to a bare database, one after the other in turn."""
    store, bare = SqliteStore(folder / "orders.db"), bare_database(folder / "bare.db")
    ours: list[float] = []
    theirs: list[float] = []
    for sequence in range(1, orders + 1):
        entries = [bar(sequence), approved(sequence)]
        rows = [(sequence, entry.ordinal, type(entry.body).__name__, encode_body(entry.body)) for entry in entries]
        ours.append(timed(partial(store.commit, batch(entries))))
        theirs.append(timed(partial(commit_bare, bare, rows)))
    assert store.verify().rows == 2 * orders
    assert bare.execute("SELECT count(*) FROM journal").fetchone() == (2 * orders,)
    store.close()
    bare.close()
    print(f"\ndurable commit of an order ({orders:,} in turn)      p50        p99")
    for name, seconds in (("bare commit of as many bytes", theirs), ("store", ours)):
        print(f"  {name:<36}{at(seconds, 50) * 1e3:9.3f} ms{at(seconds, 99) * 1e3:9.3f} ms")
    print(f"  {'ratio':<36}{at(ours, 50) / at(theirs, 50):9.2f}   {at(ours, 99) / at(theirs, 99):9.2f}")
    print(f"  {'difference':<36}{(at(ours, 50) - at(theirs, 50)) * 1e6:9.0f} us")


def bare_database(path: Path) -> sqlite3.Connection:
    """A database with the same settings of durability and nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE journal (sequence INTEGER, ordinal INTEGER, kind TEXT, body BLOB)")
    connection.execute("CREATE TABLE snapshot (id INTEGER PRIMARY KEY, body BLOB)")
    return connection


def commit_bare(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, str, bytes]]) -> None:
    """The same rows and a snapshot of the same size, without chain, projections and checks."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?)", rows)
    connection.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?)", (bytes(SNAPSHOT_BYTES),))
    connection.execute("COMMIT")


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def median_of(measure: Callable[[], float], rounds: int = 3) -> float:
    """The median of some rounds."""
    return statistics.median(measure() for _ in range(rounds))


def at(seconds: Sequence[float], percent: int) -> float:
    """The value below which so many per cent of the others are."""
    return sorted(seconds)[min(len(seconds) - 1, len(seconds) * percent // 100)]


if __name__ == "__main__":
    main()
