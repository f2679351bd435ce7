"""A desk whose every bar is decided about: however much it writes down in a session, it takes every bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mqd_core.app.assembly import Assembly, Hooks
from mqd_core.config import parse_config
from mqd_core.engine.engine import RECORDS_MAX
from mqd_core.registry.loader import Registry
from mqd_core.runtime.memory_store import InMemoryStore

SYMBOLS = [f"S{number:02d}" for number in range(30)]
BARS = 30 * 390


def dense() -> dict[str, Any]:
    """Thirty symbols in one session, a threshold that every second close is under, and one order a session."""
    thresholds = {"entry_threshold": "0.000001", "stop_loss_pct": "0.01", "take_profit_pct": "0.005"}
    return {
        "desk": {"id": "dense"},
        "broker": {"name": "mock", "starting_cash": "1000"},
        "data": {"name": "synthetic", "symbols": SYMBOLS, "days": "1", "missing_minutes_pct": "0", "halt_pct": "0"},
        "risk": {"max_orders_per_session": "1", "max_orders_per_minute": "1"},
        "sizer": {"name": "notional"},
        "store": {"name": "sqlite"},
        "strategies": [{"name": "VWAPMeanReversionStrategy", "symbols": SYMBOLS, "parameters": thresholds}],
    }


def test_a_step_that_ends_for_its_many_records_leaves_no_bar_behind(tmp_path: Path) -> None:
    """More records than one step may hold, and one order: the run still takes all bars of the session."""
    journal = InMemoryStore()
    hooks = Hooks(journal=journal)
    assembly = Assembly(parse_config(dense()), Registry(), "backtest", "dense", tmp_path, (None, None), hooks)
    try:
        system = assembly.build()
        assert system.run.run() == "finished"
    finally:
        assembly.close()
    written = sum(row.kind in {"SignalMade", "Sized", "Denied"} for row in journal.read(0))
    assert written > RECORDS_MAX
    assert system.run.bars_taken == system.engine.bars == BARS
