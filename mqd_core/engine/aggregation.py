"""Longer bars made of the feed's bars.

A bar closes by a timer at its end, after that minute's bars; a day's bar at the next session's open, before its first.
 May not decide when: the engine fires the timer.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mqd_core.domain.market import Bar, Timeframe


class PartialBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar in the making, for snapshots."""

    symbol: str
    timeframe: Timeframe
    bar: Bar
    due_ns: int


class BarAggregator:
    """One symbol at one timeframe. Bars under a day start at multiples of their length, as the exchange tapes do.

    `day_due_ns` tells when the day's bar of a session is delivered: the open of the one after it.
    """

    __slots__ = ("_close", "_day_due_ns", "_high", "_length_ns", "_low", "_open", "_start_ns", "_volume", "due_ns",
                 "symbol", "timeframe")  # fmt: skip

    def __init__(self, symbol: str, timeframe: Timeframe, day_due_ns: Callable[[int], int]) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self._day_due_ns = day_due_ns
        self._length_ns = timeframe.length_ns
        #: When the bar in the making is to be taken; None while there is none.
        self.due_ns: int | None = None
        self._start_ns = 0
        self._open = self._high = self._low = self._close = self._volume = 0.0

    def add(self, bar: Bar) -> bool:
        """Take a bar of the feed; True when it began a new bar, so that a timer has to be set."""
        if self.due_ns is not None:
            if bar.high > self._high:
                self._high = bar.high
            if bar.low < self._low:
                self._low = bar.low
            self._close = bar.close
            self._volume += bar.volume
            return False
        if self.timeframe is Timeframe.DAY_1:
            self._start_ns = bar.start_ns
            self.due_ns = self._day_due_ns(bar.start_ns)
        else:
            self._start_ns = bar.start_ns - bar.start_ns % self._length_ns
            self.due_ns = self._start_ns + self._length_ns
        self._open, self._high, self._low = bar.open, bar.high, bar.low
        self._close, self._volume = bar.close, bar.volume
        return True

    def take(self) -> Bar:
        """Hand over the finished bar and begin anew."""
        bar = Bar(self.symbol, self._start_ns, self._open, self._high, self._low, self._close, self._volume)
        self.due_ns = None
        return bar

    def state(self) -> PartialBar | None:
        """The bar in the making, if there is one."""
        if self.due_ns is None:
            return None
        bar = Bar(self.symbol, self._start_ns, self._open, self._high, self._low, self._close, self._volume)
        return PartialBar(symbol=self.symbol, timeframe=self.timeframe, bar=bar, due_ns=self.due_ns)

    def restore(self, state: PartialBar) -> None:
        """Become what `state` was taken of."""
        bar = state.bar
        self.due_ns, self._start_ns = state.due_ns, bar.start_ns
        self._open, self._high, self._low = bar.open, bar.high, bar.low
        self._close, self._volume = bar.close, bar.volume
