"""Submissions and cancels: what goes over the wire, and which answer is a refusal, which one leaves it in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.api import (
    AccountSnapshot,
    Ambiguous,
    NotSent,
    OrderRef,
    OrderStatus,
    OrderType,
    Refused,
    Side,
    StreamStatus,
    TimeInForce,
)
from mqd_plugin_alpaca.connector import AlpacaConnector

ORDER = ("POST", "/orders")
FOUND = ("GET", "/orders:by_client_order_id")


@pytest.fixture
def connector(alpaca, made, tmp_path: Path) -> Iterator[AlpacaConnector]:
    """A connector whose stream is not open."""
    one = AlpacaConnector(made.settings(alpaca.url), made.context(tmp_path))
    yield one
    one.close()


def test_an_order_goes_out_in_exact_strings(alpaca, made, connector) -> None:
    """No number is a float on the wire, none has an exponent, and the id is the desk's."""
    alpaca.say(*ORDER, (200, made.order_json(filled_qty="0.1", filled_avg_price="450.123456", status="new")))
    report = connector.submit(
        made.order(
            quantity=Decimal("0.100000001"),
            order_type=OrderType.STOP_LIMIT,
            limit_price=Decimal("1E+2"),
            stop_price=Decimal("99.50"),
            time_in_force=TimeInForce.DAY,
        )
    )
    (request,) = alpaca.requests
    assert request.body == {
        "symbol": "SPY",
        "side": "buy",
        "type": "stop_limit",
        "time_in_force": "day",
        "client_order_id": "m1-order-1",
        "qty": "0.100000001",
        "limit_price": "100",
        "stop_price": "99.5",
    }
    assert (report.status, report.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.1"))
    assert report.average_fill_price == Decimal("450.123456")


def test_an_order_for_money_names_no_quantity(alpaca, made, connector) -> None:
    """One of the two is set."""
    alpaca.say(*ORDER, (200, made.order_json(qty=None, notional="5.25")))
    report = connector.submit(made.order(quantity=None, notional=Decimal("5.25")))
    assert "qty" not in alpaca.requests[0].body
    assert alpaca.requests[0].body["notional"] == "5.25"
    assert (report.quantity, report.notional) == (None, Decimal("5.25"))


@pytest.mark.parametrize(
    "changes", [{"quantity": Decimal("0.1234567891")}, {"quantity": None, "notional": Decimal("1.005")}]
)
def test_digits_that_alpaca_would_cut_off_are_refused_here(alpaca, made, connector, changes: Any) -> None:
    """A tenth decimal of a share or a third of a dollar is no order."""
    with pytest.raises(Refused, match="decimals"):
        connector.submit(made.order(**changes))
    assert not alpaca.requests


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"code": 40310000, "message": "insufficient buying power", "buying_power": "1"}, Refused),
        (422, {"code": 42210000, "message": "fractional orders must be DAY orders"}, Refused),
        (400, {"code": 40010000, "message": "bad"}, Refused),
        (401, {"message": "unauthorized"}, Refused),
        (403, b"<html>proxy</html>", Ambiguous),
        (404, {"code": 40410000, "message": "not found"}, Ambiguous),
        (429, {"code": 42910000, "message": "too many requests"}, Ambiguous),
        (500, {"code": 50010000, "message": "internal"}, Ambiguous),
        (502, b"", Ambiguous),
        (504, b"<html>", Ambiguous),
        (200, b"<html>", Ambiguous),
        (200, None, Ambiguous),
        (200, [], Ambiguous),
        (200, {"id": "x"}, Ambiguous),
        (207, [{"status": 200}], Ambiguous),
    ],
)
def test_only_a_plain_no_is_a_refusal(
    alpaca, made, connector, *, status: int, body: Any, error: type[Exception]
) -> None:
    """What Alpaca itself words as a refusal is one; all else may have made an order, and is sent no second time."""
    alpaca.say(*ORDER, (status, body))
    with pytest.raises(error):
        connector.submit(made.order())
    assert len(alpaca.asked(*ORDER)) == 1


def test_an_answer_about_another_order_is_in_doubt(alpaca, made, connector) -> None:
    """The id in the answer has to be the one that was sent."""
    alpaca.say(*ORDER, (200, made.order_json("somebody-else")))
    with pytest.raises(Ambiguous, match="another order"):
        connector.submit(made.order())


DUPLICATES = [
    (422, {"code": 40010001, "message": "client_order_id must be unique"}),
    (422, {"code": 42210000, "message": "Client Order ID must be unique"}),
]


@pytest.mark.parametrize("answer", DUPLICATES)
def test_an_id_in_use_is_the_earlier_try(alpaca, made, connector, answer: Any) -> None:
    """The order that Alpaca has under the id is reported as if this try had made it."""
    alpaca.say(*ORDER, answer)
    alpaca.say(*FOUND, (200, made.order_json(status="filled", filled_qty="0.3", filled_avg_price="450")))
    report = connector.submit(made.order())
    assert (report.status, report.broker_order_id) == (OrderStatus.FILLED, "id-m1-order-1")
    assert alpaca.asked(*FOUND)[0].query == {"client_order_id": "m1-order-1"}


@pytest.mark.parametrize(
    "changes", [{"qty": "0.4"}, {"side": "sell"}, {"symbol": "QQQ"}, {"type": "limit"}, {"notional": "5", "qty": None}]
)
def test_another_order_under_the_id_is_never_taken_for_this_one(alpaca, made, connector, changes: Any) -> None:
    """It is left in doubt, under a code of its own."""
    alpaca.say(*ORDER, DUPLICATES[0])
    alpaca.say(*FOUND, (200, made.order_json(**changes)))
    with pytest.raises(Ambiguous) as caught:
        connector.submit(made.order())
    assert caught.value.code == "id_collision"


def test_an_id_in_use_that_is_not_shown_is_in_doubt(alpaca, made, connector) -> None:
    """Alpaca says that it has one and does not find it: nothing is known."""
    alpaca.say(*ORDER, DUPLICATES[0])
    with pytest.raises(Ambiguous, match="does not show it"):
        connector.submit(made.order())


def test_a_cancel_is_a_request(alpaca, connector) -> None:
    """204 is all there is; the broker's id is what is named."""
    alpaca.say("DELETE", "/orders/abc", (204, None))
    connector.cancel(OrderRef(client_order_id="m1-order-1", symbol="SPY", broker_order_id="abc"))
    assert len(alpaca.requests) == 1


def test_a_cancel_without_the_brokers_id_asks_for_it(alpaca, made, connector) -> None:
    """An order whose id is not known yet is looked up first."""
    alpaca.say(*FOUND, (200, made.order_json()))
    alpaca.say("DELETE", "/orders/id-m1-order-1", (204, None))
    connector.cancel(OrderRef(client_order_id="m1-order-1", symbol="SPY"))
    assert len(alpaca.asked("DELETE", "/orders/id-m1-order-1")) == 1
    alpaca.say(*FOUND, (404, {"code": 40410000, "message": "order not found"}))
    with pytest.raises(Refused):
        connector.cancel(OrderRef(client_order_id="m1-order-1", symbol="SPY"))


@pytest.mark.parametrize(("status", "error"), [(422, Refused), (404, Refused), (500, Ambiguous), (403, Ambiguous)])
def test_a_cancel_that_is_not_taken(alpaca, connector, status: int, error: type[Exception]) -> None:
    """Finished or unknown orders refuse; anything else may have been taken."""
    alpaca.say("DELETE", "/orders/abc", (status, {"code": 42210000, "message": 'order is already in "filled" state'}))
    with pytest.raises(error):
        connector.cancel(OrderRef(client_order_id="m1-order-1", symbol="SPY", broker_order_id="abc"))


def test_not_found_is_an_answer_of_alpaca_itself(alpaca, made, connector) -> None:
    """A 404 in Alpaca's words is None; a page of something else, or another order, is no information."""
    alpaca.say(*FOUND, (404, {"code": 40410000, "message": "order not found"}))
    assert connector.find_order("m1-order-1") is None
    for answer in ((404, b"<html>"), (503, {"message": "x"}), (200, made.order_json("other")), (200, None)):
        alpaca.say(*FOUND, answer)
        with pytest.raises(Exception, match="Alpaca"):
            connector.find_order("m1-order-1")


def test_a_status_that_is_not_known_stays_open_and_is_told_once(alpaca, made, connector) -> None:
    """It is paused, and a person hears of it, once for each order and word."""
    told: list[Any] = []
    connector._sink = told.append
    alpaca.say(*FOUND, (200, made.order_json(status="teleported")))
    reports = [connector.find_order("m1-order-1") for _ in range(3)]
    assert {report.status for report in reports} == {OrderStatus.PAUSED}
    assert [(one.stream, one.state) for one in told if isinstance(one, StreamStatus)] == [
        ("alpaca_orders", "unknown_status")
    ]


def test_refused_keys_block_the_account(alpaca, made, connector) -> None:
    """The order is refused, the desk hears of a blocked account, which halts it, and nothing more is sent."""
    told: list[Any] = []
    connector.account()
    connector._sink = told.append
    alpaca.say(*ORDER, (401, {"message": "unauthorized"}))
    with pytest.raises(Refused):
        connector.submit(made.order())
    with pytest.raises(NotSent):
        connector.submit(made.order("m1-order-2"))
    (account,) = told
    assert isinstance(account, AccountSnapshot)
    assert account.blocked
    assert account.cash == Decimal("1000.12")
    assert len(alpaca.asked(*ORDER)) == 1


def test_sides_and_types_are_alpacas_words(alpaca, made, connector) -> None:
    """Sell, limit and GTC as Alpaca writes them."""
    alpaca.say(*ORDER, (200, made.order_json(side="sell", type="limit", time_in_force="gtc")))
    order = made.order(
        side=Side.SELL,
        order_type=OrderType.LIMIT,
        limit_price=Decimal("0.1234"),
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(3),
    )
    connector.submit(order)
    body = alpaca.requests[0].body
    assert (body["side"], body["type"], body["time_in_force"]) == ("sell", "limit", "gtc")
    assert (body["limit_price"], body["qty"]) == ("0.1234", "3")
