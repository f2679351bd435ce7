"""Real money: three consents that agree, a broker that is none of a simulation, and the account that was named."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mqd_core.app.live_consent import check_consents, check_live_account, check_live_broker
from mqd_core.errors import ConfigError, UsageError


@dataclass
class Written:
    """As much of a configuration as consents are read from."""

    paper_trading: bool
    said: bool | None
    source: Any = field(default_factory=lambda: SimpleNamespace(locate=lambda path: f"config.yaml:1:1 {path[-1]}"))

    @property
    def broker(self) -> Any:
        return SimpleNamespace(paper_trading=self.paper_trading, name="mock")

    @property
    def secrets(self) -> Any:
        return SimpleNamespace(paper_trading=self.said)


def written(paper_trading: bool, said: bool | None) -> Any:
    """A configuration that says so, beside an environment that says that."""
    return Written(paper_trading, said)


def test_three_consents_are_enough() -> None:
    """All three agree on one account."""
    check_consents(written(False, False), "123")


@pytest.mark.parametrize("said", [True, False, None])
def test_paper_needs_no_consent(said: bool | None) -> None:
    """Whatever the environment says, paper stays paper."""
    check_consents(written(True, said), None)


@pytest.mark.parametrize(
    ("said", "account", "missing"),
    [
        (None, "123", ["PAPER_TRADING is not set"]),
        (True, "123", ["PAPER_TRADING is true"]),
        (False, None, ["--live ACCOUNT_NUMBER"]),
        (False, "  ", ["--live ACCOUNT_NUMBER"]),
        (True, None, ["PAPER_TRADING is true", "--live ACCOUNT_NUMBER"]),
    ],
)
def test_each_consent_that_is_missing_is_named(said: bool | None, account: str | None, missing: list[str]) -> None:
    """With its place and what to do; all of them together."""
    with pytest.raises(ConfigError) as caught:
        check_consents(written(False, said), account)
    assert len(caught.value.problems) == len(missing)
    assert all(text in problem for text, problem in zip(missing, caught.value.problems, strict=True))
    assert all(problem.startswith("config.yaml:1:1 paper_trading") for problem in caught.value.problems)


def test_a_consent_too_many_is_an_error() -> None:
    """Who types --live beside a paper configuration means something else than it says."""
    with pytest.raises(UsageError):
        check_consents(written(True, False), "123")


def test_a_simulated_broker_has_no_real_money() -> None:
    """It is refused by name; a real one is not."""
    with pytest.raises(ConfigError, match="mock is simulated"):
        check_live_broker(written(False, False), is_simulated=True)
    check_live_broker(written(False, False), is_simulated=False)


def test_another_account_is_refused() -> None:
    """Whatever the keys open, only the named one is traded."""
    check_live_account(None, "456")
    check_live_account("123", "123")
    with pytest.raises(ConfigError, match="456"):
        check_live_account("123", "456")
