"""Cash and positions of the account, exact to the last digit. May not know orders: it is told what was executed."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mqd_core.api import EXACT, ZERO, HeldPosition, Side, average_price, share_of_cost


class Holding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Shares of one symbol and what was paid for them, without fees. Never negative: the venue sells nothing short."""

    quantity: Decimal
    cost: Decimal


_NOTHING = Holding(ZERO, ZERO)


class Account:
    """The account. `cash` may fall below zero by fees alone."""

    __slots__ = ("cash", "holdings")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.holdings: dict[str, Holding] = {}

    def held(self, symbol: str) -> Decimal:
        """Shares held of a symbol."""
        return self.holdings.get(symbol, _NOTHING).quantity

    def trade(self, symbol: str, side: Side, quantity: Decimal, value: Decimal, fee: Decimal) -> None:
        """Book an execution: cash moves by `value`, which is exactly price times quantity, and by the fee."""
        before = self.holdings.get(symbol, _NOTHING)
        if fee:
            self.cash = EXACT.subtract(self.cash, fee)
        if side is Side.BUY:
            self.cash = EXACT.subtract(self.cash, value)
            self.holdings[symbol] = Holding(EXACT.add(before.quantity, quantity), EXACT.add(before.cost, value))
            return
        self.cash = EXACT.add(self.cash, value)
        rest = EXACT.subtract(before.quantity, quantity)
        if rest:
            sold = share_of_cost(before.cost, quantity, before.quantity)
            self.holdings[symbol] = Holding(rest, EXACT.subtract(before.cost, sold))
        else:
            del self.holdings[symbol]

    def move_cash(self, amount: Decimal) -> None:
        """Book what is not a trade; negative amounts are taken."""
        self.cash = EXACT.add(self.cash, amount)

    def positions(self) -> tuple[HeldPosition, ...]:
        """All positions, by symbol."""
        return tuple(
            HeldPosition(symbol=symbol, quantity=held.quantity, average_price=average_price(held.cost, held.quantity))
            for symbol, held in sorted(self.holdings.items())
        )
