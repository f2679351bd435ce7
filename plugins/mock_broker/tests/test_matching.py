"""At which price and time orders meet bars: the rules in the docstring of `matching`, one by one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import MINUTE_NS, Fill, OrderReport, OrderStatus

D = Decimal


def meet(bench, order, bar, *, held: str | None = None, **settings):
    """Show one bar to one order; the only fill, or None."""
    venue = bench.holding(held, **settings) if held else bench.venue(**settings)
    venue.submit(order)
    events = [event for event in bench.show(venue, bar) if isinstance(event, Fill)]
    assert len(events) <= 1
    return events[0] if events else None


class TestMarket:
    def test_fills_at_the_next_open(self, bench):
        """A market order fills at the open of the bar that starts with its submission, stamped with that start."""
        fill = meet(bench, bench.order(minute=3), bench.bar(3, 101.5, 102, 100, 101))
        assert (fill.price, fill.ts, fill.quantity) == (D("101.5"), bench.at(3), D(1))

    def test_does_not_look_back(self, bench):
        """A bar that began before the submission fills nothing."""
        venue = bench.venue()
        venue.submit(bench.order(submitted_ns=bench.at(3) + 1))
        assert not bench.show(venue, bench.bar(3, 101.5))
        (fill,) = bench.show(venue, bench.bar(4, 99.25))
        assert (fill.price, fill.ts) == (D("99.25"), bench.at(4))

    @pytest.mark.parametrize(("side", "price"), [("buy", "100.065"), ("sell", "99.935")])
    def test_pays_slippage_and_half_the_spread(self, bench, side, price):
        """Slippage 1.5 and half of a spread of 10 basis points make 6.5 against the trader, exactly."""
        fill = meet(
            bench,
            bench.order(side=side, minute=1),
            bench.bar(1, 100.0),
            held="2" if side == "sell" else None,
            slippage_bps="1.5",
            spread_bps=10,
        )
        assert fill.price == D(price)

    @pytest.mark.parametrize(("side", "price"), [("buy", "33.333366664"), ("sell", "33.333299996")])
    def test_rounds_against_the_trader(self, bench, side, price):
        """Of price times slippage nine decimals are kept: a buyer's rounded up, a seller's down."""
        order = bench.order(side=side, minute=1, reference="33.33")
        fill = meet(bench, order, bench.bar(1, 33.33333333), held="2" if side == "sell" else None, slippage_bps="0.01")
        assert fill.price == D(price)

    def test_bar_of_another_symbol_fills_nothing(self, bench):
        """An order meets bars of its own symbol only."""
        venue = bench.venue()
        venue.submit(bench.order(symbol="SPY"))
        assert not bench.show(venue, bench.bar(0, 101.5))


class TestLimit:
    def test_marketable_at_the_open_fills_at_the_open(self, bench):
        """A buy limit above the open is filled at the open, which is better than the limit."""
        fill = meet(bench, bench.order(kind="limit", limit="100.50"), bench.bar(0, 100.25, 101, 99, 100))
        assert (fill.price, fill.ts) == (D("100.25"), bench.at(0))

    def test_inside_the_bar_fills_at_the_limit_at_its_end(self, bench):
        """A limit that the bar trades through fills at the limit, never better, stamped with the bar's end."""
        fill = meet(bench, bench.order(kind="limit", limit="99.50"), bench.bar(0, 100, 101, 99, 100))
        assert (fill.price, fill.ts) == (D("99.50"), bench.at(0) + MINUTE_NS)

    def test_sell_limit_waits_for_a_rise(self, bench):
        """A sell limit fills at the limit when the bar's high is above it."""
        order = bench.order(side="sell", kind="limit", limit="101", minute=1)
        fill = meet(bench, order, bench.bar(1, 100, 101.01, 99, 100), held="1")
        assert (fill.price, fill.ts) == (D(101), bench.at(2))

    @pytest.mark.parametrize(("mode", "is_filled"), [("touch", True), ("through", False)])
    def test_a_touch_counts_if_the_setting_says_so(self, bench, mode, is_filled):
        """A bar whose low is exactly the limit fills it under `touch` and not under `through`."""
        fill = meet(bench, bench.order(kind="limit", limit="99"), bench.bar(0, 100, 101, 99, 100), limit_fill=mode)
        assert (fill is not None) is is_filled

    def test_unreached_rests(self, bench):
        """A limit that no bar reaches works on and fills later."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="99"))
        assert not bench.show(venue, bench.bar(0, 100, 101, 99.5, 100))
        assert venue.working == 1
        (fill,) = bench.show(venue, bench.bar(1, 98.75))
        assert fill.price == D("98.75")

    def test_slippage_decides_what_is_marketable(self, bench):
        """With slippage the taken open is above the limit: it fills at the limit, if the bar trades through."""
        order = bench.order(kind="limit", limit="100")
        fill = meet(bench, order, bench.bar(0, 100, 100.5, 99.9, 100), slippage_bps=10)
        assert (fill.price, fill.ts) == (D(100), bench.at(1))


class TestStop:
    def test_gap_fills_at_the_open(self, bench):
        """A sell stop that the bar opens below fills at the open, not at the stop."""
        order = bench.order(side="sell", kind="stop", stop="98", minute=1)
        fill = meet(bench, order, bench.bar(1, 97, 99, 96, 98), held="1")
        assert (fill.price, fill.ts) == (D(97), bench.at(1))

    def test_inside_the_bar_fills_at_the_stop_and_slippage(self, bench):
        """A sell stop reached inside the bar fills at the stop less slippage, stamped with the bar's end."""
        order = bench.order(side="sell", kind="stop", stop="98", minute=1)
        fill = meet(bench, order, bench.bar(1, 100, 100, 98, 99), held="1", slippage_bps=10)
        assert (fill.price, fill.ts) == (D("97.902"), bench.at(2))

    def test_buy_stop_waits_for_a_rise(self, bench):
        """A buy stop fills when the high reaches it."""
        fill = meet(bench, bench.order(kind="stop", stop="102"), bench.bar(0, 100, 102, 99, 100))
        assert (fill.price, fill.ts) == (D(102), bench.at(1))

    def test_unreached_rests(self, bench):
        """A stop that is not reached does nothing."""
        order = bench.order(side="sell", kind="stop", stop="98", minute=1)
        assert meet(bench, order, bench.bar(1, 100, 101, 98.01, 99), held="1") is None

    @pytest.mark.parametrize("kind", ["stop", "stop_limit"])
    def test_a_hair_away_is_not_reached(self, bench, kind):
        """A low above the stop by less than floats are looked at is judged in decimals: not reached."""
        limit = "97" if kind == "stop_limit" else None
        order = bench.order(side="sell", kind=kind, stop="98", limit=limit, minute=1)
        assert meet(bench, order, bench.bar(1, 100, low=98.00000001), held="1") is None
        assert meet(bench, order, bench.bar(1, 100, low=98.0), held="1") is not None

    def test_stops_come_before_limits_of_the_same_bar(self, bench):
        """When a bar reaches both a stop and a limit of one holding, the stop is filled first."""
        venue = bench.holding("2")
        venue.submit(bench.order("profit", "sell", "1", "limit", limit="101", minute=1))
        venue.submit(bench.order("stop", "sell", "1", "stop", stop="98", minute=1))
        events = bench.show(venue, bench.bar(1, 100, 102, 97, 100))
        assert [event.client_order_id for event in events] == ["stop", "profit"]

    def test_rest_of_a_triggered_stop_goes_on_as_a_market_order(self, bench):
        """What volume left of a triggered stop fills at the next open, wherever that is."""
        venue = bench.holding("2", participation_pct=10)
        venue.submit(bench.order("stop", "sell", "2", "stop", stop="98", minute=1))
        (first,) = bench.show(venue, bench.bar(1, 97, volume=10.0))
        (second,) = bench.show(venue, bench.bar(2, 105, volume=1e6))
        assert [(first.quantity, first.price), (second.quantity, second.price)] == [(D(1), D(97)), (D(1), D(105))]


class TestStopLimit:
    def order(self, bench, stop="98", limit="97.50"):
        return bench.order("sl", "sell", "1", "stop_limit", stop=stop, limit=limit, minute=1)

    def test_triggered_inside_fills_at_the_stop(self, bench):
        """Triggered inside a bar, it fills at the stop price where that is at or better than the limit."""
        fill = meet(bench, self.order(bench), bench.bar(1, 100, 100, 97.75, 99), held="1")
        assert (fill.price, fill.ts) == (D(98), bench.at(2))

    def test_gap_beyond_the_limit_waits_for_it(self, bench):
        """A gap below stop and limit triggers it; it fills at the limit if the bar comes back through it."""
        fill = meet(bench, self.order(bench), bench.bar(1, 97, 97.75, 96, 97), held="1")
        assert (fill.price, fill.ts) == (D("97.50"), bench.at(2))

    def test_gap_between_stop_and_limit_fills_at_the_open(self, bench):
        """A bar that opens between stop and limit fills it at the open."""
        fill = meet(bench, self.order(bench), bench.bar(1, 97.75), held="1")
        assert (fill.price, fill.ts) == (D("97.75"), bench.at(1))

    def test_triggered_but_worse_than_the_limit_rests_as_a_limit(self, bench):
        """With slippage past the limit it only triggers, says so, and fills as a limit from the next bar on."""
        venue = bench.holding("1", slippage_bps=100)
        venue.submit(self.order(bench, limit="97.90"))
        (triggered,) = bench.show(venue, bench.bar(1, 100, 100, 97.99, 99))
        assert isinstance(triggered, OrderReport)
        assert (triggered.status, triggered.code, triggered.ts) == (OrderStatus.NEW, "triggered", bench.at(2))
        assert not bench.show(venue, bench.bar(2, 97.50))
        (fill,) = bench.show(venue, bench.bar(3, 97.50, high=98))
        assert (fill.price, fill.ts) == (D("97.90"), bench.at(4))

    def test_limit_beyond_the_stop_is_not_assumed_to_have_been_reached(self, bench):
        """A sell limit above its stop is not filled in the bar that triggers it: the price may not have come back."""
        venue = bench.holding("1")
        venue.submit(self.order(bench, limit="99"))
        (event,) = bench.show(venue, bench.bar(1, 100, 100, 98, 100))
        assert isinstance(event, OrderReport)
        (fill,) = bench.show(venue, bench.bar(2, 100))
        assert fill.price == D(100)

    def test_untriggered_ignores_its_limit(self, bench):
        """Before the stop is reached a stop-limit does not fill, however good the price is for its limit."""
        assert meet(bench, self.order(bench), bench.bar(1, 105, 110, 98.01, 109), held="1") is None
