"""A disk that is nearly full, or full: the desk is told, nothing is half written, and there is room to end."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import StoreError
from mqd_plugin_sqlite import store as store_module
from mqd_plugin_sqlite.ballast import Ballast, free_bytes
from mqd_plugin_sqlite.store import Keeping, SqliteStore

Open = Callable[..., SqliteStore]
SIZE = 64 * 1024
TRADING = Path(__file__).with_name("trading.py")


def test_the_ballast_takes_room_while_a_desk_runs(path: Path, opened: Open) -> None:
    """The file has its size as long as the store is open, is its owner's alone, and is gone after closing."""
    store = opened(keeping=Keeping(ballast_bytes=SIZE))
    ballast = path.with_name("desk.db.ballast")
    status = ballast.stat()
    assert status.st_size == SIZE
    if sys.platform != "win32":
        assert status.st_mode & 0o777 == 0o600
        assert status.st_blocks * 512 >= SIZE
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["desk.db"]


def test_the_ballast_of_a_killed_desk_is_taken_over(path: Path, opened: Open) -> None:
    """What is left of the right size is used as it is, of another size made anew, and removed where none is wanted."""
    opened().close()
    ballast = Ballast(path, SIZE)
    assert ballast.make()
    first = ballast.path.stat().st_mtime_ns
    opened(keeping=Keeping(ballast_bytes=SIZE))
    assert ballast.path.stat().st_mtime_ns == first
    opened(keeping=Keeping(ballast_bytes=2 * SIZE))
    assert ballast.path.stat().st_size == 2 * SIZE
    opened()
    assert not ballast.path.exists()


def test_a_disk_without_room_has_no_ballast(path: Path, opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    """More than half of what is free is not taken: the desk runs without, and says so."""
    path.parent.mkdir(parents=True)
    size = free_bytes(path)
    with caplog.at_level(logging.WARNING):
        opened(keeping=Keeping(ballast_bytes=size, log=logging.getLogger("store")))
    assert not path.with_name("desk.db.ballast").exists()
    assert "there is no room for the store's ballast" in caplog.messages


def test_a_ballast_that_cannot_be_made_is_none(tmp_path: Path) -> None:
    """An error of the system while the room is taken means no ballast, not no desk."""
    assert not Ballast(tmp_path / "nowhere" / "desk.db", SIZE).make()
    blocked = Ballast(tmp_path / "desk.db", SIZE)
    blocked.path.mkdir()
    assert not blocked.make()
    assert not blocked.give_up()


def test_a_nearly_full_disk_is_told_at_the_start(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Less than 1 GiB is a warning, with the folder and how much is left; more is none."""
    keeping = Keeping(log=logging.getLogger("store"))
    for free, expected in ((1024**3 - 1, 1), (1024**3, 0)):
        usage = shutil._ntuple_diskusage(2**40, 2**40 - free, free)  # type: ignore[attr-defined]
        with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
            patch.setattr(shutil, "disk_usage", lambda _folder, found=usage: found)
            opened(keeping=keeping).close()
        assert sum("less than 1 GiB is free" in message for message in caplog.messages) == expected
        caplog.clear()
    assert store_module.FREE_BYTES_WARN == 1024**3


def test_a_failed_commit_gives_the_ballast_up(path: Path, opened: Open, trading: ModuleType) -> None:
    """When the file may grow no more the room is given back at once, before anything else is done."""
    store = opened(keeping=Keeping(ballast_bytes=SIZE))
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages}").fetchone()
    entries = [entry for sequence in range(1, 500) for entry in trading.bar(sequence)]
    with pytest.raises(StoreError, match=r"desk\.db could not be written: the disk is full\. Free some space"):
        store.commit(trading.batch(entries))
    assert not path.with_name("desk.db.ballast").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk of one's own is made with Linux's namespaces")
def test_a_full_disk_is_survived_in_truth(tmp_path: Path) -> None:
    """On a disk of 3 MiB: the commit fails in words, closing succeeds in the ballast's room, all acknowledged stays."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=3m tmpfs "$1" && shift && exec "$@"'
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    command = [unshare, "--mount", "sh", "-c", script, "sh", disk, sys.executable, TRADING, "full", disk / "desk.db"]
    process = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    if process.returncode and ("mount" in process.stderr or "unshare" in process.stderr):
        pytest.skip(f"this user may make no disk: {process.stderr.strip()}")
    *acknowledged, failure, log_bytes, verified = process.stdout.splitlines()
    assert process.stderr == ""
    assert len(acknowledged) > 10
    assert "desk.db could not be written: the disk is full. Free some space" in failure
    assert log_bytes == "log 0"
    assert verified == f"verified {acknowledged[-1]}"
