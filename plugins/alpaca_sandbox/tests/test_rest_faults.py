"""Faults of the REST interface: what a client may see on a bad day, and what the exchange then knows."""

from __future__ import annotations

from typing import Any

import pytest

from mqd_plugin_alpaca_sandbox.faults import FaultError, FaultPlan, read_plan

ORDER = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", "client_order_id": "x"}


@pytest.mark.parametrize("taken", [True, False])
def test_a_timeout_may_have_taken_the_order(rest: Any, taken: bool) -> None:
    """After a 504 the order exists or not, as the fault says."""
    rest.service.faults.add({"kind": "answer", "method": "POST", "path": "/v2/orders", "status": 504, "taken": taken})
    assert rest.call("POST", "/v2/orders", ORDER).status == 504
    found = rest.call("GET", "/v2/orders:by_client_order_id", client_order_id="x").status
    assert found == (200 if taken else 404)


@pytest.mark.parametrize(
    ("fault", "raw"),
    [
        ({"status": 500, "body": ""}, b""),
        ({"status": 502, "body": "<html>bad gateway</html>", "content_type": "text/html"}, b"<html>bad gateway</html>"),
        ({"status": 401}, b'{"message": "unauthorized"}'),
    ],
)
def test_an_answer_can_have_any_body(rest: Any, fault: dict[str, Any], raw: bytes) -> None:
    """An empty one, a page of HTML, a refusal without a code."""
    rest.service.faults.add({"kind": "answer", "path": "/v2/clock", **fault})
    answer = rest.call("GET", "/v2/clock")
    assert (answer.status, answer.raw) == (fault["status"], raw)
    assert rest.call("GET", "/v2/clock").status == 200


def test_an_order_can_be_rejected_after_its_answer(rest: Any) -> None:
    """The POST answers 200, the news is `rejected`."""
    rest.service.faults.add({"kind": "reject", "symbol": "SPY"})
    order = rest.order(qty="1")
    rest.market.after(1)
    assert rest.call("GET", f"/v2/orders/{order['id']}").json["status"] == "rejected"


def test_a_fill_can_overtake_a_slow_cancel(rest: Any) -> None:
    """The DELETE answers 204, the order fills, and the cancel is rejected."""
    rest.service.faults.add({"kind": "slow_cancel", "seconds": 5})
    order = rest.order(qty="1", type="limit", limit_price="99")
    rest.market.after(1)
    assert rest.call("DELETE", f"/v2/orders/{order['id']}").status == 204
    rest.market.after(1, "99")
    rest.market.after(5)
    told = [update.event for update in rest.market.updates]
    assert told == ["pending_new", "new", "fill", "order_cancel_rejected"]


def test_positions_can_lag_behind_orders(rest: Any) -> None:
    """For some seconds of the market the list is what it was."""
    assert rest.call("GET", "/v2/positions").json == []
    rest.service.faults.add({"kind": "stale_positions", "seconds": 5})
    rest.order(qty="1")
    rest.market.after(1)
    assert rest.call("GET", "/v2/positions").json == []
    rest.market.after(5)
    assert [row["qty"] for row in rest.call("GET", "/v2/positions").json] == ["1"]


def test_a_late_answer_comes_after_its_news(rest: Any) -> None:
    """The exchange has the order while the client still waits."""
    rest.service.faults.add({"kind": "delay", "path": "/v2/orders", "seconds": 0.01, "taken": True})
    assert rest.order(qty="1")["status"] == "pending_new"
    assert [row.event for row in rest.market.updates] == ["pending_new"]


def test_faults_are_asked_for_and_counted_while_it_runs(rest: Any) -> None:
    """The admin endpoint takes, shows and forgets them."""
    rest.call("POST", "/sandbox/faults", {"kind": "answer", "path": "/v2/clock", "status": 500, "skip": 1, "times": 2})
    assert [rest.call("GET", "/v2/clock").status for _ in range(4)] == [200, 500, 500, 200]
    assert rest.call("GET", "/sandbox/faults").json[0]["fired"] == 2
    assert rest.call("DELETE", "/sandbox/faults").status == 204
    assert rest.call("GET", "/sandbox/faults").json == []


def test_a_halt_is_asked_for_while_it_runs(rest: Any) -> None:
    """A halted symbol executes nothing until it is resumed."""
    assert rest.call("PUT", "/sandbox/halts/SPY").status == 204
    order = rest.order(qty="1")
    rest.market.after(1)
    assert rest.market.exchange.book.of_id(order["id"]).status == "new"
    rest.call("DELETE", "/sandbox/halts/SPY")
    rest.market.after(1, "100")
    assert rest.market.exchange.book.of_id(order["id"]).status == "filled"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "oops"}, "kind was 'oops': must be one of answer, delay"),
        ({"kind": "reject", "event": "new"}, "reject has no 'event': it has kind, skip, symbol, times"),
        ({"kind": "reject", "times": 0}, "times must be a whole number from 1"),
        (7, "a fault must be an object"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(rest: Any, row: object, message: str) -> None:
    """The words name what is allowed, and no fault is taken on."""
    with pytest.raises(FaultError, match=message):
        FaultPlan().add([{"kind": "reject"}, row])
    assert rest.call("POST", "/sandbox/faults", row).status == 422
    assert rest.service.faults.faults == []


def test_a_plan_comes_from_a_file(tmp_path: Any) -> None:
    """A file that cannot be read is named."""
    path = tmp_path / "faults.json"
    path.write_text(
        '{"faults": [{"kind": "lose", "event": "fill", "times": "always"}]}', encoding="utf-8", newline="\n"
    )
    assert [fault.kind for fault in read_plan(path).faults] == ["lose"]
    path.write_text("{", encoding="utf-8", newline="\n")
    with pytest.raises(FaultError, match=r"faults\.json"):
        read_plan(path)
