"""The REST interface: statuses, bodies as the published description has them, queries, keys, budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def test_an_order_goes_through_all_its_answers(checked_rest: Any) -> None:
    """Submitted, shown by both ids, listed, filled: each answer keeps to the description."""
    order = checked_rest.order(qty="1.5", client_order_id="mine")
    assert (order["status"], order["qty"], order["filled_qty"], order["filled_avg_price"]) == (
        "pending_new",
        "1.5",
        "0",
        None,
    )
    checked_rest.market.after(1)
    shown = checked_rest.call("GET", f"/v2/orders/{order['id']}").json
    assert shown == checked_rest.call("GET", "/v2/orders:by_client_order_id", client_order_id="mine").json
    assert (shown["status"], shown["filled_qty"], shown["filled_avg_price"]) == ("filled", "1.5", "100")
    assert checked_rest.call("GET", "/v2/orders").json == []
    assert [row["id"] for row in checked_rest.call("GET", "/v2/orders", status="all").json] == [order["id"]]


def test_an_amount_is_sent_as_a_number_too(checked_rest: Any) -> None:
    """The genuine client sends floats; the order says strings, and no quantity."""
    order = checked_rest.order(notional=12.5)
    assert (order["notional"], order["qty"], order["order_class"]) == ("12.5", None, "")


def test_every_reading_endpoint_keeps_to_the_description(checked_rest: Any) -> None:
    """Account, positions, assets, clock, calendar, activities and history validate, with something in them."""
    checked_rest.order(qty="2")
    checked_rest.market.after(1, "101")
    checked_rest.market.until("2026-09-21 14:00")
    account = checked_rest.call("GET", "/v2/account").json
    assert (account["cash"], account["equity"], account["multiplier"]) == ("800", "1002", "1")
    assert "pattern_day_trader" not in account
    positions = checked_rest.call("GET", "/v2/positions").json
    assert positions == [checked_rest.call("GET", "/v2/positions/SPY").json]
    assert (positions[0]["qty"], positions[0]["unrealized_pl"], positions[0]["unrealized_intraday_pl"]) == (
        "2",
        "2",
        "0",
    )
    assert {row["symbol"] for row in checked_rest.call("GET", "/v2/assets").json} >= {"SPY", "AAPL"}
    assert checked_rest.call("GET", "/v2/assets/AAPL").json["exchange"] == "NASDAQ"
    fills = checked_rest.call("GET", "/v2/account/activities").json
    assert fills == checked_rest.call("GET", "/v2/account/activities/FILL").json
    assert (fills[0]["qty"], fills[0]["cum_qty"], fills[0]["leaves_qty"]) == ("2", "2", "0")
    history = checked_rest.call("GET", "/v2/account/portfolio/history", timeframe="1D").json
    assert history["equity"] == [1002.0, 1002.0]
    assert checked_rest.call("GET", "/v2/account/configurations").json["no_shorting"] is True


def test_the_clock_speaks_new_york(checked_rest: Any) -> None:
    """On a Friday morning in September the market is open and opens next on Monday."""
    assert checked_rest.call("GET", "/v2/clock").json == {
        "timestamp": "2026-09-18T10:30:00-04:00",
        "is_open": True,
        "next_open": "2026-09-21T09:30:00-04:00",
        "next_close": "2026-09-18T16:00:00-04:00",
    }


def test_the_calendar_has_half_days(checked_rest: Any) -> None:
    """Thanksgiving is missing, the day after it closes at 13:00."""
    rows = checked_rest.call("GET", "/v2/calendar", start="2026-11-25", end="2026-11-27").json
    assert [(row["date"], row["close"], row["settlement_date"]) for row in rows] == [
        ("2026-11-25", "16:00", "2026-11-27"),
        ("2026-11-27", "13:00", "2026-11-30"),
    ]


def test_cancel_and_replace_answer_as_described(checked_rest: Any) -> None:
    """A PATCH answers the new order, a DELETE nothing, all at once a list of answers."""
    order = checked_rest.order(qty="1", type="limit", limit_price="90")
    checked_rest.market.after(1)
    new = checked_rest.call("PATCH", f"/v2/orders/{order['id']}", {"limit_price": 91}).json
    assert (new["replaces"], new["limit_price"]) == (order["id"], "91")
    checked_rest.market.after(1)
    assert checked_rest.call("DELETE", f"/v2/orders/{new['id']}").status == 204
    checked_rest.market.after(1)
    assert checked_rest.call("GET", f"/v2/orders/{new['id']}").json["status"] == "canceled"
    checked_rest.order(qty="1", type="limit", limit_price="90")
    answers = checked_rest.call("DELETE", "/v2/orders")
    assert (answers.status, [row["status"] for row in answers.json]) == (207, [200])


def test_positions_are_closed_whole_or_in_part(checked_rest: Any) -> None:
    """By quantity, by percentage, and everything at once."""
    checked_rest.order(qty="4")
    checked_rest.market.after(1)
    assert checked_rest.call("DELETE", "/v2/positions/SPY", qty="1").json["qty"] == "1"
    checked_rest.market.after(1)
    assert checked_rest.call("DELETE", "/v2/positions/SPY", percentage="50").json["qty"] == "1.5"
    checked_rest.market.after(1)
    checked_rest.order(qty="1", side="sell", type="stop", stop_price="90")
    closed = checked_rest.call("DELETE", "/v2/positions", cancel_orders="true")
    assert [row["body"]["qty"] for row in closed.json] == ["1.5"]
    checked_rest.market.after(1)
    assert checked_rest.call("GET", "/v2/positions").json == []


def test_a_position_that_an_order_holds_is_not_closed(rest: Any) -> None:
    """Its entry in the list carries the refusal, where the description knows only orders; the service does so too."""
    rest.order(qty="1")
    rest.market.after(1)
    rest.order(qty="1", side="sell", type="stop", stop_price="90")
    answers = rest.call("DELETE", "/v2/positions").json
    assert [(row["status"], row["body"]["available"]) for row in answers] == [(403, "0")]


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        (
            "GET",
            "/v2/orders/00000000-0000-0000-0000-000000000000",
            404,
            {"code": 40410000, "message": "order not found"},
        ),
        ("GET", "/v2/orders/none", 422, {"code": 40010001, "message": "order_id is missing"}),
        ("GET", "/v2/orders:by_client_order_id", 404, {"code": 40410000, "message": "order not found"}),
        ("GET", "/v2/positions/SPY", 404, {"code": 40410000, "message": "position does not exist"}),
        ("GET", "/v2/assets/BRK.B", 404, {"code": 40410000, "message": "asset not found for BRK.B"}),
        ("GET", "/v2/wallets", 404, {"code": 40410000, "message": "endpoint not found in this sandbox"}),
    ],
)
def test_what_is_not_there_is_named(rest: Any, method: str, path: str, status: int, body: object) -> None:
    """Status, code and words of the service."""
    answer = rest.call(method, path)
    assert (answer.status, answer.json) == (status, body)


def test_wrong_keys_get_a_body_without_a_code(rest: Any) -> None:
    """As the service answers: the genuine client's own error then has no code either."""
    rest.keys = ("sandbox-key", "wrong")
    answer = rest.call("GET", "/v2/account")
    assert (answer.status, answer.json) == (401, {"message": "unauthorized"})
    assert "x-ratelimit-remaining" in answer.headers


def test_the_budget_is_counted_down_and_then_refused(make_rest: Callable[..., Any]) -> None:
    """Each answer says what is left; beyond it comes 429."""
    rest = make_rest(requests_per_minute=2)
    headers = [rest.call("GET", "/v2/clock").headers for _ in range(2)]
    assert [(row["x-ratelimit-limit"], row["x-ratelimit-remaining"]) for row in headers] == [("2", "1"), ("2", "0")]
    answer = rest.call("GET", "/v2/clock")
    assert (answer.status, answer.json["code"]) == (429, 42910000)


def test_lists_are_selected_and_cut(rest: Any) -> None:
    """By symbol, side, direction, limit, and from an order on."""
    first = rest.order(qty="1", type="limit", limit_price="50")
    second = rest.order(qty="1", type="limit", limit_price="51", symbol="AAPL")
    rest.market.after(1)
    third = rest.order(qty="1", type="limit", limit_price="52")

    def ids(**query: object) -> list[str]:
        return [row["id"] for row in rest.call("GET", "/v2/orders", **query).json]

    assert ids() == [third["id"], second["id"], first["id"]]
    assert ids(direction="asc", limit=1) == [first["id"]]
    assert ids(symbols="AAPL,QQQ") == [second["id"]]
    assert ids(side="sell") == []
    assert ids(after_order_id=first["id"], direction="asc") == [second["id"], third["id"]]
    assert ids(after=second["created_at"]) == [third["id"]]
    assert rest.call("GET", "/v2/orders", limit=501).status == 422


def test_activities_come_in_pages(rest: Any) -> None:
    """The last id of a page is where the next one begins."""
    for _ in range(3):
        rest.order(qty="1")
        rest.market.after(1)
    path = "/v2/account/activities/FILL"
    everything = rest.call("GET", path, direction="asc").json
    first = rest.call("GET", path, direction="asc", page_size=2).json
    rest_of_it = rest.call("GET", path, direction="asc", page_size=2, page_token=first[-1]["id"]).json
    assert first + rest_of_it == everything
    assert len(everything) == 3
    assert rest.call("GET", path, after=everything[0]["transaction_time"], direction="asc").json == everything[1:]


def test_a_body_that_is_no_object_is_refused(rest: Any) -> None:
    """What cannot be read is a 400."""
    answer = rest.call("POST", "/v2/orders", [1])
    assert (answer.status, answer.json["message"]) == (400, "request body format is invalid")
