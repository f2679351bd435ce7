"""The configuration files that come with mqd: valid, safe, and free of surprises."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from mqd_core.config import Config, load_config
from mqd_core.config.accounts import account_problems
from mqd_core.config.advice import config_warnings
from mqd_core.config.secret_file import read_secret_file

FILES = ("config.yaml", "backtest-files.yaml", "config-venue.yaml")


@pytest.fixture
def shipped(project_root: Path, tmp_path: Path) -> Callable[[str], Config]:
    """Load a copy of a shipped file: away from whatever secrets a developer keeps beside the original."""

    def loaded(name: str) -> Config:
        return load_config(shutil.copy(project_root / "config" / name, tmp_path), environment={})

    return loaded


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_file_is_safe_and_gives_no_warning(shipped: Callable[[str], Config], name: str) -> None:
    """Simulated money, every safety on, limits that fit the account it starts with."""
    config = shipped(name)

    assert config.broker.paper_trading is True
    assert config.broker.name in {"mock", "mock_venue"}
    assert config.risk.circuit_breaker_enabled is True
    assert config_warnings(config) == ()
    assert account_problems(config, Decimal(config.broker.settings["starting_cash"])) == ()


def test_the_demo_is_what_the_documents_describe(shipped: Callable[[str], Config]) -> None:
    """One symbol, five synthetic days, the VWAP strategy, $1,000, a tenth of it for a position."""
    config = shipped("config.yaml")

    assert config.desk.id == "demo"
    assert config.data.settings == {"symbols": ["SPHD"], "seed": "7", "days": "5"}
    assert [use.name for use in config.plugin_uses()] == [
        "sqlite",
        "synthetic",
        "mock",
        "notional",
        "VWAPMeanReversionStrategy",
    ]
    assert config.strategies[0].symbols == ("SPHD",)
    assert config.strategies[0].lookback_bars == 50
    assert config.strategies[0].settings == {
        "vwap_window": "20",
        "entry_threshold": "0.02",
        "stop_loss_pct": "0.02",
        "take_profit_pct": "0.01",
    }
    assert config.risk.max_position_size_pct == Decimal(10)


def test_the_desks_of_the_files_do_not_meet(shipped: Callable[[str], Config]) -> None:
    """Other ids and other stores, so that neither a backtest on files nor a kill touches the demo's records."""
    configs = [shipped(name) for name in FILES]

    assert len({config.desk.id for config in configs}) == len(FILES)
    assert len({str(config.store.settings) for config in configs}) == len(FILES)
    files = configs[1]
    assert files.risk.max_open_positions == len(files.strategies[0].symbols) == 4


def test_the_desk_that_may_be_killed_differs_from_the_demo_in_its_account_alone(
    shipped: Callable[[str], Config],
) -> None:
    """What a person sees there happened to the demo's own strategy, market and limits; only the pace is another."""
    demo, venue = shipped("config.yaml"), shipped("config-venue.yaml")

    assert (venue.strategies, venue.risk, venue.sizer) == (demo.strategies, demo.risk, demo.sizer)
    assert venue.data.settings == demo.data.settings
    assert venue.data.pace is not None


def test_the_template_of_secrets_reads_as_it_is(project_root: Path, tmp_path: Path) -> None:
    """Whoever copies it gets a file without faults, in which nothing is filled in but the safe choice."""
    file = tmp_path / ".env.local"
    file.touch(mode=0o600)
    file.write_text((project_root / "config" / ".env.local.template").read_text(encoding="utf-8"), encoding="utf-8")
    found, problems = read_secret_file(file)

    assert problems == []
    assert {name: line.value for name, line in found.items()} == {
        "BROKER_API_KEY": "",
        "BROKER_API_SECRET": "",
        "PAPER_TRADING": "true",
    }
