"""Books and cash as a fold over fills: who holds what at which cost. Exact; may not round but by name, or decide.

Books are kept by (strategy id, symbol); the broker sees only their sum. A fill moves cash by exactly price times
quantity, unrounded, and by its fee.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.domain.money import ZERO, add, average_price, multiply, share_of_cost, subtract
from mqd_core.domain.orders import Side

#: The book of what others trade in the account; no strategy may have this id.
EXTERNAL_BOOK: Final = "external"


class BookView(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's own book in one symbol. A new object after every change, so identity tells whether it moved.

    `average_price` is cost over quantity, half to even at nine decimals: the entry price. `realized` is the profit
    of what was sold less all fees, USD. A negative quantity is a short position.
    """

    strategy_id: str
    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    average_price: Decimal = ZERO
    realized: Decimal = ZERO


class LedgerState(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger as plain values, for snapshots."""

    is_open: bool
    opening_cash: Decimal
    cash: Decimal
    fees: Decimal
    deposits: Decimal
    trips: int
    books: tuple[BookView, ...]


class Ledger:
    """Cash and books of one account; `holdings` is the sum over strategies, by symbol, without zeros."""

    def __init__(self) -> None:
        self.is_open = False
        self.opening_cash = ZERO
        self.cash = ZERO
        self.fees = ZERO
        #: Net transfers since the book was opened: neither profit nor loss.
        self.deposits = ZERO
        #: Round trips: how often a book came back to zero.
        self.trips = 0
        self.books: dict[tuple[str, str], BookView] = {}
        self.holdings: dict[str, Decimal] = {}

    def open(self, cash: Decimal) -> None:
        """Begin with this much cash."""
        self.is_open, self.opening_cash, self.cash = True, cash, cash

    def book(self, strategy_id: str, symbol: str) -> BookView:
        """The book of a strategy in a symbol; an empty one where it never traded. Looking adds none to the books."""
        found = self.books.get((strategy_id, symbol))
        return BookView(strategy_id=strategy_id, symbol=symbol) if found is None else found

    def fill(  # noqa: PLR0917  the six parts of an execution, in their order
        self, strategy_id: str, symbol: str, side: Side, quantity: Decimal, price: Decimal, fee: Decimal
    ) -> BookView:
        """Apply one execution and return the book after it. A bust is a fill of the other side at the same price."""
        book = self.book(strategy_id, symbol)
        amount = multiply(price, quantity)
        buying = side is Side.BUY
        self.cash = subtract(subtract(self.cash, amount) if buying else add(self.cash, amount), fee)
        self.fees = add(self.fees, fee)
        signed = quantity if buying else quantity.copy_negate()
        held = book.quantity
        if not held or (held > ZERO) == buying:
            after = add(held, signed)
            cost = add(book.cost, amount if buying else amount.copy_negate())
            realized = subtract(book.realized, fee)
        else:
            after, cost, realized = _reduce(book, signed, price, fee)
        if held and not after:
            self.trips += 1
        moved = BookView(
            strategy_id=strategy_id,
            symbol=symbol,
            quantity=after,
            cost=cost,
            average_price=average_price(cost, after),
            realized=realized,
        )
        self.books[strategy_id, symbol] = moved
        self._hold(symbol, signed)
        return moved

    def adjust(
        self,
        strategy_id: str,
        symbol: str,
        *,
        change: Decimal = ZERO,
        cost: Decimal = ZERO,
        cash: Decimal = ZERO,
        fee: Decimal = ZERO,
    ) -> BookView:
        """Change a book by what no execution of it explains: shares at a cost, cash, a fee; returns the book after it.

        Shares that come or go for nothing leave the cost as it is, since a split changes no value. A book of which
        nothing is left, or whose sign turns, has its cost realized.
        """
        book = self.book(strategy_id, symbol)
        after, after_cost = add(book.quantity, change), add(book.cost, cost)
        realized = add(book.realized, subtract(cash, fee))
        if not after or (book.quantity and (book.quantity > ZERO) is not (after > ZERO)):
            realized, after_cost = subtract(realized, after_cost), ZERO
        self.cash = add(self.cash, subtract(cash, fee))
        self.fees = add(self.fees, fee)
        moved = BookView(
            strategy_id=strategy_id,
            symbol=symbol,
            quantity=after,
            cost=after_cost,
            average_price=average_price(after_cost, after),
            realized=realized,
        )
        self.books[strategy_id, symbol] = moved
        self._hold(symbol, change)
        return moved

    def move_cash(self, amount: Decimal, *, is_transfer: bool) -> None:
        """Apply a signed amount that no fill explains: a fee, a dividend, or a transfer (no profit, no loss)."""
        self.cash = add(self.cash, amount)
        if is_transfer:
            self.deposits = add(self.deposits, amount)
        elif amount < ZERO:
            self.fees = subtract(self.fees, amount)

    def state(self) -> LedgerState:
        """The ledger as plain values."""
        return LedgerState(
            is_open=self.is_open,
            opening_cash=self.opening_cash,
            cash=self.cash,
            fees=self.fees,
            deposits=self.deposits,
            trips=self.trips,
            books=tuple(self.books.values()),
        )

    def restore(self, state: LedgerState) -> None:
        """Become what `state` was taken of."""
        self.is_open, self.opening_cash, self.cash = state.is_open, state.opening_cash, state.cash
        self.fees, self.deposits, self.trips = state.fees, state.deposits, state.trips
        self.books = {(book.strategy_id, book.symbol): book for book in state.books}
        self.holdings = {}
        for book in state.books:
            self._hold(book.symbol, book.quantity)

    def _hold(self, symbol: str, change: Decimal) -> None:
        quantity = add(self.holdings.get(symbol, ZERO), change)
        if quantity:
            self.holdings[symbol] = quantity
        else:
            self.holdings.pop(symbol, None)


def _reduce(book: BookView, signed: Decimal, price: Decimal, fee: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Quantity, cost and realized profit after an execution against the position; it may cross zero."""
    held, size = book.quantity.copy_abs(), signed.copy_abs()
    part = min(held, size)
    removed = share_of_cost(book.cost, part, held)
    # A long's removed cost is positive and its proceeds too; a short's both are negative: one formula serves both.
    proceeds = multiply(price, part if book.quantity > ZERO else part.copy_negate())
    realized = subtract(add(book.realized, subtract(proceeds, removed)), fee)
    after = add(book.quantity, signed)
    if size <= held:
        return after, subtract(book.cost, removed), realized
    return after, multiply(price, after), realized
