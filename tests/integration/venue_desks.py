"""Desks whose account is kept by a venue in a process of its own, and what can be done to both. For tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

PROCESS = Path(__file__).with_name("venue_desk_process.py")
#: What must not depend on what happened to a desk on its way.
SAME = ("decision_hash", "bars", "signals", "orders", "fills", "trades", "cash", "end_equity", "positions", "last_bar")
#: Acts on every third minute, by the minute and its book alone: most of the time of a run goes by in orders.
DENSE = '''"""A strategy that trades as often as a test needs."""

from mqd_core.api import Signal, SignalAction


class Dense:
    """Buys and sells by turns, whenever the minute of the day is a multiple of three."""

    def __init__(self, settings, context):
        self.symbol = context.symbols[0]

    def on_bar(self, bar, view):
        if bar.start_ns // 60_000_000_000 % 3:
            return ()
        action = SignalAction.EXIT if view.book.quantity else SignalAction.ENTER
        return (Signal(action=action, symbol=self.symbol),)

    def on_fill(self, fill, view):
        """Nothing to do."""
'''
CONFIG = """
desk: {id: venue}
broker: {name: mock_venue, starting_cash: 1000, idle_seconds: 20, timeout_ms: 5000, not_found: NOT_FOUND}
data: {name: synthetic, symbols: [SPHD], seed: 7, days: 1}
sizer: {name: notional}
store: {name: sqlite, path: venue.db}
strategies:
  - {name: "./dense.py:Dense", symbols: [SPHD], lookback_bars: 0}
risk: {max_orders_per_session: 10000, max_orders_per_minute: 100}
logging: {log_level: INFO}
"""


class VenueDesk:
    """A desk in its folder with the files that a checker reads."""

    def __init__(self, desk: Any, check: Any) -> None:
        self.desk = desk
        self._check = check

    @property
    def broker_folder(self) -> Path:
        """Where the account's record is, and the venue's address."""
        folder: Path = self.desk.folder / "var" / "venue" / "broker"
        return folder

    @property
    def record(self) -> Path:
        """The account's record."""
        return self.broker_folder / "account.jsonl"

    @property
    def store(self) -> Path:
        """The store's file."""
        file: Path = self.desk.folder / "var" / "venue" / "store" / "venue.db"
        return file

    @property
    def venue_process(self) -> int:
        """The process that keeps the account."""
        address = json.loads((self.broker_folder / "account.jsonl.venue").read_text(encoding="utf-8"))
        return int(address["process"])

    def outsider(self, *, is_over: bool = False) -> Any:
        """What an outsider reads in the files of both, right or wrong."""
        return self._check(self.store, self.record, is_over=is_over)

    def check(self, *, is_over: bool) -> Any:
        """What an outsider finds in the files of both; nothing may be wrong with them."""
        check = self.outsider(is_over=is_over)
        assert check.faults() == []
        return check

    def finish(self, undisturbed: Any) -> Any:
        """Run to the end of the data; both sides agree then, and decisions are those of an undisturbed desk."""
        self.desk.finish()
        # A run that had nothing left to trade has no result of its own.
        results = sorted(self.desk.folder.glob("runs/*/result.json"), key=lambda path: path.stat().st_mtime_ns)
        check = self.check(is_over=True)
        # An order that was given up is one less: the rest of the day may be another one.
        if "abandoned" not in check.journal.lives.values():
            result, decisions = undisturbed
            assert check.decisions() == decisions
            # None at all where the desk died after its last commit and before it wrote its result.
            for last in results[-1:]:
                found = json.loads(last.read_text(encoding="utf-8"))
                assert {key: found[key] for key in SAME} == {key: result[key] for key in SAME}
        return check

    def killed_at(self, rng: Random) -> bool:
        """Run, and kill the desk at a random moment; False if it came to its end before."""
        mark = rng.choice(("Desk state moved", "Signal made", "Order submitted", "Order acknowledged", "Order filled"))
        with self.desk.running("--json") as running:
            while mark not in running.err:
                if ended(running.process, 0.005):
                    return False
            if ended(running.process, rng.uniform(0, 0.35)):
                return False
            running.process.kill()
            running.process.wait()
        return True

    def kill_at(self, moments: str) -> None:
        """Run the desk up to these moments, and kill it there (see `venue_desk_process`)."""
        with subprocess.Popen(
            [sys.executable, str(PROCESS), moments],
            cwd=self.desk.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as started:
            try:
                assert started.stdout is not None
                assert started.stdout.readline().split() == [moments.rpartition(",")[2].partition("=")[0]]
            finally:
                started.kill()

    def stop_venue(self) -> None:
        """End the venue, if it runs."""
        if self.broker_folder.exists():
            said = self.desk.mqd("venue", "stop", str(self.broker_folder))
            assert said.code == 0, said.err


def ended(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process ends within some time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def made(make_desk: Callable[[str], Any], check: Any, not_found: str = "final") -> VenueDesk:
    """A desk of this kind in a new folder."""
    desk = make_desk(CONFIG.replace("NOT_FOUND", not_found))
    desk.file("dense.py", DENSE)
    return VenueDesk(desk, check)
