"""`mqd halt` and `mqd resume`, on desks that run and desks that do not: real processes, real stores."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mqd_core.app.desk_control import desk_inbox
from mqd_core.app.places import DeskPlaces
from mqd_core.runtime.halt_file import HaltFile
from mqd_core.runtime.inbox import CommandNote

HALTED = 5


def places(desk: Any) -> DeskPlaces:
    return DeskPlaces(desk.folder / "var" / "tested")


def commands(desk: Any) -> list[dict[str, Any]]:
    """The commands in the journal."""
    with closing(sqlite3.connect(places(desk).store / "tested.db")) as connection:
        rows = connection.execute("SELECT body FROM journal WHERE kind = 'Command' ORDER BY 1").fetchall()
    return [json.loads(body) for (body,) in rows]


def test_a_running_desk_is_halted_and_stays_so_until_a_person_resumes_it(desk: Any, holding: Callable[[], Any]) -> None:
    """The desk takes the command, ends with 5, and each start ends with 5 until `mqd resume`; then it trades on."""
    process = holding()
    answer = desk.answer("halt", "--reason", "lunch")
    assert (answer["taken_by"], answer["state"], answer["reason"]) == ("desk", "halted", "lunch")
    assert process.end()[0] == HALTED
    assert desk.answer("status")["state"] == "halted"
    again = desk.call("run")
    assert again.returncode == HALTED, again.stderr
    assert "halted: lunch" in again.stderr
    resumed = desk.answer("resume", "--reason", "back again")
    assert (resumed["taken_by"], resumed["state"]) == ("journal", "ready")
    going_on = desk.start("run")
    going_on.wait_for("Run started")
    assert desk.answer("halt")["taken_by"] == "desk"
    assert going_on.end()[0] == HALTED
    assert [(one["name"], one["reason"]) for one in commands(desk)] == [
        ("halt", "lunch"),
        ("resume", "back again"),
        ("halt", ""),
    ]


def test_a_desk_that_does_not_run_is_halted_in_its_journal(desk: Any) -> None:
    """The halt is committed at once, is there at the next start, and nothing else of the desk has changed."""
    desk.configure(days=2, data=", pace: 400")
    process = desk.start("run")
    process.wait_for("Order filled")
    process.interrupt()
    assert process.end()[0] == 0
    before = desk.answer("positions")["positions"]
    answer = desk.answer("halt", "--reason", "over night")
    assert (answer["taken_by"], answer["state"]) == ("journal", "halted")
    assert desk.answer("positions")["positions"] == before
    assert desk.call("run").returncode == HALTED
    assert desk.answer("resume", "--reason", "morning")["state"] == "ready"
    desk.configure(days=2)
    result = desk.answer("run")
    assert result["orders"] > 0


def test_a_desk_halted_and_resumed_while_it_was_off_decides_as_if_nothing_had_been(desk: Any, tmp_path: Path) -> None:
    """What the journal took without the desk's plugins loses nothing: same bars, same decisions, same cash."""
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(desk.folder, undisturbed)
    desk.configure(data=", pace: 400")
    process = desk.start("run")
    process.wait_for("Order filled")
    process.interrupt()
    assert process.end()[0] == 0
    desk.answer("halt")
    desk.answer("resume", "--reason", "test")
    desk.configure()
    disturbed = desk.answer("run")
    desk.folder = undisturbed
    expected = desk.answer("run")
    names = ("bars", "orders", "fills", "end_equity", "decision_hash")
    assert [disturbed[name] for name in names] == [expected[name] for name in names]


def test_a_new_desk_is_halted_by_its_file(desk: Any) -> None:
    """Before there is a journal a HALT file is all there is: the desk starts halted, and resumes by command."""
    answer = desk.answer("halt", "--reason", "not yet")
    assert (answer["taken_by"], answer["halt_file"]) == ("halt_file", True)
    assert "not yet" in desk.call("status").stdout
    assert desk.call("run").returncode == HALTED
    assert commands(desk)[0]["reason"] == "HALT file: not yet"
    assert desk.answer("resume", "--reason", "now")["state"] == "ready"
    assert not HaltFile(places(desk).root).is_set
    assert desk.answer("run")["orders"] > 0


def test_a_command_that_a_crash_left_behind_is_not_done_twice(desk: Any) -> None:
    """A file whose command is in the journal already is deleted: the desk is not halted once more."""
    desk.configure(data=", pace: 400")
    process = desk.start("run")
    process.wait_for("Order filled")
    process.interrupt()
    process.end()
    done = desk.answer("halt")["command_id"]
    desk.answer("resume", "--reason", "go on")
    path = desk_inbox(places(desk)).post(CommandNote(command_id=done, name="halt"))
    desk.configure()
    assert desk.call("run").returncode == 0
    assert not path.exists()
    assert len(commands(desk)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
def test_a_desk_that_hangs_does_not_take_a_command_in_silence(desk: Any, holding: Callable[[], Any]) -> None:
    """Who asks is told in time that nobody took it, and what works without the desk; it is taken when the desk can."""
    process = holding()
    process.popen.send_signal(signal.SIGSTOP)
    done = desk.call("halt", "--wait", "0.5")
    assert done.returncode == 1
    assert "has not taken the command" in done.stderr
    assert "mqd kill" in done.stderr
    process.popen.send_signal(signal.SIGCONT)
    assert process.end()[0] == HALTED


def test_what_needs_a_broker_needs_a_running_desk(desk: Any) -> None:
    """`flatten` and `reconcile --accept` say so; the desk and its inbox stay as they are."""
    for arguments in (("flatten", "--reason", "x"), ("reconcile", "--accept", "--reason", "x")):
        done = desk.call(*arguments)
        assert done.returncode == 1
        assert "is not running" in done.stderr
    assert not places(desk).inbox.exists()
    assert desk.call("reconcile", "--accept").returncode == 2
    assert desk.call("resume").returncode == 2
    assert "no records yet" in desk.call("reconcile").stdout


def test_a_backtest_that_needs_a_person_ends_with_5(desk: Any, venue: Any) -> None:
    """A halt in the middle of a backtest ends it: result, reason, and the exit code of a halted desk."""
    desk.configure()
    venue.use("blocking")
    done = desk.call("backtest", "--json")
    assert done.returncode == HALTED, done.stderr
    assert json.loads(done.stdout)["stopped"] == "halted"
    assert "the account is blocked" in done.stderr
