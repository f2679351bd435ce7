"""LiveCurve: the equity curve of a feed whose bars come one by one.

`EquityCurve` takes columns; here bars wait until the state is asked for, once a commit, and then become columns. For
statistics alone: what was paid in or out is left out of cash, since it is neither profit nor loss. May not decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mqd_core.domain.journal import Segment
from mqd_core.domain.market import Bar, Timeframe
from mqd_core.runtime.equity_curve import EquityCurve
from mqd_core.runtime.feed import FeedChunk


class LiveCurve:
    """Bars in, in the order in which they are taken; `curve` has all of them after each call of `state`."""

    def __init__(self, curve: EquityCurve, symbols: Sequence[str], timeframe: Timeframe) -> None:
        self.curve = curve
        self._symbols = tuple(symbols)
        self._places = {symbol: place for place, symbol in enumerate(symbols)}
        self._timeframe = timeframe
        self._bars: list[Bar] = []
        #: The latest start so far: a bar that comes behind later ones of other symbols counts with them.
        self._start_ns = 0
        curve.begin()

    def add(self, bar: Bar) -> None:
        """Take the next bar."""
        self._bars.append(bar)

    def change(self, cash: float, holdings: Mapping[int, float]) -> None:
        """From the next bar on the account holds this: cash in USD, shares by place of the symbol."""
        self.curve.change(len(self._bars), cash, holdings)

    def state(self) -> bytes:
        """The curve up to the last bar, for `EquityCurve.restore`."""
        if self._bars:
            self.curve.close_chunk(self._chunk(), len(self._bars))
            self.curve.begin()
            self._bars.clear()
        return self.curve.state()

    def _chunk(self) -> FeedChunk:
        starts = np.array([self._start_ns, *(bar.start_ns for bar in self._bars)], dtype=np.int64)
        starts = np.maximum.accumulate(starts)[1:]
        self._start_ns = int(starts[-1])
        closes = np.array([bar.close for bar in self._bars])
        segment = Segment(
            provider="live",
            settings="",
            timeframe=self._timeframe.value,
            symbols=self._symbols,
            first_ns=int(starts[0]),
            last_ns=self._start_ns,
            rows=len(self._bars),
            digest="",
        )
        # Of a bar the curve looks at the close alone.
        return FeedChunk(
            segment=segment,
            start_ns=starts,
            symbol_index=np.array([self._places[bar.symbol] for bar in self._bars], dtype=np.int64),
            open=closes,
            high=closes,
            low=closes,
            close=closes,
            volume=closes,
        )
