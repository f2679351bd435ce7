"""Whole desks for crash tests: real plugins, a real SQLite file, and a probe that dies where it is told to.

Tests get all of it through the fixture `crashing`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mqd_core.app.assembly import Assembly, Hooks, System
from mqd_core.config import Config, parse_config
from mqd_core.domain.journal import Entry, decode_body
from mqd_core.registry.loader import Registry

# The simulation of whole desks is a package beside the tests that use it, which no installation puts on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent))


class Crash(BaseException):
    """The process dies here: nothing may catch it, and every object of the desk is dropped."""


class CrashingProbe:
    """Counts the moments at which a process could die, and dies at those of `at` (counted from 0)."""

    def __init__(self, at: frozenset[int] = frozenset()) -> None:
        self.at = at
        self.count = 0
        self.points: list[str] = []

    def __call__(self, point: str) -> None:
        """Count, and die if it is time."""
        number, self.count = self.count, self.count + 1
        self.points.append(point)
        if number in self.at:
            raise Crash(f"{number}: {point}")


@dataclass(frozen=True)
class Ending:
    """What of a finished run must not depend on whether it was interrupted."""

    bars: int
    equity: str
    cash: str
    trips: int
    decision_hash: str
    drawdown: float
    intents: int
    fills: int


def desk_config(folder: Path, **changes: Any) -> Config:
    """The demonstration desk, made small: two sessions, its state below `folder`."""
    data = {"name": "synthetic", "symbols": ["SPHD"], "seed": 7, "days": 2}
    strategy = {
        "name": "VWAPMeanReversionStrategy",
        "symbols": ["SPHD"],
        "lookback_bars": 50,
        "parameters": {"vwap_window": 20, "entry_threshold": 0.01, "stop_loss_pct": 0.01, "take_profit_pct": 0.005},
    }
    content: dict[str, Any] = {
        "desk": {"id": "crash", "state_dir": str(folder / "var")},
        "broker": {"name": "mock", "starting_cash": 1000},
        "data": data,
        "sizer": {"name": "notional"},
        "store": {"name": "sqlite", "path": "crash.db"},
        "strategies": [strategy],
        **changes,
    }
    return parse_config(_as_text(content))


def _as_text(value: Any) -> Any:
    """Values as the YAML reader hands them on: text."""
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def run_once(config: Config, folder: Path, probe: Callable[[str], None]) -> Ending:
    """One process: build the desk from what is on disk and run it to the end; Crash goes through."""
    run_folder = folder / "run"
    run_folder.mkdir(exist_ok=True)
    assembly = Assembly(config, Registry(), "run", "crash-test", run_folder, (None, None), Hooks(probe=probe))
    try:
        system = assembly.build()
        system.run.run()
        return ending_of(system)
    finally:
        assembly.close()


def run_with_crashes(config: Config, folder: Path, crashes: list[frozenset[int]]) -> tuple[Ending, int]:
    """Run, dying as told, process after process, until one ends; returns its ending and how many died."""
    died = 0
    for at in [*crashes, frozenset[int]()]:
        try:
            return run_once(config, folder, CrashingProbe(at)), died
        except Crash:
            died += 1
    raise AssertionError("the last process has no crash to die of")


def ending_of(system: System) -> Ending:
    """What became of a run, the journal's own counts included."""
    entries = [Entry(row.sequence, row.ordinal, decode_body(row.body)) for row in system.store.read(0)]
    kinds = [type(entry.body).__name__ for entry in entries]
    facts = system.engine.facts
    return Ending(
        bars=system.engine.bars,
        equity=str(facts.equity),
        cash=str(facts.cash),
        trips=facts.trips,
        decision_hash=system.engine.decision_hash,
        drawdown=round(system.curve.max_drawdown_pct, 9),
        intents=kinds.count("Approved"),
        fills=kinds.count("Fill"),
    )


@dataclass(frozen=True)
class Crashing:
    """What a crash test works with: the undisturbed run, and how to disturb another one."""

    undisturbed: Ending
    points: list[str]
    protection: str

    def run(self, folder: Path, crashes: list[frozenset[int]]) -> tuple[Ending, int]:
        """Run a desk below `folder`, dying as told, process after process; its ending, and how many died."""
        return run_with_crashes(desk_config(folder, protection=self.protection), folder, crashes)


@pytest.fixture(scope="session", params=["strategy", "broker"])
def crashing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crashing:
    """The undisturbed run of the crash tests' desk, made once for each kind of protection."""
    folder = tmp_path_factory.mktemp("undisturbed")
    probe = CrashingProbe()
    ending = run_once(desk_config(folder, protection=request.param), folder, probe)
    return Crashing(ending, probe.points, request.param)
