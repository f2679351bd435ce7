"""The trade walk against a naive computation with fractions, over whatever may be bought and sold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from mqd_core.app.trades import Trade, TradeWalk
from mqd_core.domain.events import FeedStatus
from mqd_core.domain.records import BookMoved

STEP: Final = Decimal("0.000000001")
AMOUNTS = st.decimals("0.000000001", "5", places=9)
PRICES = st.decimals("0.01", "500", places=4)
FEES = st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.000123")])
#: Half of the time the whole book is closed, as an exit does; else anything may happen, crossing zero too.
FILLS = st.lists(
    st.tuples(st.sampled_from(["SPY", "QQQ"]), st.sampled_from(["buy", "sell", "close"]), AMOUNTS, PRICES, FEES),
    max_size=30,
)


def walk_of(entries) -> TradeWalk:
    walk = TradeWalk()
    for entry in entries:
        walk.take(entry)
    return walk


class Naive:
    """One book's trips by fractions: every fill that passes through zero is two."""

    def __init__(self) -> None:
        self.position = Fraction(0)
        self.fills: list[dict[str, Any]] = []
        self.trips: list[dict[str, Any]] = []

    def take(self, correlation: str, signed: Fraction, price: Fraction, fee: Fraction, ts: int) -> None:
        after = self.position + signed
        if self.position and after and (self.position > 0) != (after > 0):
            self.take(correlation, -self.position, price, fee, ts)
            self.take(correlation, after, price, Fraction(0), ts)
            return
        self.position = after
        self.fills.append({"id": correlation, "signed": signed, "price": price, "fee": fee, "ts": ts})
        if not after:
            self.trips.append(self._trip())
            self.fills = []

    def _trip(self) -> dict[str, Any]:
        is_long = self.fills[0]["signed"] > 0
        entries = [fill for fill in self.fills if (fill["signed"] > 0) == is_long]
        exits = [fill for fill in self.fills if (fill["signed"] > 0) != is_long]
        fees = sum(fill["fee"] for fill in self.fills)
        return {
            "side": "long" if is_long else "short",
            "quantity": sum(abs(fill["signed"]) for fill in entries),
            "entry_price": average(entries),
            "exit_price": average(exits),
            "fees": fees,
            "profit": -sum(fill["signed"] * fill["price"] for fill in self.fills) - fees,
            "ids": (self.fills[0]["id"], self.fills[-1]["id"]),
            "times": (self.fills[0]["ts"], self.fills[-1]["ts"]),
        }


def average(fills: list[dict[str, Any]]) -> Fraction:
    return sum(abs(fill["signed"]) * fill["price"] for fill in fills) / sum(abs(fill["signed"]) for fill in fills)


def is_rounded(value: Decimal, exact: Fraction) -> bool:
    """Whether a value is the exact one, half to even at nine decimals."""
    return abs(Fraction(value) - exact) <= Fraction(STEP) / 2


def agrees(trade: Trade, trip: dict[str, Any]) -> bool:
    """Whether a trade is what the naive computation made of it."""
    value = trip["entry_price"] * trip["quantity"]
    return (
        (trade.side, trade.quantity, trade.fees, trade.profit)
        == (trip["side"], trip["quantity"], trip["fees"], trip["profit"])
        and (trade.correlation_in, trade.correlation_out) == trip["ids"]
        and (trade.opened_ns, trade.closed_ns) == trip["times"]
        and (trade.reason_in, trade.reason_out) == tuple((("id", name),) for name in trip["ids"])
        and is_rounded(trade.entry_price, trip["entry_price"])
        and is_rounded(trade.exit_price, trip["exit_price"])
        and is_rounded(trade.profit_pct, 100 * trip["profit"] / value)
    )


def execute(journal, fills) -> Iterator[BookMoved]:
    """Journal each fill with a signal of its own; closing what is not open does nothing."""
    for number, (symbol, side, quantity, price, fee) in enumerate(fills):
        held = journal.ledger.book("one", symbol).quantity
        if side == "close" and not held:
            continue
        closing = "sell" if held > 0 else "buy"
        journal.event(FeedStatus, code="up")
        name = f"s{number}"
        journal.signal(name, reason=(("id", name),), symbol=symbol)
        what = (closing, abs(held)) if side == "close" else (side, quantity)
        yield journal.fill(*what, price, fee=fee, correlation_id=name, symbol=symbol)


@given(fills=FILLS)
def test_trips_are_those_of_a_naive_computation(new_journal, fills) -> None:
    """Whatever is bought and sold in two books, by how many fills, and through zero: same trips, to the last digit."""
    journal, books = new_journal(), {"SPY": Naive(), "QQQ": Naive()}
    for moved in execute(journal, fills):
        signed, price, fee = Fraction(moved.change), Fraction(moved.price), Fraction(moved.fee)
        books[moved.symbol].take(moved.correlation_id, signed, price, fee, moved.ts)

    walk = walk_of(journal.entries)

    for symbol, book in books.items():
        trades = [trade for trade in walk.trades if trade.symbol == symbol]
        assert len(trades) == len(book.trips)
        assert all(agrees(trade, trip) for trade, trip in zip(trades, book.trips, strict=True))
    assert walk.trades == sorted(walk.trades, key=lambda trade: trade.closed_ns)
    assert walk.fees == journal.ledger.fees
    if not journal.ledger.holdings:
        assert sum(Fraction(trade.profit) for trade in walk.trades) == Fraction(journal.ledger.cash)


@given(fills=FILLS, cut=st.integers(0, 60))
def test_a_walk_from_the_middle_tells_only_whole_trips(new_journal, fills, cut) -> None:
    """A walk that begins anywhere tells of the trips that began after it, and of no other."""
    journal = new_journal()
    for _ in execute(journal, fills):
        pass
    seen = [entry for entry in journal.entries if entry.sequence > cut]

    found = walk_of(seen).trades

    first_ns = seen[0].body.ts if seen else 0
    assert found == [trade for trade in walk_of(journal.entries).trades if seen and trade.opened_ns >= first_ns]
