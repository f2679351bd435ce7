"""What the store keeps and gives back, alike for every store and for every way of cutting entries into batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import Batch, DeskView, Entry, FeedCursor, JournalRow, Snapshot, Store, encode_body, kind_of
from mqd_core.runtime.memory_store import InMemoryStore
from mqd_plugin_sqlite.chain import GENESIS, link
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
#: What happens next, by its name in `trading.py`, and in which symbol.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["started", "ended", "approved", "trade", "flat", "limited", "bar"]),
        st.sampled_from(["SPHD", "SPLV", "BRK.B"]),
    ),
    min_size=1,
    max_size=12,
)


def entries_of(trading: ModuleType, steps: list[tuple[str, str]]) -> list[Entry]:
    """The journal of these steps, beginning at sequence 1."""
    entries: list[Entry] = []
    for kind, symbol in steps:
        sequence = entries[-1].sequence + 1 if entries else 1
        make = getattr(trading, kind)
        entries += make(sequence, symbol) if kind in {"approved", "trade", "flat", "bar"} else make(sequence)
    return entries


def pieces(entries: list[Entry], cuts: set[int]) -> list[list[Entry]]:
    """The entries cut at these places."""
    places = [0, *sorted(cut for cut in cuts if cut < len(entries)), len(entries)]
    return [entries[start:end] for start, end in itertools.pairwise(places)]


def without_hash(store: Store) -> list[JournalRow]:
    """A store's rows without what only a chained store has."""
    return [
        JournalRow(sequence=row.sequence, ordinal=row.ordinal, kind=row.kind, body=row.body) for row in store.read(0)
    ]


def test_a_new_store_is_empty(opened: Open) -> None:
    """A store without a commit has no rows, no snapshot and the view of a desk that never ran."""
    store: Store = opened()
    assert list(store.read(0)) == []
    assert store.latest_snapshot() is None
    assert store.view() == DeskView()
    assert store.durable is True


def test_rows_come_back_with_the_chain_over_them(opened: Open, trading: ModuleType) -> None:
    """Each row has its entry's canonical body and the hash that the rule in `chain` gives; the head is the last one."""
    store, entries = opened(), [*trading.started(1), *trading.trade(2), *trading.limited(4)]
    heads = [store.commit(trading.batch(part)) for part in (entries[:2], entries[2:7], entries[7:])]
    digest, expected = GENESIS, []
    for entry in entries:
        kind, body = kind_of(entry.body), encode_body(entry.body)
        digest = link(digest, entry.sequence, entry.ordinal, kind, body)
        expected.append(
            JournalRow(sequence=entry.sequence, ordinal=entry.ordinal, kind=kind, body=body, hash=digest.hex())
        )
    assert list(store.read(0)) == expected
    assert list(store.read(2)) == [row for row in expected if row.sequence > 2]
    assert list(store.read(4)) == []
    assert [(head.sequence, head.ordinal, head.rows) for head in heads] == [(1, 1, 2), (3, 2, 7), (4, 1, 8)]
    assert heads[-1].hash == expected[-1].hash


def test_the_hash_is_stated_once_and_for_all() -> None:
    """The first hash of a chain is a constant of the format: a store of today is verified by later versions."""
    digest = link(GENESIS, 1, 0, "TimerFired", b'{"type":"TimerFired","ts":7}')
    assert digest.hex() == "86ed80eaaf2816fb498bf48fb398801004768c0a488f05e5a8a884a7b489d36c"


def test_reading_many_rows_is_paged(opened: Open, trading: ModuleType) -> None:
    """Rows come in order over many pages, and those committed meanwhile are left to the next reading."""
    store = opened()
    entries = [entry for sequence in range(1, 2_001) for entry in trading.bar(sequence)]
    store.commit(trading.batch(entries))
    rows = store.read(3)
    first = next(rows)
    store.commit(trading.batch(trading.bar(2_001)))
    assert [first.sequence, *(row.sequence for row in rows)] == list(range(4, 2_001))


def test_a_restart_goes_on_where_the_last_commit_ended(opened: Open, trading: ModuleType) -> None:
    """Rows, view and snapshot are there after closing, and further commits continue the chain and the projections."""
    one, other = opened(), InMemoryStore()
    batches = [
        trading.batch(trading.trade(1), marks=[("SPHD", 41.0)], snapshot=trading.snapshot(2)),
        trading.batch(trading.flat(3), marks=[("SPHD", 42.0)]),
        trading.batch(trading.trade(4, "SPLV")),
        trading.batch(trading.trade(6), marks=[("SPLV", 12.5)]),
    ]
    for batch in batches:
        one.commit(batch)
        other.commit(batch)
        one.close()
        one = opened()
        assert one.view() == other.view()
        assert one.latest_snapshot() == trading.snapshot(2)
    assert without_hash(one) == list(other.read(0))
    one.verify()


def test_a_batch_without_entries_moves_the_view_alone(opened: Open, trading: ModuleType) -> None:
    """Bars kept by reference leave no row: head and chain stay, the view is as of the batch, marks reach the books."""
    store = opened()
    head = store.commit(trading.batch(trading.trade(1)))
    cursor = FeedCursor(identity="synthetic seed 7", start_ns=9, symbol_index=0, bars=500, finished=True)
    snapshot = Snapshot(sequence=500, engine=b"\x00engine", run=b"", cursor=cursor)
    marks = trading.batch(trading.bar(9), marks=[("SPHD", 40.5)]).marks
    assert store.commit(Batch(ts=5_000, sequence=500, entries=(), marks=marks, snapshot=snapshot)) == head
    view = store.view()
    assert (view.as_of_sequence, view.as_of_ns) == (500, 5_000)
    assert [str(book.mark) for book in view.positions] == ["40.5"]
    assert store.latest_snapshot() == snapshot


def test_a_flat_book_is_kept_and_not_shown(opened: Open, trading: ModuleType) -> None:
    """A book sold to nothing leaves the view; its cash stays."""
    store = opened()
    store.commit(trading.batch([*trading.trade(1), *trading.flat(3)]))
    assert store.view().positions == []
    assert str(store.view().cash) == "1000.10"


@pytest.mark.slow
@given(steps=STEPS, cuts=st.sets(st.integers(1, 60)))
def test_cutting_entries_into_batches_changes_nothing(
    trading: ModuleType, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]], cuts: set[int]
) -> None:
    """Any split of the same entries gives the same head, the same rows with the same hashes, and the same view."""
    folder, entries = tmp_path_factory.mktemp("cut"), entries_of(trading, steps)
    whole, parts = SqliteStore(folder / "whole.db"), SqliteStore(folder / "parts.db")
    head = whole.commit(trading.batch(entries))
    heads = [parts.commit(trading.batch(piece)) for piece in pieces(entries, cuts)]
    assert heads[-1] == head
    assert list(parts.read(0)) == list(whole.read(0))
    assert parts.view() == whole.view()
    assert parts.verify() == head
    whole.close()
    parts.close()


@given(
    steps=STEPS,
    cuts=st.sets(st.integers(1, 60)),
    marks=st.lists(st.sets(st.sampled_from(["SPHD", "SPLV", "BRK.B"])), min_size=13, max_size=13),
)
@pytest.mark.slow
def test_all_stores_give_the_same(
    trading: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str]],
    cuts: set[int],
    marks: list[set[str]],
) -> None:
    """For equal batches, the store in memory and the one in a file give equal rows, views and snapshots."""
    stores: list[Store] = [InMemoryStore(block_entries=5), SqliteStore(tmp_path_factory.mktemp("same") / "desk.db")]
    for number, piece in enumerate(pieces(entries_of(trading, steps), cuts)):
        closes = [(symbol, 40.0 + number) for symbol in sorted(marks[number % len(marks)])]
        snapshot = trading.snapshot(piece[-1].sequence) if number % 2 else None
        for store in stores:
            store.commit(trading.batch(piece, marks=closes, snapshot=snapshot))
    one, other = stores
    assert without_hash(one) == without_hash(other)
    assert one.view() == other.view()
    assert one.latest_snapshot() == other.latest_snapshot()
    for store in stores:
        store.close()


def test_a_copy_is_complete_in_one_file(opened: Open, trading: ModuleType, tmp_path: Path) -> None:
    """A backup made while the desk runs opens as a store of its own, with the same rows and view."""
    store, target = opened(), tmp_path / "copies" / "desk copy.db"
    store.commit(trading.batch(trading.trade(1), snapshot=trading.snapshot(2)))
    store.backup(target)
    assert [file.name for file in target.parent.iterdir()] == ["desk copy.db"]
    store.commit(trading.batch(trading.trade(3)))
    copy = opened(target)
    assert list(copy.read(0)) == [row for row in store.read(0) if row.sequence < 3]
    assert len(copy.view().orders) == 1
    copy.verify()


def test_the_chain_can_be_checked_without_mqd(
    path: Path, opened: Open, trading: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that the README gives accept a sound journal, and name the first row of a changed one."""
    store = opened(path.with_name("demo.db"))
    store.commit(trading.next_trade(store))
    readme = Path(__file__).parents[1] / "README.md"
    code = readme.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(path.parent)
    exec(compile(code, str(readme), "exec"), {})
    store._connection.execute("DROP TRIGGER journal_is_never_changed")
    store._connection.execute("UPDATE journal SET kind = 'Alert' WHERE sequence = 2 AND ordinal = 1")
    with pytest.raises(AssertionError, match=r"\(2, 1\)"):
        exec(compile(code, str(readme), "exec"), {})
