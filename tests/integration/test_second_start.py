"""A desk that is started beside itself, or again with another configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PACED = ("  days: 2\n", "  days: 2\n  pace: 20\n")
AT_ONCE = (PACED[1], PACED[0])
HOLDING = '''"""A strategy that buys once and never sells."""

from mqd_core.api import Signal, SignalAction


class Holding:
    """Buys what it can."""

    def __init__(self, settings, context):
        self.asked = False

    def on_bar(self, bar, view):
        if self.asked or view.book.quantity:
            return ()
        self.asked = True
        return (Signal(action=SignalAction.ENTER, symbol=bar.symbol),)

    def on_fill(self, fill, view):
        """Nothing to do."""
'''
VWAP = "  - name: VWAPMeanReversionStrategy "
OWN = '  - name: "./holding.py:Holding"\n    symbols: [SPHD]\n    lookback_bars: 0\n'


@pytest.fixture(scope="module")
def interrupted(demonstration: str, make_desk: Callable[[str], Any]) -> Any:
    """A desk that was stopped in the middle of its data while it held a position of `Holding`. Copy it."""
    desk = make_desk(demonstration)
    desk.file("holding.py", HOLDING)
    desk.change(PACED, (VWAP, OWN + VWAP), ("log_level: ERROR", "log_level: INFO"))
    with desk.running() as running:
        running.wait_for_text("Order filled")
        running.interrupt()
        assert running.end().code == 0
    desk.change(AT_ONCE, ("log_level: INFO", "log_level: ERROR"))
    return desk


@pytest.fixture
def stopped(interrupted: Any, tmp_path: Path) -> Any:
    """A copy of that desk."""
    return interrupted.copy(tmp_path / "desk")


def test_a_second_process(desk: Any) -> None:
    """While a desk runs, another start of it exits 4, names process, since when, and run, and disturbs nothing."""
    desk.change(PACED, ("log_level: ERROR", "log_level: INFO"))
    with desk.running() as running:
        running.wait_for_text("Run started")
        second = desk.run()
        (run,) = desk.runs()
        assert (second.code, second.out) == (4, "")
        holder = rf"process {running.process.pid} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(run {run}\)"
        assert re.fullmatch(rf"desk demo is already running in {holder}; stop that one first", second.message)
        status = desk.mqd("status", "--config", "config.yaml", "--json").result
        assert (status["running"], status["run_id"]) == (True, run)
        running.interrupt()
        assert running.end().code == 0
    assert desk.runs() == [run]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  seed: 7\n", "  seed: 8\n"),
        ("name: synthetic ", "name: files\n  path: SPHD.csv "),
    ],
)
def test_another_feed_in_the_middle_of_one(stopped: Any, old: str, new: str) -> None:
    """A feed that is not finished is not exchanged: both are named, and three ways out; exit 3, the book stays."""
    stopped.change((old, new))
    if "files" in new:
        stopped.change(("  seed: 7\n  days: 2\n", ""))
        rows = "".join(f"2024-01-08T15:{minute}:00Z,70,71,69,70,9\n" for minute in range(10, 60))
        stopped.file("SPHD.csv", f"timestamp,open,high,low,close,volume\n{rows}")
    lines = stopped.refused(3).splitlines()
    assert lines[0].startswith(f"{stopped.place('data:')}: desk demo stopped in the middle of another feed.")
    feeds = [line.strip() for line in lines if line.startswith("  ")]
    assert feeds[0].startswith("synthetic SPHD 1Min settings:")
    assert feeds[1].startswith("files SPHD" if "files" in new else "synthetic SPHD")
    assert feeds[0] != feeds[1]
    remedies = ("Put the data settings back", "another desk.id", "move var/demo/store away to begin a new book")
    assert [remedy for remedy in remedies if remedy not in lines[-1].replace("\\", "/")] == []


def test_a_strategy_that_still_holds_is_not_left_out(stopped: Any) -> None:
    """A configuration without the strategy of an open position is refused with position and remedies; exit 3."""
    stopped.change((OWN, ""))
    message = stopped.refused(3)
    assert "\n" not in message
    assert message.startswith(f"{stopped.place('strategies:')}: the desk holds ")
    assert " SPHD for strategy Holding, which this configuration does not have" in message
    assert "Put that strategy and symbol back, or close the position first" in message
    stopped.change(("strategies:\n", f"strategies:\n{OWN}    enabled: false\n"))
    assert stopped.refused(3) == message


def test_a_strategy_that_is_renamed_is_another(stopped: Any) -> None:
    """Books are kept under the strategy's id: another id does not own them, the old id under another name does."""
    stopped.change((OWN, f"{OWN}    id: renamed\n"))
    assert "for strategy Holding, which" in stopped.refused(3)
    stopped.file("keeping.py", HOLDING.replace("class Holding", "class Keeping"))
    stopped.change((OWN, OWN.replace("holding.py:Holding", "keeping.py:Keeping")), ("id: renamed", "id: Holding"))
    (position,) = stopped.finish()["positions"]
    assert position["symbol"] == "SPHD"


def test_what_may_change_in_the_middle(stopped: Any) -> None:
    """Pace and limits are no part of the feed: the book goes on, and what is in effect stands in the run's folder."""
    stopped.change((AT_ONCE[1], "  days: 2\n  pace: 100000\n"), ("max_open_positions: 1", "max_open_positions: 2"))
    assert stopped.finish()["bars"] > 700
    resolved = (stopped.folder / "runs" / stopped.runs()[-1] / "config.resolved.yaml").read_text(encoding="utf-8")
    assert "max_open_positions: 2" in resolved


def test_finished_data_begin_a_new_book(finished: Any, undisturbed: Any) -> None:
    """Data that were read to their end are traded anew: the old store lies in its run's folder, row for row."""
    (old,) = finished.runs()
    before = finished.contents()["var/demo/store/demo.db"]
    result = finished.finish()
    assert result["decision_hash"] == undisturbed[1]["decision_hash"]
    after = finished.contents()
    assert after[f"runs/{old}/store/demo.db"] == before
    assert after["var/demo/store/demo.db"] != before
    kept = json.loads((finished.folder / "runs" / old / "result.json").read_text(encoding="utf-8"))
    assert kept == undisturbed[1]
    assert len(finished.runs()) == 2
