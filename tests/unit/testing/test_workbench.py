"""The kit for plugin authors: bars at real times, a venue that obeys, an engine on a workbench."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.api import (
    MINUTE_NS,
    ApprovedOrder,
    Bar,
    OrderDraft,
    OrderStatus,
    OrderType,
    Side,
    Timeframe,
    TimeInForce,
    require_approved,
)
from mqd_core.domain.records import Approved, Denied
from mqd_core.engine.effects import CancelOrder, QueryOrder, RaiseAlert, SubmitOrder, TakeSnapshot
from mqd_core.testing.bars import make_bars, merge, minutes, session_of
from mqd_core.testing.engines import (
    AnsweringStrategy,
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    approved_order,
    enter,
    leave,
    make_gate,
    make_limits,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal


class TestBars:
    def test_times(self) -> None:
        """Bars lie in regular sessions, one after the other, and go on with the next session."""
        bars = make_bars([1.0] * 3, minute=388)
        close_ns, next_ns = session_of().close_ns, session_of("2025-01-07").open_ns
        assert [bar.start_ns for bar in bars] == [close_ns - 2 * MINUTE_NS, close_ns - MINUTE_NS, next_ns]

    def test_prices(self) -> None:
        """Each bar opens where the one before it closed, and holds both prices."""
        assert make_bars([10.0, 12.0, 11.0], symbol="QQQ", volume=7.0)[1:] == [
            Bar("QQQ", session_of().open_ns + MINUTE_NS, 10.0, 12.0, 10.0, 12.0, 7.0),
            Bar("QQQ", session_of().open_ns + 2 * MINUTE_NS, 12.0, 12.0, 11.0, 11.0, 7.0),
        ]

    def test_length(self) -> None:
        """Bars may be longer than a minute; a half day has fewer."""
        starts = [bar.start_ns for bar in make_bars([1.0] * 2, length_ns=5 * MINUTE_NS)]
        assert starts[1] - starts[0] == 5 * MINUTE_NS
        half = session_of("2025-11-28")
        assert sum(1 for start in minutes("2025-11-28") if start < half.close_ns) == 210

    def test_closed(self) -> None:
        """A date on which the exchange is closed is refused by name."""
        with pytest.raises(ValueError, match="no session on 2025-01-04"):
            make_bars([1.0], date="2025-01-04")

    def test_end_of_the_calendar(self) -> None:
        """Where the calendar ends, so do the bars."""
        assert len(make_bars([1.0] * 500, date="2028-12-29")) == 390

    def test_merge(self) -> None:
        """Series are merged by time, and inside a minute in the order given."""
        one, other = make_bars([1.0, 2.0]), make_bars([3.0, 4.0], symbol="QQQ")
        assert merge(other, one) == [other[0], one[0], other[1], one[1]]


class TestVenue:
    def fills(self, venue: ObedientVenue, *bars: Bar) -> list[tuple[str, str]]:
        """Quantity and price of what the bars fill."""
        events = [event for bar in bars for event in venue.advance([bar])]
        return [(str(event.quantity), str(event.price)) for event in events if hasattr(event, "price")]

    def sent(self, **changes: Any) -> ObedientVenue:
        """A venue that has taken one order."""
        venue = ObedientVenue(parts=changes.pop("parts", 1))
        list(venue.perform(SubmitOrder(approved_order(**changes), 1), 0))
        return venue

    def bar(self, opening: float, low: float, high: float, minute: int = 0) -> Bar:
        return Bar("SPY", session_of().open_ns + minute * MINUTE_NS, opening, high, low, opening, 1.0)

    def test_market(self) -> None:
        """A market order fills at the open of the next bar of its symbol, whole."""
        venue = self.sent(quantity=D("0.5"))
        assert self.fills(venue, *make_bars([9.0], symbol="QQQ"), self.bar(100.5, 90.0, 110.0)) == [("0.5", "100.5")]
        assert (venue.cash, venue.positions) == (D("949.75"), {"SPY": D("0.5")})
        assert self.fills(venue, self.bar(100.5, 90.0, 110.0, 1)) == []

    def test_not_before_it_was_sent(self) -> None:
        """A bar that began before the order was sent fills nothing of it."""
        venue = self.sent(submitted_ns=session_of().open_ns + 1)
        assert self.fills(venue, self.bar(100.0, 90.0, 110.0)) == []

    @pytest.mark.parametrize(
        ("side", "opening", "low", "high", "expected"),
        [
            (Side.BUY, 101.0, 100.01, 102.0, []),
            (Side.BUY, 101.0, 100.0, 102.0, [("1", "100")]),
            (Side.BUY, 99.0, 98.0, 102.0, [("1", "99.0")]),
            (Side.SELL, 99.0, 98.0, 99.99, []),
            (Side.SELL, 99.0, 98.0, 100.0, [("1", "100")]),
            (Side.SELL, 101.0, 98.0, 102.0, [("1", "101.0")]),
        ],
    )
    def test_limit(self, side: Side, opening: float, low: float, high: float, expected: list[tuple[str, str]]) -> None:
        """A limit order fills where a bar reaches its price, at the open if that is better."""
        venue = self.sent(side=side, order_type=OrderType.LIMIT, limit_price=D(100))
        assert self.fills(venue, self.bar(opening, low, high)) == expected

    def test_parts(self) -> None:
        """An order may fill in parts, one a bar; together they are the whole."""
        venue = self.sent(quantity=D(1), parts=3)
        parts = self.fills(venue, *(self.bar(100.0, 90.0, 110.0, minute) for minute in range(4)))
        assert [quantity for quantity, _ in parts] == ["0.333333333", "0.333333333", "0.333333334"]

    def test_late(self) -> None:
        """A fill may be made of an order that is over: what a venue may do, a desk has to bear."""
        venue = self.sent(quantity=D(2))
        known = venue.orders["order-1"]
        known.status = OrderStatus.CANCELED
        fill = venue.fill("order-1", "1.5", "99", 7, "e-1")
        assert (fill.cumulative_quantity, fill.execution_id, known.status) == (D("1.5"), "e-1", OrderStatus.CANCELED)
        assert venue.cash == D("851.5")

    def test_notional(self) -> None:
        """A notional order is for what its dollars buy, rounded down; its end is reported."""
        venue = self.sent(quantity=None, notional=D(100))
        events = venue.advance([self.bar(145.37, 140.0, 150.0)])
        assert [type(event).__name__ for event in events] == ["Fill", "OrderReport"]
        assert venue.positions["SPY"] == D("0.687899841")

    def test_answers(self) -> None:
        """Snapshots, queries and cancels are answered by what is so; a refused order is not known."""
        venue = self.sent()
        order = next(iter(venue.orders.values()))
        (found,) = venue.perform(QueryOrder("order-1"), 5)
        (missing,) = venue.perform(QueryOrder("order-2"), 5)
        assert (found.outcome.value, missing.outcome.value) == ("found", "not_found")
        (account,) = venue.perform(TakeSnapshot(), 5)
        assert account == venue.account(5)
        outcome, report = venue.perform(CancelOrder(order.order.ref), 5)
        assert (outcome.outcome.value, report.status) == ("accepted", OrderStatus.CANCELED)
        assert len(list(venue.perform(CancelOrder(order.order.ref), 5))) == 1
        venue.outcome = venue.outcome.REFUSED
        (refused,) = venue.perform(SubmitOrder(approved_order("order-3"), 1), 5)
        assert (refused.outcome.value, "order-3" in venue.orders) == ("refused", False)
        assert list(venue.perform(RaiseAlert(None), 5)) == []  # type: ignore[arg-type]

    def test_only_what_was_approved(self) -> None:
        """The venue takes orders of the gate only, as every connector has to."""
        draft = OrderDraft(
            correlation_id="c",
            strategy_id="s",
            symbol="SPY",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            reference_price=D(1),
            quantity=D(1),
        )
        with pytest.raises(TypeError, match="orders of the risk gate only"):
            list(ObedientVenue().perform(SubmitOrder(draft, 1), 0))  # type: ignore[arg-type]


class TestWorkbench:
    def test_round_trip(self) -> None:
        """A scripted strategy buys and sells; desk and venue agree on every cent."""
        strategy = ScriptedStrategy({2: enter(), 5: leave()})
        bench = Workbench(make_settings([make_slot(strategy)])).start().play(make_bars([100.0, 101.0, 102.0] * 3))
        assert len(bench.of(Approved)) == 2
        assert bench.engine.facts.cash == bench.account.cash == D(1000)
        assert [fill.side for fill in strategy.fills] == [Side.BUY, Side.SELL]
        assert len(strategy.bars) == 9

    def test_cut_as_you_like(self) -> None:
        """However many bars are taken at once, the same comes of them."""
        results = []
        for at_once in (None, 1, 2, 5):
            settings = make_settings([make_slot(ScriptedStrategy({2: enter(), 5: leave()}))])
            results.append(Workbench(settings).start().play(make_bars([100.0] * 9), at_once).records)
        assert all(records == results[0] for records in results)

    def test_waiting(self) -> None:
        """Time may pass without bars: timers fire on the way."""
        bench = Workbench(make_settings([make_slot(ScriptedStrategy())])).start()
        bench.wait(session_of().close_ns)
        assert bench.engine.now_ns == session_of().close_ns

    def test_settings(self) -> None:
        """Defaults forbid nothing; what a test changes, it changes alone."""
        settings = make_settings(
            [make_slot(ScriptedStrategy(), "SPY", "QQQ", timeframe=Timeframe.MINUTE_5)],
            FixedSizer(notional="25"),
            gate=make_gate(max_open_positions=1),
            limits=make_limits(daily_loss_limit_usd=D(5)),
        )
        assert settings.symbols == ("SPY", "QQQ")
        assert settings.gate.max_open_positions == 1
        assert settings.gate.max_order_value_usd is None
        assert settings.limits.weekly_loss_limit_usd is None
        assert settings.sizer.size(enter(), None).notional == D(25)  # type: ignore[arg-type]

    def test_answering(self) -> None:
        """A strategy may be a function of bar and view."""
        strategy = AnsweringStrategy(lambda bar, view: [leave()] if view.book.quantity else [])
        bench = Workbench(make_settings([make_slot(strategy)])).start().play(make_bars([100.0]))
        assert bench.of(Denied) == []

    def test_approved_order(self) -> None:
        """An approved order for a test of a broker is one that the gate made."""
        order = approved_order("mine", symbol="QQQ", quantity=D(3))
        assert isinstance(require_approved(order), ApprovedOrder)
        assert (order.client_order_id, order.symbol, order.quantity) == ("mine", "QQQ", D(3))
