"""What a configuration allows but a person should think about again: warnings, never errors.

Looks at the configuration alone; what depends on the money in the account is in `accounts`. May not refuse anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

from mqd_core.config.document import KeyPath
from mqd_core.config.model import Config
from mqd_core.config.problems import Level, Problem
from mqd_core.config.secrets import KNOWN, PAPER_TRADING
from mqd_core.config.sections import OnExternal, Protection
from mqd_core.domain.market import Timeframe
from mqd_core.domain.money import HUNDRED, multiply

#: Below these a percentage was probably meant as a fraction: 0.1 where 10 was meant.
_FRACTION_LIKE: Final = {
    "max_position_size_pct": Decimal(1),
    "circuit_breaker_loss_pct": Decimal("0.5"),
    "risk_per_trade_pct": Decimal("0.05"),
}
_NEAR: Final = 0.85


def config_warnings(config: Config) -> tuple[Problem, ...]:
    """Everything in the configuration, and in the names of its secrets, that deserves a second look."""
    parts = (_protection(config), _risk(config), _strategies(config))
    found = [Problem.at(config.source, path, text, Level.WARNING) for part in parts for path, text in part]
    return (*found, *_misspelt_secrets(config))


def _protection(config: Config) -> Iterator[tuple[KeyPath, str]]:
    if not config.broker.paper_trading and config.protection is Protection.STRATEGY:
        text = "with `strategy`, nothing closes a losing position of real money while the desk is down; `broker` does"
        yield ("protection",), text
    if config.desk.on_external is OnExternal.IGNORE:
        text = "with `ignore`, the desk trades on beside orders that it did not make; `freeze` denies entries instead"
        yield ("desk", "on_external"), text


def _risk(config: Config) -> Iterator[tuple[KeyPath, str]]:
    risk = config.risk
    for name, least in _FRACTION_LIKE.items():
        value: Decimal = getattr(risk, name)
        if value < least:
            text = f"is {value} per cent; under `risk:` ten per cent is 10. Was {multiply(value, HUNDRED):f} meant?"
            yield ("risk", name), text
    if not risk.circuit_breaker_enabled:
        yield ("risk", "circuit_breaker_enabled"), "is off; a fast fall within the session halts nothing"
    if risk.risk_per_trade_pct > risk.max_position_size_pct:
        yield ("risk", "risk_per_trade_pct"), "is above max_position_size_pct, so it never limits an entry"
    if multiply(risk.max_position_size_pct, Decimal(risk.max_open_positions)) > risk.max_gross_exposure_pct:
        text = (
            f"positions of {risk.max_position_size_pct} per cent each would together pass max_gross_exposure_pct "
            f"({risk.max_gross_exposure_pct}); the last of them will be denied"
        )
        yield ("risk", "max_open_positions"), text


def _strategies(config: Config) -> Iterator[tuple[KeyPath, str]]:
    if not any(entry.enabled for entry in config.strategies):
        yield ("strategies",), "none is enabled; the desk looks after what it holds and enters nothing"
    for index, entry in enumerate(config.strategies):
        if entry.enabled and entry.timeframe is Timeframe.DAY_1 and config.session.no_entry_minutes_after_open:
            text = "daily bars come at the open, where session.no_entry_minutes_after_open denies entries; set it to 0"
            yield ("strategies", index, "timeframe"), text


def _misspelt_secrets(config: Config) -> Iterator[Problem]:
    secrets = config.secrets
    for name in secrets:
        if secrets.file is None or secrets.origin(name) != str(secrets.file) or name in KNOWN:
            continue
        near = get_close_matches(name, [*KNOWN, PAPER_TRADING], n=1, cutoff=_NEAR)
        if near and near[0] not in secrets:
            text = f"{name} is no name that mqd knows; did you mean {near[0]}?"
            yield Problem(level=Level.WARNING, file=str(secrets.file), place=None, key="", text=text)
