"""The stores that no restart reads: what they keep, what they cost in memory, and what their file says when cut."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.events import Fill, RunStarted
from mqd_core.domain.journal import Entry, FeedCursor, Mark, encode_body, encode_lines, kind_of
from mqd_core.domain.orders import OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.projection import Projection
from mqd_core.domain.records import Approved, BookMoved, OrderMoved
from mqd_core.errors import StoreCorrupt, StoreError
from mqd_core.ports.store import Batch, Head, JournalRow, Snapshot, Store
from mqd_core.runtime.memory_store import BlobJournal, InMemoryStore, read_journal

MakeStore = Callable[..., InMemoryStore]


SHARE = Decimal("2.123456789")


def approved(sequence: int, symbol: str, price: str) -> Approved:
    """An order is let through."""
    return Approved(
        sequence,
        1,
        sequence * 10,
        correlation_id=f"c{sequence}",
        client_order_id=f"m1-demo-{sequence}",
        strategy_id="vwap",
        symbol=symbol,
        purpose=Purpose.ENTRY,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=SHARE,
        notional=None,
        limit_price=None,
        stop_price=None,
        reference_price=Decimal(price),
    )


def filled(sequence: int, symbol: str, price: str) -> list[Entry]:
    """The order of the sequence before is filled and booked."""
    ts, order, broker_order, correlation = sequence * 10, f"m1-demo-{sequence - 1}", f"b{sequence}", f"c{sequence - 1}"
    fill = Fill(
        ts=ts,
        client_order_id=order,
        broker_order_id=broker_order,
        symbol=symbol,
        side=Side.BUY,
        quantity=SHARE,
        price=Decimal(price),
        cumulative_quantity=SHARE,
    )
    moved = OrderMoved(
        sequence,
        1,
        ts,
        correlation_id=correlation,
        client_order_id=order,
        broker_order_id=broker_order,
        symbol=symbol,
        before="submitting",
        after="filled",
        cumulative=SHARE,
    )
    booked = BookMoved(
        sequence,
        2,
        ts,
        correlation_id=correlation,
        strategy_id="vwap",
        symbol=symbol,
        cause="fill",
        change=SHARE,
        price=Decimal(price),
        fee=Decimal(0),
        quantity=SHARE,
        cost=Decimal("87.592592547"),
        realized=Decimal(0),
        cash=Decimal(1000 - sequence),
    )
    return [Entry(sequence, 0, fill), Entry(sequence, 1, moved), Entry(sequence, 2, booked)]


def trade(sequence: int, symbol: str = "SPHD", price: str = "41.25") -> list[Entry]:
    """The entries of an order that is approved, filled and booked: two steps, from `sequence` on."""
    return [Entry(sequence, 1, approved(sequence, symbol, price)), *filled(sequence + 1, symbol, price)]


def batch(entries: Sequence[Entry], marks: tuple[Mark, ...] = (), snapshot: Snapshot | None = None) -> Batch:
    """A batch that ends with its last entry."""
    sequence = entries[-1].sequence
    return Batch(ts=sequence * 10, sequence=sequence, entries=tuple(entries), marks=marks, snapshot=snapshot)


def rows_of(entries: Sequence[Entry]) -> list[JournalRow]:
    """What a store gives back for entries."""
    return [
        JournalRow(
            sequence=entry.sequence, ordinal=entry.ordinal, kind=kind_of(entry.body), body=encode_body(entry.body)
        )
        for entry in entries
    ]


@pytest.fixture(params=["memory", "file"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    """Make stores of both forms; each is closed at the end."""
    stores: list[InMemoryStore] = []
    numbers = itertools.count()

    def make(block_entries: int = 3) -> InMemoryStore:
        if request.param == "memory":
            store = InMemoryStore(block_entries)
        else:
            store = BlobJournal(tmp_path / f"journal-{next(numbers)}.jsonl", block_entries)
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


def test_a_new_store_is_empty(make_store: MakeStore) -> None:
    """A store without a commit has no rows, no snapshot, an empty view and the hash of nothing."""
    store: Store = make_store()
    assert list(store.read(0)) == []
    assert store.latest_snapshot() is None
    assert store.view() == Projection().view()
    assert make_store().head() == Head(sequence=0, ordinal=0, rows=0, hash=hashlib.sha256(b"").hexdigest())
    assert store.durable is False


def test_rows_come_back_in_order_above_a_sequence(make_store: MakeStore) -> None:
    """Reading gives each entry's canonical body, in order, and only above the sequence that was asked for."""
    store, entries = make_store(), [*trade(1), *trade(3), *trade(5)]
    for start in range(0, len(entries), 5):
        store.commit(batch(entries[start : start + 5]))
    assert list(store.read(0)) == rows_of(entries)
    assert list(store.read(4)) == rows_of([entry for entry in entries if entry.sequence > 4])
    assert list(store.read(6)) == []


def test_a_commit_returns_the_end_of_the_journal(make_store: MakeStore) -> None:
    """The head names the last entry and the count of rows; its hash is empty until a block is encoded."""
    store, entries = make_store(block_entries=4), trade(1)
    assert store.commit(batch(entries[:2])) == Head(sequence=2, ordinal=0, rows=2, hash="")
    digest = hashlib.sha256(encode_lines(tuple(entries))).hexdigest()
    assert store.commit(batch(entries[2:])) == Head(sequence=2, ordinal=2, rows=4, hash=digest)


def test_a_batch_without_entries_moves_the_view_alone(make_store: MakeStore) -> None:
    """Bars kept by reference leave no row: the head stays, and the view is as of the batch."""
    store = make_store()
    store.commit(batch(trade(1)))
    before = store.head()
    assert store.commit(Batch(ts=5_000, sequence=500, entries=())) == before
    view = store.view()
    assert (view.as_of_sequence, view.as_of_ns) == (500, 5_000)


def test_the_last_snapshot_is_kept(make_store: MakeStore) -> None:
    """A batch without a snapshot leaves the one before in place."""
    store = make_store()
    cursor = FeedCursor(identity="synthetic seed 7", start_ns=1, symbol_index=0, bars=1)
    snapshot = Snapshot(sequence=2, engine=b"engine", venue=b"venue", run=b"run", cursor=cursor)
    store.commit(batch(trade(1), snapshot=snapshot))
    store.commit(batch(trade(3)))
    assert store.latest_snapshot() == snapshot


def test_a_mark_reaches_the_books_that_were_there(make_store: MakeStore) -> None:
    """A position has the last mark given with or after its first entry; one that came later has none yet."""
    store = make_store(block_entries=100)
    marks = tuple(Mark(symbol=symbol, start_ns=1, close=40.5) for symbol in ("SPHD", "SPLV"))
    store.commit(batch(trade(1, "SPHD"), marks=marks))
    store.commit(batch(trade(3, "SPLV")))
    assert {book.symbol: book.mark for book in store.view().positions} == {"SPHD": Decimal("40.5"), "SPLV": None}
    store.commit(batch(trade(5, "SCHD"), marks=(Mark(symbol="SPLV", start_ns=2, close=39.0),)))
    held = {book.symbol: book.mark for book in store.view().positions}
    assert held == {"SPHD": Decimal("40.5"), "SPLV": Decimal("39.0"), "SCHD": None}


def test_views_do_not_move_after_they_were_given(make_store: MakeStore) -> None:
    """A view stays as of its commit while the store goes on."""
    store = make_store()
    store.commit(batch(trade(1)))
    view = store.view()
    store.commit(batch(trade(3)))
    assert len(view.orders) == 1
    assert view.as_of_sequence == 2


@given(
    count=st.integers(1, 6),
    cuts=st.sets(st.integers(1, 23)),
    block_entries=st.integers(1, 9),
)
def test_batches_and_blocks_change_nothing(count: int, cuts: set[int], block_entries: int) -> None:
    """However entries are cut into batches and blocks, rows, view and hash are the same."""
    entries = [entry for number in range(count) for entry in trade(1 + 2 * number)]
    whole, parts = InMemoryStore(), InMemoryStore(block_entries)
    whole.commit(batch(entries))
    places = [0, *sorted(cut for cut in cuts if cut < len(entries)), len(entries)]
    for start, end in itertools.pairwise(places):
        parts.commit(batch(entries[start:end]))
    assert parts.head() == whole.head()
    assert list(parts.read(0)) == list(whole.read(0))
    assert parts.view() == whole.view()


def test_the_view_is_the_fold_over_all_entries(make_store: MakeStore) -> None:
    """A store's view equals the projection that was fed entry by entry."""
    store, projection = make_store(), Projection()
    started = RunStarted(ts=0, run_id="r1", desk_id="demo", mode="backtest", book=1, configuration="c", feed="f")
    entries = [Entry(1, 0, started), *trade(2), *trade(4, "SPLV")]
    store.commit(batch(entries))
    for entry in entries:
        projection.apply(entry)
    projection.settle(5, 50)
    assert store.view() == projection.view()


def test_a_long_run_stays_small() -> None:
    """Entries are kept encoded: 40,000 of them take what their lines take, a few per cent more, and no objects."""
    store, lines = InMemoryStore(), 0
    for number in range(10_000):
        entries = trade(1 + 2 * number)
        lines += len(encode_lines(tuple(entries)))
        store.commit(batch(entries))
    store.head()
    kept = sum(map(sys.getsizeof, store._blocks))
    assert not store._waiting
    assert lines <= kept < 1.01 * lines
    assert lines / 40_000 < 400


def test_the_file_is_json_lines_and_reads_back(tmp_path: Path) -> None:
    """A backtest's file holds one line an entry, and reads back to the same rows without the store."""
    path, entries = tmp_path / "journal.jsonl", [*trade(1), *trade(3)]
    store = BlobJournal(path, block_entries=3)
    store.commit(batch(entries[:5]))
    assert path.read_bytes() == encode_lines(tuple(entries[:5]))
    store.commit(batch(entries[5:7]))
    store.commit(batch(entries[7:]))
    store.close()
    store.close()
    assert path.read_bytes() == encode_lines(tuple(entries))
    assert list(read_journal(path)) == list(store.read(0)) == rows_of(entries)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """A journal goes to a new file: an old one is refused by name and stays as it was."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"kept")
    with pytest.raises(StoreError, match=r"journal\.jsonl exists already"):
        BlobJournal(path)
    assert path.read_bytes() == b"kept"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """A run folder that does not exist is an error with the path and the reason."""
    with pytest.raises(StoreError, match=r"journal\.jsonl cannot be written: No such file"):
        BlobJournal(tmp_path / "absent" / "journal.jsonl")


def test_a_closed_file_takes_no_more(tmp_path: Path) -> None:
    """After `close` a commit is refused, and what was committed can still be read."""
    store = BlobJournal(tmp_path / "journal.jsonl")
    store.commit(batch(trade(1)))
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.commit(batch(trade(3)))
    assert len(list(store.read(0))) == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_ends_the_journal(tmp_path: Path) -> None:
    """A block that cannot be written raises StoreError with the reason; from then on commits are refused."""
    path = tmp_path / "journal.jsonl"
    store = BlobJournal(path, block_entries=1)
    store.commit(batch(trade(1)))
    descriptor = os.open("/dev/full", os.O_WRONLY)
    os.dup2(descriptor, store._file.fileno())
    os.close(descriptor)
    with pytest.raises(StoreError, match="No space left on device"):
        store.commit(batch(trade(3)))
    with pytest.raises(StoreError, match="ends in the middle"):
        store.commit(batch(trade(5)))
    with pytest.raises(StoreError, match="ends in the middle"):
        store.read(0)
    store.close()
    assert len(list(read_journal(path))) == 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-9], "ends in the middle of a line"),
        (lambda data: data.replace(b'"ordinal":1', b'"ordinal":"x"', 1), "no journal entry"),
        (lambda data: data.replace(b'"type":', b'"kind":', 1), "no journal entry"),
        (lambda data: b"\xff\n" + data, "no journal entry"),
    ],
)
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    """A file that was cut off or edited raises StoreCorrupt with its path, never gives rows made up."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(damage(encode_lines(tuple(trade(1)))))
    with pytest.raises(StoreCorrupt, match=message):
        list(read_journal(path))


def test_a_file_that_is_absent_is_an_error(tmp_path: Path) -> None:
    """Reading a journal that is not there raises StoreError with the path."""
    with pytest.raises(StoreError, match=r"absent\.jsonl cannot be read"):
        list(read_journal(tmp_path / "absent.jsonl"))
