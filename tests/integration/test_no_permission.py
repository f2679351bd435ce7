"""Folders and files that may not be written or read: told in words before anything is traded, nothing half done."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions of another kind")

# The rights of root to write and read whatever it likes (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH) are given up for
# good; what is started then meets permissions as anybody does.
GIVE_UP = """
import ctypes, os, sys
library = ctypes.CDLL(None)
if any(library.prctl(24, right, 0, 0, 0) for right in (1, 2)):
    sys.exit("these rights cannot be given up")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """How to start mqd so that permissions count; skips where they do not."""
    usual = ("-m", "mqd_core")
    if os.geteuid() != 0:
        return usual
    target = tmp_path_factory.mktemp("probe") / "target"
    target.touch(mode=0o400)
    command = [sys.executable, "-c", GIVE_UP, "-c", f"open({str(target)!r}, 'a', encoding='utf-8')"]
    probe = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    if "PermissionError" not in probe.stderr:
        pytest.skip("root could not give up its rights here")
    return ("-c", GIVE_UP, *usual)


@contextmanager
def protected(path: Path, mode: int) -> Iterator[None]:
    """Take rights from a path while the block runs."""
    before = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("runs", ["the folder of this run", "Permission denied", "Make runs writable"]),
        ("var", ["the folder for the desk's state", "Permission denied", "Make it writable"]),
    ],
)
def test_a_folder_that_may_not_be_written(desk: Any, launcher: Sequence[str], path: str, words: Sequence[str]) -> None:
    """The message names the folder and what to do; exit 1, and neither a run nor a store is begun."""
    folder = desk.folder / path
    folder.mkdir()
    with protected(folder, 0o500):
        message = desk.refused(1, launcher)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message
    assert [*folder.iterdir()] == []


def test_a_log_folder_that_may_not_be_written(desk: Any, launcher: Sequence[str]) -> None:
    """A desk that cannot log does not start: the configuration names a folder that is of no use; exit 3."""
    logs = desk.folder / "logs"
    logs.mkdir()
    with protected(logs, 0o500):
        message = desk.refused(3, launcher)
    assert f"{logs}: logs cannot be written here: Permission denied" in message
    assert "logging.log_dir" in message
    assert {*desk.folder.iterdir()} == {desk.config, logs}


@pytest.mark.parametrize(
    ("path", "mode", "words"),
    [
        ("var/demo", 0o500, "the desk's lock in var/demo cannot be taken: Permission denied; make the folder"),
        (
            "var/demo/store",
            0o500,
            "var/demo/store/demo.db could not be opened: the file or its folder may only be read",
        ),
        ("var/demo/store/demo.db", 0o400, "var/demo/store/demo.db could not be opened: the file or its folder may"),
    ],
)
def test_a_desk_that_may_not_be_written(
    finished: Any, launcher: Sequence[str], path: str, mode: int, words: str
) -> None:
    """The message names what may not be written; exit 1, and the book that is over stays where it is."""
    with protected(finished.folder / path, mode):
        message = finished.refused(1, launcher)
    assert words in message
    assert "\n" not in message


def test_an_old_run_that_may_not_take_its_store(finished: Any, launcher: Sequence[str]) -> None:
    """Where the folder of the finished run is closed, its store stays where it is and both are named; exit 1."""
    (run,) = finished.runs()
    with protected(finished.folder / "runs" / run, 0o500):
        message = finished.refused(1, launcher)
    assert message.startswith(f"the store of the finished book, var/demo/store, cannot be moved to runs/{run}/store: ")
    assert "Make both folders writable" in message


def test_a_configuration_that_may_not_be_read(desk: Any, launcher: Sequence[str]) -> None:
    """A file without the right to read it is named; exit 3."""
    with protected(desk.config, 0o200):
        ended = desk.mqd("run", "--config", "config.yaml", launcher=launcher)
    assert (ended.code, ended.out) == (3, "")
    assert ended.message.startswith("config.yaml: ")
    assert "read" in ended.message


def test_data_that_may_not_be_read(desk: Any, launcher: Sequence[str]) -> None:
    """A data file without the right to read it is named with the line that asks for it; exit 3."""
    bars = desk.file("SPHD.csv", "timestamp,open,high,low,close,volume\n")
    desk.change(("name: synthetic ", "name: files\n  path: SPHD.csv "), ("  seed: 7\n  days: 2\n", ""))
    with protected(bars, 0o200):
        ended = desk.mqd("run", "--config", "config.yaml", launcher=launcher)
    assert (ended.code, ended.out) == (3, "")
    assert ended.message == f"{desk.place('data:')}: SPHD.csv could not be opened: Permission denied"
    assert desk.runs() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "account.jsonl.venue cannot be written: [Errno 13] Permission denied"),
        ("account.jsonl", "account.jsonl cannot be opened: [Errno 13] Permission denied"),
    ],
)
def test_an_account_that_may_not_be_written(
    make_venue_desk: Any, undisturbed_venue: Any, launcher: Sequence[str], name: str, words: str
) -> None:
    """A desk whose venue cannot keep its record does not start, and says which file it is; later it goes on."""
    venue = make_venue_desk()
    venue.desk.change(("days: 1}", "days: 1, pace: 100}"))
    with venue.desk.running() as running:
        running.wait_for_text("Order filled", 2)
        running.process.kill()
        running.process.wait()
    venue.stop_venue()
    with protected(venue.broker_folder / name, 0o400 if name else 0o500):
        ended = venue.desk.mqd("run", "--config", "config.yaml", launcher=launcher)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.message
    venue.desk.change(("days: 1, pace: 100}", "days: 1}"))
    venue.finish(undisturbed_venue)
