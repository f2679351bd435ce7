"""What a strategy says and what a sizer answers. May hold no reference to a broker, an account or a clock."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import TypeAlias

import msgspec

from mqd_core.domain.orders import OrderType, TimeInForce

#: Indicator values a decision was made of: immutable pairs, since they are encoded later than they are made.
Reason: TypeAlias = tuple[tuple[str, str | float | int], ...]


class SignalAction(str, Enum):
    """What a strategy asks for; an exit is always the strategy's whole book in that symbol."""

    ENTER = "enter"
    EXIT = "exit"


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One wish of a strategy. `stop_loss` and `take_profit` are fractions of the fill price, between 0 and 1."""

    action: SignalAction
    symbol: str
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    reason: Reason = ()


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """A sizer's answer: a quantity in shares, or a notional in USD, or neither, and in words why."""

    reason: str
    quantity: Decimal | None = None
    notional: Decimal | None = None
