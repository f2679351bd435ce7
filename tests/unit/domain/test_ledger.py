"""The ledger: cash, books, holdings and fees as an exact fold over fills, and its state."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, localcontext

import msgspec
import pytest

from mqd_core.domain.ledger import BookView, Ledger, LedgerState
from mqd_core.domain.orders import Side

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def opened(cash: str = "200") -> Ledger:
    """A ledger that began with this much cash."""
    ledger = Ledger()
    ledger.open(D(cash))
    return ledger


def trade(ledger: Ledger, side: Side, quantity: str, price: str, *, fee: str = "0", strategy: str = "s") -> BookView:
    """One execution in SPHD."""
    return ledger.fill(strategy, "SPHD", side, D(quantity), D(price), D(fee))


class TestFill:
    def test_buy(self) -> None:
        """A buy takes price times quantity and the fee from the cash; the fee is a realized loss, not cost."""
        ledger = opened()
        book = trade(ledger, BUY, "0.5", "145.25", fee="0.01")
        assert (ledger.cash, ledger.fees) == (D("127.365"), D("0.01"))
        assert (book.quantity, book.cost, book.average_price) == (D("0.5"), D("72.625"), D("145.25"))
        assert book.realized == D("-0.01")
        assert ledger.holdings == {"SPHD": D("0.5")}

    def test_average(self) -> None:
        """The entry price is the average of what was paid, half to even at nine decimals."""
        ledger = opened()
        trade(ledger, BUY, "0.1", "145")
        book = trade(ledger, BUY, "0.2", "146.01")
        assert (book.quantity, book.cost) == (D("0.3"), D("43.702"))
        assert book.average_price == D("145.673333333")

    def test_sell_part(self) -> None:
        """A sale takes its part of the cost out of the book; what it earned above that is realized."""
        ledger = opened()
        trade(ledger, BUY, "0.4", "100")
        book = trade(ledger, SELL, "0.1", "110")
        assert (book.quantity, book.cost, book.realized) == (D("0.3"), D(30), D(1))
        assert ledger.cash == D(171)
        assert ledger.trips == 0

    def test_round_trip(self) -> None:
        """Selling everything empties the book exactly, counts a round trip, and its profit is what the cash gained."""
        ledger = opened()
        trade(ledger, BUY, "0.333333333", "145.37", fee="0.02")
        book = trade(ledger, SELL, "0.333333333", "146.02", fee="0.03")
        assert (book.quantity, book.cost, book.average_price) == (D(0), D(0), D(0))
        assert book.realized == ledger.cash - D(200) == D("0.333333333") * D("0.65") - D("0.05")
        assert (ledger.trips, ledger.holdings) == (1, {})

    def test_short(self) -> None:
        """A short book has negative quantity and cost, and earns when it is bought back lower."""
        ledger = opened()
        book = trade(ledger, SELL, "2", "50")
        assert (book.quantity, book.cost, book.average_price) == (D(-2), D(-100), D(50))
        book = trade(ledger, BUY, "1", "45")
        assert (book.quantity, book.cost, book.realized) == (D(-1), D(-50), D(5))

    @pytest.mark.parametrize(("first", "then"), [(BUY, SELL), (SELL, BUY)])
    def test_through_zero(self, first: Side, then: Side) -> None:
        """An execution that crosses zero closes the one position at its cost and opens the other at its price."""
        ledger, sign = opened(), 1 if first is BUY else -1
        trade(ledger, first, "2", "50")
        book = trade(ledger, then, "5", "60")
        assert (book.quantity, book.cost, book.average_price) == (D(-3 * sign), D(-180 * sign), D(60))
        assert book.realized == D(20 * sign)
        assert ledger.cash == D(200) + D(200 * sign)

    def test_bust(self) -> None:
        """A fill of the other side at the same price takes an execution back: cash and books are as before."""
        ledger = opened()
        trade(ledger, BUY, "0.7", "145.01")
        before = ledger.state()
        trade(ledger, BUY, "0.2", "150")
        trade(ledger, SELL, "0.2", "150")
        assert (ledger.cash, ledger.holdings) == (before.cash, {"SPHD": D("0.7")})

    def test_new_object(self) -> None:
        """Every change makes a new book; the one that was handed out stays as it was."""
        ledger = opened()
        first = trade(ledger, BUY, "1", "50")
        second = trade(ledger, BUY, "1", "51")
        assert first.quantity == D(1)
        assert ledger.book("s", "SPHD") is second

    def test_two_books(self) -> None:
        """Two strategies' books in one symbol are kept apart; the account holds their sum."""
        ledger = opened()
        trade(ledger, BUY, "0.5", "100", strategy="one")
        trade(ledger, BUY, "0.2", "100", strategy="two")
        trade(ledger, SELL, "0.5", "100", strategy="one")
        assert ledger.holdings == {"SPHD": D("0.2")}
        assert ledger.book("one", "SPHD").quantity == D(0)
        assert ledger.book("two", "SPHD").quantity == D("0.2")

    def test_context_of_the_thread(self) -> None:
        """A plugin that sets the thread's context to two digits changes no book."""
        plain, odd = opened(), opened()
        for ledger, context in ((plain, Context(prec=28)), (odd, Context(prec=2, traps=[Inexact]))):
            with localcontext(context):
                trade(ledger, BUY, "0.123456789", "145.37", fee="0.013")
                trade(ledger, SELL, "0.023456789", "145.99")
                trade(ledger, SELL, "1.123456789", "146.01")
        assert odd.state() == plain.state()


class TestCash:
    def test_transfer(self) -> None:
        """A transfer moves cash and deposits: it is neither profit nor loss."""
        ledger = opened()
        ledger.move_cash(D("50.25"), is_transfer=True)
        ledger.move_cash(D(-20), is_transfer=True)
        assert (ledger.cash, ledger.deposits, ledger.fees) == (D("230.25"), D("30.25"), D(0))

    def test_fee_and_dividend(self) -> None:
        """What was charged counts as a fee; what was paid out only moves the cash."""
        ledger = opened()
        ledger.move_cash(D("-0.17"), is_transfer=False)
        ledger.move_cash(D("1.20"), is_transfer=False)
        assert (ledger.cash, ledger.deposits, ledger.fees) == (D("201.03"), D(0), D("0.17"))


class TestBooks:
    def test_looking_changes_nothing(self) -> None:
        """Asking for a book that is none gives an empty one and adds none, whatever was asked for."""
        ledger = opened()
        before = ledger.state()
        assert ledger.book("s", "SPY") == BookView(strategy_id="s", symbol="SPY")
        ledger.book("s", None)  # type: ignore[arg-type]
        assert ledger.state() == before
        assert ledger.books == {}

    def test_state(self) -> None:
        """A ledger restored from its state, through bytes, goes on as if nothing had happened."""
        ledger = opened()
        trade(ledger, BUY, "0.5", "100", fee="0.01", strategy="one")
        trade(ledger, SELL, "0.5", "101", fee="0.01", strategy="one")
        trade(ledger, BUY, "0.123456789", "101.37", strategy="two")
        ledger.move_cash(D(7), is_transfer=True)
        other = Ledger()
        other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.state()), type=LedgerState))
        assert (other.state(), other.holdings) == (ledger.state(), ledger.holdings)
        trade(other, SELL, "0.1", "102", strategy="two")
        trade(ledger, SELL, "0.1", "102", strategy="two")
        assert (other.state(), other.holdings) == (ledger.state(), ledger.holdings)


class TestAdjust:
    def test_shares_for_nothing(self) -> None:
        """Shares that come for nothing leave cost, cash and profit as they are: a split changes no value."""
        ledger = opened()
        trade(ledger, BUY, "1", "100")
        book = ledger.adjust("s", "SPHD", change=D(1))
        assert (book.quantity, book.cost, book.average_price, book.realized) == (D(2), D(100), D(50), D(0))
        assert (ledger.cash, ledger.holdings) == (D(100), {"SPHD": D(2)})

    @pytest.mark.parametrize("change", ["-1", "-3"])
    def test_nothing_left(self, change: str) -> None:
        """A book of which nothing is left, or whose sign turns, has its cost realized."""
        ledger = opened()
        trade(ledger, BUY, "1", "100")
        book = ledger.adjust("s", "SPHD", change=D(change))
        assert (book.cost, book.realized, ledger.cash) == (D(0), D(-100), D(100))

    def test_cash_and_fee(self) -> None:
        """Cash and fee of a book are its profit and loss, and the account's."""
        ledger = opened()
        trade(ledger, BUY, "1", "100")
        book = ledger.adjust("s", "SPHD", cash=D("0.05"), fee=D("0.02"))
        assert (book.realized, book.cost, ledger.cash, ledger.fees) == (D("0.03"), D(100), D("100.03"), D("0.02"))

    def test_shares_at_a_cost(self) -> None:
        """Shares may come at a cost that no cash was paid for."""
        ledger = opened()
        book = ledger.adjust("external", "GME", change=D(2), cost=D(40))
        assert (book.average_price, ledger.cash) == (D(20), D(200))
