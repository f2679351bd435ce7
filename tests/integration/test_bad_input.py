"""A careless person's configuration and data: one clear message, the right exit code, and nothing half done.

Every start is made on a desk whose book is over, so that one which fails half way would show: its store would have
moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from mqd_core.api import xnys
from mqd_core.domain.market import MINUTE_NS

HEADER = "timestamp,open,high,low,close,volume"
DATA = "name: synthetic     # a made-up market, the same for the same seed; `files` reads your own bars"
FIRST_NS = 1_704_067_200_000_000_000  # 2024-01-01
A_KEY = "PK0T3STQ7XW2LMV9RB4Z"


def minutes(first: int, count: int) -> str:
    """Rows of one minute each, from 14:30 UTC plus `first` minutes on."""
    clock = [f"{14 + (30 + minute) // 60:02d}:{(30 + minute) % 60:02d}" for minute in range(first, first + count)]
    return "".join(f"2024-01-08T{time}:00Z,70,71,69,70.5,100\n" for time in clock)


@dataclass(frozen=True)
class Slip:
    """What stood there, what somebody made of it, where the message points to, and what it must say."""

    old: str
    new: str
    place: str
    words: Sequence[str]


IN_SHAPE = [
    Slip(
        "  paper_trading: true", "  paper_trading: maybe", "paper_trading: maybe", ["'maybe' was read", "true", "false"]
    ),
    Slip("    enabled: true", "    enable: true", "enable:", ["did you mean 'enabled'?"]),
    Slip("    symbols: [SPHD]\n    time", "    symbols: [sphd]\n    time", "sphd", ["'sphd' was read", "capitals"]),
    Slip(
        "- name: VWAP",
        "- name: ./mine.py #",
        "name: ./mine.py",
        ["'./mine.py' was read", "./my_strategy.py:MyStrategy"],
    ),
    Slip("timeframe: 1Min", "timeframe: 1m", "timeframe", ["'1m' was read", "1Min"]),
    Slip("lookback_bars: 50", "lookback_bars: 1e3", "lookback_bars", ["'1e3' was read", "whole number"]),
    Slip("max_open_positions: 1", "max_open_positions: lots", "max_open_positions", ["'lots' was read", "at most 100"]),
    Slip("max_position_size_pct: 10.0", "max_position_size: 10", "max_position_size:", ["did you mean 'max_position"]),
    Slip("daily_loss_limit_usd: 50.0", "daily_loss_limit_usd: -50", "daily_loss", ["'-50' was read", "above 0"]),
    Slip(
        "weekly_loss_limit_usd: 150.0",
        "weekly_loss_limit_usd: .inf",
        "weekly_loss",
        ["'.inf' was read", "plain number"],
    ),
    Slip("risk_per_trade_pct: 1.0", "risk_per_trade_pct: nan", "risk_per_trade", ["'nan' was read", "at most 100"]),
    Slip("halt_duration_minutes: 30", "halt_duration_minutes: 30 min", "halt_duration", ["'30 min' was read"]),
]
IN_SETTINGS_OF_PLUGINS = [
    Slip("path: demo.db", "file: demo.db", "file: demo.db", ["is not a known key"]),
    Slip("symbols: [SPHD]\n  seed", "symbols: SPHD\n  seed", "symbols: SPHD", ["'SPHD' was read", "list"]),
    Slip("  seed: 7", "  sede: 7", "sede", ["did you mean 'seed'?"]),
    Slip("starting_cash: 1000", "starting_cash: Infinity", "starting_cash", ["'Infinity' was read", "number"]),
    Slip("vwap_window: 20", "vwap_window: inf", "vwap_window", ["'inf' was read", "whole number"]),
    Slip("entry_threshold: 0.02", "entry_threshold: nan", "entry_threshold", ["'nan' was read", "number"]),
    Slip("take_profit_pct: 0.01", "take_profit_pct: 1,000", "take_profit_pct", ["'1,000' was read", "number"]),
]
NOT_EVEN_YAML = [
    Slip("  seed: 7", "  seed: 7\n  seed: 8", "seed: 8", ["already set at config.yaml:23:3", "keep one"]),
    Slip("  seed: 7", "\tseed: 7", "\tseed", ["tab"]),
    Slip("symbols: [SPHD]\n  seed", "symbols: [SPHD\n  seed", ": 7\n", ["not closed"]),
]


@pytest.mark.parametrize("slips", [IN_SHAPE, IN_SETTINGS_OF_PLUGINS, *([slip] for slip in NOT_EVEN_YAML)])
def test_slips_in_the_configuration(finished: Any, slips: Sequence[Slip]) -> None:
    """One line each, all at once: the place, what was read, what is allowed; exit 3, and nothing is touched."""
    finished.change(*((slip.old, slip.new) for slip in slips))
    lines = finished.refused(3).splitlines()
    said = {line.partition(": ")[0]: line for line in lines}
    assert sorted(said) == sorted(finished.place(slip.place) for slip in slips)
    assert len(lines) == len(slips)
    unsaid = [word for slip in slips for word in slip.words if word not in said[finished.place(slip.place)]]
    assert unsaid == []


def test_slips_in_json(finished: Any) -> None:
    """With --json the same lines stand in one object on stdout, with the exit code."""
    finished.change(("  seed: 7", "  sede: 7"), ("starting_cash: 1000", "starting_cash: x"))
    ended = finished.run("--json")
    assert (ended.code, ended.result["error"]["exit_code"]) == (3, 3)
    assert len(ended.result["error"]["problems"]) == 2
    assert "\n".join(ended.result["error"]["problems"]) == ended.message


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- list\n", "a: &b c\n"])
def test_what_is_no_configuration(finished: Any, text: str) -> None:
    """A file that is empty, or YAML of another kind, is refused by its name; exit 3."""
    finished.write(text)
    assert finished.refused(3).startswith("config.yaml")


def test_a_configuration_that_is_not_there(finished: Any) -> None:
    """The message names where it was looked for and how to get one; exit 3."""
    finished.config.rename(finished.folder / "other.yaml")
    message = finished.refused(3)
    assert str(finished.config) in message
    assert "mqd init" in message


def test_a_key_of_an_account_is_not_repeated(finished: Any) -> None:
    """A real-looking key is refused wherever it stands, with the way to keep it, and appears in no output or log."""
    finished.change(
        ("  starting_cash: 1000", f"  api_key: {A_KEY}\n  starting_cash: 1000"),
        ("  path: demo.db", f"  path: demo.db\n  token: {A_KEY}"),
        ("  max_open_positions: 1", f"  max_open_positions: 1\n  secret: {A_KEY}"),
    )
    lines = finished.refused(3).splitlines()
    places = [finished.place(key) for key in ("api_key: PK", "token: PK", "secret: PK")]
    told = [line for line in lines if line.partition(": ")[0] in places and ".env.local" in line]
    assert [line.partition(": ")[0] for line in told] == places
    assert A_KEY not in "".join(lines) + finished.run("--json").out
    written = [path for path in finished.folder.rglob("*") if path.is_file() and path != finished.config]
    assert [path for path in written if A_KEY.encode() in path.read_bytes()] == []


def read_files(desk: Any, path: str = "bars") -> None:
    """Let the desk read bars from files."""
    desk.change((DATA, f"name: files\n  path: {path}"), ("  seed: 7\n  days: 2\n", ""))


@pytest.mark.parametrize(
    ("path", "file", "text", "words"),
    [
        ("bars", "", "", ["data.path bars does not exist", "name the file or folder"]),
        ("bars", "bars/SPDH.csv", HEADER, ["no SPHD.csv in bars", "did you mean 'SPDH'?"]),
        ("bars", "bars/SPHD.csv", "", ["bars/SPHD.csv is empty"]),
        ("bars", "bars/SPHD.csv", f"{HEADER}\n", ["bars/SPHD.csv has no rows"]),
        ("bars", "bars/SPHD.csv", "timestamp,open,high,low,close\n", ["no column 'volume'", "data.columns.volume"]),
    ],
)
def test_data_that_are_not_there(finished: Any, path: str, file: str, text: str, words: Sequence[str]) -> None:
    """Missing and empty data are faults of the configuration, told with the line that asks for them; exit 3."""
    if file:
        finished.file(file, text)
    read_files(finished, path)
    message = finished.refused(3).replace("\\", "/")
    assert message.startswith(finished.place("data:"))
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2024-01-08T14:50:00Z,7o,71,69,70.5,100", ["column 'open' was '7o'", "is allowed"]),
        ("2024-01-08T14:50:00Z,70,71,69", ["the header has 6 fields, the line has 4"]),
    ],
)
def test_a_bad_row_at_the_start(finished: Any, row: str, words: Sequence[str]) -> None:
    """A row that cannot be read is told by file and line, before anything is touched; exit 1."""
    finished.file("bars/SPHD.csv", f"{HEADER}\n{minutes(0, 20)}{row}\n{minutes(21, 20)}")
    read_files(finished)
    message = finished.refused(1).replace("\\", "/")
    assert message.startswith("bars/SPHD.csv:22: ")
    assert [word for word in words if word not in message] == []


def many_bars(rows: int, changed: Mapping[int, str]) -> str:
    """More rows than are read at once, in regular sessions, with a dip every thirty days; some cells changed."""
    table = xnys()
    session = table.next_session(FIRST_NS)
    lines = [HEADER]
    while session is not None and len(lines) <= rows:
        for start_ns in range(session.open_ns, session.close_ns, MINUTE_NS):
            row = len(lines)
            close = changed.get(row, "68.00" if row % 11_700 in range(200, 210) else "70.00")
            lines.append(f"{start_ns // 1_000_000_000},70,71,68,{close},1000")
        session = table.next_session(session.close_ns)
    return "\n".join(lines[: rows + 1]) + "\n"


@pytest.mark.slow
def test_a_bad_row_in_the_middle(desk: Any) -> None:
    """The run ends with 1 and the line; once it is put right, the next start ends as if nothing had been wrong."""
    read_files(desk)
    desk.change(
        ("  path: bars", "  path: bars\n  timestamp_unit: s"), ("entry_threshold: 0.02", "entry_threshold: 0.01")
    )
    desk.file("bars/SPHD.csv", many_bars(73_000, {72_000: "7O"}))
    ended = desk.run()
    assert (ended.code, ended.out) == (1, "")
    assert ended.message.replace("\\", "/").startswith("bars/SPHD.csv:72001: column 'close' was '7O'")
    (run,) = desk.runs()
    assert not (desk.folder / "runs" / run / "result.json").exists()
    assert desk.mqd("status", "--config", "config.yaml", "--json").result["as_of"]["sequence"] > 20_000

    desk.file("bars/SPHD.csv", many_bars(73_000, {}))
    resumed = desk.finish()
    undisturbed = desk.finish()
    assert undisturbed["trades"] > 5
    same = ("decision_hash", "bars", "trades", "cash")
    assert [resumed[key] for key in same] == [undisturbed[key] for key in same]
