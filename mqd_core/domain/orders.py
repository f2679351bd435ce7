"""The words of an order: sides, types, times in force, drafts and references.

A draft is what a strategy wants after sizing; only the risk gate turns one into an order that a broker accepts
(`mqd_core.risk.approved`). May not decide anything.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec


class Side(str, Enum):
    """Side of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderType(str, Enum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(str, Enum):
    """How long an order works: DAY to the session's close, GTC until canceled, IOC at once or not at all."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"


class Purpose(str, Enum):
    """What an order is for: ENTRY raises exposure; EXIT is the strategy's, PROTECT the desk's, FLATTEN a person's."""

    ENTRY = "entry"
    EXIT = "exit"
    PROTECT = "protect"
    FLATTEN = "flatten"


class OrderDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An order before the gate: sized, priced, not yet allowed.

    Exactly one of `quantity` (shares, up to 9 decimals) and `notional` (USD, up to 2 decimals) is set.
    `reference_price` is the close of the signal's bar; limits are measured at it.
    """

    correlation_id: str
    strategy_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    reference_price: Decimal
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


class OrderRef(msgspec.Struct, frozen=True, kw_only=True):
    """How an order is named to a broker; `broker_order_id` is empty until the broker gave one."""

    client_order_id: str
    symbol: str
    broker_order_id: str = ""
