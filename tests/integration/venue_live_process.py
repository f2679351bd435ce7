"""The live desk of `live_desk_process`, with an account that a venue in a process of its own keeps. Called as that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# Beside this script, which is where Python looks for it, whatever the environment says of other folders.
sys.path.insert(0, str(Path(__file__).parent))

import live_desk_process as live

from mqd_core.config import Config, parse_config


def desk_config(folder: Path, data: dict[str, Any]) -> Config:
    """The same desk, but for its broker."""
    parameters = {"vwap_window": "20", "entry_threshold": "0.01", "stop_loss_pct": "0.01", "take_profit_pct": "0.005"}
    strategy = {
        "name": "VWAPMeanReversionStrategy",
        "symbols": ["SPHD"],
        "lookback_bars": "50",
        "parameters": parameters,
    }
    return parse_config(
        {
            "desk": {"id": "live", "state_dir": str(folder / "var")},
            "broker": {"name": "mock_venue", "starting_cash": "1000", "idle_seconds": "5", "not_found": "final"},
            "data": data,
            "sizer": {"name": "notional"},
            "store": {"name": "sqlite", "path": "live.db"},
            "strategies": [strategy],
        }
    )


if __name__ == "__main__":
    live.desk_config = desk_config
    live.run(Path(sys.argv[1]), *(sys.argv[2:3] or [""]), times=int((sys.argv[3:4] or ["0"])[0]))
