"""What the desk says of itself: what is counted, for how long, and what a fault looks like."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.orders import OrderDraft, OrderType, Purpose, Side, TimeInForce
from mqd_core.engine.decisions import DecisionChain
from mqd_core.engine.scribe import Scribe
from mqd_core.testing.bars import make_bars, merge
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_gate,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal


def make_draft(**changes: Any) -> OrderDraft:
    """A market order to buy one SPY."""
    fields: dict[str, Any] = {
        "correlation_id": "c",
        "strategy_id": "s",
        "symbol": "SPY",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "reference_price": D(100),
        "quantity": D(1),
    }
    return OrderDraft(**{**fields, **changes})


def desk(**gate: Any) -> Workbench:
    """A started desk."""
    return Workbench(make_settings([make_slot(ScriptedStrategy())], gate=make_gate(**gate))).start()


class TestCounting:
    def test_orders_since(self) -> None:
        """Orders are counted that were sent after a time, not at it."""
        bench = desk()
        facts, scribe = bench.engine.facts, bench.engine._desk.scribe
        for second in (1, 2, 3):
            scribe.now_ns = second * SECOND_NS
            facts.note_sent(make_draft(), Purpose.ENTRY)
        assert [facts.orders_since(second * SECOND_NS) for second in (0, 1, 2, 3)] == [3, 2, 1, 0]
        assert facts.orders_this_session == 3

    def test_last_like(self) -> None:
        """An order is like another of the same strategy, symbol, side and amount, whatever its price and number."""
        bench = desk()
        facts, scribe = bench.engine.facts, bench.engine._desk.scribe
        scribe.now_ns = 7
        facts.note_sent(make_draft(), Purpose.ENTRY)
        assert facts.last_like(make_draft(reference_price=D(5), correlation_id="d"), 6) == 7
        assert facts.last_like(make_draft(), 7) is None
        others = [{"strategy_id": "t"}, {"symbol": "QQQ"}, {"side": Side.SELL}, {"quantity": D(2)}]
        assert [facts.last_like(make_draft(**other), 0) for other in others] == [None] * 4
        facts.note_sent(make_draft(quantity=None, notional=D(5)), Purpose.ENTRY)
        assert facts.last_like(make_draft(quantity=None, notional=D(5)), 0) == 7

    def test_remembers_long_enough(self) -> None:
        """As many orders are remembered as the rate allows within the window in which they may not be repeated."""
        bench = desk(max_orders_per_minute=2, duplicate_window_ns=60 * MINUTE_NS)
        facts, scribe = bench.engine.facts, bench.engine._desk.scribe
        for number in range(118):
            scribe.now_ns = number * 30 * SECOND_NS
            facts.note_sent(make_draft(quantity=D(number + 1)), Purpose.ENTRY)
        assert facts.last_like(make_draft(), -1) == 0


class TestValues:
    def test_account(self) -> None:
        """Books, open orders and equity are those of the account, over all symbols."""
        strategy = ScriptedStrategy({2: (enter("SPY"), enter("QQQ"))})
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")], FixedSizer("2"))).start()
        bench.play(merge(make_bars([100.0, 100.0, 110.0]), make_bars([50.0, 50.0, 40.0], symbol="QQQ")))
        facts = bench.engine.facts
        assert {book.symbol: book.quantity for book in facts.books} == {"SPY": D(2), "QQQ": D(2)}
        assert (facts.cash, facts.equity, facts.gross_exposure) == (D(700), D(1000), D(300))
        assert facts.occupied_symbols() == {"SPY", "QQQ"}
        assert facts.value_held("SPY") == D(220)
        assert facts.value_held("IWM") == D(0)
        assert facts.close_of("IWM") == D(0)
        assert facts.working == ()
        assert (facts.opening_cash, facts.deposits) == (D(1000), D(0))
        assert [instrument.symbol for instrument in bench.engine.held] == ["SPY", "QQQ"]

    @pytest.mark.parametrize(
        ("sizer", "signal", "free"),
        [
            (FixedSizer("2"), enter(), D(1000) - D(206)),
            (FixedSizer("2"), enter(order_type=OrderType.LIMIT, limit_price=D(90)), D(1000) - D(180)),
            (FixedSizer(notional="150"), enter(), D(850)),
        ],
    )
    def test_free_cash(self, sizer: FixedSizer, signal: Any, free: Decimal) -> None:
        """A buy that works reserves what it may cost: 3 % over the close, its limit, or its notional."""
        venue = ObedientVenue()
        venue.is_holding = True
        bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: signal}))], sizer), venue).start()
        assert bench.play(make_bars([100.0])).engine.facts.cash_free == free

    def test_sale_brings_nothing_yet(self) -> None:
        """A sale that works neither frees cash nor counts as exposure until it has filled."""
        bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter(), 3: leave()}))])).start()
        facts = bench.play(make_bars([100.0] * 3)).engine.facts
        assert (facts.cash_free, facts.gross_exposure, facts.value_held("SPY")) == (D(900), D(100), D(100))
        assert (len(facts.working), facts.occupied_symbols()) == (1, {"SPY"})


class TestChain:
    def test_depends_on_each_decision_and_their_order(self) -> None:
        """Another decision, another code or another order of the same ones gives another value."""

        def chain(*codes: str, **changes: Any) -> str:
            one = DecisionChain()
            for code in codes:
                one.add(make_draft(**changes), code)
            return one.hex

        values = [
            chain(),
            chain("approved"),
            chain("cash"),
            chain("approved", "cash"),
            chain("cash", "approved"),
            chain("approved", symbol="QQQ"),
            chain("approved", strategy_id="t"),
            chain("approved", side=Side.SELL),
            chain("approved", quantity=D(2)),
            chain("approved", quantity=None, notional=D(1)),
            chain("approved", limit_price=D(1)),
            chain("approved", stop_price=D(1)),
            chain("approved", reference_price=D(1)),
        ]
        assert len(set(values)) == len(values)

    def test_leaves_out_names_and_times(self) -> None:
        """Ids are not in it: the same decisions chain alike in every run."""
        one, other = DecisionChain(), DecisionChain()
        one.add(make_draft(), "approved")
        other.add(make_draft(correlation_id="another"), "approved")
        assert one.hex == other.hex

    def test_goes_on(self) -> None:
        """A chain taken up at its count and value goes on as if it had not been dropped."""
        one = DecisionChain()
        one.add(make_draft(), "approved")
        other = DecisionChain(one.count, one.value)
        for chain in (one, other):
            chain.add(make_draft(), "cash")
        assert (other.count, other.hex) == (one.count, one.hex)


def test_scribe() -> None:
    """Records of an event number from 1; time is the latest seen; what was collected is handed over once."""
    scribe = Scribe()
    scribe.begin(5, 100)
    assert [scribe.stamp(), scribe.stamp()] == [(5, 1, 100), (5, 2, 100)]
    scribe.begin(6, 90)
    assert scribe.stamp() == (6, 1, 100)
    scribe.effects.append("effect")  # type: ignore[arg-type]
    assert scribe.take() == ((), ("effect",))
    assert scribe.take() == ((), ())


@pytest.mark.parametrize("others", [0, 1])
def test_a_desk_of_nobody(others: int) -> None:
    """A symbol that no strategy watches takes its bars, and nothing comes of them."""
    slots = [make_slot(ScriptedStrategy(), "QQQ")] * others
    settings = make_settings(slots, symbols=("SPY", "QQQ"))
    bench = Workbench(settings).start().play(make_bars([100.0] * 3))
    assert bench.engine.bars == 3
