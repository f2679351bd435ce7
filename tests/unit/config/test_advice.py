"""Warnings: what is allowed and deserves a second look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mqd_core.config import Config, Level
from mqd_core.config.advice import config_warnings

Load = Callable[..., Config]


def test_the_defaults_give_no_warning(load: Load) -> None:
    """What ships needs no second look."""
    assert config_warnings(load()) == ()


@pytest.mark.parametrize(
    ("added", "key", "text"),
    [
        ("risk: {max_position_size_pct: 0.1}", "risk.max_position_size_pct", "Was 10.0 meant?"),
        ("risk: {circuit_breaker_loss_pct: 0.05}", "risk.circuit_breaker_loss_pct", "Was 5.00 meant?"),
        ("risk: {risk_per_trade_pct: 0.01}", "risk.risk_per_trade_pct", "Was 1.00 meant?"),
        ("risk: {risk_per_trade_pct: 11}", "risk.risk_per_trade_pct", "never limits an entry"),
        ("risk: {circuit_breaker_enabled: false}", "risk.circuit_breaker_enabled", "is off"),
        ("risk: {max_open_positions: 11}", "risk.max_open_positions", "would together pass max_gross_exposure_pct"),
        ("desk: {on_external: ignore}", "desk.on_external", "trades on beside orders that it did not make"),
    ],
)
def test_each_risky_choice_is_warned_about_at_its_place(load: Load, added: str, key: str, text: str) -> None:
    """One warning, at the key that was chosen, with the reason."""
    (problem,) = [one for one in config_warnings(load(added + "\n")) if one.key == key and text in one.text]

    assert problem.level is Level.WARNING
    assert problem.place is not None
    assert problem.place.line == 8


def test_real_money_without_a_resting_stop_is_warned_about(load: Load) -> None:
    """With simulated money, or with `broker`, it is not."""
    live = (
        "broker: {name: mock, paper_trading: false}\n"
        "data: {name: a}\nsizer: {name: b}\nstore: {name: c}\nstrategies: [{name: V, symbols: [A]}]\n"
    )

    assert [problem.key for problem in config_warnings(load(whole=live + "protection: strategy\n"))] == ["protection"]
    assert config_warnings(load(whole=live)) == ()


def test_a_desk_without_an_enabled_strategy_is_warned_about(load: Load) -> None:
    """It is allowed, since it still looks after what it holds."""
    text = "broker: {name: a}\ndata: {name: a}\nsizer: {name: b}\nstore: {name: c}\n"
    (problem,) = config_warnings(load(whole=text + "strategies: [{name: V, symbols: [A], enabled: false}]\n"))

    assert str(problem).endswith(
        ":5:1: strategies: none is enabled; the desk looks after what it holds and enters nothing"
    )


def test_daily_bars_and_a_window_after_the_open_do_not_go_together(load: Load) -> None:
    """Each daily strategy is named, a disabled one is not."""
    text = "broker: {name: a}\ndata: {name: a}\nsizer: {name: b}\nstore: {name: c}\n"
    strategies = (
        "strategies:\n"
        "- {name: V, symbols: [A], timeframe: 1Day}\n"
        "- {name: W, symbols: [A], timeframe: 1Day, enabled: false}\n"
    )

    assert config_warnings(load(whole=text + strategies)) == ()
    warned = config_warnings(load(whole=text + strategies + "session: {no_entry_minutes_after_open: 5}\n"))
    assert [problem.key for problem in warned] == ["strategies[0].timeframe"]


def test_a_misspelt_name_in_the_file_of_secrets_is_warned_about(load: Load, tmp_path: Path) -> None:
    """Other names may be a plugin's; one that is nearly a known one, where that is unset, is a slip."""
    file = tmp_path / ".env.local"
    file.touch(mode=0o600)
    file.write_text("BROKER_APIKEY=hidden-value\nTELEGRAM_TOKEN=hidden-value\n", encoding="utf-8")

    (problem,) = config_warnings(load())
    assert str(problem) == f"{file}: BROKER_APIKEY is no name that mqd knows; did you mean BROKER_API_KEY?"
    assert config_warnings(load(environment={"BROKER_API_KEY": "set-after-all"})) == ()
