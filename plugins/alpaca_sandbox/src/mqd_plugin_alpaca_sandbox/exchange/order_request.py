"""Reading of an order request, and every rule that needs neither account nor market. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mqd_core.api import ZERO, cents, floor9, is_on_tick, whole_down
from mqd_plugin_alpaca_sandbox.exchange.errors import malformed, rule
from mqd_plugin_alpaca_sandbox.exchange.notation import number_text, read_number

_SIDES: Final = ("buy", "sell")
_TYPES: Final = ("market", "limit", "stop", "stop_limit")
_TIMES_IN_FORCE: Final = ("day", "gtc", "ioc", "fok")
_CLIENT_ID_LENGTH_MAX: Final = 128
_NOTIONAL_MIN: Final = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order that somebody asks for, well-formed by itself."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None

    @property
    def is_fractional(self) -> bool:
        """Whether it is for an amount of money or a part of a share."""
        return self.qty is None or self.qty != whole_down(self.qty)


def read_order(body: Mapping[str, object]) -> OrderRequest:
    """The order of a POST; numbers may be JSON strings or numbers. Raises ApiError."""
    request = OrderRequest(
        symbol=_text(body, "symbol"),
        side=_one_of(body, "side", _SIDES),
        type=_one_of(body, "type", _TYPES),
        time_in_force=_one_of(body, "time_in_force", _TIMES_IN_FORCE),
        qty=read_quantity(body.get("qty")),
        notional=_positive(body.get("notional"), "notional"),
        limit_price=_positive(body.get("limit_price"), "limit_price"),
        stop_price=_positive(body.get("stop_price"), "stop_price"),
        extended_hours=body.get("extended_hours") is True,
        client_order_id=read_client_id(body.get("client_order_id")),
    )
    _check_class(body, request)
    check_shape(request)
    return request


def check_shape(request: OrderRequest) -> None:
    """Refuse what no account could send; raises ApiError."""
    if request.qty is not None and request.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if request.qty is None and request.notional is None:
        raise malformed("qty is required")
    _check_prices(request)
    _check_fraction(request)
    if request.extended_hours:
        allowed = ("day",) if request.is_fractional else ("day", "gtc")
        if request.type != "limit" or request.time_in_force not in allowed:
            raise rule("extended hours order must be DAY limit orders")


def read_quantity(value: object) -> Decimal | None:
    """Shares, cut to nine decimals without a word, as the service does; raises ApiError."""
    number = _positive(value, "qty")
    if number is None:
        return None
    cut = floor9(number)
    if not cut:
        raise rule("qty must be > 0")
    return cut


def read_client_id(value: object) -> str | None:
    """The client's own id; None where it gave none. Raises ApiError."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _CLIENT_ID_LENGTH_MAX:
        raise malformed(f"client_order_id must be no more than {_CLIENT_ID_LENGTH_MAX} characters")
    return value


def _check_class(body: Mapping[str, object], request: OrderRequest) -> None:
    order_class = body.get("order_class") or "simple"
    if order_class == "simple":
        return
    if request.is_fractional:
        raise rule("fractional orders must be simple orders")
    raise rule(f"order_class {order_class} is not served by this sandbox")


def _check_prices(request: OrderRequest) -> None:
    for name, price, types in (
        ("limit_price", request.limit_price, ("limit", "stop_limit")),
        ("stop_price", request.stop_price, ("stop", "stop_limit")),
    ):
        if request.type in types:
            if price is None:
                raise malformed(f"{request.type} orders require {name.replace('_', ' ')}")
            check_increment(name, price)
        elif price is not None:
            raise malformed(f"{request.type} orders require no {name.replace('_', ' ')}")


def check_increment(name: str, price: Decimal) -> None:
    """Cents from a dollar on, hundredths of a cent below; raises ApiError."""
    if not is_on_tick(price):
        message = f"invalid {name} {number_text(price)}. sub-penny increment does not fulfill minimum pricing criteria"
        raise rule(message)


def _check_fraction(request: OrderRequest) -> None:
    if not request.is_fractional:
        return
    if request.notional is not None:
        if request.notional != cents(request.notional):
            raise rule("notional value must be limited to 2 decimal places")
        if request.notional < _NOTIONAL_MIN:
            raise rule("notional amount must be >= 1.00")
    if request.time_in_force != "day":
        raise rule("fractional orders must be DAY orders")


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise malformed(f"{name} is required")
    return value


def _one_of(body: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    value = _text(body, name)
    if value not in allowed:
        raise rule(f"invalid {name} {value}: this sandbox serves {', '.join(allowed)}")
    return value


def _positive(value: object, name: str) -> Decimal | None:
    if value is None:
        return None
    number = read_number(value)
    if number is None:
        raise malformed(f"{name} is not a number")
    if number <= ZERO:
        raise rule(f"{name} must be > 0")
    return number
