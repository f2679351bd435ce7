"""Every refusal that has known words: status, code and text as the live service was seen to answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError

RULE, MALFORMED, FORBIDDEN = 42210000, 40010001, 40310000


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"notional": "10", "time_in_force": "gtc"}, RULE, "fractional orders must be DAY orders"),
        ({"qty": "0.5", "time_in_force": "ioc"}, RULE, "fractional orders must be DAY orders"),
        ({"qty": "0.5", "order_class": "bracket"}, RULE, "fractional orders must be simple orders"),
        ({"notional": "0.50"}, RULE, "notional amount must be >= 1.00"),
        ({"notional": "10.001"}, RULE, "notional value must be limited to 2 decimal places"),
        ({"qty": "1", "notional": "10"}, MALFORMED, "only one of qty or notional is accepted"),
        ({}, MALFORMED, "qty is required"),
        ({"qty": "0.0000000001"}, RULE, "qty must be > 0"),
        (
            {"qty": "1", "type": "limit", "limit_price": "290.123"},
            RULE,
            "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        (
            {"qty": "1", "type": "stop", "stop_price": 110.001},
            RULE,
            "invalid stop_price 110.001. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        ({"qty": "1", "type": "stop", "stop_price": "99"}, RULE, "stop price must be greater than current price"),
        ({"qty": "1", "symbol": "DEAD"}, RULE, 'asset "DEAD" is not tradable'),
        ({"qty": "0.5", "symbol": "WHOL"}, RULE, "requested asset is not fractionable"),
        ({"qty": "0.5", "side": "sell"}, RULE, "fractional orders cannot be sold short"),
        ({"qty": "1", "extended_hours": True}, RULE, "extended hours order must be DAY limit orders"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused(market: Any, body: dict[str, object], code: int, message: str) -> None:
    """Each rule answers 422 with its code and words, and no order is kept."""
    assert market.refusal(**body) == (422, code, message)
    assert list(market.exchange.book) == []
    assert market.updates == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"qty": "0.0099"}, "cost basis must be >= minimal amount of order 1"),
        ({"qty": "1", "side": "sell"}, "account is not allowed to short"),
        ({"qty": "10"}, "insufficient buying power"),
        ({"notional": "1000.01"}, "insufficient buying power"),
    ],
)
def test_what_the_account_cannot_do_is_forbidden(market: Any, body: dict[str, object], message: str) -> None:
    """Money and shares answer 403: a market buy of all the cash lacks the collar."""
    assert market.refusal(**body) == (403, FORBIDDEN, message)


def test_a_refusal_for_money_names_both_sums(market: Any) -> None:
    """Buying power and cost basis stand beside the message."""
    with pytest.raises(ApiError) as caught:
        market.send(qty="20")
    assert caught.value.extra == {"buying_power": "1000", "cost_basis": "2060"}


def test_open_buys_reduce_buying_power(market: Any) -> None:
    """A resting buy keeps its money until it is over."""
    order = market.send(qty="5", type="limit", limit_price="90")
    assert market.exchange.admission.buying_power() == Decimal(550)
    market.exchange.cancel_now(order.id)
    assert market.exchange.admission.buying_power() == Decimal(1000)


def test_shares_that_a_sell_holds_are_not_available(market: Any) -> None:
    """A second resting sell needs free shares, and the refusal counts them."""
    market.bought("2.5")
    market.send(qty="2", side="sell", type="stop", stop_price="90")
    with pytest.raises(ApiError) as caught:
        market.send(qty="1", side="sell", type="stop", stop_price="80")
    assert caught.value.message == "insufficient qty available for order (requested: 1, available: 0.5)"
    assert caught.value.extra == {
        "symbol": "SPY",
        "existing_qty": "2.5",
        "held_for_orders": "2",
        "available": "0.5",
    }


def test_a_stop_and_a_limit_sell_share_a_position(market: Any) -> None:
    """Two sells of parts are taken on side by side."""
    market.bought("1.5")
    stop = market.send(qty="0.7", side="sell", type="stop", stop_price="90")
    limit = market.send(qty="0.8", side="sell", type="limit", limit_price="110")
    assert {market.status(stop), market.status(limit)} == {"pending_new"}


def test_a_buy_against_a_resting_stop_is_a_wash_trade(market: Any) -> None:
    """The other side of a working stop is refused, with its reason."""
    market.bought("2")
    market.send(qty="2", side="sell", type="stop", stop_price="90")
    with pytest.raises(ApiError) as caught:
        market.send(qty="1")
    assert caught.value.http_status == 403
    assert caught.value.message == "potential wash trade detected. use complex orders"
    assert caught.value.extra["reject_reason"] == "opposite side market/stop order exists"


def test_limits_that_cannot_cross_are_no_wash_trade(market: Any) -> None:
    """A buy below a resting sell is taken on, one at its price is not."""
    market.bought("2")
    market.send(qty="2", side="sell", type="limit", limit_price="110")
    market.send(qty="1", type="limit", limit_price="90")
    assert market.refusal(qty="1", type="limit", limit_price="110")[2].startswith("potential wash trade")


def test_a_client_id_is_unique_for_ever(market: Any) -> None:
    """The same id is refused even after its order was canceled."""
    order = market.send(qty="1", type="limit", limit_price="50", client_order_id="mine")
    market.exchange.cancel_now(order.id)
    assert market.refusal(qty="1", client_order_id="mine") == (422, MALFORMED, "client_order_id must be unique")


def test_the_tenth_decimal_is_cut_without_a_word(market: Any) -> None:
    """Quantities are truncated, not rounded and not refused."""
    assert market.send(qty="0.123456789012").qty == Decimal("0.123456789")


def test_a_symbol_without_a_price_cannot_be_traded_yet(market: Any) -> None:
    """Before its first trade a symbol has no price to judge an order by."""
    assert market.refusal(symbol="NONE", qty="1")[2] == 'asset "NONE" has no price in this sandbox yet'
    assert market.refusal(symbol="ZZZ", qty="1")[2] == 'asset "ZZZ" not found'
