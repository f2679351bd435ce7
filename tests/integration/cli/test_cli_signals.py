"""Ctrl-C, a second desk, a desk that is killed, and looking at one from another process meanwhile."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

STUCK = '''
import threading
from pathlib import Path


class Stuck:
    """Never comes back from its first bar."""

    def __init__(self, settings, context):
        pass

    def on_bar(self, bar, view):
        print("stuck", flush=True)
        while True:
            threading.Event().wait(0.05)

    def on_fill(self, fill, view):
        pass
'''


def test_a_desk_is_seen_while_it_runs(desk: Any, holding: Callable[[], Any]) -> None:
    """Another process sees that it runs, how old the view is, its order and its position."""
    process = holding()

    status = desk.answer("status")
    (position,) = desk.answer("positions")["positions"]
    (order,) = desk.answer("orders", "--all")["orders"]

    assert (status["desk"], status["running"], status["crashed"]) == ("tested", True, False)
    assert (status["positions"], status["open_orders"]) == (1, 0)
    assert status["as_of"]["sequence"] > 0
    assert (position["symbol"], order["symbol"], order["side"], order["state"]) == ("SPHD", "SPHD", "buy", "filled")
    assert position["quantity"] == order["filled_quantity"]
    assert "e" not in position["quantity"].lower()
    assert process.popen.poll() is None


def test_a_desk_is_shown_as_tables(desk: Any, holding: Callable[[], Any]) -> None:
    """The same for a person: units in the headings, and in every view how old it is."""
    holding()

    shown = {command: desk.call(*command.split()) for command in ("status", "orders", "orders --all", "positions")}

    assert {done.returncode for done in shown.values()} == {0}
    assert "tested, runs now" in shown["status"].stdout
    assert "no open orders; --all" in shown["orders"].stdout
    assert "average price USD" in shown["positions"].stdout.splitlines()[0]
    assert shown["orders --all"].stdout.splitlines()[1].split()[3:6] == ["Hold", "SPHD", "buy"]
    for done in shown.values():
        assert " UTC, sequence " in done.stdout


def test_ctrl_c_drains(desk: Any, holding: Callable[[], Any]) -> None:
    """One Ctrl-C ends the run in order: exit 0, it says what it does, and the next run goes on with the position."""
    process = holding()

    process.interrupt()
    exit_code, stdout, stderr = process.end()

    assert exit_code == 0, stderr
    assert "mqd: stopping after this step" in stderr
    assert "`mqd run` goes on from here" in stderr
    assert "still held" in stdout
    status = desk.answer("status")
    assert (status["running"], status["crashed"], status["positions"]) == (False, False, 1)
    desk.configure(strategy='"./mine.py:Hold"', lookback_bars=0)
    result = desk.answer("run")
    assert "stopped" not in result
    assert [position["symbol"] for position in result["positions"]] == ["SPHD"]


def test_ctrl_c_with_json_prints_the_result(desk: Any) -> None:
    """A drained run prints its result object, which says that it was stopped."""
    desk.configure(data=", pace: 20")
    process = desk.start("run", "--json")
    process.wait_for("Run started")

    process.interrupt()
    exit_code, stdout, _ = process.end()

    assert exit_code == 0
    assert json.loads(stdout)["stopped"] == "signal"


def test_a_second_ctrl_c_leaves_at_once(desk: Any) -> None:
    """Where the first Ctrl-C cannot drain, the second ends the process with 130."""
    desk.configure(strategy='"./mine.py:Stuck"', lookback_bars=0, source=STUCK)
    process = desk.start("run")
    process.wait_for("stuck")

    process.interrupt()
    process.wait_for("stopping after this step")
    process.interrupt()
    exit_code, _, stderr = process.end()

    assert exit_code == 130
    assert "mqd: interrupted" in stderr
    assert "Traceback" not in stderr


def test_a_second_desk_is_refused(desk: Any, holding: Callable[[], Any]) -> None:
    """The same desk started twice: the second exits 4 and names the process that has it."""
    process = holding()

    done = desk.call("run", "--json")

    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["type"] == "AlreadyRunning"
    assert str(process.popen.pid) in done.stderr
    assert process.popen.poll() is None


def test_a_killed_desk_is_seen_as_crashed(desk: Any, holding: Callable[[], Any]) -> None:
    """A desk whose process is gone is not shown as running; doctor warns of it, and the next run recovers it."""
    process = holding()
    process.popen.kill()
    process.end()

    status = desk.answer("status")
    rows = {row["check"]: row for row in desk.answer("doctor")["checks"]}

    assert (status["running"], status["crashed"], status["positions"]) == (False, True, 1)
    assert "ended without saying so" in desk.call("status").stdout
    assert rows["store"]["status"] == "warning"
    desk.configure(strategy='"./mine.py:Hold"', lookback_bars=0)
    assert desk.call("run").returncode == 0
    assert desk.answer("status")["crashed"] is False


def test_a_desk_that_never_ran_can_be_asked(desk: Any) -> None:
    """Without records every view says so and exits 0."""
    for command in ("status", "orders", "positions"):
        done = desk.call(command)
        assert (done.returncode, done.stdout.strip()) == (
            0,
            "desk tested has no records yet; `mqd run` makes them",
        )
    nothing = {"schema": 1, "desk": "tested", "running": False, "as_of": None, "state": None, "halt_file": None}
    assert desk.answer("status") == nothing
    assert desk.answer("orders")["orders"] == []
    assert desk.answer("positions")["positions"] == []


def test_a_desk_can_be_looked_at_without_its_strategy(desk: Any) -> None:
    """A strategy that is gone keeps nobody from looking at what it did."""
    assert desk.call("run").returncode == 0
    desk.configure(strategy="NoLongerInstalled")

    assert desk.answer("status")["state"] == "ready"
    assert desk.answer("orders", "--all")["orders"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals in the standard library")
def test_a_terminal_sees_progress(desk: Any) -> None:
    """On a terminal a line says how far the run is, and log lines below a warning stay away."""
    desk.configure(data=", pace: 300")
    exit_code, seen = on_terminal([sys.executable, "-m", "mqd_core", "run"], desk)

    assert exit_code == 0, seen
    assert " bars, 20" in seen
    assert " trades, equity $" in seen
    assert "net profit" in seen
    assert " INFO " not in seen


def on_terminal(command: list[str], desk: Any) -> tuple[int, str]:
    """Run a command on a terminal of its own; its exit code and all that it showed."""
    import pty

    process_id, terminal = pty.fork()
    if process_id == 0:
        os.chdir(desk.folder)
        os.environ.update(COLUMNS="150", TERM="xterm")
        os.execv(command[0], command)
    seen = b""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # how Linux says that nobody has the terminal any more
            break
        if not data:
            break
        seen += data
    os.close(terminal)
    _, state = os.waitpid(process_id, 0)
    return os.waitstatus_to_exitcode(state), seen.decode("utf-8", errors="replace")
