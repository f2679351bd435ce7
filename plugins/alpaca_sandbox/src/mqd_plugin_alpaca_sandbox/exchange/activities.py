"""What happened to the account, for ever: fills, newest last. Holds no rule of orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FillActivity:
    """One execution as the account's history keeps it. `cum_qty` and `leaves_qty` are of the order, after it."""

    id: str
    ts_ns: int
    order_id: str
    symbol: str
    side: str
    type: str
    order_status: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    leaves_qty: Decimal


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What the account was worth at a close, USD."""

    ts_ns: int
    equity_usd: Decimal
