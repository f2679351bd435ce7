"""What can be chosen about an exchange. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """Of the account and of how the venue behaves.

    Latencies are of market time, in nanoseconds: from a request to what the venue makes of it. `partial_fill_pct` is
    the chance that an execution takes only part; the service's paper account has 10. `collar_pct` is what a market buy
    needs more than the ask (the documentation names 2.5 to 4).
    """

    cash_usd: Decimal = Decimal(1000)
    seed: int = 0
    spread_bps: Decimal = Decimal(2)
    partial_fill_pct: int = 10
    collar_pct: Decimal = Decimal(3)
    acknowledge_ns: int = 0
    cancel_ns: int = 0
