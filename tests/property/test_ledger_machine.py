"""The ledger against double entry: accounts that sum to zero after every posting, whatever is posted.

Beside the ledger stands a journal of postings in fractions: cash, shares at cost, profit, fees paid in by the owner.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mqd_core.domain.ledger import Ledger, LedgerState
from mqd_core.domain.orders import Side

ZERO = Fraction(0)
KEYS = [("one", "SPY"), ("one", "QQQ"), ("two", "SPY")]
quantities = st.decimals("0.000000001", 50, places=9)
prices = st.decimals("0.01", 900, places=2)
fees = st.decimals(0, 2, places=3)


class DoubleEntry(RuleBasedStateMachine):
    """Fills, busts, fees, dividends, transfers and restarts, in any order."""

    @initialize(cash=st.decimals(200, 1500, places=2))
    def open(self, cash: Decimal) -> None:
        """The owner pays in."""
        self.ledger = Ledger()
        self.ledger.open(cash)
        self.start = self.cash = Fraction(cash)
        self.income = self.fees = self.deposits = ZERO
        self.shares = dict.fromkeys(KEYS, ZERO)
        #: What was paid for the shares of each book less what they brought: cost if still held, else loss.
        self.spent = dict.fromkeys(KEYS, ZERO)
        #: Executions that were not busted yet.
        self.fills: list[tuple[tuple[str, str], Side, Decimal, Decimal]] = []

    @rule(key=st.sampled_from(KEYS), side=st.sampled_from(Side), quantity=quantities, price=prices, fee=fees)
    def fill(self, key: tuple[str, str], side: Side, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        """An execution moves shares one way and cash the other."""
        self.post(key, side, quantity, price, fee)
        self.fills.append((key, side, quantity, price))

    @precondition(lambda self: self.fills)
    @rule(data=st.data())
    def bust(self, data: st.DataObject) -> None:
        """An execution is declared never to have been: the other side at the same price, its fee is not given back."""
        key, side, quantity, price = data.draw(st.sampled_from(self.fills))
        self.fills.remove((key, side, quantity, price))
        cash, held = self.cash, self.shares[key]
        self.post(key, Side.SELL if side is Side.BUY else Side.BUY, quantity, price, Decimal(0))
        moved = Fraction(quantity) * (1 if side is Side.BUY else -1)
        assert (self.cash - cash, self.shares[key] - held) == (moved * Fraction(price), -moved)

    def post(self, key: tuple[str, str], side: Side, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        before = self.ledger.book(*key)
        book = self.ledger.fill(*key, side, quantity, price, fee)
        moved = Fraction(quantity) * (1 if side is Side.BUY else -1)
        self.shares[key] += moved
        self.cash -= moved * Fraction(price) + Fraction(fee)
        self.spent[key] += moved * Fraction(price) + Fraction(fee)
        self.fees += Fraction(fee)
        assert book is self.ledger.book(*key) is not before

    @rule(amount=st.decimals(-50, 500, places=2))
    def transfer(self, amount: Decimal) -> None:
        """The owner pays in or takes out: neither profit nor loss."""
        self.ledger.move_cash(amount, is_transfer=True)
        self.cash += Fraction(amount)
        self.deposits += Fraction(amount)

    @rule(amount=st.decimals(-5, 20, places=2))
    def income_or_fee(self, amount: Decimal) -> None:
        """A dividend or a fee of the account."""
        self.ledger.move_cash(amount, is_transfer=False)
        self.cash += Fraction(amount)
        self.income += Fraction(amount)
        self.fees -= min(ZERO, Fraction(amount))

    @precondition(lambda self: any(self.shares.values()))
    @rule(data=st.data(), price=prices)
    def close(self, data: st.DataObject, price: Decimal) -> None:
        """A book goes back to nothing: all that was spent on it is loss, all that it brought is profit."""
        key = data.draw(st.sampled_from([key for key in KEYS if self.shares[key]]))
        held = self.ledger.book(*key).quantity
        trips = self.ledger.trips
        self.post(key, Side.SELL if held > 0 else Side.BUY, held.copy_abs(), price, Decimal(0))
        book = self.ledger.book(*key)
        assert (book.quantity, book.cost, self.ledger.trips) == (0, 0, trips + 1)
        assert Fraction(book.realized) == -self.spent[key]

    @rule()
    def restart(self) -> None:
        """What is written down is all there is."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.ledger.state()), type=LedgerState)
        self.ledger = Ledger()
        self.ledger.restore(state)
        assert self.ledger.state() == state

    @invariant()
    def every_account_is_what_was_posted(self) -> None:
        """Cash, shares, fees and deposits to the last digit, and holdings are the sum of books."""
        if not hasattr(self, "ledger"):
            return
        ledger = self.ledger
        assert Fraction(ledger.cash) == self.cash
        assert (Fraction(ledger.fees), Fraction(ledger.deposits)) == (self.fees, self.deposits)
        assert {key: Fraction(ledger.book(*key).quantity) for key in KEYS} == self.shares
        for symbol in ("SPY", "QQQ"):
            total = sum((held for key, held in self.shares.items() if key[1] == symbol), ZERO)
            assert Fraction(ledger.holdings.get(symbol, Decimal(0))) == total
            assert (symbol in ledger.holdings) == bool(total)

    @invariant()
    def all_accounts_sum_to_zero(self) -> None:
        """Double entry: cash and shares at cost are what was paid in, earned and realized; and so is each book."""
        if not hasattr(self, "ledger"):
            return
        books = [self.ledger.book(*key) for key in KEYS]
        assets = Fraction(self.ledger.cash) + sum((Fraction(book.cost) for book in books), ZERO)
        claims = self.start + self.deposits + self.income + sum((Fraction(book.realized) for book in books), ZERO)
        assert assets - claims == 0
        for key, book in zip(KEYS, books, strict=True):
            assert Fraction(book.cost) - Fraction(book.realized) == self.spent[key]
            assert (not book.quantity) == (not book.cost)


DoubleEntry.TestCase.settings = settings(max_examples=250, stateful_step_count=30, derandomize=True, deadline=None)
test_double_entry_holds = DoubleEntry.TestCase
