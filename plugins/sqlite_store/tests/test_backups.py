"""Backups: made while the desk goes on, the newest so many kept, one after each session of the exchange."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import Batch, StoreError, xnys
from mqd_plugin_sqlite.backups import Backups, SessionBackups
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import Keeping, SqliteStore

Open = Callable[..., SqliteStore]
LOG = logging.getLogger("store")


@pytest.fixture
def sessions() -> tuple[int, ...]:
    """The ends of three sessions in a row."""
    opens = iter(session for session in xnys() if session.date >= "2026-01-05")
    return tuple(next(opens).close_ns for _ in range(3))


def test_the_newest_are_kept(path: Path, opened: Open, trading: ModuleType) -> None:
    """Of five backups the last three stay, in order; what else is in the folder is left alone."""
    store, backups = opened(), Backups(path, path.with_name("backups"), keep=3)
    made = []
    for _ in range(5):
        store.commit(trading.next_trade(store))
        made.append(backups.make())
    other = path.with_name("backups") / "desk.db-of-my-own.backup"
    other.touch()
    store.commit(trading.next_trade(store))
    made.append(backups.make())
    assert list(backups) == made[-3:]
    assert other.exists()
    assert [SqliteReader(file).verify().rows for file in backups] == [20, 25, 30]


def test_no_folder_is_no_backup(path: Path) -> None:
    """Before the first one there is none, and no folder is made by asking."""
    assert list(Backups(path, path.with_name("backups"), keep=3)) == []
    assert not path.parent.exists()


def test_a_disk_without_room_for_two_copies_gets_none(
    path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup never fills the disk that the desk needs."""
    opened()
    free = path.stat().st_size * 2 - 1
    usage = shutil._ntuple_diskusage(2**40, 2**40 - free, free)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    backups = Backups(path, path.with_name("backups"), keep=3)
    with pytest.raises(StoreError, match=r"no backup of .*desk\.db was made: there is room for less than two copies"):
        backups.make()
    assert list(backups) == []


def test_a_folder_that_cannot_be_made_is_an_error(path: Path, opened: Open) -> None:
    """The message names the store and the folder."""
    opened()
    with pytest.raises(StoreError, match=r"no backup of .*desk\.db was made in .*backups: "):
        Backups(path, path / "backups", keep=3).make()


def test_each_session_that_ends_leaves_a_backup(
    path: Path, opened: Open, trading: ModuleType, sessions: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """The commit that passes a close starts one; a start after a close does not, nor do commits inside a session."""
    backups = Backups(path, path.with_name("backups"), keep=9)
    ended = SessionBackups(backups, LOG, pause_seconds=0.0)
    store = opened(keeping=Keeping(backups=ended))
    counts = []
    for sequence, ts in enumerate((sessions[0] - 2, sessions[0] - 1, sessions[0], sessions[0] + 1, sessions[1]), 1):
        store.commit(Batch(ts=ts, sequence=sequence, entries=tuple(trading.bar(sequence))))
        ended.close()
        counts.append(len(list(backups)))
    assert counts == [0, 0, 1, 1, 2]
    assert [SqliteReader(file).verify().rows for file in backups] == [3, 5]
    assert xnys().last_ns > sessions[2]
    store.commit(Batch(ts=xnys().last_ns, sequence=6, entries=()))
    store.commit(Batch(ts=xnys().last_ns + 1, sequence=7, entries=()))
    store.close()
    assert len(list(backups)) == 3


def test_sessions_of_made_up_time_leave_one_backup(path: Path, opened: Open, sessions: tuple[int, ...]) -> None:
    """A finite feed passes many sessions in a second; one backup in an hour of a person's time is enough."""
    backups = Backups(path, path.with_name("backups"), keep=9)
    store = opened(keeping=Keeping(backups=SessionBackups(backups, LOG)))
    for sequence, ts in enumerate((1, *sessions), 1):
        store.commit(Batch(ts=ts, sequence=sequence, entries=()))
    store.close()
    assert len(list(backups)) == 1


def test_a_backup_that_fails_is_told_and_stops_nothing(
    path: Path, opened: Open, trading: ModuleType, sessions: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """The desk goes on without it; a person reads why in the log."""
    path.parent.mkdir(parents=True)
    path.with_name("backups").touch()
    store = opened(keeping=Keeping(backups=SessionBackups(Backups(path, path.with_name("backups"), keep=9), LOG)))
    with caplog.at_level(logging.WARNING):
        for sequence, ts in enumerate((sessions[0] - 1, sessions[0]), 1):
            store.commit(Batch(ts=ts, sequence=sequence, entries=tuple(trading.bar(sequence))))
        store.close()
    assert "the store was not backed up at the session's end" in caplog.messages
    assert SqliteReader(path).verify().rows == 2
