"""What becomes of orders: acknowledgement, executions, cancel, replace, expiry, rejection."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.api import SECOND_NS
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError


def test_a_market_order_fills_at_the_ask(make_market: Any) -> None:
    """It is pending first, then new, then filled at the far side, and the account pays that."""
    market = make_market(spread_bps=Decimal(20))
    order = market.send(qty="2")
    assert order.status == "pending_new"
    market.after(1)
    assert market.events(order) == ["pending_new", "new", "fill"]
    fill = market.updates[-1].execution
    assert fill is not None
    assert (fill.qty, fill.price, fill.position_qty) == (Decimal(2), Decimal("100.10"), Decimal(2))
    assert market.exchange.account.cash == Decimal("799.80")


def test_an_order_for_an_amount_has_no_quantity(market: Any) -> None:
    """It buys what the amount pays for, to nine decimals, and its quantity stays empty."""
    market.after(1, "30")
    order = market.send(notional="10")
    market.after(1)
    done = market.exchange.book.of_id(order.id)
    assert (done.status, done.qty, done.filled_qty) == ("filled", None, Decimal("0.333333333"))


def test_a_resting_limit_fills_when_it_is_marketable(market: Any) -> None:
    """Nothing happens above the limit; at it the order fills."""
    order = market.send(qty="1", type="limit", limit_price="99.50")
    market.after(1, "99.51")
    assert market.status(order) == "new"
    market.after(1, "99.50")
    assert market.status(order) == "filled"


def test_a_stop_sells_at_the_market_once_it_is_reached(market: Any) -> None:
    """A gap through the stop fills at the market, not at the stop."""
    market.bought("1")
    order = market.send(qty="1", side="sell", type="stop", stop_price="95")
    market.after(1, "95.01")
    assert market.status(order) == "new"
    market.after(1, "93")
    assert market.exchange.book.of_id(order.id).filled_average == Decimal(93)


def test_a_stop_limit_rests_once_it_was_triggered(market: Any) -> None:
    """Beyond its limit it waits, and fills when the price returns."""
    market.bought("1")
    order = market.send(qty="1", side="sell", type="stop_limit", stop_price="95", limit_price="94")
    market.after(1, "93")
    assert market.status(order) == "new"
    market.after(1, "94.20")
    assert market.exchange.book.of_id(order.id).filled_average == Decimal("94.2")


def test_partial_fills_add_up(make_market: Any) -> None:
    """Each execution is told with its own quantity, the order keeps sum and average, activities keep both."""
    market = make_market(partial_fill_pct=100)
    order = market.send(qty="5", type="limit", limit_price="100")
    for _ in range(50):
        market.after(1, "100")
    parts = [update.execution.qty for update in market.updates if update.execution is not None]
    filled = market.exchange.book.of_id(order.id)
    assert len(parts) > 1
    assert filled.status == "filled"
    assert sum(parts, Decimal(0)) == filled.filled_qty == Decimal(5)
    assert [row.leaves_qty for row in market.exchange.activities][-1] == 0
    assert market.events(order)[2:] == ["partial_fill"] * (len(parts) - 1) + ["fill"]


def test_a_cancel_is_a_request(make_market: Any) -> None:
    """Until the venue has done it the order is pending_cancel; the news is `canceled` alone."""
    market = make_market(cancel_ns=SECOND_NS)
    order = market.send(qty="1", type="limit", limit_price="50")
    market.after(1)
    market.exchange.cancel(order.id)
    assert market.status(order) == "pending_cancel"
    market.after(1)
    assert market.events(order) == ["pending_new", "new", "canceled"]
    market.exchange.cancel(order.id)
    assert market.events(order)[-1] == "canceled"


def test_a_fill_can_come_before_the_cancel(make_market: Any) -> None:
    """The order is filled, and the cancel is rejected when its time comes."""
    market = make_market(cancel_ns=2 * SECOND_NS)
    order = market.send(qty="1", type="limit", limit_price="99")
    market.after(1)
    market.exchange.cancel(order.id)
    market.after(1, "99")
    market.after(5)
    assert market.events(order)[2:] == ["fill", "order_cancel_rejected"]
    assert market.status(order) == "filled"


def test_what_is_over_cannot_be_canceled(market: Any) -> None:
    """The refusal names the state."""
    order = market.send(qty="1")
    market.after(1)
    with pytest.raises(ApiError, match='order is already in "filled" state') as caught:
        market.exchange.cancel(order.id)
    assert (caught.value.http_status, caught.value.code) == (422, 42210000)


def test_a_replacement_is_a_new_order(market: Any) -> None:
    """The old one becomes `replaced` and names the new one, which is told as `new`."""
    old = market.send(qty="1", type="limit", limit_price="90")
    market.after(1)
    new = market.change(old, limit_price="91")
    assert (new.replaces, new.status, market.status(old)) == (old.id, "pending_new", "pending_replace")
    market.after(1)
    before = market.exchange.book.of_id(old.id)
    assert (before.status, before.replaced_by) == ("replaced", new.id)
    assert market.events(old)[-1] == "replaced"
    assert market.events(new) == ["new"]


def test_a_fill_can_come_before_the_replacement(make_market: Any) -> None:
    """The old order is filled, and the new one is rejected."""
    market = make_market(acknowledge_ns=2 * SECOND_NS)
    old = market.send(qty="1", type="limit", limit_price="90")
    market.after(2)
    new = market.change(old, limit_price="80")
    market.after(1, "90")
    market.after(5)
    assert market.events(old)[-2:] == ["fill", "order_replace_rejected"]
    assert market.status(new) == "rejected"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limit_price": "90"}, "order parameters are not changed"),
        ({"qty": "1.5"}, "qty must be integer"),
        ({"notional": "5"}, "notional orders cannot be replaced"),
    ],
)
def test_a_replacement_has_rules(market: Any, change: dict[str, object], message: str) -> None:
    """What may not be changed is refused, and the order works on."""
    old = market.send(qty="1", type="limit", limit_price="90")
    market.after(1)
    with pytest.raises(ApiError, match=message):
        market.change(old, **change)
    assert market.status(old) == "new"


def test_an_order_that_is_not_yet_new_cannot_be_replaced(market: Any) -> None:
    """Before the acknowledgement there is nothing to replace."""
    old = market.send(qty="1", type="limit", limit_price="90")
    with pytest.raises(ApiError, match="unable to replace order in current state"):
        market.change(old, limit_price="91")


def test_money_for_a_replacement_is_counted_once(market: Any) -> None:
    """While both exist the larger of the two is reserved."""
    old = market.send(qty="5", type="limit", limit_price="90")
    market.after(1)
    market.change(old, limit_price="95")
    assert market.exchange.admission.buying_power() == Decimal(525)


def test_a_day_order_expires_at_the_close(market: Any) -> None:
    """At 16:00 New York, not a nanosecond later."""
    order = market.send(qty="1", type="limit", limit_price="50")
    market.until("2026-09-18 19:59")
    assert market.status(order) == "new"
    market.until("2026-09-18 20:00")
    assert market.events(order)[-1] == "expired"
    assert market.exchange.book.of_id(order.id).expired_ns == market.exchange.now_ns


def test_a_half_day_ends_at_one(make_market: Any) -> None:
    """On the day after Thanksgiving DAY orders expire at 13:00."""
    market = make_market("2026-11-27 17:59")
    order = market.send(qty="1", type="limit", limit_price="50")
    market.until("2026-11-27 18:00")
    assert market.status(order) == "expired"


def test_a_gtc_order_lives_on(market: Any) -> None:
    """It works on Monday, and carries an end some 90 days away."""
    order = market.send(qty="1", type="limit", limit_price="50", time_in_force="gtc")
    assert order.expires_ns - market.exchange.now_ns > 85 * 86_400 * SECOND_NS
    market.until("2026-09-21 14:00")
    market.after(1, "50")
    assert market.status(order) == "filled"


def test_an_order_of_a_weekend_waits_for_monday(make_market: Any) -> None:
    """It stays `accepted` until the open, and then meets the market."""
    market = make_market("2026-09-19 12:00")
    order = market.send(qty="1")
    market.until("2026-09-21 13:29")
    assert market.status(order) == "accepted"
    market.until("2026-09-21 13:30")
    assert market.events(order) == ["accepted", "pending_new", "new", "fill"]


def test_extended_hours_need_their_flag(make_market: Any) -> None:
    """At seven in the evening a flagged limit order fills, another one waits for the next session."""
    market = make_market("2026-09-17 22:00")
    plain = market.send(qty="1", type="limit", limit_price="100")
    flagged = market.send(qty="1", type="limit", limit_price="100", extended_hours=True)
    market.after(60, "100")
    assert (market.status(plain), market.status(flagged)) == ("accepted", "filled")


def test_immediate_or_cancel_does_not_rest(market: Any) -> None:
    """What is not marketable on arrival is canceled."""
    order = market.send(qty="1", type="limit", limit_price="99", time_in_force="ioc")
    market.after(1)
    assert market.events(order) == ["pending_new", "new", "canceled"]


def test_a_venue_may_reject_what_it_took_on(market: Any) -> None:
    """The rejection comes after the answer, as an event."""
    order = market.send(qty="1", type="limit", limit_price="90")
    market.exchange.doom(order.id)
    market.after(1)
    assert market.events(order) == ["pending_new", "rejected"]
    assert market.exchange.admission.buying_power() == Decimal(1000)


def test_nothing_fills_during_a_halt(market: Any) -> None:
    """A halted symbol shows prices but executes nothing."""
    market.exchange.quotes.halted.add("SPY")
    order = market.send(qty="1")
    market.after(1, "99")
    assert market.status(order) == "new"
    market.exchange.quotes.halted.discard("SPY")
    market.after(1, "98")
    assert market.exchange.book.of_id(order.id).filled_average == Decimal(98)


def test_cash_and_shares_are_exact(market: Any) -> None:
    """After a round trip cash is what went in plus the difference, to the last digit."""
    market.bought("3.123456789")
    market.after(1, "101.01")
    market.send(qty="3.123456789", side="sell")
    market.after(1)
    assert market.exchange.account.cash == Decimal(1000) + Decimal("3.123456789") * Decimal("1.01")
    assert market.exchange.account.holdings == {}
    assert market.exchange.equity() == market.exchange.account.cash


def test_the_first_dollar_is_kept_at_each_close(market: Any) -> None:
    """The equity of each session is written down at its close."""
    market.bought("2")
    market.after(1, "110")
    market.until("2026-09-22 00:00")
    assert [point.equity_usd for point in market.exchange.equity_curve] == [Decimal(1020), Decimal(1020)]
