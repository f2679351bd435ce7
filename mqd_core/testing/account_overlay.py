"""What happened to an account besides the orders of its desk: exact differences to what the inner broker says.

A small ledger of its own, in Decimals, that shares nothing with the core's: it can testify against it. May not know
the desk's orders.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import structs

from mqd_core.api import EXACT, ZERO, AccountSnapshot, HeldPosition, Side


class AccountOverlay:
    """Differences of cash and shares, to be laid over the account of the broker inside."""

    def __init__(self) -> None:
        self.cash = ZERO
        self.shares: dict[str, Decimal] = {}
        self._prices: dict[str, Decimal] = {}

    def trade(self, symbol: str, side: Side, quantity: Decimal, price: Decimal, fee: Decimal = ZERO) -> None:
        """Book an execution that the broker inside knows nothing of; a fee is taken."""
        value = EXACT.multiply(quantity, price)
        is_buy = side is Side.BUY
        self.move_cash(EXACT.subtract(value.copy_negate() if is_buy else value, fee))
        self.move_shares(symbol, quantity if is_buy else quantity.copy_negate())
        self._prices[symbol] = price

    def take_back(self, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> None:
        """Undo an execution of the broker inside: shares and their price go back; its fee is kept."""
        self.trade(symbol, Side.SELL if side is Side.BUY else Side.BUY, quantity, price)

    def move_cash(self, amount: Decimal) -> None:
        """Book money that comes (positive) or goes."""
        self.cash = EXACT.add(self.cash, amount)

    def move_shares(self, symbol: str, change: Decimal) -> None:
        """Book shares that come (positive) or go without a trade."""
        after = EXACT.add(self.shares.get(symbol, ZERO), change)
        self.shares[symbol] = after
        if not after:
            del self.shares[symbol]

    def laid_over(self, account: AccountSnapshot) -> AccountSnapshot:
        """The account as it really is. Money that was added can be spent, money that is gone cannot."""
        return structs.replace(
            account,
            cash=EXACT.add(account.cash, self.cash),
            buying_power=max(EXACT.add(account.buying_power, self.cash), ZERO),
            positions=self.positions(account.positions),
        )

    def positions(self, inner: tuple[HeldPosition, ...]) -> tuple[HeldPosition, ...]:
        """The positions as they really are, by symbol, without empty ones."""
        held = {position.symbol: position for position in inner}
        found = []
        for symbol in sorted({*held, *self.shares}):
            known = held.get(symbol)
            quantity = EXACT.add(known.quantity if known else ZERO, self.shares.get(symbol, ZERO))
            if quantity:
                price = known.average_price if known else self._prices.get(symbol, ZERO)
                found.append(HeldPosition(symbol=symbol, quantity=quantity, average_price=price))
        return tuple(found)
