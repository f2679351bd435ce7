"""Nothing that was committed changes unnoticed: edits are refused, and those made all the same are found."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import DeskView, StoreCorrupt, StoreError, StoreSchemaError
from mqd_plugin_sqlite.chain import link
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]
TRIGGERS = ("journal_grows_at_its_end", "journal_is_never_changed", "journal_is_never_shortened")


@pytest.fixture
def written(path: Path, opened: Open, trading: ModuleType) -> Path:
    """A store with three trades, closed; its chain was last checked when it was empty."""
    store = opened()
    for _ in range(3):
        store.commit(trading.next_trade(store))
    store.close()
    return path


def edit(path: Path, *statements: str) -> None:
    """Change a store by hand, as someone does who knows how."""
    connection = sqlite3.connect(path, isolation_level=None)
    for trigger in TRIGGERS:
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE journal SET body = x'00' WHERE sequence = 1", "never changed"),
        ("UPDATE journal SET ordinal = 9 WHERE sequence = 6", "never changed"),
        ("DELETE FROM journal WHERE sequence = 6", "never shortened"),
        ("DELETE FROM journal", "never shortened"),
        ("INSERT INTO journal VALUES (1, 7, 'Alert', x'00', zeroblob(32))", "grows at its end"),
        ("INSERT OR REPLACE INTO journal SELECT * FROM journal WHERE sequence = 3", "grows at its end"),
        ("INSERT OR IGNORE INTO journal SELECT * FROM journal", "grows at its end"),
        ("INSERT INTO journal VALUES (9, 0, 'Alert', x'00', x'00')", "CHECK constraint"),
        ("INSERT INTO journal VALUES (9, 0, 'Alert', 'text', zeroblob(32))", "cannot store TEXT value in BLOB"),
    ],
)
def test_the_journal_only_grows(written: Path, statement: str, message: str) -> None:
    """The file itself refuses to change, remove, replace or insert a row, whichever program tries."""
    connection = sqlite3.connect(written)
    with pytest.raises(sqlite3.IntegrityError, match=message):
        connection.execute(statement)
    connection.close()
    assert SqliteReader(written).verify().rows == 15


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), '99999', '9999') AS BLOB) WHERE ordinal = 2",
        "UPDATE journal SET kind = 'Alert' WHERE (sequence, ordinal) = (1, 1)",
        "UPDATE journal SET ordinal = 3 WHERE (sequence, ordinal) = (4, 2)",
        "UPDATE journal SET sequence = 7 WHERE (sequence, ordinal) = (6, 2)",
        "UPDATE journal SET hash = zeroblob(32) WHERE (sequence, ordinal) = (5, 2)",
        "UPDATE journal SET hash = zeroblob(32) WHERE (sequence, ordinal) = (6, 2)",
        "DELETE FROM journal WHERE (sequence, ordinal) = (1, 1)",
        "DELETE FROM journal WHERE (sequence, ordinal) = (4, 0)",
        "DELETE FROM journal WHERE (sequence, ordinal) = (6, 2)",
        "DELETE FROM journal",
        'INSERT INTO journal VALUES (7, 0, \'TimerFired\', \'{"type":"TimerFired","ts":7}\', zeroblob(32))',
        "UPDATE desk SET head_rows = 14",
        "UPDATE desk SET head_hash = zeroblob(32)",
    ],
)
def test_an_edit_is_found_at_the_next_start(written: Path, opened: Open, statement: str) -> None:
    """A row changed, moved, removed or added by hand ends the next start, and `verify`, with StoreCorrupt."""
    edit(written, statement.replace("'{", "CAST('{").replace("}'", "}' AS BLOB)"))
    with pytest.raises(StoreCorrupt, match=r"desk\.db.*Keep the file.*`mqd store verify`.*`mqd store restore`"):
        opened()
    with pytest.raises(StoreCorrupt, match=r"desk\.db"):
        SqliteReader(written).verify()


def test_a_row_with_a_right_hash_but_no_commit_is_found(written: Path, opened: Open) -> None:
    """A row that continues the chain is still not the last commit's: where a commit ended is noted beside it."""
    last = [*SqliteReader(written).read(0)][-1]
    body = b'{"type":"TimerFired","ts":7}'
    digest = link(bytes.fromhex(last.hash), 7, 0, "TimerFired", body)
    edit(written, f"INSERT INTO journal VALUES (7, 0, 'TimerFired', x'{body.hex()}', x'{digest.hex()}')")
    with pytest.raises(StoreCorrupt, match="has 16 rows, the last commit ended with 15"):
        opened()


def test_an_edit_before_the_mark_is_found_by_reading_and_verifying(written: Path, opened: Open) -> None:
    """A start checks what came since the last start; reading and `verify` check each row that they pass."""
    opened().close()
    edit(written, "UPDATE journal SET body = x'7b7d' WHERE (sequence, ordinal) = (3, 1)")
    opened().close()
    reader = SqliteReader(written)
    with pytest.raises(StoreCorrupt, match=r"row \(sequence 3, ordinal 1\)"):
        reader.verify()
    rows = reader.read(0)
    assert [next(rows).sequence for _ in range(5)] == [1, 1, 2, 2, 2]
    with pytest.raises(StoreCorrupt, match=r"row \(sequence 3, ordinal 1\)"):
        next(rows)
    assert [row.sequence for row in reader.read(4)] == [5, 5, 6, 6, 6]


def test_the_row_at_the_mark_is_checked_at_each_start(written: Path, opened: Open) -> None:
    """The mark names the hash it was set at: a start that does not find it there ends."""
    opened().close()
    edit(written, "DELETE FROM journal WHERE (sequence, ordinal) = (6, 2)")
    with pytest.raises(StoreCorrupt, match="up to sequence 6 is not what it was"):
        opened()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE orders SET state = 'canceled' WHERE place = 2", "orders"),
        ("DELETE FROM orders WHERE place = 1", "orders"),
        ("UPDATE positions SET quantity = '1000'", "positions"),
        ("INSERT INTO positions VALUES (9, 'vwap', 'SPLV', '1', '40', '40', '0', 0, '41', '')", "positions"),
        ("INSERT INTO limits VALUES (1, 'daily', 'open', '0', '50', NULL, '', 0)", "limits"),
        ("UPDATE desk SET cash = '1000000'", "desk"),
        ("UPDATE desk SET desk_state = 'ready'", "desk"),
    ],
)
def test_what_readers_see_is_compared_with_the_journal_and_rebuilt(
    written: Path, opened: Open, statement: str, name: str
) -> None:
    """A projection edited by hand is found by `verify`, which names it and the remedy; the remedy restores it."""
    before = SqliteReader(written).view()
    connection = sqlite3.connect(written)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorrupt, match=rf"{name} as readers see them .* the journal itself is intact.*rebuild"):
        SqliteReader(written).verify()
    store = opened()
    store.rebuild()
    assert store.verify().rows == 15
    assert store.view() == before


def test_a_rebuilt_store_goes_on(written: Path, opened: Open, trading: ModuleType) -> None:
    """After rebuilding, the same object takes commits, and marks are where they were."""
    store = opened()
    store.rebuild()
    assert [str(book.mark) for book in store.view().positions] == ["46.0"]
    store.commit(trading.batch(trading.trade(7, "SPLV")))
    assert store.verify().rows == 20
    assert [book.symbol for book in store.view().positions] == ["SPHD", "SPLV"]


def test_a_changed_snapshot_is_found(written: Path, opened: Open) -> None:
    """A snapshot whose bytes are not those that were written is never given back."""
    connection = sqlite3.connect(written)
    connection.execute("UPDATE snapshot SET body = CAST(replace(CAST(body AS TEXT), 'engine', 'angina') AS BLOB)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorrupt, match="the snapshot is not what was written"):
        opened().latest_snapshot()


def test_words_of_a_later_version_are_named_as_such(path: Path, opened: Open, trading: ModuleType) -> None:
    """A row with a whole chain whose kind this version does not know was written by another version, not damaged."""
    store = opened()
    body = b'{"type":"Prophecy","ts":1}'
    digest = link(bytes(32), 1, 0, "Prophecy", body)
    store._connection.execute("INSERT INTO journal VALUES (1, 0, 'Prophecy', ?, ?)", (body, digest))
    store._connection.execute("UPDATE desk SET head_sequence = 1, head_rows = 1, head_hash = ?", (digest,))
    with pytest.raises(StoreSchemaError, match="holds a Prophecy that this mqd-core cannot read"):
        store.verify()
    state = msgspec.msgpack.encode({"state": 1})
    store._connection.execute("INSERT INTO snapshot VALUES (1, 1, ?, ?)", (state, hashlib.sha256(state).digest()))
    with pytest.raises(StoreSchemaError, match="the snapshot cannot be read by this mqd-core"):
        store.latest_snapshot()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, trading: ModuleType) -> Path:
    """A store with ten trades, limits and a desk that ran; closed, so that all of it is in one file."""
    path = tmp_path_factory.mktemp("sound") / "desk.db"
    store = SqliteStore(path)
    store.commit(trading.batch([*trading.started(1), *trading.limited(2)]))
    for sequence in range(3, 23, trading.STEPS):
        store.commit(trading.batch(trading.trade(sequence), snapshot=trading.snapshot(sequence)))
    store.close()
    return path


def shown(path: Path) -> DeskView:
    """What readers see, but for what is in no journal: marks and the time of the last commit."""
    view = SqliteReader(path).view()
    for book in view.positions:
        book.mark = None
    view.as_of_sequence = view.as_of_ns = 0
    return view


@pytest.mark.slow
@given(data=st.data())
def test_a_flipped_bit_is_found_or_means_nothing(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Wherever one bit of the file flips, `verify` raises a StoreError, or rows, snapshot and view are as before."""
    content = bytearray(sound.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1), label="place")
    content[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path = tmp_path_factory.mktemp("flipped") / "desk.db"
    path.write_bytes(content)
    good, reader = SqliteReader(sound), SqliteReader(path)
    try:
        reader.verify()
    except StoreError:
        pass
    else:
        assert list(reader.read(0)) == list(good.read(0))
        assert reader.latest_snapshot() == good.latest_snapshot()
        assert shown(path) == shown(sound)
    for look in (reader.view, reader.latest_snapshot, lambda: list(reader.read(0))):
        try:
            look()
        except StoreError:
            continue
    try:
        SqliteStore(path).close()
    except StoreError:
        assert path.exists()
    shutil.rmtree(path.parent)
