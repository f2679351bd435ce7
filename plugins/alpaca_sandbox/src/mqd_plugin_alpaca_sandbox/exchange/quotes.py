"""What the market shows: last prices, and bid and ask around them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mqd_core.api import EXACT, price_down, price_up

_ONE: Final = Decimal(1)
_HALF_A_BASIS_POINT: Final = Decimal("0.00005")


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A trade that the market shows, at `ts_ns`; sizes are not looked at, as the service's paper account does not."""

    ts_ns: int
    symbol: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """The last price, and what selling brings and buying costs now."""

    last: Decimal
    bid: Decimal
    ask: Decimal


class Quotes:
    """Last prices of all symbols, those of the last close, and which symbols are halted."""

    __slots__ = ("_half_spread", "_last", "halted", "previous_close")

    def __init__(self, spread_bps: Decimal) -> None:
        self._half_spread = EXACT.multiply(spread_bps, _HALF_A_BASIS_POINT)
        self._last: dict[str, Decimal] = {}
        self.previous_close: dict[str, Decimal] = {}
        self.halted: set[str] = set()

    def show(self, symbol: str, price: Decimal) -> None:
        """Take a trade's price."""
        self._last[symbol] = price

    def close_day(self) -> None:
        """Keep the last prices as those of the close."""
        self.previous_close = dict(self._last)

    def quote(self, symbol: str) -> Quote | None:
        """Last, bid and ask; None while nothing was shown."""
        last = self._last.get(symbol)
        if last is None:
            return None
        if not self._half_spread:
            return Quote(last, last, last)
        bid = price_down(EXACT.multiply(last, EXACT.subtract(_ONE, self._half_spread)))
        return Quote(last, bid, price_up(EXACT.multiply(last, EXACT.add(_ONE, self._half_spread))))
