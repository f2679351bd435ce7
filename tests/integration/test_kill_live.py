"""A desk on a live feed that dies beside a venue that remembers: the same proof as on a finite one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 120.0
#: What must not depend on who keeps the account, nor on a death.
SAME = ("bars", "cash", "trips", "hash", "drawdown", "state")


@contextmanager
def process(script: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A desk in a process that does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, str(FOLDER / script), str(folder), *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def finish(script: str, folder: Path) -> dict[str, Any]:
    """Run to the end of the tape."""
    with process(script, folder) as started:
        out, _ = started.communicate(timeout=TIMEOUT_SECONDS)
    ending: dict[str, Any] = json.loads(out)
    return ending


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end of a desk whose account lives in its own process, and which nobody kills."""
    return finish("live_desk_process.py", tmp_path_factory.mktemp("inside"))


@pytest.mark.parametrize(("moment", "times"), [("submit:before", 3), ("submit:after", 3), ("commit:before", 9)])
def test_a_killed_live_desk(
    inside: dict[str, Any], make_outsider: Any, tmp_path: Path, moment: str, times: int
) -> None:
    """Killed and started again, it ends as one with an account of its own does that lived; both sides agree."""
    with process("venue_live_process.py", tmp_path, moment, str(times)) as first:
        assert first.stdout is not None
        assert json.loads(first.stdout.readline()) == {"moment": moment}
    store, record = tmp_path / "var/live/store/live.db", tmp_path / "var/live/broker/account.jsonl"
    assert make_outsider(store, record, is_over=False).faults() == []
    ending = finish("venue_live_process.py", tmp_path)
    assert make_outsider(store, record, is_over=True).faults() == []
    assert {name: ending[name] for name in SAME} == {name: inside[name] for name in SAME}
