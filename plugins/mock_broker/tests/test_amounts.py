"""How much is filled and what it costs: volume, chance, notional orders, cash, commission, regulatory fees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import Activity, Fill, OrderReport, OrderStatus
from mqd_plugin_mock.fees import rates_of

D = Decimal


class TestParticipation:
    def test_takes_a_share_of_each_bars_volume(self, bench):
        """At 10 % an order of 5 shares takes a tenth of each bar until it is complete."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order(quantity="5"))
        fills = [event for minute in range(4) for event in bench.show(venue, bench.bar(minute, 100, volume=20.0))]
        assert [(fill.quantity, fill.cumulative_quantity) for fill in fills] == [(2, 2), (2, 4), (1, 5)]
        assert venue.find("a").status is OrderStatus.FILLED

    def test_partly_filled_says_so(self, bench):
        """Between its fills the order is partially filled, at its average price."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order(quantity="5"))
        bench.show(venue, bench.bar(0, 100, volume=20.0))
        bench.show(venue, bench.bar(1, 103, volume=10.0))
        found = venue.find("a")
        assert (found.status, found.filled_quantity, found.average_fill_price) == (
            OrderStatus.PARTIALLY_FILLED,
            D(3),
            D(101),
        )

    def test_whole_orders_fill_in_whole_shares(self, bench):
        """An order of whole shares gets no part of one; an order of parts does."""
        for quantity, taken in (("5", D(1)), ("5.5", D("1.9"))):
            venue = bench.venue(participation_pct=10)
            venue.submit(bench.order(quantity=quantity))
            (fill,) = bench.show(venue, bench.bar(0, 100, volume=19.0))
            assert fill.quantity == taken

    def test_no_volume_no_fill(self, bench):
        """A bar without volume fills nothing and ends nothing, neither a quantity nor a notional order."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order("q"))
        venue.submit(bench.order("n", notional="50"))
        assert not bench.show(venue, bench.bar(0, 100, volume=0.0))
        assert venue.working == 2


class TestPartialFills:
    def test_chance_is_a_function_of_the_seed_and_the_order(self, bench):
        """At 100 % every execution is partial, the same ones for the same seed, others for another."""

        def executions(seed: int) -> list[Decimal]:
            venue = bench.venue(partial_fill_pct=100, seed=seed)
            venue.submit(bench.order(quantity="5.5"))
            return [event.quantity for minute in range(6) for event in bench.show(venue, bench.bar(minute, 100))]

        assert executions(1) == executions(1) != executions(2)
        assert all(D(0) < quantity < D("5.5") for quantity in executions(1))

    def test_chance_is_met(self, bench):
        """At 10 % about a tenth of many orders is filled in part."""
        venue = bench.venue(partial_fill_pct=10, starting_cash=100_000)
        for number in range(500):
            venue.submit(bench.order(f"n{number}", quantity="1.5"))
        fills = bench.show(venue, bench.bar(0, 100))
        assert len(fills) == 500
        assert 25 <= sum(fill.quantity < D("1.5") for fill in fills) <= 80


class TestNotional:
    def test_buys_floor9_of_notional_by_price(self, bench):
        """50 USD at 3 buy 16.666666666 shares; after the fill a report says that this is all."""
        venue = bench.venue()
        venue.submit(bench.order(notional="50", reference="3"))
        fill, report = bench.show(venue, bench.bar(0, 3.0))
        assert (fill.quantity, fill.price) == (D("16.666666666"), D(3))
        assert (report.status, report.filled_quantity, report.notional) == (OrderStatus.FILLED, fill.quantity, D(50))
        assert venue.account(0).cash == D("950.000000002")

    def test_goes_on_until_the_money_is_spent(self, bench):
        """With participation it buys for what is left of the notional, at each bar's price."""
        venue = bench.venue(participation_pct=10)
        venue.submit(bench.order(notional="50"))
        (first,) = bench.show(venue, bench.bar(0, 100, volume=2.0))
        second, report = bench.show(venue, bench.bar(1, 60, volume=1e6))
        assert [first.quantity, second.quantity] == [D("0.2"), D("0.5")]
        assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, D("0.7"))

    def test_sell_takes_no_more_than_there_is(self, bench):
        """When the price has fallen, a notional sell sells what is free and is complete."""
        venue = bench.holding("1")
        venue.submit(bench.order("stop", "sell", "0.2", "stop", stop="10", minute=1))
        venue.submit(bench.order("n", "sell", notional="80", minute=1))
        fill, report = bench.show(venue, bench.bar(1, 50))
        assert fill.quantity == D("0.8")
        assert report.status is OrderStatus.FILLED


class TestCash:
    def test_a_gap_buys_what_the_cash_reaches_for(self, bench):
        """An open above the collar fills what can be paid; the rest is canceled with its code."""
        venue = bench.venue()
        venue.submit(bench.order(quantity="9.7"))
        fill, report = bench.show(venue, bench.bar(0, 125.0))
        assert fill.quantity == D(8)
        assert (report.status, report.code) == (OrderStatus.CANCELED, "insufficient_buying_power")
        assert venue.account(0).cash == 0

    def test_whole_orders_stay_whole(self, bench):
        """A whole-share order that cannot be paid whole buys whole shares."""
        venue = bench.venue()
        venue.submit(bench.order(quantity="9"))
        fill, _ = bench.show(venue, bench.bar(0, 130.0))
        assert fill.quantity == D(7)

    def test_commission_comes_out_of_the_same_cash(self, bench):
        """What a gapped order buys leaves room for its commission."""
        venue = bench.venue(commission_per_order_usd=1, commission_per_share_usd="0.5")
        venue.submit(bench.order(quantity="9.5"))
        fill, _ = bench.show(venue, bench.bar(0, 124.375))
        assert (fill.quantity, fill.fee) == (D(8), D(5))
        assert venue.account(0).cash == 0

    def test_no_cash_no_share(self, bench):
        """A buy that another one has left no cash for is canceled without a fill."""
        venue = bench.venue()
        venue.submit(bench.order("one", quantity="4.8"))
        venue.submit(bench.order("two", quantity="4.8"))
        fill, one, two = bench.show(venue, bench.bar(0, 250.0))
        assert fill.quantity == D(4)
        assert [(report.status, report.filled_quantity) for report in (one, two)] == [
            (OrderStatus.CANCELED, D(4)),
            (OrderStatus.CANCELED, D(0)),
        ]
        assert venue.account(0).cash == 0

    def test_money_is_exact(self, bench):
        """Cash moves by exactly price times quantity, to the eighteenth digit if there is one."""
        venue = bench.venue()
        venue.submit(bench.order(quantity="1.234567891", reference="43.21"))
        bench.show(venue, bench.bar(0, 43.210000001))
        assert venue.account(0).cash == D(1000) - D("1.234567891") * D("43.210000001")
        (position,) = venue.positions()
        assert (position.quantity, position.average_price) == (D("1.234567891"), D("43.210000001"))


class TestCommission:
    def test_per_order_with_the_first_execution_per_share_with_each(self, bench):
        """One dollar an order and a cent a share: 1.02 with the first two shares, 0.01 with the third."""
        venue = bench.venue(commission_per_order_usd=1, commission_per_share_usd="0.01", participation_pct=10)
        venue.submit(bench.order(quantity="3"))
        fills = [event for minute in range(2) for event in bench.show(venue, bench.bar(minute, 100, volume=20.0))]
        assert [fill.fee for fill in fills] == [D("1.02"), D("0.01")]
        assert venue.account(0).cash == D(1000) - 300 - D("1.03")


class TestRegulatoryFees:
    def test_are_charged_at_the_close_rounded_up(self, bench):
        """A day's fees come at its close, one activity each, up to the cent, whoever still works."""
        venue = bench.holding("2", regulatory_fees=True)
        venue.submit(bench.order("out", "sell", "2", minute=1))
        bench.show(venue, bench.bar(1, 100))
        assert venue.working == 0
        assert not venue.advance(bench.session.close_ns - 1, ())
        charges = venue.advance(bench.session.close_ns, ())
        assert [(charge.kind, charge.amount, charge.ts) for charge in charges] == [
            ("FEE", D("-0.01"), bench.session.close_ns),
            ("FEE", D("-0.01"), bench.session.close_ns),
        ]
        assert [charge.text for charge in charges] == ["SEC fee of 2024-01-08", "TAF fee of 2024-01-08"]
        assert venue.account(0).cash == D("999.98")
        assert not venue.advance(bench.session.close_ns + 1, ())

    def test_belong_to_the_session_of_the_trade(self, bench):
        """A fill stamped with the close belongs to the session that closes; it is charged with it."""
        venue = bench.holding("2", regulatory_fees=True)
        venue.submit(bench.order("out", "sell", "2", "limit", limit="101", minute=1))
        fill, *charges = bench.show(venue, bench.bar(bench.last_minute, 100, high=102))
        assert isinstance(fill, Fill)
        assert {charge.text[-10:] for charge in charges} == {"2024-01-08"}

    def test_are_not_lost_when_the_close_was_not_shown(self, bench):
        """If time jumps to the next session, its first minute brings the charges of the day before."""
        venue = bench.holding("2", regulatory_fees=True)
        venue.submit(bench.order("out", "sell", "2", minute=1))
        bench.show(venue, bench.bar(1, 100))
        charges = bench.show(venue, bench.bar(24 * 60, 100))
        assert {charge.ts for charge in charges} == {bench.session.close_ns}

    def test_are_among_the_activities(self, bench):
        """Who asks for activities is told of charges between the fills."""
        venue = bench.holding("2", regulatory_fees=True)
        venue.submit(bench.order("out", "sell", "2", minute=1))
        bench.show(venue, bench.bar(1, 100))
        venue.advance(bench.session.close_ns, ())
        kinds = [type(event) for event in venue.activities("first-x1")]
        assert kinds == [Fill, Activity, Activity]

    def test_are_off_by_default(self, bench):
        """Without the setting nothing is charged."""
        venue = bench.holding("2")
        assert not venue.advance(bench.session.close_ns, ())

    @pytest.mark.parametrize(
        ("date", "sec", "taf", "cat"),
        [
            ("2022-06-01", "0.000008", "0.000145", "0"),
            ("2024-05-21", "0.000008", "0.000166", "0"),
            ("2024-05-22", "0.0000278", "0.000166", "0"),
            ("2024-09-01", "0.0000278", "0.000166", "0.000053"),
            ("2025-05-14", "0", "0.000166", "0.000053"),
            ("2026-04-06", "0.0000206", "0.000195", "0.000053"),
            ("2030-01-01", "0.0000206", "0.000195", "0.000053"),
        ],
    )
    def test_rates_by_date(self, date, sec, taf, cat):
        """Each date has the rates of the last row that does not begin after it; before the first row, that one."""
        rates = rates_of(date)
        assert (rates.sec_per_usd, rates.taf_per_share, rates.cat_per_share) == (D(sec), D(taf), D(cat))


def test_a_charge_report_is_no_order_report(bench):
    """Charges and reports of orders are told apart by their type."""
    venue = bench.holding("2", regulatory_fees=True)
    venue.submit(bench.order("rest", "sell", "1", "limit", limit="200", minute=1))
    venue.submit(bench.order("out", "sell", "1", minute=1))
    bench.show(venue, bench.bar(1, 100))
    events = venue.advance(bench.session.close_ns, ())
    assert [type(event) for event in events] == [OrderReport, Activity, Activity]
