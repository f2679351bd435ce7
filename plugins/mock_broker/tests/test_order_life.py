"""When orders begin, end and are reported: sessions, expiry, IOC, latency, cancels, bars that come again."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import MINUTE_NS, Fill, OrderReport, OrderStatus, Refused, xnys

D = Decimal
HOUR_NS = 60 * MINUTE_NS


class TestDay:
    def test_expires_at_the_close_stamped_with_it(self, bench):
        """A day order that nothing filled is reported expired when time passes its session's close."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="50"))
        bench.show(venue, bench.bar(bench.last_minute, 100))
        assert not venue.working
        again = bench.venue()
        again.submit(bench.order(kind="limit", limit="50"))
        (report,) = again.advance(bench.session.close_ns, ())
        assert (report.status, report.ts, report.filled_quantity) == (OrderStatus.EXPIRED, bench.session.close_ns, D(0))

    def test_last_bar_of_the_session_still_fills(self, bench):
        """The bar that ends at the close comes before the expiry at the close."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="99", minute=5))
        events = bench.show(venue, bench.bar(bench.last_minute, 100, low=98))
        assert [type(event) for event in events] == [Fill]

    def test_next_day_does_not_fill_it_when_nobody_told_of_the_close(self, bench):
        """Even if time jumps over the close, the order expires at the close, before the next session's bar."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="99"))
        next_open = xnys().session_of_date("2024-01-09").open_ns
        events = bench.show(venue, bench.bar((next_open - bench.at(0)) // MINUTE_NS, 50))
        assert [(event.status, event.ts) for event in events] == [(OrderStatus.EXPIRED, bench.session.close_ns)]

    def test_half_day_closes_early(self, bench):
        """On a half day a day order expires at 13:00."""
        half = xnys().session_of_date("2024-11-29")
        assert half.early_close
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="50", submitted_ns=half.open_ns))
        (report,) = venue.advance(half.close_ns, ())
        assert report.ts == half.close_ns == half.open_ns + 210 * MINUTE_NS

    def test_sent_while_closed_belongs_to_the_next_session(self, bench):
        """It is acknowledged at once, works from the next open on, and expires at that session's close."""
        venue = bench.venue()
        taken = venue.submit(bench.order(kind="limit", limit="50", submitted_ns=bench.at(0) - HOUR_NS))
        assert taken.status is OrderStatus.ACKNOWLEDGED
        (new,) = bench.show(venue, bench.bar(0, 100))
        assert (new.status, new.ts) == (OrderStatus.NEW, bench.at(0))
        (expired,) = venue.advance(bench.session.close_ns, ())
        assert expired.status is OrderStatus.EXPIRED

    def test_sent_at_the_close_is_too_late_for_it(self, bench):
        """At its close a session no longer is: the order belongs to the next one."""
        venue = bench.venue()
        venue.submit(bench.order(submitted_ns=bench.session.close_ns))
        assert not venue.advance(bench.session.close_ns, ())
        next_open = xnys().session_of_date("2024-01-09").open_ns
        new, fill = bench.show(venue, bench.bar((next_open - bench.at(0)) // MINUTE_NS, 50))
        assert (new.status, fill.ts) == (OrderStatus.NEW, next_open)

    def test_bars_outside_the_session_fill_nothing(self, bench):
        """A bar of 16:00, the closing auction's print, meets no order."""
        venue = bench.holding("1")
        venue.submit(bench.order("gtc", "sell", "1", "limit", tif="gtc", limit="90", minute=1))
        assert not bench.show(venue, bench.bar(bench.last_minute + 1, 100))
        assert not bench.show(venue, bench.bar(bench.last_minute + 200, 100))

    def test_no_order_after_the_end_of_the_table(self, bench):
        """Where the table of sessions ends, nothing trades."""
        with pytest.raises(Refused, match="does not trade"):
            bench.venue().submit(bench.order(submitted_ns=xnys().last_ns))


class TestGoodTillCanceled:
    def test_works_on_the_next_day(self, bench):
        """A GTC order outlives the close and fills in a later session."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="90", tif="gtc"))
        assert not venue.advance(bench.session.close_ns, ())
        next_open = xnys().session_of_date("2024-01-09").open_ns
        (fill,) = bench.show(venue, bench.bar((next_open - bench.at(0)) // MINUTE_NS, 80))
        assert (fill.price, fill.ts) == (D(80), next_open)

    def test_ends_at_a_close_about_90_days_later(self, bench):
        """A GTC order expires at the last close within 90 days."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="90", tif="gtc"))
        last = xnys().session_of_date("2024-04-05")
        assert not venue.advance(last.close_ns - 1, ())
        (report,) = venue.advance(last.close_ns, ())
        assert (report.status, report.ts) == (OrderStatus.EXPIRED, last.close_ns)


class TestImmediateOrCancel:
    def test_rest_is_canceled_at_once(self, bench):
        """What volume did not give an IOC order is canceled, stamped with the bar's start, after its fill."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order(quantity="5", tif="ioc"))
        fill, report = bench.show(venue, bench.bar(0, 100, volume=20.0))
        assert (fill.quantity, fill.ts) == (D(2), bench.at(0))
        assert (report.status, report.filled_quantity, report.ts) == (OrderStatus.CANCELED, D(2), bench.at(0))

    def test_limit_meets_the_open_only(self, bench):
        """An IOC limit that is not marketable at the open is canceled, although the bar trades through it later."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="99", tif="ioc"))
        (report,) = bench.show(venue, bench.bar(0, 100, low=98))
        assert report.status is OrderStatus.CANCELED

    def test_complete_fill_is_reported_by_its_fill_alone(self, bench):
        """An IOC order that fills whole is not canceled besides."""
        venue = bench.venue()
        venue.submit(bench.order(tif="ioc"))
        assert [type(event) for event in bench.show(venue, bench.bar(0, 100))] == [Fill]

    def test_minute_without_a_bar_cancels(self, bench):
        """When other symbols have a bar for its minute and its own has none, an IOC order is over."""
        venue = bench.venue()
        venue.submit(bench.order(tif="ioc"))
        (report,) = bench.show(venue, bench.bar(0, 100, symbol="SPY"))
        assert (report.status, report.ts) == (OrderStatus.CANCELED, bench.at(1))

    def test_bar_after_a_pause_is_too_late(self, bench):
        """The first bar after minutes without one does not fill an IOC order, it ends it."""
        venue = bench.venue()
        venue.submit(bench.order(tif="ioc"))
        (report,) = bench.show(venue, bench.bar(3, 100))
        assert isinstance(report, OrderReport)
        assert report.status is OrderStatus.CANCELED

    def test_time_alone_does_not_end_it(self, bench):
        """A timer inside its minute does not cancel an IOC order before the minute's bar is there."""
        venue = bench.venue()
        venue.submit(bench.order(tif="ioc"))
        assert not venue.advance(bench.at(0) + 1, ())
        assert [type(event) for event in bench.show(venue, bench.bar(0, 100))] == [Fill]


class TestTime:
    def test_latency_makes_it_wait_for_a_later_bar(self, bench):
        """With 200 ms of latency an order meets the first bar that starts 200 ms after it, not the one before."""
        venue = bench.venue(latency_ms=200)
        venue.submit(bench.order(minute=0))
        assert not bench.show(venue, bench.bar(0, 100))
        (fill,) = bench.show(venue, bench.bar(1, 101))
        assert fill.ts == bench.at(1)

    def test_a_bar_that_comes_again_fills_nothing(self, bench):
        """A desk that resumes may show a minute twice: what is left of an order does not meet it a second time."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order(quantity="5"))
        bar = bench.bar(0, 100, volume=20.0)
        assert len(bench.show(venue, bar)) == 1
        assert not bench.show(venue, bar)

    def test_events_are_in_order_of_their_time(self, bench):
        """A fill inside one symbol's bar comes after a fill at another symbol's open, whatever the order of bars."""
        venue = bench.venue()
        venue.submit(bench.order("inside", symbol="AAA", kind="limit", limit="99", quantity="1"))
        venue.submit(bench.order("open", symbol="BBB", quantity="1"))
        events = bench.show(venue, bench.bar(0, 100, low=98, symbol="AAA"), bench.bar(0, 100, symbol="BBB"))
        assert [event.client_order_id for event in events] == ["open", "inside"]

    def test_nothing_working_costs_nothing(self, bench):
        """With no working order, time passes without a word."""
        venue = bench.venue()
        assert venue.working == 0
        assert tuple(venue.advance(bench.at(1), (bench.bar(0, 100),))) == ()


class TestCancel:
    def test_is_done_at_once(self, bench):
        """A cancel ends the order at the time it is asked for; bars after it fill nothing."""
        venue = bench.venue()
        venue.submit(bench.order(kind="limit", limit="99"))
        report = venue.cancel("a", bench.at(2))
        assert (report.status, report.ts, venue.working) == (OrderStatus.CANCELED, bench.at(2), 0)
        assert not bench.show(venue, bench.bar(2, 50))

    def test_keeps_what_was_filled(self, bench):
        """A canceled order reports its fills."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order(quantity="5"))
        bench.show(venue, bench.bar(0, 100, volume=20.0))
        report = venue.cancel("a", bench.at(1))
        assert (report.filled_quantity, report.average_fill_price) == (D(2), D(100))

    def test_of_a_finished_order_is_refused_with_its_state(self, bench):
        """Who cancels a filled order is told that it is filled."""
        venue = bench.holding("1")
        with pytest.raises(Refused, match='order is already in "filled" state') as refusal:
            venue.cancel("first", bench.at(1))
        assert refusal.value.code == "42210000"

    def test_of_an_unknown_order_is_refused(self, bench):
        """Who cancels an order that the venue never had is told so."""
        with pytest.raises(Refused, match="order not found") as refusal:
            bench.venue().cancel("never", bench.at(1))
        assert refusal.value.code == "40410000"

    def test_frees_what_it_held(self, bench):
        """Shares of a canceled sell can be sold, cash of a canceled buy can be spent."""
        venue = bench.holding("9")
        venue.submit(bench.order("stop", "sell", "9", "stop", stop="90", minute=1))
        venue.cancel("stop", bench.at(1))
        venue.submit(bench.order("exit", "sell", "9", minute=1))
        (fill,) = bench.show(venue, bench.bar(1, 100))
        assert venue.account(bench.at(2)).cash == D(1000)
        assert fill.client_order_id == "exit"


class TestReports:
    def test_identity_is_a_function_of_the_client_order_id(self, bench):
        """Broker order id and execution ids are the same whatever else the venue has done."""
        fills = []
        for noise in (0, 3):
            venue = bench.venue()
            for number in range(noise):
                venue.submit(bench.order(f"noise{number}", symbol="AAA"))
            report = venue.submit(bench.order("same"))
            (fill,) = [event for event in bench.show(venue, bench.bar(0, 100)) if event.symbol == "SPHD"]
            fills.append((report.broker_order_id, fill.broker_order_id, fill.execution_id))
        assert fills[0] == fills[1]

    def test_orders_since(self, bench):
        """`orders` gives working and ended ones, by time of submission, from the time that is asked for."""
        venue = bench.holding("1")
        venue.submit(bench.order("later", kind="limit", limit="50", minute=5))
        assert [report.client_order_id for report in venue.orders(0)] == ["first", "later"]
        assert [report.client_order_id for report in venue.orders(bench.at(1))] == ["later"]

    def test_activities_after_a_cursor(self, bench):
        """Fills come oldest first, from behind the named one on; behind an unknown one, all."""
        venue = bench.holding("1")
        venue.submit(bench.order("second", minute=1))
        bench.show(venue, bench.bar(1, 100))
        ids = [event.execution_id for event in venue.activities(None)]
        assert ids == ["first-x1", "second-x1"]
        assert [event.execution_id for event in venue.activities("first-x1")] == ["second-x1"]
        assert venue.activities("second-x1") == []
        assert len(venue.activities("what")) == 2

    def test_find(self, bench):
        """An order is found working and ended; one never sent is not."""
        venue = bench.holding("1")
        found = venue.find("first")
        assert (found.status, found.filled_quantity, found.average_fill_price) == (OrderStatus.FILLED, D(1), D(100))
        assert venue.find("never") is None
