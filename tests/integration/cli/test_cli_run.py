"""`mqd run` and `mqd backtest` from start to result: what they print, where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqd_core.testing.distributions import make_distribution

#: Bars: a session has 390 minutes, and the made-up market leaves a few out.
MOST_OF_A_SESSION = 350

RESULT_KEYS = [
    "schema",
    "run_id",
    "mode",
    "bars",
    "signals",
    "orders",
    "fills",
    "trades",
    "denied",
    "rejected",
    "start_equity",
    "end_equity",
    "cash",
    "fees",
    "net_profit",
    "net_profit_pct",
    "max_drawdown_pct",
    "win_rate",
    "sharpe",
    "positions",
    "first_bar",
    "last_bar",
    "wall_seconds",
    "load_seconds",
    "bars_per_second",
    "decision_hash",
    "report",
]

FAULTY = """
class Faulty:
    def __init__(self, settings, context):
        pass

    def on_bar(self, bar, view):
        return 1 / 0

    def on_fill(self, fill, view):
        pass
"""

DATA = """
from mqd_core.api import DataProviderRecord, NoSettings, hookimpl


class Provider:
    def history(self, symbol, timeframe, start_ns, end_ns):
        raise LookupError("the canary K3Y-of-the-test is not in the cage")

    def live(self, symbols, timeframe, sink):
        raise NotImplementedError

    def close(self):
        pass


@hookimpl
def mqd_data_providers():
    yield DataProviderRecord(
        name="cage",
        summary="Holds no data",
        settings=NoSettings,
        factory=lambda settings, context: Provider(),
        has_history=True,
        has_live=False,
    )
"""


def test_a_run_ends_with_a_summary(desk: Any) -> None:
    """Without a terminal: the summary and nothing else on stdout, warnings and log lines on stderr, files in place."""
    done = desk.call("run")

    assert done.returncode == 0, done.stderr
    names = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert names[0] == "net profit"
    assert {"trades", "signals", "run folder", "logs", "store"} <= set(names)
    assert "the market was synthetic" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    (run,) = (desk.folder / "runs").iterdir()
    assert (run / "result.json").is_file()
    assert (desk.folder / "var" / "tested" / "store" / "tested.db").is_file()


def test_a_run_with_json_prints_one_object(desk: Any) -> None:
    """Stdout is the result object with its documented keys in order, the same as in the run's folder."""
    result = desk.answer("run")

    assert [*result] == RESULT_KEYS
    assert (result["schema"], result["mode"]) == (1, "run")
    assert result["bars"] > MOST_OF_A_SESSION
    kept = desk.folder / "runs" / result["run_id"] / "result.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == result


def test_what_a_strategy_prints_is_no_result(desk: Any) -> None:
    """A plugin that prints cannot spoil the result: its words go to stderr."""
    desk.configure(strategy='"./mine.py:Faulty"', lookback_bars=0, source=FAULTY.replace("1 / 0", "print('bar') or ()"))

    done = desk.call("backtest", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signals"] == 0
    assert "bar\n" in done.stderr


def test_a_strategy_cannot_end_the_desk_without_a_word(desk: Any) -> None:
    """A strategy that calls sys.exit is a fault with file and line, never a silent end with its exit code."""
    source = FAULTY.replace("1 / 0", "__import__('sys').exit(0)")
    desk.configure(strategy='"./mine.py:Faulty"', lookback_bars=0, source=source)

    done = desk.call("backtest")

    assert done.returncode == 1
    assert "SystemExit" in done.stderr or "sys.exit" in done.stderr
    assert "mine.py:7" in done.stderr


def test_a_backtest_decides_as_a_run(desk: Any) -> None:
    """Run and backtest of the same data make the same decisions, and the backtest leaves no store."""
    tested = desk.answer("backtest")
    assert not (desk.folder / "var").exists()

    traded = desk.answer("run")

    assert tested["decision_hash"] == traded["decision_hash"]
    assert tested["mode"] == "backtest"
    assert tested["signals"] > 0


def test_a_backtest_takes_a_range_of_days(desk: Any) -> None:
    """Both days of --from and --to are in it; a day without data is an error of the configuration."""
    desk.configure(days=3)
    whole = desk.answer("backtest")
    first_day = whole["first_bar"][:10]

    one = desk.answer("backtest", "--from", first_day, "--to", first_day)

    assert (one["first_bar"], one["last_bar"][:10]) == (whole["first_bar"], first_day)
    assert MOST_OF_A_SESSION < one["bars"] < whole["bars"] / 2
    done = desk.call("backtest", "--from", "2050-01-01")
    assert done.returncode == 3
    assert "SPHD" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["run", "--live", "12345"], 2, "paper_trading"),
        (["backtest", "--from", "2024-02-01", "--to", "2024-01-01"], 2, "before"),
        (["backtest", "--from", "yesterday"], 2, "yesterday"),
        (["run", "--config", "absent.yaml"], 3, "absent.yaml"),
        (["run", "--config", "config"], 3, "config"),
    ],
)
def test_a_call_that_cannot_be_is_refused(desk: Any, arguments: list[str], exit_code: int, said: str) -> None:
    """Usage errors exit 2, a configuration that is not there 3; nothing is run, nothing printed as a result."""
    done = desk.call(*arguments)

    assert done.returncode == exit_code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (desk.folder / "var").exists()


def test_real_money_needs_every_consent(desk: Any) -> None:
    """A configuration of real money alone runs nothing: both other consents are named, and a simulation has none."""
    path = desk.folder / "config" / "config.yaml"
    text = path.read_text(encoding="utf-8").replace("name: mock", "name: mock, paper_trading: false")
    path.write_text(text, encoding="utf-8", newline="\n")

    done = desk.call("run")
    assert done.returncode == 3
    assert "PAPER_TRADING" in done.stderr
    assert "--live ACCOUNT_NUMBER" in done.stderr

    (path.parent / ".env.local").write_text("PAPER_TRADING=false\n", encoding="utf-8", newline="\n")
    (path.parent / ".env.local").chmod(0o600)
    done = desk.call("run", "--live", "123456789")
    assert done.returncode == 3
    assert "is simulated" in done.stderr
    assert "Traceback" not in done.stderr


def test_everything_wrong_with_a_configuration_is_said(desk: Any) -> None:
    """Each fault is a line with file, line and column, on stderr and in the JSON object; exit 3."""
    path = desk.folder / "config" / "config.yaml"
    text = path.read_text(encoding="utf-8") + "risk: {max_position_size_pct: 1000, daily_loss_limt_usd: 5}\n"
    path.write_text(text, encoding="utf-8", newline="\n")

    done = desk.call("run", "--json")

    assert done.returncode == 3
    problems = json.loads(done.stdout)["error"]["problems"]
    place = str(Path("config", "config.yaml"))
    assert [problem.startswith(f"{place}:11:") for problem in problems] == [True, True]
    assert "did you mean 'daily_loss_limit_usd'?" in done.stderr
    assert all(line.startswith("mqd: ") for line in done.stderr.splitlines())


def test_a_plugin_that_is_not_installed_is_said(desk: Any) -> None:
    """A name that nothing installed has exits 3 with the nearest one."""
    desk.configure(strategy="VWAPMeanReversionStrateg")

    done = desk.call("run")

    assert done.returncode == 3
    assert "did you mean 'VWAPMeanReversionStrategy'?" in done.stderr


def test_two_entries_of_one_strategy_both_trade(desk: Any) -> None:
    """A plugin that two entries use is built for each of them."""
    once = desk.answer("backtest")
    path = desk.folder / "config" / "config.yaml"
    entry = "strategies:\n  - {name: VWAPMeanReversionStrategy, id: second, symbols: [SPHD], timeframe: 5Min}"
    text = path.read_text(encoding="utf-8").replace("strategies:", entry)
    path.write_text(text, encoding="utf-8", newline="\n")

    twice = desk.answer("backtest")

    assert twice["decision_hash"] != once["decision_hash"]
    assert twice["signals"] > once["signals"]


def test_a_strategy_that_raises_ends_in_1(desk: Any) -> None:
    """A quarantined strategy lets the run go on; it ends in 1, and the fault is told with file and line."""
    desk.configure(strategy='"./mine.py:Faulty"', lookback_bars=0, source=FAULTY)

    done = desk.call("run", "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["bars"] > MOST_OF_A_SESSION
    assert "ZeroDivisionError" in done.stderr
    assert "mine.py:7" in done.stderr


def test_an_unforeseen_error_of_a_plugin_names_it(desk: Any) -> None:
    """One line: which plugin, what, where the traceback is; the log has it, and no secret is in any of them."""
    make_distribution(
        desk.site,
        "mqd-plugin-cage",
        entry_points={"mqd.data_providers": {"cage": "mqd_plugin_cage.plugin"}},
        modules={"mqd_plugin_cage/plugin.py": DATA},
    )
    path = desk.folder / "config" / "config.yaml"
    lines = [
        "data: {name: cage}" if line.startswith("data:") else line
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")

    done = desk.call("backtest", "--json", BROKER_API_KEY="K3Y-of-the-test")

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "data provider plugin 'cage' (mqd-plugin-cage 1.0)" in line
    assert "LookupError: 'the canary *** is not in the cage'" in line or "the canary *** is not" in line
    assert "the traceback is in logs" in line
    assert json.loads(done.stdout)["error"]["type"] == "LookupError"
    logged = [entry for entry in desk.log_lines("system") if entry["level"] == "CRITICAL"]
    assert [entry["message"] for entry in logged] == ["Uncaught error"]
    assert "Traceback" in logged[0]["extra"]["exception"]
    for file in desk.folder.rglob("*"):
        assert not file.is_file() or b"K3Y-of-the-test" not in file.read_bytes()


def test_a_record_that_went_on_has_nothing_left(desk: Any) -> None:
    """With an account that keeps its own record, data that were read to their end are not traded again; exit 0."""
    desk.configure(broker=", record: account.json")
    assert desk.call("run").returncode == 0

    done = desk.call("run", "--json")

    assert done.returncode == 0, done.stderr
    assert "nothing left to trade" in done.stderr
    assert json.loads(done.stdout)["stopped"] == "nothing left"
