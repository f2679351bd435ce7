"""What a PATCH makes of an order. Pure: knows one order and what is to be changed of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from mqd_core.api import whole_down
from mqd_plugin_alpaca_sandbox.exchange.errors import forbidden, malformed, rule
from mqd_plugin_alpaca_sandbox.exchange.notation import read_number
from mqd_plugin_alpaca_sandbox.exchange.order import Order
from mqd_plugin_alpaca_sandbox.exchange.order_request import (
    OrderRequest,
    check_shape,
    read_client_id,
    read_quantity,
)

_REPLACEABLE: Final = frozenset({"new", "partially_filled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is asked to be different; None stays as it is."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str | None = None
    client_order_id: str | None = None


def read_change(body: Mapping[str, object]) -> Change:
    """The body of a PATCH; raises ApiError."""
    if body.get("notional") is not None:
        raise rule("notional orders cannot be replaced")
    time_in_force = body.get("time_in_force")
    if time_in_force is not None and time_in_force not in {"day", "gtc"}:
        raise rule(f"invalid time_in_force {time_in_force}: this sandbox replaces by day and gtc orders")
    return Change(
        qty=read_quantity(body.get("qty")),
        limit_price=_price(body, "limit_price"),
        stop_price=_price(body, "stop_price"),
        time_in_force=None if time_in_force is None else str(time_in_force),
        client_order_id=read_client_id(body.get("client_order_id")),
    )


def changed_request(old: Order, change: Change) -> OrderRequest:
    """The new order's request: of a partly filled order the original quantity, not the rest of it. Raises ApiError."""
    if old.status not in _REPLACEABLE:
        raise rule("unable to replace order in current state")
    if old.notional is not None or old.qty is None:
        # That it is refused is documented; the words are this sandbox's.
        raise rule("notional orders cannot be replaced")
    if change.qty is not None and change.qty != old.qty and change.qty != whole_down(change.qty):
        raise malformed("qty must be integer")
    if change.qty not in {None, old.qty} and old.qty != whole_down(old.qty):
        raise rule("qty of fractional orders cannot be replaced")
    before = OrderRequest(
        symbol=old.symbol,
        side=old.side,
        type=old.type,
        time_in_force=old.time_in_force,
        qty=old.qty,
        limit_price=old.limit_price,
        stop_price=old.stop_price,
        extended_hours=old.extended_hours,
    )
    after = replace(
        before,
        qty=change.qty or old.qty,
        limit_price=change.limit_price or old.limit_price,
        stop_price=change.stop_price or old.stop_price,
        time_in_force=change.time_in_force or old.time_in_force,
    )
    if after == before:
        raise forbidden("order parameters are not changed")
    check_shape(after)
    return replace(after, client_order_id=change.client_order_id)


def _price(body: Mapping[str, object], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    number = read_number(value)
    if number is None or number <= 0:
        raise rule(f"{name} must be > 0")
    return number
