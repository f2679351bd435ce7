"""Bars as the market data API writes them. The one place where prices are floats: the wire has numbers here."""

from __future__ import annotations

from typing import Final

from mqd_core.api import Bar

#: A bar is shown as four trades, so that many are said to be in it.
_TRADES: Final = 4


def bar_body(bar: Bar) -> dict[str, object]:
    """A bar without its time, which each encoding writes in its own way. `vw` is the mean of the four prices."""
    mean = round((bar.open + bar.high + bar.low + bar.close) / _TRADES, 6)
    return {
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": int(bar.volume),
        "n": _TRADES,
        "vw": mean,
    }
