"""A power cut at any moment: what was acknowledged is there, of the rest all of a commit or nothing, the chain whole.

Database and log are copied in front of each statement of some commits, as a cut would leave them, and the log is then
damaged as disks do. It stands for a disk that keeps its word about fsync: what a commit waited for stays.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import StoreCorrupt
from mqd_plugin_sqlite.log_file import damage_in
from mqd_plugin_sqlite.store import Keeping, SqliteStore

COMMITS = 6
ROWS = 5
SECTOR = 512


class Image(NamedTuple):
    """Both files at one moment, how many commits were acknowledged by then, and how much of the log those need."""

    database: bytes
    log: bytes
    acknowledged: int
    synced_bytes: int


def taken(folder: Path, trading: ModuleType, keeping: Keeping) -> list[Image]:
    """Images in front of each statement of some commits, and one after the last."""
    path, images = folder / "desk.db", list[Image]()
    log = path.with_name("desk.db-wal")
    store = SqliteStore(path, keeping=keeping)
    done, synced = 0, log.stat().st_size

    def take(_statement: str) -> None:
        images.append(Image(path.read_bytes(), log.read_bytes(), done, synced))

    for _ in range(COMMITS):
        batch = trading.next_trade(store)
        store._connection.set_trace_callback(take)
        store.commit(batch)
        store._connection.set_trace_callback(None)
        done, synced = done + 1, log.stat().st_size
    take("")
    store.close()
    return images


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, trading: ModuleType) -> list[Image]:
    """Images of a store whose log was never folded in: all but the empty tables is in the log."""
    return taken(tmp_path_factory.mktemp("images"), trading, Keeping(calm_bytes=10**9, latest_bytes=10**9))


def after_cut(folder: Path, image: Image, log: bytes) -> Path:
    """The two files as the next start finds them."""
    path = folder / "desk.db"
    path.write_bytes(image.database)
    path.with_name("desk.db-wal").write_bytes(log)
    return path


def recovered(path: Path, trading: ModuleType) -> int:
    """How many commits a start finds; it must verify, end with a whole commit, and go on."""
    store = SqliteStore(path)
    head = store.verify()
    commits, rest = divmod(head.rows, ROWS)
    assert rest == 0
    assert head.sequence == commits * trading.STEPS
    snapshot = store.latest_snapshot()
    assert snapshot == (trading.snapshot(head.sequence) if commits else None)
    assert len(store.view().orders) == commits
    store.commit(trading.next_trade(store))
    assert store.verify().rows == head.rows + ROWS
    store.close()
    shutil.rmtree(path.parent)
    return commits


@pytest.mark.slow
@pytest.mark.parametrize("keeping", [Keeping(calm_bytes=10**9), Keeping(calm_bytes=1, latest_bytes=1)])
def test_a_cut_in_front_of_any_statement_loses_nothing(tmp_path: Path, trading: ModuleType, keeping: Keeping) -> None:
    """Whether the log is folded in between the commits or not, each image holds what was acknowledged, or one more."""
    for number, image in enumerate(taken(tmp_path, trading, keeping)):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = recovered(after_cut(folder, image, image.log), trading)
        assert found in {image.acknowledged, image.acknowledged + 1}


@pytest.mark.slow
@given(data=st.data())
def test_a_torn_end_of_the_log_is_dropped(
    images: list[Image], tmp_path_factory: pytest.TempPathFactory, trading: ModuleType, data: st.DataObject
) -> None:
    """Wherever the log ends, the commits before that end are there; all acknowledged ones if the disk kept its word."""
    image = data.draw(st.sampled_from(images), label="image")
    end = data.draw(st.integers(0, len(image.log)), label="end")
    found = recovered(after_cut(tmp_path_factory.mktemp("torn"), image, image.log[:end]), trading)
    assert found <= image.acknowledged + 1
    if end >= image.synced_bytes:
        assert found >= image.acknowledged


@pytest.mark.slow
@given(data=st.data())
def test_sectors_that_were_not_synced_may_hold_anything(
    images: list[Image], tmp_path_factory: pytest.TempPathFactory, trading: ModuleType, data: st.DataObject
) -> None:
    """Sectors behind the last acknowledged commit may be lost or hold rubbish, in any pattern: nothing else changes."""
    image = data.draw(st.sampled_from(images), label="image")
    log = bytearray(image.log)
    # What another commit has begun to write behind it, as far as the cut let it come.
    log += data.draw(st.binary(max_size=3 * SECTOR), label="begun")
    first = -(-image.synced_bytes // SECTOR) * SECTOR
    for start in range(first, len(log), SECTOR):
        kind = data.draw(st.sampled_from(["kept", "zeros", "rubbish"]), label="sector")
        if kind != "kept":
            log[start : start + SECTOR] = (bytes(1) if kind == "zeros" else b"\xa5") * len(log[start : start + SECTOR])
    found = recovered(after_cut(tmp_path_factory.mktemp("sectors"), image, bytes(log)), trading)
    assert found in {image.acknowledged, image.acknowledged + 1}


@pytest.mark.slow
@given(data=st.data())
def test_damage_in_front_of_later_commits_is_never_silent(
    images: list[Image], tmp_path_factory: pytest.TempPathFactory, trading: ModuleType, data: st.DataObject
) -> None:
    """A bit that flips in what was synced is told, unless the last commit alone is lost with it."""
    image = images[-1]
    place = data.draw(st.integers(0, image.synced_bytes - 1), label="place")
    log = bytearray(image.log)
    log[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path = after_cut(tmp_path_factory.mktemp("flipped"), image, bytes(log))
    if damage_in(path.with_name("desk.db-wal")):
        with pytest.raises(StoreCorrupt, match=r"desk\.db-wal, where the last commits of desk\.db are"):
            SqliteStore(path)
        assert path.with_name("desk.db-wal").read_bytes() == bytes(log)
        shutil.rmtree(path.parent)
    else:
        assert recovered(path, trading) >= image.acknowledged - 1
