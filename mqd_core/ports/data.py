"""Port of a data source: history in columns, live bars by a sink. May not hold behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from mqd_core.domain.events import FeedEvent
from mqd_core.domain.market import Timeframe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The most rows of one chunk: bars are made on the way, so a chunk bounds the memory of a feed.
CHUNK_ROWS_MAX: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChunk:
    """Rows of one symbol in ascending order of start, as columns of one length, at most CHUNK_ROWS_MAX.

    `start_ns` is int64 (UTC nanoseconds), the others are float64. `first_row` is the position of the first row in
    the source, counted from 1, so that a bad row can be named.
    """

    symbol: str
    start_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    first_row: int = 1


class MarketDataProvider(Protocol):
    """A source of bars. The core merges symbols and checks every row."""

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        """Bars that start in [start_ns, end_ns), in order; None means: all there is."""
        ...

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[FeedEvent], None]) -> None:
        """Hand bars to `sink` as they complete; blocks in a thread of the runtime until `close`."""
        ...

    def close(self) -> None:
        """Stop, and join whatever threads the source owns."""
        ...
