"""What can be checked only once the broker and the data have answered, and before any order can be made.

May not trade; an error ends the start, a warning is printed and the run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from mqd_core.config import Config, Level, Problem
from mqd_core.config.accounts import account_problems
from mqd_core.domain.events import AccountSnapshot
from mqd_core.domain.ledger import EXTERNAL_BOOK
from mqd_core.domain.market import Asset
from mqd_core.domain.money import add, money, multiply
from mqd_core.domain.projection import DeskView
from mqd_core.errors import ConfigError

if TYPE_CHECKING:
    from mqd_core.runtime.feed import FeedChunk


def check_account(
    config: Config,
    assets: Sequence[Asset],
    account: AccountSnapshot,
    symbols: tuple[str, ...],
    prices: Mapping[str, Decimal],
    *,
    is_new_book: bool,
) -> tuple[Problem, ...]:
    """Whether this account can trade these symbols as configured; returns warnings, raises ConfigError for errors.

    `assets` is what the broker says of the symbols; `prices` are the first that are known, in USD, as far as they are.
    A book that goes on may be started while a symbol cannot be traded: the gate denies what cannot be done, and what
    is held has to be managed.
    """
    known = {asset.symbol: asset for asset in assets}
    problems = [
        f"{config.source.locate(('strategies',))}: the broker does not know {symbol}; check the symbol"
        for symbol in symbols
        if symbol not in known
    ]
    untradable = [symbol for symbol, asset in known.items() if not asset.tradable]
    if is_new_book:
        problems += [
            f"{config.source.locate(('strategies',))}: the broker does not trade {symbol} now; leave it out"
            for symbol in untradable
        ]
    if problems:
        raise ConfigError(problems)
    equity = account.cash
    for position in account.positions:
        price = prices.get(position.symbol, position.average_price)
        equity = add(equity, multiply(position.quantity, price))
    found = account_problems(
        config,
        equity,
        prices=prices,
        whole_shares_only=tuple(symbol for symbol, asset in known.items() if not asset.fractionable),
        round_trip_cost_usd=None,
    )
    errors = [str(problem) for problem in found if problem.level is Level.ERROR]
    # An account that has shrunk must still be able to start: it may hold positions that have to be managed.
    if errors and is_new_book:
        raise ConfigError(errors)
    text = "the broker does not trade it now; the desk goes on, and orders in it are denied"
    warnings = [Problem.at(config.source, ("strategies",), f"{one}: {text}", Level.WARNING) for one in untradable]
    return (*found, *warnings)


def first_prices(chunk: FeedChunk) -> dict[str, Decimal]:
    """The first close of each symbol in a chunk."""
    prices: dict[str, Decimal] = {}
    for bar in chunk.bars():
        prices.setdefault(bar.symbol, money(bar.close))
        if len(prices) == len(chunk.segment.symbols):
            break
    return prices


def check_books(config: Config, view: DeskView) -> None:
    """Refuse a start whose configuration lacks the strategy or symbol of an open book."""
    configured = {(entry.id, symbol) for entry in config.strategies if entry.enabled for symbol in entry.symbols}
    problems = [
        f"{config.source.locate(('strategies',))}: the desk holds {position.quantity} {position.symbol} for strategy "
        f"{position.strategy_id}, which this configuration does not have. Put that strategy and symbol back, "
        f"or close the position first"
        for position in view.positions
        if (position.strategy_id, position.symbol) not in configured and position.strategy_id != EXTERNAL_BOOK
    ]
    if problems:
        raise ConfigError(sorted(problems))
