"""Orders on their way to Alpaca and lists of them on their way back: exact strings, pages to the end.

May not judge an answer that is an error; `connector` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from mqd_core.api import ApprovedOrder, OrderReport, Refused
from mqd_plugin_alpaca.faults import Unreadable
from mqd_plugin_alpaca.parsing import Body, as_list, text_of, time_ns, time_text
from mqd_plugin_alpaca.rest import Rest

#: The most that Alpaca lists at once.
PAGE: Final = 500
_PAGES_MAX: Final = 200
_DECIMALS: Final = {"qty": 9, "notional": 2, "limit_price": 4, "stop_price": 4}


def order_body(order: ApprovedOrder) -> dict[str, str]:
    """The order as it goes over the wire. Raises Refused where Alpaca would cut digits off without a word."""
    body = {
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.order_type.value,
        "time_in_force": order.time_in_force.value,
        "client_order_id": order.client_order_id,
    }
    amounts = {
        "qty": order.quantity,
        "notional": order.notional,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
    }
    for name, value in amounts.items():
        if value is not None:
            body[name] = exact_text(name, value)
    return body


def exact_text(name: str, value: Decimal) -> str:
    """A number without exponent and without zeros behind; raises Refused for more digits than are taken."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    most = _DECIMALS[name]
    if len(text.partition(".")[2]) > most:
        raise Refused(f"{name} {text} has more than {most} decimals; the order was not sent", "too_many_decimals")
    return text


def is_same(order: ApprovedOrder, body: Body, report: OrderReport) -> bool:
    """Whether an order that Alpaca has under a client order id is the one that was to be sent."""
    return (
        report.client_order_id == order.client_order_id
        and report.symbol == order.symbol
        and report.side is order.side
        and str(body.get("type") or body.get("order_type")) == order.order_type.value
        and report.notional == order.notional
        and (order.quantity is None or report.quantity == order.quantity)
    )


def orders_since(rest: Rest, since_ns: int, status: str = "all") -> Iterator[Body]:
    """Every order submitted at or after `since_ns`, oldest first, each once; raises what a request raises."""
    seen: set[str] = set()
    after_ns = since_ns - 1
    for _ in range(_PAGES_MAX):
        asked: dict[str, Any] = {
            "status": status,
            "limit": PAGE,
            "direction": "asc",
            "nested": "false",
            "after": time_text(max(after_ns, 0)),
        }
        page = as_list(rest.get("/orders", asked), "orders")
        new = [order for order in page if text_of(order, "id") not in seen]
        seen.update(text_of(order, "id") for order in new)
        yield from new
        if len(page) < PAGE:
            return
        # `after` excludes its own moment: what shares it with the last of the page must not be lost.
        last_ns = max(time_ns(order.get("submitted_at") or order.get("created_at")) for order in page) - 1
        if not new or last_ns <= after_ns:
            break
        after_ns = last_ns
    raise Unreadable("Alpaca's list of orders does not come to an end", "unreadable")
