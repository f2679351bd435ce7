"""Market data as the engine sees it: bars, timeframes, symbols, assets.

Prices here are float64, for signals; they become money only through `money()`. May not validate: what a bar must
satisfy is in `contract`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from typing import Final

import msgspec

MINUTE_NS: Final = 60_000_000_000
SECOND_NS: Final = 1_000_000_000

#: US tickers with class or unit suffix (BRK.B), crypto pairs (BTC/USD): what may appear in orders and file names.
SYMBOL: Final = re.compile(r"^[A-Z][A-Z0-9]{0,9}([./-][A-Z0-9]{1,6})?$")


def is_symbol(text: str) -> bool:
    """Whether the text is a symbol that mqd accepts."""
    return SYMBOL.fullmatch(text) is not None


class Timeframe(str, Enum):
    """Length of a bar, in the words that Alpaca uses; a day is a session, not 24 hours."""

    MINUTE_1 = "1Min"
    MINUTE_2 = "2Min"
    MINUTE_5 = "5Min"
    MINUTE_15 = "15Min"
    MINUTE_30 = "30Min"
    HOUR_1 = "1Hour"
    DAY_1 = "1Day"

    @property
    def length_ns(self) -> int:
        """Nanoseconds from a bar's start to its end; for 1Day the longest a session can be."""
        return _LENGTHS_NS[self.value]


_LENGTHS_NS: Final = {
    "1Min": MINUTE_NS,
    "2Min": 2 * MINUTE_NS,
    "5Min": 5 * MINUTE_NS,
    "15Min": 15 * MINUTE_NS,
    "30Min": 30 * MINUTE_NS,
    "1Hour": 60 * MINUTE_NS,
    "1Day": 24 * 60 * MINUTE_NS,
}


# gc=False: a bar holds only atoms, can be in no cycle, and is made once a bar; tracking it would cost the loop.
class Bar(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One bar of one symbol, stamped by its start (UTC nanoseconds) and known at its end. Volume is in shares."""

    symbol: str
    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue says of a symbol. `minimum_notional_usd` is the least an order may be worth."""

    symbol: str
    tradable: bool = True
    fractionable: bool = True
    shortable: bool = False
    minimum_notional_usd: Decimal = Decimal(1)
