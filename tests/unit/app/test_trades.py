"""Round trips and counts from a journal: exact, whole, and no larger than what is alive."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.app.recall import PASSING_MAX
from mqd_core.app.trades import RoundTrips, TradeWalk
from mqd_core.domain.events import FeedStatus, FillBusted, Outcome, PluginFailed, RunStarted
from mqd_core.domain.records import (
    Alert,
    DeskMoved,
    DeskState,
    PluginMoved,
    Severity,
    SignalMade,
)
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, leave, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue


def walk_of(entries) -> TradeWalk:
    walk = TradeWalk()
    for entry in entries:
        walk.take(entry)
    return walk


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


def test_what_moves_no_share_opens_nothing(journal) -> None:
    """A record of a book that stays empty is no round trip."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "0", "10")
    journal.fill("buy", "1", "10")
    journal.fill("sell", "1", "12")
    assert [trade.entry_price for trade in walk_of(journal.entries).trades] == [10]


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
        journal.deny("a", code)
    journal.approve()
    journal.move("submitting", "rejected")
    journal.move("rejected", "rejected")
    journal.record(Alert, severity=Severity.NOTICE, code="dust", subject="x", text="y")
    journal.fill("buy", "1", "10", fee="0.02")
    journal.cash("activity:FEE", "-0.05", fee="0.05")

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
    journal.signal("c-o", reason=(("z", 1),))
    journal.approve()
    for number in range(PASSING_MAX + 10):
        journal.signal(f"other-{number}")
    journal.move("working", "filled")
    journal.fill("buy", "1", "10", correlation_id="c-o")
    journal.signal("last", reason=(("z", 2),))
    journal.fill("sell", "1", "11", correlation_id="last")

    (trade,) = walk_of(journal.entries).trades

    assert (trade.reason_in, trade.reason_out) == ((("z", 1),), (("z", 2),))


@pytest.mark.parametrize("digits", [9, 18])
def test_no_digit_is_lost(journal, digits) -> None:
    """Fractions of shares at fractional prices leave a profit with all its digits, whatever the thread's context."""
    journal.event(FeedStatus, code="up")
    journal.fill("buy", "0.000000007", "12345678.123456789" if digits == 18 else "12345678.1")
    journal.fill("sell", "0.000000007", "12345679.123456788" if digits == 18 else "12345679.2")
    (trade,) = walk_of(journal.entries).trades
    assert trade.profit == (Decimal("0.000000006999999993") if digits == 18 else Decimal("0.0000000077"))
