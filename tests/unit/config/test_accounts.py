"""Whether limits fit the money in the account: arithmetic on numbers, exact at the borders."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.config import Config, Level, parse_config
from mqd_core.config.accounts import account_problems, entry_limit

Load = Callable[..., Config]


def found(config: Config, equity: str, **facts: object) -> list[tuple[str, str]]:
    problems = account_problems(config, Decimal(equity), **facts)  # type: ignore[arg-type]
    return [(problem.level.value, problem.key) for problem in problems]


@pytest.mark.parametrize("equity", ["200", "1000", "1500"])
def test_the_defaults_suit_accounts_of_their_size(load: Load, equity: str) -> None:
    """From $200 to $1,500 nothing is in the way."""
    assert found(load(), equity) == []


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_an_empty_account_cannot_trade(load: Load, equity: str) -> None:
    """Nothing else is said of it."""
    (problem,) = account_problems(load(), Decimal(equity))

    assert problem.level is Level.ERROR
    assert "needs money to trade with" in problem.text


def test_loss_limits_must_be_below_the_account(load: Load) -> None:
    """A limit that fires when everything is lost is none; one of more than half is warned about."""
    config = load("risk: {daily_loss_limit_usd: 60, weekly_loss_limit_usd: 100}\n")

    assert found(config, "121") == []
    assert found(config, "120") == []
    assert found(config, "119.99") == [("warning", "risk.daily_loss_limit_usd")]
    assert found(config, "100") == [("warning", "risk.daily_loss_limit_usd"), ("error", "risk.weekly_loss_limit_usd")]
    assert found(config, "60") == [("error", "risk.daily_loss_limit_usd"), ("error", "risk.weekly_loss_limit_usd")]


def test_an_entry_must_be_worth_a_dollar(load: Load) -> None:
    """Exactly one dollar will do; below it the key that leaves less is named, with the amount."""
    config = load("risk: {max_position_size_pct: 0.5}\n")

    assert found(config, "200") == []
    (problem,) = account_problems(config, Decimal("199.99"))
    assert problem.level is Level.ERROR
    assert problem.key == "risk.max_position_size_pct"
    assert problem.place is not None
    assert "leaves $1.00 for an entry in an account of $199.99" in problem.text


def test_a_reserve_of_all_cash_leaves_nothing(load: Load) -> None:
    """The reserve is named when it is what leaves too little."""
    config = load("risk: {cash_reserve_usd: 999.5}\n")

    assert found(config, "1000") == [("error", "risk.cash_reserve_usd")]
    assert found(config, "1000.5") == []


def test_whole_shares_must_be_affordable(smallest: dict[str, object]) -> None:
    """One symbol out of reach is a warning, all of them an error; fractions and unknown prices are not judged."""
    smallest["strategies"] = [
        {"name": "V", "symbols": ["SPY", "F"]},
        {"name": "W", "symbols": ["BRK.A"], "enabled": False},
    ]
    config = parse_config(smallest)
    prices = {"SPY": Decimal("598.45"), "F": Decimal(100), "BRK.A": Decimal(700_000)}

    assert found(config, "1000", prices=prices) == []
    assert found(config, "1000", whole_shares_only={"SPY", "F"}) == []
    some = {"prices": prices, "whole_shares_only": {"SPY", "F", "BRK.A"}}
    assert found(config, "1000", **some) == [("warning", "strategies[0].symbols[0]")]
    assert found(config, "999.99", **some) == [
        ("error", "strategies[0].symbols[0]"),
        ("error", "strategies[0].symbols[1]"),
    ]
    (problem, _) = account_problems(config, Decimal(500), prices=prices, whole_shares_only={"SPY", "F"})
    assert "one share of SPY costs $598.45 and the broker trades no fractions of it" in problem.text
    assert "risk.max_position_size_pct leaves $50.00" in problem.text


def test_risk_must_be_more_than_the_cost_of_a_round_trip(load: Load) -> None:
    """A budget that fees and spread use up is warned about."""
    config = load()

    assert found(config, "1000", round_trip_cost_usd=Decimal("9.99")) == []
    assert found(config, "1000", round_trip_cost_usd=Decimal(10)) == [("warning", "risk.risk_per_trade_pct")]


@given(
    st.decimals(min_value=Decimal("0.01"), max_value=Decimal(5000), places=2),
    st.decimals(min_value=Decimal("0.01"), max_value=Decimal(100), places=2),
    st.decimals(min_value=Decimal(0), max_value=Decimal(2000), places=2),
)
def test_the_entry_limit_is_within_every_limit(equity: Decimal, percent: Decimal, reserve: Decimal) -> None:
    """It is the smallest of what the three keys leave, and an error is said exactly when it is below a dollar."""
    slots: dict[str, object] = {name: {"name": "a"} for name in ("broker", "data", "sizer", "store")}
    slots["strategies"] = [{"name": "V", "symbols": ["A"]}]
    config = parse_config({**slots, "risk": {"max_position_size_pct": percent, "cash_reserve_usd": reserve}})
    limit, key = entry_limit(config, equity)

    assert limit * 100 <= equity * percent
    assert limit <= config.risk.max_order_value_usd
    assert limit <= equity - reserve
    assert ((f"risk.{key}") in {name for level, name in found(config, str(equity)) if level == "error"}) == (limit < 1)
