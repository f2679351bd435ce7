"""Readings of the account: paged to the end, exact, in order, and never less than what Alpaca has."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.api import AccountReport, Activity, Fill, HeldPosition, Refused, Side
from mqd_plugin_alpaca.connector import AlpacaConnector
from mqd_plugin_alpaca.emergency import AlpacaEmergency
from mqd_plugin_alpaca.faults import Unreadable
from mqd_plugin_alpaca.orders import PAGE
from mqd_plugin_alpaca.parsing import time_ns
from mqd_plugin_alpaca.setup import WrongAccount

ACTIVITIES = ("GET", "/account/activities")


@pytest.fixture
def connector(alpaca, made, tmp_path: Path) -> Iterator[AlpacaConnector]:
    """A connector whose stream is not open."""
    one = AlpacaConnector(made.settings(alpaca.url), made.context(tmp_path))
    yield one
    one.close()


def serve_orders(alpaca: Any, orders: list[dict[str, Any]]) -> None:
    """List orders as Alpaca does: submitted after a moment, oldest first, so many at most."""

    def listed(request: Any) -> tuple[int, Any]:
        after = time_ns(request.query["after"])
        found = [one for one in orders if time_ns(one["submitted_at"]) > after]
        if request.query["status"] == "open":
            found = [one for one in found if one["status"] in {"new", "accepted"}]
        return 200, sorted(found, key=lambda one: one["submitted_at"])[: int(request.query["limit"])]

    alpaca.say("GET", "/orders", listed)


def serve_activities(alpaca: Any, rows: list[dict[str, Any]], page: int = 100) -> None:
    """List activities as Alpaca does: behind a token by id, or entered after a date."""

    def listed(request: Any) -> tuple[int, Any]:
        token, size = request.query.get("page_token", ""), min(page, int(request.query["page_size"]))
        found = sorted((row for row in rows if row["id"] > token), key=lambda row: row["id"])
        if request.query.get("category") == "non_trade_activity":
            found = [row for row in found if row["activity_type"] != "FILL"]
            found = [row for row in found if row["created_at"] >= request.query.get("after", "")]
        if "order_id" in request.query:
            found = [row for row in found if row.get("order_id") == request.query["order_id"]]
        return 200, [{**row} for row in found[:size]]

    alpaca.say(*ACTIVITIES, listed)
    alpaca.say("GET", "/account/activities/FILL", listed)


def fill_row(stamp: str, letter: str, order: str, quantity: str, total: str) -> dict[str, Any]:
    """An execution in the list of activities."""
    return {
        "id": f"{stamp}::{letter}",
        "activity_type": "FILL",
        "order_id": order,
        "symbol": "SPY",
        "side": "buy",
        "qty": quantity,
        "cum_qty": total,
        "leaves_qty": "0",
        "price": "450.25",
        "transaction_time": f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T15:00:00.123Z",
    }


def fee_row(stamp: str, created: str) -> dict[str, Any]:
    """A fee, entered on a later day."""
    return {"id": f"{stamp}::fee", "activity_type": "FEE", "net_amount": "-0.02", "created_at": created}


def test_every_order_is_listed_once(alpaca, made, connector) -> None:
    """More orders than a page holds, many of one moment across its edge, come whole and each once."""
    moments = [f"2026-09-18T14:30:{second:02d}.000000001Z" for second in range(5)]
    orders = [
        made.order_json(f"order-{number:04d}", submitted_at=moments[number * 5 // 1200]) for number in range(1200)
    ]
    serve_orders(alpaca, orders)
    reports = connector.orders(time_ns(moments[0]))
    assert [report.client_order_id for report in reports] == [one["client_order_id"] for one in orders]
    asked = alpaca.asked("GET", "/orders")[0].query
    assert (asked["status"], asked["limit"], asked["nested"]) == ("all", str(PAGE), "false")
    assert time_ns(asked["after"]) == time_ns(moments[0]) - 1


def test_a_list_that_repeats_itself_is_no_list(alpaca, made, connector) -> None:
    """A page that brings nothing new ends in an error, not in a short list."""
    page = [made.order_json(f"order-{number}") for number in range(PAGE)]
    alpaca.say("GET", "/orders", (200, page))
    with pytest.raises(Unreadable, match="come to an end"):
        connector.orders(0)


def test_one_order_that_cannot_be_read_fails_the_list(alpaca, made, connector) -> None:
    """An order without a side could be anything: the account is not told rather than told in part."""
    serve_orders(alpaca, [made.order_json(), made.order_json("b", side="")])
    with pytest.raises(Unreadable):
        connector.orders(0)


def test_executions_come_in_the_order_of_their_totals(alpaca, made, connector) -> None:
    """Of one millisecond, over pages, with the desk's own ids; other orders' executions keep their places."""
    stamp = "20260918150000123"
    rows = [
        fill_row(stamp, "a", "id-x", "0.1", "0.3"),
        fill_row(stamp, "b", "id-y", "1", "1"),
        fill_row(stamp, "c", "id-x", "0.2", "0.2"),
    ]
    serve_activities(alpaca, rows, page=100)
    for name in ("x", "y"):
        alpaca.say("GET", f"/orders/id-{name}", (200, made.order_json(name)))
    fills = [one for one in connector.activities(None) if isinstance(one, Fill)]
    assert [(one.client_order_id, one.cumulative_quantity) for one in fills] == [
        ("x", Decimal("0.2")),
        ("y", Decimal(1)),
        ("x", Decimal("0.3")),
    ]
    assert fills[0].execution_id == f"{stamp}::c"
    assert connector.executions(type("Ref", (), {"broker_order_id": "id-x"})()) == (fills[0], fills[2])


def test_activities_are_read_page_by_page(alpaca, made, connector) -> None:
    """A full page is followed by the next; many orders' ids are learned from the list of orders."""
    rows = [fill_row(f"20260918150000{number:03d}", "a", f"id-o{number}", "1", "1") for number in range(230)]
    serve_activities(alpaca, rows)
    serve_orders(alpaca, [made.order_json(f"o{number}") for number in range(230)])
    told = list(connector.activities(None))
    assert [one.execution_id for one in told if isinstance(one, Fill)] == [row["id"] for row in rows]
    assert {one.client_order_id for one in told if isinstance(one, Fill)} == {f"o{number}" for number in range(230)}
    assert len(alpaca.asked(*ACTIVITIES)) == 3
    assert not [one for one in alpaca.requests if one.path.startswith("/orders/")]


def test_a_fee_that_is_entered_late_is_found_behind_the_cursor(alpaca, made, connector) -> None:
    """It comes although its id is before the cursor, and the cursor does not go back to it."""
    fill = fill_row("20260918150000123", "a", "id-x", "1", "1")
    serve_activities(alpaca, [fill, fee_row("20260918000000000", "2026-09-19")])
    alpaca.say("GET", "/orders/id-x", (200, made.order_json("x")))
    told = list(connector.activities(fill["id"]))
    fee, cursor = told
    assert isinstance(fee, Activity)
    assert (fee.kind, fee.amount, fee.activity_id) == ("FEE", Decimal("-0.02"), "20260918000000000::fee")
    assert isinstance(cursor, Activity)
    assert (cursor.activity_id, cursor.amount) == (fill["id"], Decimal(0))


def test_behind_the_cursor_is_nothing_twice(alpaca, made, connector) -> None:
    """What is new comes once and last, so that its id is the next cursor."""
    old, new = (fill_row(f"2026091815000012{digit}", "a", "id-x", "1", digit) for digit in "12")
    serve_activities(alpaca, [old, new, fee_row("20260917000000000", "2026-09-18")])
    alpaca.say("GET", "/orders/id-x", (200, made.order_json("x")))
    told = list(connector.activities(old["id"]))
    assert [getattr(one, "execution_id", "") or one.activity_id for one in told] == [
        "20260917000000000::fee",
        new["id"],
    ]
    assert list(connector.activities("no-stamp")) == []


def test_old_executions_do_not_come_with_late_fees(alpaca, made, connector) -> None:
    """Not even from a server that takes no notice of the filter."""
    fill = fill_row("20260918150000123", "a", "id-x", "1", "1")
    alpaca.say(*ACTIVITIES, lambda request: (200, [] if "page_token" in request.query else [fill]))
    assert list(connector.activities(fill["id"])) == []


def test_an_order_that_alpaca_forgot_goes_by_its_own_id(alpaca, connector) -> None:
    """An execution is never left out because its order is not shown."""
    serve_activities(alpaca, [fill_row("20260918150000123", "a", "id-gone", "1", "1")])
    (fill,) = connector.activities(None)
    assert isinstance(fill, Fill)
    assert fill.client_order_id == "id-gone"


def test_the_account_comes_with_its_positions(alpaca, connector) -> None:
    """Exact money; shares are negative when short; an account is never told without what it holds."""
    positions = [
        {"symbol": "SPY", "qty": "0.300000001", "side": "long", "avg_entry_price": "450.1"},
        {"symbol": "QQQ", "qty": "-2", "side": "short", "avg_entry_price": "400"},
        {"symbol": "IWM", "qty": "2", "side": "short", "avg_entry_price": "200"},
    ]
    alpaca.say("GET", "/positions", (200, positions))
    account = connector.account()
    assert (account.account, account.cash, account.blocked) == ("PA3XYZ000001", Decimal("1000.12"), False)
    assert account.positions == (
        HeldPosition(symbol="SPY", quantity=Decimal("0.300000001"), average_price=Decimal("450.1")),
        HeldPosition(symbol="QQQ", quantity=Decimal(-2), average_price=Decimal(400)),
        HeldPosition(symbol="IWM", quantity=Decimal(-2), average_price=Decimal(200)),
    )
    alpaca.say("GET", "/positions", (500, {"message": "internal"}))
    with pytest.raises(Exception, match="500"):
        connector.account()


@pytest.mark.parametrize(
    "changes", [{"trading_blocked": True}, {"account_blocked": True}, {"status": "INACTIVE"}, {"status": None}]
)
def test_an_account_that_takes_no_orders_is_blocked(alpaca, made, connector, changes: Any) -> None:
    """Each of Alpaca's ways to say so, and not saying that it is active."""
    alpaca.say("GET", "/account", (200, made.account_json(**changes)))
    account: AccountReport = connector.account()
    assert account.blocked
    assert "takes no orders" in account.text


def test_only_the_account_that_was_agreed_on_is_opened(alpaca, made, tmp_path) -> None:
    """Another number ends the start, and so do keys that are refused."""
    connector = AlpacaConnector(made.settings(alpaca.url, account_number="PA000"), made.context(tmp_path))
    with pytest.raises(WrongAccount, match="PA3XYZ000001"):
        connector.open(lambda _event: None)
    alpaca.say("GET", "/account", (401, {"message": "unauthorized"}))
    with pytest.raises(Refused, match="unauthorized"):
        connector.open(lambda _event: None)
    connector.close()


def test_assets_and_clock(alpaca, connector) -> None:
    """What Alpaca does not know is left out; times keep their zone and nanoseconds."""
    alpaca.say(
        "GET",
        "/assets/SPY",
        (200, {"symbol": "SPY", "status": "active", "tradable": True, "fractionable": True, "shortable": False}),
    )
    alpaca.say("GET", "/assets/OLD", (200, {"symbol": "OLD", "status": "inactive", "tradable": True}))
    spy, old = connector.assets(["SPY", "GONE", "OLD"])
    assert (spy.tradable, spy.fractionable, spy.shortable) == (True, True, False)
    assert (old.tradable, old.fractionable) == (False, False)
    times = {
        "timestamp": "2026-09-18T10:00:00.123456789-04:00",
        "next_open": "2026-09-21T09:30:00-04:00",
        "next_close": "2026-09-18T16:00:00-04:00",
    }
    alpaca.say("GET", "/clock", (200, {"is_open": True, **times}))
    clock = connector.clock()
    assert clock.is_open
    assert clock.now_ns == time_ns("2026-09-18T14:00:00.123456789Z")
    assert clock.next_close_ns == time_ns("2026-09-18T20:00:00Z")


def test_a_kill_reads_every_item(alpaca, made, tmp_path) -> None:
    """An order that could not be canceled stays open, with Alpaca's words; the others are told as they are now."""
    orders = [made.order_json("a", status="new"), made.order_json("b", status="new")]
    serve_orders(alpaca, orders)

    def cancel(_request: Any) -> tuple[int, Any]:
        orders[0]["status"] = "canceled"
        return 207, [{"id": "id-a", "status": 200}, {"id": "id-b", "status": 500, "body": {"message": "try again"}}]

    alpaca.say("DELETE", "/orders", cancel)
    alpaca.say("GET", "/orders/id-a", lambda _: (200, orders[0]))
    emergency = AlpacaEmergency(made.settings(alpaca.url), made.context(tmp_path))
    told = {one.client_order_id: (one.status.value, one.text) for one in emergency.cancel_all()}
    assert told == {"a": ("canceled", ""), "b": ("new", "500: try again")}
    orders[1]["status"] = "canceled"
    alpaca.say("DELETE", "/orders", (207, []))
    assert emergency.cancel_all() == []


def test_every_position_is_closed_or_told(alpaca, made, tmp_path) -> None:
    """One closed, one refused, one that the answer leaves out."""
    held = [{"symbol": name, "qty": "1.5", "side": "long", "avg_entry_price": "1"} for name in ("SPY", "QQQ", "IWM")]
    alpaca.say("GET", "/positions", (200, held))
    items = [
        {"symbol": "SPY", "status": 200, "body": made.order_json("close", side="sell", qty="1.5")},
        {"symbol": "QQQ", "status": 403, "body": {"code": 40310000, "message": "insufficient qty available"}},
    ]
    alpaca.say("DELETE", "/positions", (207, items))
    spy, qqq, iwm = AlpacaEmergency(made.settings(alpaca.url), made.context(tmp_path)).flatten_all()
    assert (spy.status.value, spy.side) == ("acknowledged", Side.SELL)
    assert (qqq.status.value, qqq.text, qqq.quantity) == ("rejected", "403: insufficient qty available", Decimal("1.5"))
    assert (iwm.status.value, iwm.text) == ("rejected", "Alpaca says nothing of it")
    alpaca.say("GET", "/positions", (200, []))
    assert AlpacaEmergency(made.settings(alpaca.url), made.context(tmp_path)).flatten_all() == ()
