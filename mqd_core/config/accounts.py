"""Whether limits and account fit each other: pure arithmetic on the configuration and the money that is there.

Called when the broker has told its equity, and by `mqd doctor`. Reads no price itself; may not size an order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Final

from mqd_core.config.document import KeyPath
from mqd_core.config.model import Config
from mqd_core.config.problems import Level, Problem
from mqd_core.domain.money import ZERO, cents, multiply, percent_of, subtract

#: No US broker of this size takes an order of a smaller value; Alpaca's fractional orders start at one dollar.
MINIMUM_ORDER_USD: Final = Decimal(1)
_TWO: Final = Decimal(2)


def account_problems(
    config: Config,
    equity: Decimal,
    *,
    prices: Mapping[str, Decimal] | None = None,
    whole_shares_only: Collection[str] = (),
    round_trip_cost_usd: Decimal | None = None,
) -> tuple[Problem, ...]:
    """What keeps an account of this size from trading as configured; errors make it impossible, warnings unwise.

    Args:
        config: the configuration.
        equity: equity of the account, or the starting cash of a simulated one, in US dollars.
        prices: reference prices in US dollars by symbol, as far as they are known.
        whole_shares_only: symbols that the broker does not trade in fractions.
        round_trip_cost_usd: what buying and selling the usual position costs in fees and spread, if that is known.
    """
    if equity <= ZERO:
        return (Problem.at(config.source, (), f"the account is worth ${equity}; it needs money to trade with"),)
    found = (
        *_limits_against(config, equity),
        *_smallest_order(config, equity),
        *_whole_shares(config, equity, prices or {}, whole_shares_only),
        *_cost_against_risk(config, equity, round_trip_cost_usd),
    )
    return tuple(Problem.at(config.source, path, text, level) for level, path, text in found)


def entry_limit(config: Config, equity: Decimal) -> tuple[Decimal, str]:
    """The most that one entry may be worth in US dollars, and the key of `risk:` that says so."""
    risk = config.risk
    limits = (
        (percent_of(equity, risk.max_position_size_pct), "max_position_size_pct"),
        (risk.max_order_value_usd, "max_order_value_usd"),
        (subtract(equity, risk.cash_reserve_usd), "cash_reserve_usd"),
    )
    return min(limits, key=lambda limit: limit[0])


_Found = tuple[Level, KeyPath, str]


def _limits_against(config: Config, equity: Decimal) -> Iterator[_Found]:
    account = f"the account of ${cents(equity)}"
    for name in ("daily_loss_limit_usd", "weekly_loss_limit_usd"):
        limit: Decimal = getattr(config.risk, name)
        if limit >= equity:
            text = f"is {limit}, which {account} would have lost before the limit fires; set it below the account"
            yield Level.ERROR, ("risk", name), text
        elif name.startswith("daily") and multiply(limit, _TWO) > equity:
            text = f"is {limit}, more than half of {account}; a day may cost that much"
            yield Level.WARNING, ("risk", name), text


def _smallest_order(config: Config, equity: Decimal) -> Iterator[_Found]:
    limit, name = entry_limit(config, equity)
    if limit < MINIMUM_ORDER_USD:
        text = (
            f"leaves ${cents(limit)} for an entry in an account of ${cents(equity)}; the smallest order is "
            f"${MINIMUM_ORDER_USD}, so none can be sent"
        )
        yield Level.ERROR, ("risk", name), text


def _whole_shares(
    config: Config, equity: Decimal, prices: Mapping[str, Decimal], whole_shares_only: Collection[str]
) -> Iterator[_Found]:
    limit, name = entry_limit(config, equity)
    traded = [
        (("strategies", index, "symbols", place), symbol)
        for index, entry in enumerate(config.strategies)
        if entry.enabled
        for place, symbol in enumerate(entry.symbols)
    ]
    beyond = [
        (path, symbol, prices[symbol])
        for path, symbol in traded
        if symbol in whole_shares_only and symbol in prices and prices[symbol] > limit
    ]
    # One symbol out of reach is a pity; all of them mean that the desk can do nothing.
    level = Level.ERROR if len(beyond) == len(traded) else Level.WARNING
    for path, symbol, price in beyond:
        text = (
            f"one share of {symbol} costs ${cents(price)} and the broker trades no fractions of it, but risk.{name} "
            f"leaves ${cents(limit)} for an entry"
        )
        yield level, path, text


def _cost_against_risk(config: Config, equity: Decimal, cost: Decimal | None) -> Iterator[_Found]:
    budget = percent_of(equity, config.risk.risk_per_trade_pct)
    if cost is not None and cost >= budget:
        text = (
            f"lets a trade lose ${cents(budget)}, but buying and selling alone costs ${cents(cost)}; the risk is gone "
            "before the price has moved"
        )
        yield Level.WARNING, ("risk", "risk_per_trade_pct"), text
