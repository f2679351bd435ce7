"""Hand-made bars, books and views for the tests of the VWAP strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from mqd_core.api import MINUTE_NS, Bar, BookView, OrderRef, StrategyContext, Timeframe
from mqd_plugin_vwap.plugin import VWAPSettings
from mqd_plugin_vwap.strategy import VWAPMeanReversionStrategy

SYMBOL = "SPHD"


@dataclass
class View:
    """What a strategy is shown, with a book that tests put in."""

    book: BookView
    now_ns: int = 0
    working: Sequence[OrderRef] = ()
    equity: Decimal = Decimal(1000)

    def book_of(self, symbol: str) -> BookView:
        assert symbol == self.book.symbol
        return self.book


@dataclass(frozen=True)
class Kit:
    """Makers of what a test needs."""

    symbol: str = SYMBOL

    def flat(self) -> BookView:
        return BookView(strategy_id="vwap", symbol=SYMBOL)

    def holding(self, entry_price: str, quantity: str = "1.5") -> BookView:
        cost = Decimal(entry_price) * Decimal(quantity)
        return BookView(
            strategy_id="vwap",
            symbol=SYMBOL,
            quantity=Decimal(quantity),
            cost=cost,
            average_price=Decimal(entry_price),
        )

    def view(self, book: BookView | None = None) -> View:
        return View(book or self.flat())

    def strategy(self, **parameters: object) -> VWAPMeanReversionStrategy:
        context = StrategyContext(id="vwap", symbols=(SYMBOL,), timeframe=Timeframe.MINUTE_1)
        return VWAPMeanReversionStrategy(VWAPSettings.model_validate(parameters), context)

    def bar(self, close: float, volume: float = 100.0, *, high: float | None = None, low: float | None = None) -> Bar:
        return Bar(SYMBOL, 0, close, close if high is None else high, close if low is None else low, close, volume)

    def bars(self, closes: Sequence[float]) -> list[Bar]:
        return [
            Bar(SYMBOL, minute * MINUTE_NS, close, close, close, close, 100.0) for minute, close in enumerate(closes)
        ]


@pytest.fixture(scope="session")
def kit() -> Kit:
    """Makers of bars, books, views and strategies."""
    return Kit()
