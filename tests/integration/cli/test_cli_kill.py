"""`mqd kill`: a process of its own, while the desk runs, hangs or is gone, and whatever its store looks like."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mqd_core.runtime.halt_file import HaltFile

HALTED = 5


def halt_file(desk: Any) -> HaltFile:
    return HaltFile(desk.folder / "var" / "tested")


def database(desk: Any) -> Path:
    path: Path = desk.folder / "var" / "tested" / "store" / "tested.db"
    return path


@contextmanager
def locked(desk: Any) -> Iterator[None]:
    """A store that another process holds and lets nobody read."""
    with closing(sqlite3.connect(database(desk), isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def corrupt(desk: Any) -> Iterator[None]:
    """A store that is none."""
    database(desk).write_bytes(b"\x00not a database" * 400)
    yield


@contextmanager
def missing(desk: Any) -> Iterator[None]:
    """A store that is gone."""
    shutil.rmtree(database(desk).parent)
    yield


@pytest.mark.parametrize("state", [locked, corrupt, missing])
def test_a_store_that_cannot_be_used_is_no_obstacle(desk: Any, venue: Any, state: Callable[[Any], Any]) -> None:
    """The orders are canceled and the desk is halted without a look at the store."""
    assert desk.call("run").returncode == 0
    venue.lay_down("one")
    venue.lay_down("two")
    with state(desk):
        answer = desk.answer("kill", "--reason", "smoke")
    assert venue.statuses == ["canceled", "canceled"]
    assert (answer["halted"], answer["open_orders"], answer["complete"]) == (True, 0, True)
    assert [(one["client_order_id"], one["status"]) for one in answer["orders"]] == [
        ("one", "canceled"),
        ("two", "canceled"),
    ]
    note = halt_file(desk).read()
    assert note is not None
    assert note.reason == "smoke"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
def test_a_desk_that_hangs_is_killed_from_outside(desk: Any, venue: Any, holding: Callable[[], Any]) -> None:
    """A stopped process takes no part in it; when it can go on, it finds the file, halts, and ends with 5."""
    process = holding()
    venue.use("outliving")
    venue.lay_down("one")
    process.popen.send_signal(signal.SIGSTOP)
    done = desk.call("kill")
    assert done.returncode == 0, done.stderr
    assert venue.statuses == ["canceled"]
    assert "buy SPHD canceled" in done.stdout
    process.popen.send_signal(signal.SIGCONT)
    code, _, err = process.end()
    assert code == HALTED
    assert "HALT file: mqd kill" in err
    assert desk.answer("status")["state"] == "halted"


def test_it_asks_until_nothing_is_open(desk: Any, venue: Any) -> None:
    """An order that needs asking twice is asked for twice; one that stays open is told of, with exit code 1."""
    venue.lay_down("slow", stubborn=1)
    assert desk.answer("kill")["open_orders"] == 0
    venue.lay_down("stays", stubborn=1000)
    done = desk.call("kill", "--seconds", "1", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["open_orders"], answer["complete"]) == (1, 1, False)
    assert answer["orders"][0]["status"] == "new"
    assert "1 orders were still open" in done.stderr


def test_a_broker_that_does_not_answer_leaves_the_desk_halted(desk: Any, venue: Any) -> None:
    """What could not be done is said, and nothing is taken for done: how many orders are open is not known."""
    venue.lay_down("one", fails="the network is down")
    done = desk.call("kill", "--seconds", "1", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["halted"], answer["open_orders"]) == (1, True, None)
    assert "the network is down" in answer["problems"][0]


def test_positions_are_closed_when_somebody_confirms_it(desk: Any, venue: Any) -> None:
    """Without --yes and without anybody to ask, the orders are canceled and the positions stay."""
    venue.lay_down("one")
    done = desk.call("kill", "--flatten")
    assert done.returncode == 1
    assert "nobody confirmed" in done.stderr
    assert (venue.statuses, venue.flattened) == (["canceled"], False)
    answer = desk.answer("kill", "--flatten", "--yes")
    assert venue.flattened
    assert answer["closings"][0]["status"] == "filled"


def test_a_broker_without_emergency_access_is_told_of(desk: Any) -> None:
    """The desk is halted all the same; what stays as it is, is said, and the exit code is 1."""
    done = desk.call("kill", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["halted"], answer["open_orders"]) == (1, True, None)
    assert "has no emergency access" in answer["problems"][0]
    assert desk.call("run").returncode == HALTED


def test_a_configuration_that_is_broken_halts_the_desk_at_least(desk: Any) -> None:
    """A slip made while the desk runs does not keep the file from being written; which desk, it often still says."""
    path = desk.folder / "config" / "config.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "unknown_section: {}\n", encoding="utf-8", newline="\n")
    done = desk.call("kill")
    assert done.returncode == 3
    assert halt_file(desk).is_set
    assert "nothing was canceled" in done.stderr
    path.write_text("desk: [", encoding="utf-8", newline="\n")
    halt_file(desk).clear()
    done = desk.call("kill")
    assert done.returncode == 3
    assert "nothing was halted" in done.stderr
    assert not halt_file(desk).is_set
