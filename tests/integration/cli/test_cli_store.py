"""`mqd store` through the command line: the plugin's command finds the desk's store and its lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mqd_core.app.places import DeskLock, DeskPlaces
from mqd_core.cli.program import program

CONFIGURATION = """
desk: {id: demo, state_dir: var}
logging: {log_dir: logs}
broker: {name: mock, starting_cash: 1000}
data: {name: synthetic, symbols: [SPHD], days: 1, seed: 1}
sizer: {name: notional}
store: {name: sqlite, path: demo.db, ballast_mib: 1}
strategies:
  - name: VWAPMeanReversionStrategy
    symbols: [SPHD]
    parameters: {vwap_window: 20, entry_threshold: 0.003, stop_loss_pct: 0.006, take_profit_pct: 0.002}
risk: {max_position_size_pct: 10, daily_loss_limit_usd: 50, weekly_loss_limit_usd: 90}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk that has run one made-up day, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIGURATION, encoding="utf-8", newline="\n")
    assert mqd("run", "--config", "config.yaml").exit_code == 0
    return tmp_path


def mqd(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(program, list(arguments))


def test_back_up_verify_and_restore(desk: Path) -> None:
    """The three commands work on the store that the configuration names, and answer with one JSON object each."""
    backup = json.loads(mqd("store", "backup", "--config", "config.yaml", "--json").stdout)
    whole = json.loads(mqd("store", "verify", "--config", "config.yaml", "--json").stdout)
    assert (whole["rows"], whole["hash"]) == (backup["rows"], backup["hash"])
    assert Path(whole["file"]) == Path("var/demo/store/demo.db")
    restored = json.loads(mqd("store", "restore", backup["file"], "--yes", "-c", "config.yaml", "--json").stdout)
    assert restored["hash"] == whole["hash"]
    assert [Path(one).is_file() for one in restored["set_aside"]] == [True]


def test_no_restore_beside_a_desk_that_runs(desk: Path) -> None:
    """While a process has the desk, a restore exits 4 and names it; looking is allowed."""
    backup = json.loads(mqd("store", "backup", "--config", "config.yaml", "--json").stdout)["file"]
    with DeskLock(DeskPlaces(desk / "var" / "demo"), "run-7"):
        result = mqd("store", "restore", backup, "--yes", "--config", "config.yaml")
        assert result.exit_code == 4
        assert "desk demo is already running in process" in result.stderr
        assert mqd("store", "verify", "--config", "config.yaml").exit_code == 0


def test_damage_has_an_exit_code_and_words(desk: Path) -> None:
    """A store that is not what was written ends `verify` with 1 and one message, as JSON where that was asked for."""
    store = desk / "var" / "demo" / "store" / "demo.db"
    store.write_bytes(store.read_bytes()[:5_000])
    result = mqd("store", "verify", "--config", "config.yaml", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["type"], error["exit_code"], len(error["problems"])) == ("StoreCorrupt", 1, 1)
    assert "mqd store restore" in error["problems"][0]


def test_the_help_names_it_without_loading_it() -> None:
    """The group stands in the help among what plugins add."""
    assert "store" in mqd("--help").stdout
