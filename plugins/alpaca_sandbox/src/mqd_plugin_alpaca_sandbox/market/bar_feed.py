"""Bars shown as trades while market time passes. Reads no clock: it is handed one.

A bar is known by four prices, and so it shows four trades: its open at its start, then low and high, the one first that
lies away from the close, and its close in its last second. Nights are passed over.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from mqd_core.api import MINUTE_NS, SECOND_NS, Bar, money
from mqd_plugin_alpaca_sandbox.exchange.quotes import Print
from mqd_plugin_alpaca_sandbox.market.pace import Pace

#: This long after the last trade, and this long before the next one, a night is passed over.
_DUSK_NS: Final = 2 * MINUTE_NS
_OFFSETS_NS: Final = (0, 20 * SECOND_NS, 40 * SECOND_NS, 59 * SECOND_NS)


class BarFeed:
    """A market made of bars."""

    __slots__ = ("_bars", "_due", "_last_ns", "_listeners", "_next", "_pace", "_wall_ns", "history", "start_ns")

    def __init__(
        self, bars: Mapping[str, Iterator[Bar]], speed: float, wall_ns: Callable[[], int], begin_ns: int | None = None
    ) -> None:
        """Begin a minute before `begin_ns` or the first bar; earlier bars are history. ValueError: there is no bar."""
        self._wall_ns = wall_ns
        #: Bars that are over, by symbol.
        self.history: dict[str, list[Bar]] = {symbol: [] for symbol in bars}
        self._bars = heapq.merge(*bars.values(), key=lambda bar: (bar.start_ns, bar.symbol))
        self._next: Bar | None = next(self._bars, None)
        while begin_ns is not None and self._next is not None and self._next.start_ns < begin_ns:
            self.history[self._next.symbol].append(self._next)
            self._next = next(self._bars, None)
        if self._next is None:
            raise ValueError("the data has no bars to begin with")
        # What is history is over when the market begins.
        ended_ns = max((rows[-1].start_ns + MINUTE_NS for rows in self.history.values() if rows), default=0)
        self.start_ns = max(self._next.start_ns - MINUTE_NS, ended_ns)
        self._last_ns = self.start_ns
        # Trades and ends of bars that are still to come: time, place, the trade or the bar that is over.
        self._due: list[tuple[int, int, str, Print | Bar]] = []
        self._pace = Pace(speed, self.start_ns, wall_ns())
        self._listeners: list[Callable[[Bar], None]] = []

    def subscribe(self, callback: Callable[[Bar], None]) -> Callable[[], None]:
        """Tell `callback` of each bar once it is over; returns what ends that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def known_prices(self) -> dict[str, Decimal]:
        """The last close of each symbol before the market begins; of the first to trade, else its open."""
        closes = {symbol: money(bars[-1].close) for symbol, bars in self.history.items() if bars}
        first = {} if self._next is None else {self._next.symbol: money(self._next.open)}
        return {**first, **closes}

    def step(self) -> tuple[int, list[Print]]:
        """Market time now, and the trades since the last step."""
        wall_ns = self._wall_ns()
        now_ns = self._pace.market_ns(wall_ns)
        coming = self._due[0][0] if self._due else None if self._next is None else self._next.start_ns
        if coming is not None and now_ns > self._last_ns + _DUSK_NS and coming > now_ns + _DUSK_NS:
            now_ns = coming - MINUTE_NS
            self._pace.jump(now_ns, wall_ns)
        while self._next is not None and self._next.start_ns <= now_ns:
            self._show(self._next)
            self._next = next(self._bars, None)
        prints: list[Print] = []
        while self._due and self._due[0][0] <= now_ns:
            _, _, _, shown = heapq.heappop(self._due)
            if isinstance(shown, Print):
                prints.append(shown)
                self._last_ns = shown.ts_ns
            else:
                self._end(shown)
        return now_ns, prints

    def _show(self, bar: Bar) -> None:
        inner = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        for place, (offset_ns, price) in enumerate(zip(_OFFSETS_NS, (bar.open, *inner, bar.close), strict=True)):
            shown = Print(ts_ns=bar.start_ns + offset_ns, symbol=bar.symbol, price=money(price))
            heapq.heappush(self._due, (shown.ts_ns, place, bar.symbol, shown))
        heapq.heappush(self._due, (bar.start_ns + MINUTE_NS, len(_OFFSETS_NS), bar.symbol, bar))

    def _end(self, bar: Bar) -> None:
        self.history[bar.symbol].append(bar)
        for listener in list(self._listeners):
            listener(bar)
