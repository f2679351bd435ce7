"""Alpaca's JSON as the desk's values. Tolerant of members and words that are new, never of numbers and identities.

Numbers come as strings and become Decimals without a float in between. What cannot be understood raises Unreadable:
no value is made up. May not ask anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mqd_core.api import (
    AccountReport,
    Asset,
    BrokerClock,
    OrderReport,
    OrderStatus,
    PositionReport,
    Side,
    is_symbol,
)
from mqd_plugin_alpaca.faults import Unreadable
from mqd_plugin_alpaca.statuses import is_known, status_of

Body = Mapping[str, Any]
#: Told of a word that is not known: the order's id, and the word.
OnUnknown = Callable[[str, str], None]

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)")
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
#: No amount of an account of this desk has an exponent or length beyond it.
_DIGITS_MAX: Final = 40


def as_body(value: object, what: str) -> Body:
    """An object of JSON."""
    if not isinstance(value, Mapping):
        raise Unreadable(f"Alpaca's answer for {what} is no object but {type(value).__name__}", "unreadable")
    return value


def as_list(value: object, what: str) -> Sequence[Body]:
    """A list of objects of JSON."""
    if not isinstance(value, list):
        raise Unreadable(f"Alpaca's answer for {what} is no list but {type(value).__name__}", "unreadable")
    return [as_body(one, what) for one in value]


def text_of(body: Body, name: str) -> str:
    """A member that has to be there and not empty."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"Alpaca's answer has no {name}", "unreadable")
    return value


def decimal_of(body: Body, name: str) -> Decimal:
    """An exact number that has to be there."""
    value = optional_decimal(body, name)
    if value is None:
        raise Unreadable(f"Alpaca's answer has no {name}", "unreadable")
    return value


def optional_decimal(body: Body, name: str) -> Decimal | None:
    """An exact number, or None where the member is absent, null or empty."""
    value = body.get(name)
    if value is None or value == "":
        return None
    number = _decimal(value)
    if number is None:
        raise Unreadable(f"{name} in Alpaca's answer is no number", "unreadable")
    return number


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, str) and (len(value) > _DIGITS_MAX or "_" in value):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= _DIGITS_MAX else None


def time_ns(text: object) -> int:
    """UTC nanoseconds of an RFC 3339 time, to its last digit; raises Unreadable."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Unreadable("a time in Alpaca's answer is none", "unreadable")
    date, clock, digits, zone = found.groups()
    offset = "+00:00" if zone in {"Z", "z"} else zone
    try:
        at = datetime.fromisoformat(f"{date}T{clock}{offset}")
    except ValueError as error:
        raise Unreadable("a time in Alpaca's answer is none", "unreadable") from error
    whole = round((at - _EPOCH).total_seconds())
    return whole * 1_000_000_000 + int((digits or "0").ljust(9, "0"))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def time_text(at_ns: int) -> str:
    """RFC 3339 in UTC with nine digits."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def side_of(body: Body) -> Side:
    """The side; raises Unreadable for a word that is neither to buy nor to sell."""
    side = _SIDES.get(str(body.get("side")))
    if side is None:
        raise Unreadable("an order in Alpaca's answer is neither to buy nor to sell", "unreadable")
    return side


def report_of(body: Body, ts_ns: int, on_unknown: OnUnknown) -> OrderReport:
    """What Alpaca says of an order. An unknown status is told and kept as paused; raises Unreadable."""
    identifier, word = text_of(body, "id"), str(body.get("status"))
    filled = optional_decimal(body, "filled_qty") or Decimal(0)
    if not is_known(word):
        on_unknown(identifier, word[:40])
    status = status_of(word, filled)
    return OrderReport(
        ts=ts_ns,
        # Orders of old may lack one; they are not the desk's, and their own id names them as well.
        client_order_id=str(body.get("client_order_id") or identifier),
        broker_order_id=identifier,
        symbol=text_of(body, "symbol"),
        side=side_of(body),
        status=status,
        filled_quantity=filled,
        quantity=optional_decimal(body, "qty"),
        notional=optional_decimal(body, "notional"),
        average_fill_price=optional_decimal(body, "filled_avg_price") if filled else None,
        # Why it does not work, where the desk's word says only that it does not.
        code=word[:40] if status is OrderStatus.PAUSED else "",
    )


def position_of(body: Body) -> PositionReport:
    """A position; shares are negative when short."""
    quantity = decimal_of(body, "qty")
    if body.get("side") == "short" and quantity > 0:
        quantity = -quantity
    return PositionReport(
        symbol=text_of(body, "symbol"), quantity=quantity, average_price=decimal_of(body, "avg_entry_price")
    )


def account_of(body: Body, positions: Sequence[PositionReport], ts_ns: int) -> AccountReport:
    """The account; blocked where Alpaca takes no orders, or does not say that it is active."""
    reasons = [name for name in ("account_blocked", "trading_blocked", "trade_suspended_by_user") if body.get(name)]
    status = str(body.get("status"))
    if status != "ACTIVE":
        reasons.append(f"its status is {status[:40]}")
    return AccountReport(
        ts=ts_ns,
        account=text_of(body, "account_number"),
        cash=decimal_of(body, "cash"),
        buying_power=decimal_of(body, "buying_power"),
        positions=tuple(positions),
        blocked=bool(reasons),
        text=f"Alpaca takes no orders of this account: {', '.join(reasons)}" if reasons else "",
    )


def asset_of(body: Body) -> Asset | None:
    """An asset; None where its symbol is none that the desk can name."""
    symbol = text_of(body, "symbol")
    if not is_symbol(symbol):
        return None
    return Asset(
        symbol=symbol,
        tradable=body.get("tradable") is True and body.get("status") == "active",
        fractionable=body.get("fractionable") is True,
        shortable=body.get("shortable") is True,
    )


def clock_of(body: Body) -> BrokerClock:
    """The broker's time and market hours."""
    return BrokerClock(
        now_ns=time_ns(body.get("timestamp")),
        is_open=body.get("is_open") is True,
        next_open_ns=time_ns(body["next_open"]) if body.get("next_open") else None,
        next_close_ns=time_ns(body["next_close"]) if body.get("next_close") else None,
    )
