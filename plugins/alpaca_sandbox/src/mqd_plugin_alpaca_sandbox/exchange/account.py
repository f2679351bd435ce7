"""Cash and positions of the one account: long only, without borrowing. Exact; knows no order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mqd_core.api import EXACT, ZERO, average_price, share_of_cost


@dataclass(slots=True, kw_only=True)
class Holding:
    """Shares of one symbol, what they cost, and what they cost or were worth when this day began or they came."""

    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    day_cost: Decimal = ZERO

    @property
    def average_entry(self) -> Decimal:
        """Cost of a share."""
        return average_price(self.cost, self.qty)


class Account:
    """What is owned. A gap may take cash below zero: the service's margin account lends it too."""

    __slots__ = ("cash", "holdings")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.holdings: dict[str, Holding] = {}

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.qty

    def close_day(self, closes: Mapping[str, Decimal]) -> None:
        """Begin the next day's profit at these prices."""
        for holding in self.holdings.values():
            if holding.symbol in closes:
                holding.day_cost = EXACT.multiply(holding.qty, closes[holding.symbol])

    def trade(self, symbol: str, qty: Decimal, price: Decimal, *, is_buy: bool) -> Decimal:
        """Book an execution; returns the position after it."""
        value = EXACT.multiply(qty, price)
        holding = self.holdings.setdefault(symbol, Holding(symbol=symbol))
        if is_buy:
            self.cash = EXACT.subtract(self.cash, value)
            holding.cost = EXACT.add(holding.cost, value)
            holding.day_cost = EXACT.add(holding.day_cost, value)
            holding.qty = EXACT.add(holding.qty, qty)
        else:
            self.cash = EXACT.add(self.cash, value)
            holding.cost = EXACT.subtract(holding.cost, share_of_cost(holding.cost, qty, holding.qty))
            holding.day_cost = EXACT.subtract(holding.day_cost, share_of_cost(holding.day_cost, qty, holding.qty))
            holding.qty = EXACT.subtract(holding.qty, qty)
        if not holding.qty:
            del self.holdings[symbol]
        return holding.qty
