"""Loading a configuration file: what is in effect, and every fault at its place, all at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.config import Config, load_config, parse_config
from mqd_core.config.sections import LogLevel, OnExternal, Protection
from mqd_core.domain.market import Timeframe
from mqd_core.errors import ConfigError, ConfigSyntaxError

Load = Callable[..., Config]
Faults = Callable[..., list[str]]


def test_the_smallest_configuration_has_safe_defaults(load: Load) -> None:
    """Five sections are enough; everything else has a default that suits a small account."""
    config = load()

    assert config.broker.paper_trading is True
    assert config.desk.id == "desk"
    assert config.desk.state_dir == Path("var")
    assert config.desk.on_external is OnExternal.FREEZE
    assert config.protection is Protection.BROKER
    assert config.risk.max_open_positions == 1
    assert config.risk.max_position_size_pct == Decimal(10)
    assert config.risk.daily_loss_limit_usd <= config.risk.weekly_loss_limit_usd
    assert config.risk.circuit_breaker_enabled is True
    assert config.data.pace is None
    assert config.strategies[0].timeframe is Timeframe.MINUTE_1
    assert config.strategies[0].enabled is True
    assert config.plugins.allow is None


def test_logging_reads_as_documented(load: Load) -> None:
    """The three attributes that a script hands to setup_logging are a path, a level's name and a flag."""
    config = load("logging: {log_dir: my-logs, log_level: WARNING, json_logs: false}\n")

    assert config.logging.log_dir == Path("my-logs")
    assert config.logging.log_level is LogLevel.WARNING
    assert config.logging.log_level.value == "WARNING"
    assert config.logging.json_logs is False


@pytest.mark.parametrize(
    "section", ["desk", "risk", "session", "logging", "backtest", "plugins", "risk_rules", "observers"]
)
def test_a_section_whose_keys_are_commented_out_means_its_defaults(load: Load, section: str) -> None:
    """An empty section, as it is left by commenting out its keys, is as good as none."""
    assert load(f"{section}:\n  # nothing\n").digest() == load().digest()


def test_all_faults_are_said_at_once_sorted_by_place(faults: Faults) -> None:
    """Syntax is fine, so every fault of shape is one line, in the order of the file."""
    said = faults(
        "logging: {log_level: info}\n"
        "desk: {id: Demo, stat_dir: var}\n"
        "risk:\n"
        "  max_open_positions: -1\n"
        "  daily_loss_limt_usd: 10\n"
        "  price_collar_pct: 1000\n"
        "protection: brokr\n"
        "max_order_value_usd: 3\n"
    )

    first, second = said[:2]
    assert first.startswith("config.yaml:8:11: logging.log_level: 'info' was read; must be 'DEBUG', 'INFO', ")
    assert first.endswith("; did you mean 'INFO'?")
    assert second.startswith("config.yaml:9:8: desk.id: 'Demo' was read; must be 1 to 31 small letters, ")
    assert said[2:] == [
        "config.yaml:9:18: desk.stat_dir: is not a known key; did you mean 'state_dir'?",
        "config.yaml:11:3: risk.max_open_positions: '-1' was read; must be at least 1 and at most 100 (default 1)",
        "config.yaml:12:3: risk.daily_loss_limt_usd: is not a known key; did you mean 'daily_loss_limit_usd'?",
        "config.yaml:13:3: risk.price_collar_pct: '1000' was read; must be above 0 and at most 50 (default 5.0)",
        "config.yaml:14:1: protection: 'brokr' was read; must be 'strategy' or 'broker'; did you mean 'broker'?",
        "config.yaml:15:1: max_order_value_usd: is not a known key here; it belongs under `risk:`",
    ]


@pytest.mark.parametrize("value", [".inf", "-.inf", "inf", "nan", ".nan", "1e999", "1e3", "1_000", "010", "0x10", ".5"])
@pytest.mark.parametrize("key", ["max_open_positions", "daily_loss_limit_usd"])
def test_a_number_is_plain_digits(faults: Faults, key: str, value: str) -> None:
    """Nothing that could switch a limit off or be read in two ways passes for a number."""
    (said,) = faults(f"risk: {{{key}: {value}}}\n")

    assert said.startswith(f"config.yaml:8:8: risk.{key}: '{value}' was read; must be a ")


@pytest.mark.parametrize(
    "value", ["5,0", "12abc", "' 5'", "'5 '", "+5", "5.", "1" * 16, "1.0000000001", "٣", "--5", "true", "[1]"]
)
def test_what_is_nearly_a_number_is_refused(faults: Faults, value: str) -> None:
    """Commas, spaces, signs, other scripts' digits and too many digits are refused."""
    (said,) = faults(f"risk:\n  price_collar_pct: {value}\n")

    assert said.startswith("config.yaml:9:3: risk.price_collar_pct: ")
    assert "must be a plain number" in said


@pytest.mark.parametrize("value", ["yes", "no", "on", "off", "y", "1", "0", "True", "TRUE", "''", "null"])
def test_only_true_and_false_are_flags(faults: Faults, value: str) -> None:
    """`paper_trading: no` must not mean one thing to one reader and another to the next."""
    text = (
        "broker:\n  name: mock\n"
        f"  paper_trading: {value}\n"
        "data: {name: a}\nsizer: {name: b}\nstore: {name: c}\nstrategies: [{name: V, symbols: [A]}]\n"
    )
    (said,) = faults(whole=text)

    assert said.startswith("config.yaml:3:3: broker.paper_trading: ")
    assert said.endswith("must be true or false (default true)")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("daily_loss_limit_usd: 200", "risk.daily_loss_limit_usd: is 200; must not be above weekly_loss_limit_usd"),
        ("max_gross_exposure_pct: 5", "risk.max_position_size_pct: is 10.0; must not be above max_gross_exposure_pct"),
        ("max_orders_per_session: 9", "risk.max_orders_per_minute: is 10; must not be above max_orders_per_session"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(faults: Faults, limits: str, said: str) -> None:
    """A smaller limit above its larger one is a slip in one of the two."""
    (line,) = faults(f"risk: {{{limits}}}\n")

    assert said in line
    assert line.startswith("config.yaml:8:")


def test_several_contradictions_are_said_together(faults: Faults) -> None:
    """One section can hold more than one contradiction, each at its own key."""
    said = faults("risk:\n  max_orders_per_session: 9\n  daily_loss_limit_usd: 200\n")

    assert [line.split(": ")[1] for line in said] == ["risk.max_orders_per_minute", "risk.daily_loss_limit_usd"]


def test_no_entry_windows_must_leave_time_to_trade(load: Load, faults: Faults) -> None:
    """A half day has 210 minutes; windows that fill it would forbid every entry of the day."""
    assert load("session: {no_entry_minutes_after_open: 109, no_entry_minutes_before_close: 100}\n")

    (said,) = faults("session: {no_entry_minutes_after_open: 110, no_entry_minutes_before_close: 100}\n")
    assert "config.yaml:8:45: session.no_entry_minutes_before_close: " in said


def test_missing_sections_are_named_with_their_meaning(faults: Faults) -> None:
    """What a desk cannot do without is asked for by name."""
    said = faults(whole="desk: {id: a}\n")

    assert [line.split(": ")[1] for line in said] == ["broker", "data", "sizer", "store", "strategies"]
    assert said[0] == "config.yaml:1:1: broker: is missing (The broker plugin: where orders go)"


@pytest.mark.parametrize(
    ("strategies", "said"),
    [
        ("", "strategies: nothing was read; must be a list"),
        ("[]", "strategies: must hold one strategy at least and 100 at most"),
        ("[{name: V}]", "strategies[0].symbols: is missing"),
        ("[{name: V, symbols: []}]", "strategies[0].symbols: a list was read; must hold one symbol at least"),
        ("[{name: V, symbols: SPY}]", "strategies[0].symbols: 'SPY' was read; must be a list, such as [a, b]"),
        ("[{name: V, symbols: [spy]}]", "strategies[0].symbols[0]: 'spy' was read; must be a symbol in capitals"),
        ("[{name: V, symbols: ['A\\n']}]", "strategies[0].symbols[0]: "),
        ("[{name: V, symbols: [../x]}]", "strategies[0].symbols[0]: '../x' was read; must be a symbol"),
        ("[{name: V, symbols: [A, A]}]", "strategies[0].symbols: a list was read; must name A only once"),
        ("[{name: V, symbols: [A], timeframe: 1min}]", "must be '1Min', '2Min'"),
        (
            "[{name: V, symbols: [A], lookback: 5}]",
            "strategies[0].lookback: is not a known key; did you mean 'lookback_bars'?",
        ),
        ("[{name: V, symbols: [A], parameters: 5}]", "strategies[0].parameters: '5' was read; must be a section"),
        ("[{name: my-plugin, symbols: [A]}]", "strategies[0].name: 'my-plugin' was read; must be a plugin's name"),
        ("[{name: './a.txt:V', symbols: [A]}]", "strategies[0].name: './a.txt:V' was read; must be a plugin's name or"),
        ("[{name: V, id: '1 x', symbols: [A]}]", "strategies[0].id: '1 x' was read; must be a letter, then letters"),
        ("[V]", "strategies[0]: 'V' was read; must be a section of keys and values"),
        ("{name: V}", "strategies: a section was read; must be a list"),
    ],
)
def test_faults_of_strategies(faults: Faults, strategies: str, said: str) -> None:
    """Each fault of an entry is said with the entry's number and the key."""
    text = f"broker: {{name: a}}\ndata: {{name: a}}\nsizer: {{name: b}}\nstore: {{name: c}}\nstrategies: {strategies}\n"
    lines = faults(whole=text.replace("'A\\n'", '"A\\n"'))

    assert len(lines) == 1
    assert said in lines[0]


def test_an_allow_list_names_distributions(load: Load) -> None:
    """With or without versions, as pip writes them."""
    config = load("plugins: {allow: [mqd-plugin-mock, 'mqd-plugin-alpaca==1.2.*']}\n")

    assert config.plugins.allow == ("mqd-plugin-mock", "mqd-plugin-alpaca==1.2.*")


def test_a_slot_that_holds_a_name_only_is_shown_how(faults: Faults) -> None:
    """The usual shorthand is answered by what to write."""
    said = faults(
        whole="broker: mock\ndata: {name: a}\nsizer: {}\nstore: {name: c}\nstrategies: [{name: V, symbols: [A]}]\n"
    )

    assert said == [
        "config.yaml:1:1: broker: 'mock' was read; must be a section of keys and values, such as {name: mock}",
        "config.yaml:3:1: sizer.name: is missing (Name of the installed plugin, as `mqd plugins list` shows it)",
    ]


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("desk: {state_dir: ''}", "must be the path of a folder"),
        ("desk: {state_dir: ~/desk}", "must be written out: '~' is not replaced by your home folder"),
        ("desk: {state_dir: [a]}", "a list was read; must be the path of a folder"),
        ("session: {calendar: LSE}", "'LSE' was read; must be 'XNYS'"),
        ("data.pace: 1", "is not a known key"),
        ("plugins: {allow: [mqd x]}", "must hold distributions such as mqd-plugin-alpaca==1.2.*, but 'mqd x' is none"),
        ("backtest: {broker: {}}", "backtest.broker.name: is missing"),
        ("risk_rules: [{name: 1x}]", "risk_rules[0].name: '1x' was read; must be a plugin's name"),
    ],
)
def test_faults_of_other_sections(faults: Faults, added: str, said: str) -> None:
    """Paths, calendars, allow lists and listed slots are checked like the rest."""
    (line,) = faults(added + "\n")

    assert said in line


def test_what_was_read_is_cut_when_it_is_long(faults: Faults) -> None:
    """A novel under a key does not fill the screen."""
    (said,) = faults(f"desk: {{id: {'x y ' * 100}}}\n")

    assert len(said) < 250


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual mistake is the wrong folder: the message has the full path, and the command that writes a file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        load_config()

    assert str(tmp_path / "config" / "config.yaml") in str(refused.value)
    assert "`mqd init`" in str(refused.value)


def test_bad_syntax_is_a_stage_of_its_own(faults: Faults, load: Load) -> None:
    """Where the file is not YAML nothing else is said, and the error is of its own class."""
    with pytest.raises(ConfigSyntaxError):
        load("risk: {a: 1, a: 2}\n")
    assert len(faults("risk: {a: 1, a: 2}\nunknown: 1\n")) == 1


def test_relative_paths_stay_relative(load: Load) -> None:
    """They are relative to the working directory of whoever uses them, not to the file."""
    assert load("desk: {state_dir: a/b}\n").desk.state_dir == Path("a/b")


def test_a_program_may_hand_in_python_values(smallest: dict[str, Any]) -> None:
    """Flags, whole numbers, decimals and paths are taken as they are; a float is no amount of money."""
    smallest["risk"] = {
        "daily_loss_limit_usd": Decimal("12.5"),
        "max_open_positions": 3,
        "circuit_breaker_enabled": False,
    }
    smallest["desk"] = {"state_dir": Path("here")}
    config = parse_config(smallest)
    assert config.risk.daily_loss_limit_usd == Decimal("12.5")
    assert config.risk.max_open_positions == 3
    assert config.desk.state_dir == Path("here")

    smallest["risk"] = {"daily_loss_limit_usd": 12.5, "max_open_positions": True, "price_collar_pct": Decimal("NaN")}
    with pytest.raises(ConfigError) as refused:
        parse_config(smallest)
    assert [line.split(": ")[1] for line in refused.value.problems] == [
        "risk.daily_loss_limit_usd",
        "risk.max_open_positions",
        "risk.price_collar_pct",
    ]


def test_loading_imports_no_plugin_and_no_heavy_library(load: Load, project_root: Path, tmp_path: Path) -> None:
    """Stages 1 and 2 need pydantic and ruamel; plugins, numpy and plugin machinery come later."""
    load()
    program = (
        "import sys\n"
        "from mqd_core.config import load_config\n"
        "load_config('config.yaml', environment={})\n"
        "heavy = {'numpy', 'pandas', 'pluggy', 'stevedore', 'structlog', 'rich'}\n"
        "print(sorted(name for name in sys.modules if name.startswith('mqd_plugin') or name in heavy))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == "[]"
