"""A run's folder: private, whole files or none, read back as it was meant, and found again among others."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from mqd_core.app.places import new_run_id
from mqd_core.app.run_folder import RunFolder, list_runs
from mqd_core.app.trades import Trade
from mqd_core.config import load_config
from mqd_core.errors import RunFailed

RUN_ID = "20250106T143000Z-backtest-0a1b2c"
RESULT = {"schema": 1, "start_equity": "1000.00", "end_equity": "1010.00"}
VERSIONS = {"mqd-core": "0.1.0", "strategy:Ü": "./ü.py sha256:ab"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes: a folder's access rights decide")


@dataclass
class Session:
    date: str
    equity: float


def trade(**changes) -> Trade:
    fields = {
        "strategy_id": "one",
        "symbol": "SPY",
        "side": "long",
        "opened_ns": 1_736_173_800_000_000_000,
        "closed_ns": 1_736_173_860_500_000_000,
        "quantity": Decimal("1E+2"),
        "entry_price": Decimal("10.100000000"),
        "exit_price": Decimal("10.2"),
        "profit": Decimal("9.999999999999999999"),
        "profit_pct": Decimal("0.990099010"),
        "fees": Decimal("0E-9"),
        "reason_in": (("close", 10.1), ("odd", float("nan")), ("rule", 'a "quoted", word')),
        "reason_out": (),
        "correlation_in": "d-1-1",
        "correlation_out": "d-9-1",
    }
    return Trade(**{**fields, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A new run's folder."""
    return RunFolder.create(tmp_path / "runs", RUN_ID)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_what_a_run_was_started_with(folder) -> None:
    """Configuration and versions are written at the start; there is no result yet."""
    folder.write_start({"desk": {"id": "demo"}, "broker": {"api_key": "***"}}, VERSIONS)
    assert names(folder.path) == ["config.resolved.yaml", "versions.json"]
    text = (folder.path / "config.resolved.yaml").read_bytes().decode("utf-8")
    assert text == "desk:\n  id: demo\nbroker:\n  api_key: '***'\n"
    assert json.loads((folder.path / "versions.json").read_bytes()) == VERSIONS


def test_the_resolved_configuration_is_one(folder, project_root) -> None:
    """The shipped configuration, written resolved and read again, means the same."""
    config = load_config(project_root / "config" / "config.yaml", environment={})
    folder.write_start(config.masked(), VERSIONS)
    again = load_config(folder.path / "config.resolved.yaml", environment={})
    assert again.digest() == config.digest()


def test_what_became_of_a_run(folder) -> None:
    """Result, trades and equity can be read by anybody, with every digit and every odd character."""
    sessions = [Session("2025-01-06", 1010.0), Session("2025-01-07", 1009.494), Session("2025-01-08", 1020.0)]
    folder.write_end({**RESULT, "run_id": "ü"}, [trade(), trade(symbol="BRK.B", side="short")], sessions)

    assert names(folder.path) == ["equity.csv", "result.json", "trades.csv"]
    assert json.loads((folder.path / "result.json").read_bytes()) == {**RESULT, "run_id": "ü"}
    with (folder.path / "trades.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert json.loads(first.pop("reason_in")) == {"close": 10.1, "odd": None, "rule": 'a "quoted", word'}
    assert first == {
        "strategy_id": "one",
        "symbol": "SPY",
        "side": "long",
        "opened_at": "2025-01-06T14:30:00Z",
        "closed_at": "2025-01-06T14:31:00.500000Z",
        "seconds_held": "60.5",
        "quantity": "100",
        "entry_price_usd": "10.1",
        "exit_price_usd": "10.2",
        "profit_usd": "9.999999999999999999",
        "profit_pct": "0.9901",
        "fees_usd": "0",
        "reason_out": "{}",
        "correlation_in": "d-1-1",
        "correlation_out": "d-9-1",
    }
    assert (second["symbol"], second["side"]) == ("BRK.B", "short")
    assert (folder.path / "equity.csv").read_bytes() == (
        b"session_date,equity_usd,drawdown_pct\n"
        b"2025-01-06,1010.00,0.0000\n2025-01-07,1009.49,0.0501\n2025-01-08,1020.00,0.0000\n"
    )


def test_drawdown_counts_from_the_start(folder) -> None:
    """An account that only lost has fallen from what it began with; one that lost all by a hundred per cent."""
    folder.write_end(RESULT, [], [Session("2025-01-06", 900.0), Session("2025-01-07", 0.0)])
    lines = (folder.path / "equity.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["10.0000", "100.0000"]


def test_a_run_without_trades_has_the_headings(folder) -> None:
    """Tables are there, with their columns, whatever happened."""
    folder.write_end(RESULT, [], [])
    assert (folder.path / "trades.csv").read_text(encoding="utf-8").count("\n") == 1
    assert (folder.path / "equity.csv").read_text(encoding="utf-8") == "session_date,equity_usd,drawdown_pct\n"


@POSIX
def test_only_the_owner_reads_it(folder) -> None:
    """Folder and files are private, whatever the process's mask lets through."""
    before = os.umask(0)
    try:
        other = RunFolder.create(folder.path.parent.parent / "others", RUN_ID)
        other.write_start({}, {})
        other.write_end(RESULT, [], [])
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (other.path, other.path.parent)}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in other.path.iterdir()} == {0o600}


def test_a_file_is_replaced_as_a_whole(folder) -> None:
    """Writing again replaces the file; what cannot be encoded leaves the old one as it was."""
    folder.write_end(RESULT, [], [])
    folder.write_end({**RESULT, "end_equity": "7.00"}, [], [])
    assert json.loads((folder.path / "result.json").read_bytes())["end_equity"] == "7.00"
    with pytest.raises(ValueError, match="JSON compliant"):
        folder.write_end({**RESULT, "sharpe": float("nan")}, [], [])
    assert json.loads((folder.path / "result.json").read_bytes())["end_equity"] == "7.00"
    assert names(folder.path) == ["equity.csv", "result.json", "trades.csv"]


def test_the_result_comes_last(folder) -> None:
    """When a table cannot be written there is no result.json: the run counts as unfinished."""
    (folder.path / "equity.csv").mkdir()
    with pytest.raises(RunFailed):
        folder.write_end(RESULT, [], [])
    assert not (folder.path / "result.json").exists()
    assert [run.state for run in list_runs(folder.path.parent)] == ["unfinished"]


def test_a_file_that_cannot_be_written_names_itself(folder) -> None:
    """The error says which file, why, and what to do; no half of it stays behind."""
    (folder.path / "result.json").mkdir()
    with pytest.raises(RunFailed) as raised:
        folder.write_end(RESULT, [], [])
    text = str(raised.value)
    assert str(folder.path.absolute() / "result.json") in text
    assert "See that its folder is writable and the disk has room" in text
    assert isinstance(raised.value.__cause__, OSError)
    assert names(folder.path) == ["equity.csv", "result.json", "trades.csv"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named(folder) -> None:
    """What the system says of a full disk reaches the person."""
    (folder.path / "versions.json.part").symlink_to("/dev/full")
    with pytest.raises(RunFailed, match=os.strerror(errno.ENOSPC)):
        folder.write_start({}, VERSIONS)
    assert names(folder.path) == ["config.resolved.yaml"]


@POSIX
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission_is_named(tmp_path) -> None:
    """Without permission the error names the folder and the two ways out."""
    tmp_path.chmod(0o500)
    with pytest.raises(RunFailed, match=r"cannot be made: .* Make .* writable, or start mqd in another"):
        RunFolder.create(tmp_path / "runs", RUN_ID)
    tmp_path.chmod(0o700)


def test_a_name_too_long_is_named(tmp_path) -> None:
    """Whatever the system refuses becomes one error with path and remedy."""
    with pytest.raises(RunFailed, match=r"cannot be made: .*\. Make .*runs writable, or start mqd in another"):
        RunFolder.create(tmp_path / "runs", "x" * 4_000)


@pytest.mark.parametrize("blocking", ["runs", f"runs/{RUN_ID}"])
def test_what_is_there_is_not_touched(tmp_path, blocking) -> None:
    """A file or folder in the way stays as it is."""
    path = tmp_path / blocking
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(RunFailed, match="is not this run's; move it away"):
        RunFolder.create(tmp_path / "runs", RUN_ID)
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_failed_start_leaves_nothing(tmp_path) -> None:
    """What was made for a run that never began is removed, whatever is in it; a folder of runs made for it too."""
    folder = RunFolder.create(tmp_path / "runs", RUN_ID)
    (folder.path / "desk").mkdir()
    folder.write_start({}, {})
    folder.discard()
    assert names(tmp_path) == []
    folder.discard()


def test_other_runs_stay(tmp_path) -> None:
    """Discarding one run leaves those before and beside it."""
    first = RunFolder.create(tmp_path / "runs", RUN_ID)
    second = RunFolder.create(tmp_path / "runs", "20250106T143001Z-run-0a1b2c")
    first.discard()
    assert names(tmp_path / "runs") == [second.path.name]
    second.discard()
    assert names(tmp_path / "runs") == []


def test_runs_are_listed_newest_first(tmp_path) -> None:
    """A list has id, mode, start and result of each run, and says which have none."""
    root = tmp_path / "runs"
    for run_id in ("20250106T143000Z-backtest-0a1b2c", "20251231T235959Z-run-ffffff", "20250106T143001Z-run-000000"):
        RunFolder.create(root, run_id).write_start({}, {})
    RunFolder(root / "20250106T143001Z-run-000000").write_end(RESULT, [], [])
    broken = root / "20250106T143000Z-backtest-0a1b2c" / "result.json"
    broken.write_text('{"schema": 1', encoding="utf-8")

    runs = list_runs(root)

    assert [(run.run_id, run.mode, run.started, run.state, run.result) for run in runs] == [
        ("20251231T235959Z-run-ffffff", "run", "2025-12-31T23:59:59Z", "unfinished", None),
        ("20250106T143001Z-run-000000", "run", "2025-01-06T14:30:01Z", "finished", RESULT),
        ("20250106T143000Z-backtest-0a1b2c", "backtest", "2025-01-06T14:30:00Z", "unreadable", None),
    ]
    assert [run.path for run in runs] == [root / run.run_id for run in runs]


def test_foreign_files_are_passed_over(tmp_path) -> None:
    """Files, folders of other names and odd names do not disturb the list; a result that is no object is unreadable."""
    root = tmp_path / "runs"
    run = RunFolder.create(root, RUN_ID)
    (root / "notes.txt").write_text("mine", encoding="utf-8")
    (root / "20250106T143000Z-run-0a1b2c").write_text("a file of a run's name", encoding="utf-8")
    for name in ("sweeps", ".cache", "20259906T143000Z-run-0a1b2c", f"{RUN_ID}-copy", "Ü"):
        (root / name).mkdir()
    (run.path / "result.json").write_text("[1]", encoding="utf-8")
    assert [(run.run_id, run.state) for run in list_runs(root)] == [(RUN_ID, "unreadable")]


def test_where_no_run_was_there_is_no_list(tmp_path) -> None:
    """Without a folder of runs the list is empty; one that is a file is an error with a remedy."""
    assert list_runs(tmp_path / "runs") == []
    (tmp_path / "runs").write_text("", encoding="utf-8")
    with pytest.raises(RunFailed, match="cannot be listed"):
        list_runs(tmp_path / "runs")


def test_new_run_ids_are_listed(tmp_path) -> None:
    """What the desk calls its runs is what the list looks for."""
    for mode in ("run", "backtest"):
        RunFolder.create(tmp_path, new_run_id(mode))
    assert sorted(run.mode for run in list_runs(tmp_path)) == ["backtest", "run"]
