"""`mqd runs`: past runs, newest first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., object]


def make_run(folder: Path, run_id: str, result: dict[str, Any] | str | None) -> None:
    """Write a run's folder with a result, a damaged one, or none."""
    run = folder / "runs" / run_id
    run.mkdir(parents=True)
    if result is not None:
        text = result if isinstance(result, str) else json.dumps(result)
        (run / "result.json").write_text(text, encoding="utf-8", newline="\n")


def test_a_folder_without_runs_says_so(mqd: Call, folder: Path) -> None:
    """Where nothing was run the folder that was looked at is named, and the list is empty."""
    answer = mqd("runs")

    assert answer.exit_code == 0
    assert answer.stdout.startswith("no runs in ")
    assert mqd("runs", "--json").json() == {"schema": 1, "runs": []}


def test_runs_are_listed_newest_first(mqd: Call, folder: Path) -> None:
    """Profit, drawdown, trades and bars where there is a result; else that the run is unfinished or unreadable."""
    result = {"net_profit": "-1.50", "net_profit_pct": -0.15, "max_drawdown_pct": 0.4, "trades": 3, "bars": 1950}
    make_run(folder, "20250101T120000Z-run-aaaaaa", result)
    make_run(folder, "20250102T120000Z-backtest-bbbbbb", None)
    make_run(folder, "20250103T120000Z-run-cccccc", "{damaged")
    make_run(folder, "20250104T120000Z-run-dddddd", {**result, "stopped": "signal", "win_rate": None})
    (folder / "runs" / "notes").mkdir()

    lines = mqd("runs").stdout.splitlines()

    assert [line.split()[0] for line in lines[1:]] == [
        "20250104T120000Z-run-dddddd",
        "20250103T120000Z-run-cccccc",
        "20250102T120000Z-backtest-bbbbbb",
        "20250101T120000Z-run-aaaaaa",
    ]
    assert lines[1].split()[1:] == ["run", "2025-01-04", "12:00:00", "signal", "-1.50", "-0.15", "0.40", "3", "1,950"]
    assert lines[2].split()[-1] == "unreadable"
    assert lines[3].split()[-1] == "unfinished"
    assert lines[4].split()[4] == "finished"


def test_older_runs_are_counted(mqd: Call, folder: Path) -> None:
    """Only the newest are shown; how many there are besides is said."""
    for day in range(1, 6):
        make_run(folder, f"2025010{day}T120000Z-run-aaaaaa", None)

    answer = mqd("runs", "--last", "2")

    assert len(answer.stdout.splitlines()) == 4
    assert answer.stdout.splitlines()[-1] == "3 older ones; --last shows more"


def test_runs_as_json(mqd: Call, folder: Path) -> None:
    """Each run stands with its result object, null where there is none."""
    make_run(folder, "20250101T120000Z-run-aaaaaa", {"trades": 3})
    make_run(folder, "20250102T120000Z-run-bbbbbb", None)

    unfinished, finished = mqd("runs", "--json").json()["runs"]

    assert unfinished["state"] == "unfinished"
    assert unfinished["result"] is None
    assert finished == {
        "run_id": "20250101T120000Z-run-aaaaaa",
        "mode": "run",
        "started": "2025-01-01T12:00:00Z",
        "state": "finished",
        "path": "runs/20250101T120000Z-run-aaaaaa",
        "result": {"trades": 3},
    }
