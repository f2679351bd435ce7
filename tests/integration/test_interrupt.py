"""A desk that is stopped, terminated or killed in the middle goes on as if nothing had happened.

Data are paced, so that a desk lives until it is disturbed; what it says on its console tells when to do that. The
proof is the decision hash of a desk that was left alone.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PACED = ("  days: 2\n", "  days: 2\n  pace: 150\n")
AT_ONCE = (PACED[1], PACED[0])
TALKATIVE = ("log_level: ERROR", "log_level: INFO")
SAME = ("decision_hash", "bars", "signals", "orders", "fills", "trades", "cash", "end_equity", "positions", "last_bar")
HANGING = '''"""A strategy that never comes back."""

import time
from pathlib import Path


class Hanging:
    """Thinks about the fortieth bar for ever."""

    def __init__(self, settings, context):
        self.bars = 0

    def on_bar(self, bar, view):
        self.bars += 1
        while self.bars == 40:
            Path("hangs").touch()
            time.sleep(0.01)
        return ()

    def on_fill(self, fill, view):
        """Nothing to do."""
'''


@pytest.fixture
def paced(desk: Any) -> Any:
    """A desk whose data are slowed down, and which says what it does."""
    desk.change(PACED, TALKATIVE)
    return desk


def goes_on(desk: Any, undisturbed: Any) -> None:
    """Assert that the next start, without a pace, ends with what an undisturbed desk ends with."""
    desk.change(AT_ONCE)
    result = desk.finish()
    assert {key: result[key] for key in SAME} == {key: undisturbed[1][key] for key in SAME}


def drains(desk: Any, stop: Callable[[Any], None]) -> None:
    """Assert that a desk which is asked to stop ends its step and says so, with exit 0."""
    with desk.running("--json") as running:
        running.wait_for_text("Order filled", 3)
        stop(running)
        ended = running.end()
    assert (ended.code, ended.result["stopped"]) == (0, "signal")
    assert 100 < ended.result["bars"] < 780
    assert ended.message.splitlines() == [
        "stopping after this step; press Ctrl-C again to leave at once",
        "stopped; `mqd run` goes on from here",
    ]


def test_ctrl_c(paced: Any, undisturbed: Any) -> None:
    """The first Ctrl-C drains: exit 0, `stopped: signal`; the next start decides what an undisturbed desk decides."""
    drains(paced, lambda running: running.interrupt())
    status = paced.mqd("status", "--config", "config.yaml", "--json").result
    assert (status["running"], status["crashed"]) == (False, False)
    goes_on(paced, undisturbed)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be caught")
def test_sigterm(paced: Any) -> None:
    """What a service manager sends is heard as Ctrl-C is."""
    drains(paced, lambda running: running.process.send_signal(signal.SIGTERM))


def test_a_second_ctrl_c(desk: Any, undisturbed: Any) -> None:
    """A desk that cannot drain, since a strategy hangs, leaves at the second one: 130, and the book is sound."""
    desk.file("hanging.py", HANGING)
    added = ("\nrisk:\n", "\n  - name: ./hanging.py:Hanging\n    symbols: [SPHD]\n    lookback_bars: 0\nrisk:\n")
    desk.change(TALKATIVE, added)
    with desk.running("--json") as running:
        running.wait_for((desk.folder / "hangs").exists)
        running.interrupt()
        running.wait_for_text("press Ctrl-C again to leave at once")
        running.interrupt()
        ended = running.end()
    assert (ended.code, ended.result["error"]["exit_code"]) == (130, 130)
    assert ended.message.splitlines()[-1] == "interrupted"
    desk.change((added[1], added[0]), AT_ONCE[::-1])
    goes_on(desk, undisturbed)


def killed(desk: Any, words: str, times: int = 1) -> None:
    """Kill a run as soon as it has said these words so many times."""
    with desk.running() as running:
        running.wait_for_text(words, times)
        running.process.kill()
        assert running.end().code != 0


def test_killed_again_and_again(paced: Any, undisturbed: Any) -> None:
    """Four deaths in one book, one of them just after a start, one over a night, change no decision."""
    killed(paced, "Order submitted", 3)
    (run,) = paced.runs()
    assert not (paced.folder / "runs" / run / "result.json").exists()
    status = paced.mqd("status", "--config", "config.yaml", "--json").result
    assert (status["running"], status["crashed"]) == (False, True)
    killed(paced, "Desk state moved")
    killed(paced, "Order filled")
    killed(paced, "Session closed")
    assert len(paced.runs()) == 4
    goes_on(paced, undisturbed)
