"""Round trips and counts from a journal: exact, whole, and no larger than what is alive."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.app.recall import PASSING_MAX, Recall, SignalRecall
from mqd_core.app.trades import RoundTrips, Trade, TradeWalk
from mqd_core.domain.events import FeedStatus, FillBusted, Outcome, PluginFailed, RunStarted
from mqd_core.domain.orders import OrderType, Side, TimeInForce
from mqd_core.domain.records import (
    Alert,
    Approved,
    BookMoved,
    Denied,
    DeskMoved,
    DeskState,
    OrderMoved,
    PluginMoved,
    Severity,
    SignalMade,
)
from mqd_core.domain.signals import SignalAction
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, leave, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

STEP = Decimal("0.000000001")


def walk_of(entries) -> TradeWalk:
    walk = TradeWalk()
    for entry in entries:
        walk.take(entry)
    return walk


def approve(journal, correlation_id: str) -> None:
    journal.record(
        Approved,
        correlation_id=correlation_id,
        client_order_id=f"order-{correlation_id}",
        strategy_id="one",
        symbol="SPY",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(1),
        notional=None,
        limit_price=None,
        stop_price=None,
        reference_price=Decimal(100),
    )


def move(journal, correlation_id: str, before: str, after: str) -> None:
    journal.record(
        OrderMoved,
        correlation_id=correlation_id,
        client_order_id=f"order-{correlation_id}",
        broker_order_id="",
        symbol="SPY",
        before=before,
        after=after,
        cumulative=Decimal(0),
    )


def test_a_round_trip_through_the_engine(entries_of) -> None:
    """What a strategy bought and sold is one trade, with both reasons, both signals and its exact profit."""
    script = {1: enter(reason=(("z", -1.5),)), 4: leave(reason=(("rule", "target"),))}
    strategy = ScriptedStrategy(script)
    bench = Workbench(make_settings([make_slot(strategy)], FixedSizer("0.3")), ObedientVenue(parts=2)).start()
    bench.play(make_bars([100.0, 100.01, 100.1, 103.37, 103.4, 104.0]))

    walk = walk_of(entries_of(bench))

    (trade,) = walk.trades
    assert (walk.signals, walk.orders, walk.fills, walk.rejected, walk.denied) == (2, 2, 4, 0, {})
    assert (trade.strategy_id, trade.symbol, trade.side, trade.quantity) == ("scripted", "SPY", "long", Decimal("0.3"))
    # Half at each of two opens: an open is the close before it.
    assert (trade.entry_price, trade.exit_price) == (Decimal("100.005"), Decimal("103.385"))
    assert trade.profit == Decimal("1.014") == bench.engine.facts.cash - 1000
    assert trade.profit_pct == Decimal("3.379831008")
    assert (trade.reason_in, trade.reason_out) == ((("z", -1.5),), (("rule", "target"),))
    assert [trade.correlation_in, trade.correlation_out] == [signal.correlation_id for signal in bench.of(SignalMade)]
    fills = [fill.ts for fill in strategy.fills]
    assert (trade.opened_ns, trade.closed_ns) == (fills[0], fills[-1])
    assert trade.seconds_held == 240.0


def test_an_open_book_is_no_trade(journal) -> None:
    """What is still held at the end has no profit yet."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "2", "10")
    journal.fill("sell", "1", "12")

    walk = walk_of(journal.entries)

    assert walk.trades == []
    assert walk.fills == 2


def test_books_are_kept_apart(journal) -> None:
    """Two strategies in one symbol, and one strategy in two, are three books."""
    journal.event(FeedStatus, code="up")
    for place in ({"strategy_id": "one"}, {"strategy_id": "two"}, {"strategy_id": "one", "symbol": "QQQ"}):
        journal.fill("buy", "1", "10", **place)
    journal.fill("sell", "1", "11", strategy_id="two")
    journal.fill("sell", "1", "13", symbol="QQQ")

    trades = walk_of(journal.entries).trades

    assert [(trade.strategy_id, trade.symbol, trade.profit) for trade in trades] == [
        ("two", "SPY", 1),
        ("one", "QQQ", 3),
    ]


def test_a_trip_that_began_before_the_walk_is_not_told_of(journal) -> None:
    """Its entry is not known, so its profit is not; the next trip of the book is whole again."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "3", "10")
    journal.fill("sell", "3", "11")
    journal.fill("buy", "1", "20")
    journal.fill("sell", "1", "25")

    (trade,) = walk_of(journal.entries[2:]).trades

    assert (trade.entry_price, trade.profit) == (20, 5)


def test_a_busted_entry_was_never_entered(journal) -> None:
    """A bust takes its shares and money out of the trip; one that leaves nothing leaves no trade."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "1", "10", correlation_id="a")
    journal.fill("buy", "1", "14", correlation_id="a")
    journal.fill("sell", "1", "14", correlation_id="a", cause="bust")
    journal.fill("sell", "1", "11", correlation_id="b", fee="0.25")
    journal.fill("buy", "5", "10", correlation_id="c")
    journal.fill("sell", "5", "10", correlation_id="c", cause="bust")

    walk = walk_of(journal.entries)

    (trade,) = walk.trades
    assert (trade.quantity, trade.entry_price, trade.exit_price, trade.profit) == (1, 10, 11, Decimal("0.75"))
    assert walk.fills == 4
    assert walk.fees == Decimal("0.25")


def test_a_busted_exit_opens_the_trip_again(journal) -> None:
    """The trade is taken back; it is told of once, with what really closed it."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "2", "10", correlation_id="a")
    journal.fill("sell", "2", "12", correlation_id="b")
    journal.fill("buy", "1", "12", correlation_id="b", cause="bust")
    told: list[tuple[str, Decimal]] = []
    trips = RoundTrips(
        lambda trade: told.append(("closed", trade.profit)), lambda trade: told.append(("not", trade.profit))
    )
    for entry in journal.entries:
        trips.take(entry.body)
    assert told == [("closed", 4), ("not", 4)]
    assert walk_of(journal.entries).trades == []

    journal.fill("sell", "1", "9", correlation_id="c")

    (trade,) = walk_of(journal.entries).trades
    assert (trade.quantity, trade.exit_price, trade.profit) == (2, Decimal("10.5"), 1)
    assert (trade.correlation_in, trade.correlation_out) == ("a", "c")


def test_a_bust_through_the_engine_takes_the_trade_back(entries_of) -> None:
    """An execution that a venue declares never to have happened ends no round trip."""
    strategy = ScriptedStrategy({1: enter(), 3: leave()})
    bench = Workbench(make_settings([make_slot(strategy)])).start().play(make_bars([10, 11, 12, 13, 14]))
    assert len(walk_of(entries_of(bench)).trades) == 1
    fill = strategy.fills[-1]
    bench.venue.query_outcome = Outcome.UNKNOWN
    bench.enter(
        FillBusted(
            ts=bench.engine.now_ns,
            client_order_id=fill.client_order_id,
            broker_order_id=fill.broker_order_id,
            symbol="SPY",
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
        )
    )
    walk = walk_of(entries_of(bench))
    assert walk.trades == []
    assert walk.desk_reason == bench.engine.reason != ""


def test_counts(journal) -> None:
    """Signals, orders, denials by code, rejections once each, alerts by code, and fees of the account too."""
    journal.event(FeedStatus, code="up")
    for correlation in "abc":
        journal.signal(correlation)
    for code in ("duplicate", "size_zero", "duplicate"):
        journal.record(
            Denied,
            correlation_id="a",
            strategy_id="one",
            symbol="SPY",
            action=SignalAction.ENTER,
            code=code,
            text="no",
        )
    approve(journal, "b")
    move(journal, "b", "submitting", "rejected")
    move(journal, "b", "rejected", "rejected")
    journal.record(Alert, severity=Severity.NOTICE, code="dust", subject="x", text="y")
    journal.fill("buy", "1", "10", fee="0.02")
    journal.record(
        BookMoved,
        correlation_id="",
        strategy_id="",
        symbol="",
        cause="activity:FEE",
        change=Decimal("-0.05"),
        price=Decimal(0),
        fee=Decimal("0.05"),
        quantity=Decimal(0),
        cost=Decimal(0),
        realized=Decimal(0),
        cash=Decimal(0),
    )

    walk = walk_of(journal.entries)

    assert (walk.signals, walk.orders, walk.fills, walk.rejected) == (3, 1, 1, 1)
    assert walk.denied == {"duplicate": 2, "size_zero": 1}
    assert walk.alerts == {"dust": 1}
    assert walk.fees == Decimal("0.07")


def test_faults_of_plugins_are_told_once_each(journal) -> None:
    """A fault names plugin, error and place; repeated ones are counted, and a start begins anew."""
    journal.event(FeedStatus, code="up")
    fault = {"plugin": "sizer:odd", "symbol": "SPY", "error_type": "KeyError", "place": "odd.py:7"}
    for number in range(3):
        journal.record(PluginMoved, state="failed", text=f"'{number}'", **fault)
    journal.record(PluginMoved, plugin="strategy:x", symbol="SPY", state="warm")
    journal.event(PluginFailed, plugin="observer:o", error_type="OSError", place="o.py:1", text="gone")

    walk = walk_of(journal.entries)

    assert walk.plugin_faults == 4
    assert walk.fault_texts == [
        "sizer:odd raised KeyError at odd.py:7: '0' (3 times)",
        "observer:o raised OSError at o.py:1: gone",
    ]
    start = {"run_id": "r", "desk_id": "d", "mode": "run", "book": 1, "configuration": "", "feed": ""}
    journal.event(RunStarted, **start)
    assert (walk_of(journal.entries).plugin_faults, walk_of(journal.entries).fault_texts) == (0, [])


def test_why_the_desk_is_careful(journal) -> None:
    """The reason of the last halt or freeze, in words or at least as a code, until the desk is ready again."""
    journal.event(FeedStatus, code="up")
    states = [(DeskState.FROZEN, "gap", ""), (DeskState.HALTED, "person", "enough"), (DeskState.READY, "person", "go")]
    found = []
    for after, code, text in states:
        journal.record(DeskMoved, before=DeskState.READY, after=after, code=code, text=text)
        found.append(walk_of(journal.entries).desk_reason)
    assert found == ["gap", "enough", ""]


def test_reasons_survive_what_happens_in_between(journal) -> None:
    """The signal of an order that is alive is known however many others came after it."""
    journal.event(FeedStatus, code="up")
    journal.signal("first", reason=(("z", 1),))
    approve(journal, "first")
    for number in range(PASSING_MAX + 10):
        journal.signal(f"other-{number}")
    move(journal, "first", "working", "filled")
    journal.fill("buy", "1", "10", correlation_id="first")
    journal.signal("last", reason=(("z", 2),), action="exit")
    journal.fill("sell", "1", "11", correlation_id="last")

    (trade,) = walk_of(journal.entries).trades

    assert (trade.reason_in, trade.reason_out) == ((("z", 1),), (("z", 2),))


def test_memory_is_that_of_what_is_alive(journal) -> None:
    """Twenty thousand orders leave no more signals behind than the newest ones."""
    signals = SignalRecall(passing_max=100)
    journal.event(FeedStatus, code="up")
    for number in range(20_000):
        journal.signal(str(number))
        if number % 2:
            approve(journal, str(number))
            move(journal, str(number), "working", "filled")
        for entry in journal.entries[1:]:
            signals.take(entry.body)
        del journal.entries[1:]
    assert len(signals) == 100
    assert signals.get("19999") is not None
    assert signals.get("19899") is None


def test_a_refused_signal_is_forgotten_at_once(journal) -> None:
    """A denial is the end of a signal."""
    signals = SignalRecall()
    journal.event(FeedStatus, code="up")
    made = journal.signal("a")
    signals.take(made)
    denied = journal.record(
        Denied, correlation_id="a", strategy_id="one", symbol="SPY", action=SignalAction.ENTER, code="x", text=""
    )
    signals.take(denied)
    assert len(signals) == 0


def test_what_is_held_is_never_pushed_out() -> None:
    """Held values stay until they are let go, and then take their turn."""
    recall: Recall[int] = Recall(passing_max=2)
    recall.hold("held", 0)
    for number in range(5):
        recall.note(str(number), number)
    assert [recall.get(key) for key in ("held", "2", "3", "4")] == [0, None, 3, 4]
    recall.let_go("held")
    recall.let_go("unknown")
    assert [recall.get(key) for key in ("3", "4", "held")] == [None, 4, 0]
    recall.forget("held")
    assert len(recall) == 1


AMOUNTS = st.decimals("0.000000001", "5", places=9)
PRICES = st.decimals("0.01", "500", places=4)
FEES = st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.000123")])
#: Half of the time the whole book is closed, as an exit does; else anything may happen, crossing zero too.
FILLS = st.lists(
    st.tuples(st.sampled_from(["SPY", "QQQ"]), st.sampled_from(["buy", "sell", "close"]), AMOUNTS, PRICES, FEES),
    max_size=30,
)


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


@pytest.mark.parametrize("digits", [9, 18])
def test_no_digit_is_lost(journal, digits) -> None:
    """Fractions of shares at fractional prices leave a profit with all its digits, whatever the thread's context."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "0.000000007", "12345678.123456789" if digits == 18 else "12345678.1")
    journal.fill("sell", "0.000000007", "12345679.123456788" if digits == 18 else "12345679.2")
    (trade,) = walk_of(journal.entries).trades
    assert trade.profit == (Decimal("0.000000006999999993") if digits == 18 else Decimal("0.0000000077"))
