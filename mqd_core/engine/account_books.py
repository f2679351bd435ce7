"""Books what no execution of the desk's own orders explains: activities, others' trades, corrections, adjustments.

Each move is one BookMoved with its cause. May not decide that something is to be booked, nor book it twice: whoever
calls knows what was booked before.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from mqd_core.domain.events import Activity, Fill, FillBusted
from mqd_core.domain.ledger import EXTERNAL_BOOK, BookView, Ledger
from mqd_core.domain.money import ZERO, add, divide_down, multiply, subtract
from mqd_core.domain.orders import Side
from mqd_core.domain.records import BookMoved
from mqd_core.engine.instruments import Instrument
from mqd_core.engine.loss_guard import LossGuard
from mqd_core.engine.order import Order
from mqd_core.engine.scribe import Scribe
from mqd_core.risk.limits import PersistentLimitTracker

#: Activities that move money in or out of the account: neither profit nor loss.
TRANSFERS: Final = frozenset({"CSD", "CSW", "JNLC", "TRANS"})
#: Activities whose quantity is shares that came or went; that of a dividend, say, is not.
SHARE_MOVES: Final = frozenset(
    {"ACATS", "JNLS", "MA", "NC", "OPASN", "OPEXC", "REORG", "SC", "SPIN", "SPLIT", "SSO", "SSP"}
)


class AccountBooks:
    """The account's side of the ledger."""

    def __init__(
        self,
        scribe: Scribe,
        ledger: Ledger,
        limits: PersistentLimitTracker,
        guard: LossGuard,
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._scribe = scribe
        self._ledger = ledger
        self._limits = limits
        self._guard = guard
        self._instruments = instruments

    def open(self, cash: Decimal) -> None:
        """Begin with this much cash."""
        self._ledger.open(cash)
        self._write(BookView(strategy_id="", symbol=""), "opening")

    def activity(self, event: Activity) -> bool:
        """Book the cash that an activity moved, and the shares; returns whether it moved shares."""
        self._guard.settle_peak(self._limits)
        is_transfer, amount = event.kind in TRANSFERS, event.amount
        self._ledger.move_cash(amount, is_transfer=is_transfer)
        if is_transfer:
            self._limits.transfer(amount)
        fee = amount.copy_negate() if amount < ZERO and not is_transfer else ZERO
        self._write(BookView(strategy_id="", symbol=""), f"activity:{event.kind}", change=amount, fee=fee)
        moves_shares = event.kind in SHARE_MOVES and bool(event.symbol) and bool(event.quantity)
        if moves_shares:
            self._spread(event.symbol, event.quantity, f"activity:{event.kind}")
        self._hold(event.symbol)
        # A transfer moves the limits' levels, and with them what the guard has to watch for.
        self._guard.is_due = True
        return moves_shares

    def external(self, fill: Fill | FillBusted) -> None:
        """Book what somebody else traded in the account, or what a bust takes back of it.

        In a symbol that the desk has no prices of, what it cost is money that left the desk's hands: it is no loss.
        """
        self._guard.settle_peak(self._limits)
        is_bust, fee = isinstance(fill, FillBusted), ZERO if isinstance(fill, FillBusted) else fill.fee
        buying = (fill.side is Side.BUY) is not is_bust
        side = Side.BUY if buying else Side.SELL
        book = self._ledger.fill(EXTERNAL_BOOK, fill.symbol, side, fill.quantity, fill.price, fee)
        if fill.symbol not in self._instruments:
            value = multiply(fill.price, fill.quantity)
            self._transfer(value.copy_negate() if buying else value)
        change = fill.quantity if buying else fill.quantity.copy_negate()
        self._write(book, "external:bust" if is_bust else "external", change=change, price=fill.price, fee=fee)
        self._hold(fill.symbol)

    def found(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """Book shares that were in the account before the desk was, at what they cost; the cash is without it."""
        self.adjust(EXTERNAL_BOOK, symbol, "external:opening", change=quantity, cost=multiply(price, quantity))

    def correct(self, order: Order, cash: Decimal, fee: Decimal) -> None:
        """Book by how much an execution that was worked out had cost too much or too little, and its fee."""
        approved = order.approved
        self.adjust(
            approved.strategy_id,
            approved.symbol,
            "fill_corrected",
            cash=cash,
            fee=fee,
            correlation_id=order.correlation_id,
        )

    def adjust(
        self,
        strategy_id: str,
        symbol: str,
        cause: str,
        *,
        change: Decimal = ZERO,
        cost: Decimal = ZERO,
        cash: Decimal = ZERO,
        fee: Decimal = ZERO,
        correlation_id: str = "",
    ) -> None:
        """Change one book, and the cash; `cause` says why for ever."""
        self._guard.settle_peak(self._limits)
        book = self._ledger.adjust(strategy_id, symbol, change=change, cost=cost, cash=cash, fee=fee)
        self._write(book, cause, change=change, fee=fee, correlation_id=correlation_id)
        self._hold(symbol)
        self._guard.is_due = True

    def adjust_shares(self, symbol: str, change: Decimal, cause: str) -> None:
        """Change what the account holds of a symbol, in the books that hold it, at the average price of each.

        Whatever the shares did cost, a stop is measured from the average price: it may not move by a person's word.
        """
        self._spread(symbol, change, cause, at_average=True)

    def adjust_cash(self, amount: Decimal, cause: str) -> None:
        """Change the account's cash, and no book."""
        self._guard.settle_peak(self._limits)
        self._ledger.cash = add(self._ledger.cash, amount)
        self._write(BookView(strategy_id="", symbol=""), cause, change=amount)
        self._hold("")
        self._guard.is_due = True

    def _spread(self, symbol: str, change: Decimal, cause: str, *, at_average: bool = False) -> None:
        """Share a change over the books that hold the symbol, by what each holds; the last one takes what is left."""
        books = [book for (_, held), book in self._ledger.books.items() if held == symbol and book.quantity]
        whole = self._ledger.holdings.get(symbol, ZERO)
        parts = []
        left = change
        for book in books[:-1]:
            part = divide_down(multiply(change, book.quantity), whole) if whole else ZERO
            left = subtract(left, part)
            parts.append((book, part))
        parts.append((books[-1] if books else self._ledger.book(EXTERNAL_BOOK, symbol), left))
        for book, part in parts:
            # What leaves a book that is empty after it leaves with all of its cost.
            cost = multiply(book.average_price, part) if at_average and add(book.quantity, part) else ZERO
            self.adjust(book.strategy_id, symbol, cause, change=part, cost=cost)

    def _transfer(self, amount: Decimal) -> None:
        self._ledger.deposits = add(self._ledger.deposits, amount)
        self._limits.transfer(amount)
        self._guard.is_due = True

    def _hold(self, symbol: str) -> None:
        """Show the new books to whoever trades the symbol, and to the guard."""
        instrument = self._instruments.get(symbol)
        if instrument is not None:
            instrument.quantity = self._ledger.holdings.get(symbol, ZERO)
            instrument.held = float(instrument.quantity)
            for lane in instrument.lanes:
                lane.book = self._ledger.book(lane.slot.strategy_id, symbol)
        self._guard.hold(self._ledger, self._instruments.values())

    def _write(
        self,
        book: BookView,
        cause: str,
        *,
        change: Decimal = ZERO,
        price: Decimal = ZERO,
        fee: Decimal = ZERO,
        correlation_id: str = "",
    ) -> None:
        scribe = self._scribe
        scribe.records.append(
            BookMoved(
                *scribe.stamp(),
                correlation_id=correlation_id,
                strategy_id=book.strategy_id,
                symbol=book.symbol,
                cause=cause,
                change=change,
                price=price,
                fee=fee,
                quantity=book.quantity,
                cost=book.cost,
                realized=book.realized,
                cash=self._ledger.cash,
            )
        )
