"""Laws of the ledger: whatever is traded, nothing is lost to the last digit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.ledger import Ledger, LedgerState
from mqd_core.domain.orders import Side

D = Decimal
trades = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from(["SPY", "QQQ"]),
        st.sampled_from(Side),
        st.decimals("0.000000001", 1000, places=9),
        st.decimals("0.01", 2000, places=4),
        st.decimals(0, 2, places=3),
    ),
    max_size=40,
)


def signed(side: Side, quantity: Decimal) -> Fraction:
    """A quantity as a fraction, negative when sold."""
    return Fraction(quantity) * (1 if side is Side.BUY else -1)


@given(trades, st.data())
def test_everything_balances(
    executions: list[tuple[str, str, Side, Decimal, Decimal, Decimal]], data: st.DataObject
) -> None:
    """Cash is what was not spent; holdings are the sum of books; realized profit, cost and fees explain the cash."""
    ledger = Ledger()
    ledger.open(D(200))
    cash = Fraction(200)
    held: dict[tuple[str, str], Fraction] = {}
    for count, (strategy, symbol, side, quantity, price, fee) in enumerate(executions):
        book = ledger.fill(strategy, symbol, side, quantity, price, fee)
        cash -= signed(side, quantity) * Fraction(price) + Fraction(fee)
        held[strategy, symbol] = held.get((strategy, symbol), Fraction(0)) + signed(side, quantity)
        assert Fraction(book.quantity) == held[strategy, symbol]
        assert (not book.quantity) == (not book.cost)
        assert book.quantity * book.cost >= 0
        if data.draw(st.booleans(), label=f"restart after {count}"):
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.state()), type=LedgerState)
            ledger = Ledger()
            ledger.restore(state)
    assert Fraction(ledger.cash) == cash
    books = ledger.books.values()
    for symbol in ("SPY", "QQQ"):
        total = sum((held.get((strategy, symbol), Fraction(0)) for strategy in ("one", "two")), Fraction(0))
        assert Fraction(ledger.holdings.get(symbol, D(0))) == total
    # The books' law: what was paid in is cost that is still there, less what was realized.
    costs = sum((Fraction(book.cost) for book in books), Fraction(0))
    realized = sum((Fraction(book.realized) for book in books), Fraction(0))
    assert cash + costs - realized == 200


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_trades(seed: int) -> None:
    """A $200 account in a symbol at $145: a thousand fractional trades balance to the last digit, cost included."""
    random, ledger = Random(seed), Ledger()
    ledger.open(D(200))
    price, cash, bought, sold = D(145), Fraction(200), Fraction(0), Fraction(0)
    for _ in range(1_000):
        price = max(D(1), price + D(random.randint(-99, 99)).scaleb(-2))
        held = ledger.book("s", "SPHD").quantity
        if held and random.random() < 0.5:
            part = held if random.random() < 0.3 else max(D("1e-9"), (held * D(random.random())).quantize(D("1e-9")))
            side, quantity = Side.SELL, min(held, part)
        else:
            side, quantity = Side.BUY, D(random.randint(1, 10**9)).scaleb(-9)
        fee = D(random.randint(0, 3)).scaleb(-2)
        book = ledger.fill("s", "SPHD", side, quantity, price, fee)
        cash -= signed(side, quantity) * Fraction(price) + Fraction(fee)
        bought, sold = (bought + Fraction(quantity), sold) if side is Side.BUY else (bought, sold + Fraction(quantity))
        assert Fraction(ledger.cash) == cash
        assert Fraction(book.quantity) == bought - sold == Fraction(ledger.holdings.get("SPHD", D(0)))
        assert cash + Fraction(book.cost) - Fraction(book.realized) == 200
    book = ledger.book("s", "SPHD")
    if book.quantity:
        book = ledger.fill("s", "SPHD", Side.SELL, book.quantity, price, D(0))
    assert (book.quantity, book.cost, ledger.holdings) == (D(0), D(0), {})
    assert ledger.cash == D(200) + book.realized
