"""The same inputs lead to the same decisions: under any hash seed, on any Python, from CSV or Parquet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: The demonstration desk's decisions over its synthetic market. Changes only with the rules, and says so when it does.
DEMO_DECISIONS = "bb2f058033226c62a22b4233c45c176c5625b3f18125fa84b0cea63fd776d2ff"
#: The same without a stop at the broker: what the desk decided before there were any.
DEMO_DECISIONS_BY_STRATEGY = "371ca1cc25a91d74ee67c2b655a7d83301e01bf6d3a15f1e844e2540a9992730"


def mqd(arguments: list[str], folder: Path, hash_seed: str = "0") -> dict[str, Any]:
    """Run the command line in a process of its own; returns its one JSON object."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-m", "mqd_core", *arguments, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.decision_hash
@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_demonstration_decides_the_same_everywhere(project_root: Path, tmp_path: Path, hash_seed: str) -> None:
    """Three hash seeds, each in a process of its own, on whatever Python this is: one decision hash."""
    config = project_root / "config" / "config.yaml"
    result = mqd(["run", "--config", str(config)], tmp_path, hash_seed)
    assert result["decision_hash"] == DEMO_DECISIONS
    assert result["trades"] >= 10


@pytest.mark.decision_hash
def test_a_backtest_decides_what_the_run_decides(project_root: Path, tmp_path: Path) -> None:
    """`mqd run` over a finite feed and `mqd backtest` over the same data are one engine."""
    result = mqd(["backtest", "--config", str(project_root / "config" / "config.yaml")], tmp_path)
    assert result["decision_hash"] == DEMO_DECISIONS


@pytest.mark.decision_hash
def test_without_stops_nothing_else_has_moved(project_root: Path, tmp_path: Path) -> None:
    """With `protection: strategy` the demonstration decides what it decided before protective orders existed."""
    text = (project_root / "config" / "config.yaml").read_text(encoding="utf-8")
    config = tmp_path / "strategy.yaml"
    changed = text.replace("protection: broker", "protection: strategy")
    assert changed != text
    config.write_text(changed, encoding="utf-8", newline="\n")
    assert mqd(["backtest", "--config", str(config)], tmp_path)["decision_hash"] == DEMO_DECISIONS_BY_STRATEGY


def test_csv_and_parquet_lead_to_the_same_decisions(shared_data: Path, project_root: Path, tmp_path: Path) -> None:
    """The real bars from either kind of file: same decisions, same cash to the cent."""
    text = (project_root / "config" / "backtest-files.yaml").read_text(encoding="utf-8")
    folder = (shared_data / "minute_trades").as_posix()
    results = []
    for kind in ("csv", "parquet"):
        config = tmp_path / f"{kind}.yaml"
        changed = text.replace("path: ../shared/data/minute_trades", f"format: {kind}\n  path: {folder}")
        assert changed != text
        config.write_text(changed, encoding="utf-8", newline="\n")
        results.append(mqd(["backtest", "--config", str(config)], tmp_path))
    same = ("decision_hash", "cash", "end_equity", "bars", "trades", "orders")
    assert [results[0][key] for key in same] == [results[1][key] for key in same]
    assert results[0]["orders"] > 0
