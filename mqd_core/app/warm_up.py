"""Which history warms the strategies of a run up. May not decide when they are shown it."""

from __future__ import annotations

from collections.abc import Callable

from mqd_core.app.engine_settings import BASE, lookback_in_feed_bars
from mqd_core.domain.journal import FeedCursor
from mqd_core.domain.market import Bar
from mqd_core.domain.sessions import xnys
from mqd_core.engine.settings import StrategySlot
from mqd_core.ports import MarketDataProvider
from mqd_core.runtime.feed import warm_up_bars


def finite_warm_up(
    provider: MarketDataProvider,
    slots: tuple[StrategySlot, ...],
    symbols: tuple[str, ...],
    start_ns: int | None,
    cursor: FeedCursor | None,
) -> tuple[Bar, ...]:
    """Bars before the range, if there are any; after a restart, the last ones that were consumed."""
    count = lookback_in_feed_bars(slots)
    before = start_ns if cursor is None or cursor.start_ns < 0 else cursor.start_ns + 1
    if before is None or not count:
        return ()
    bars = warm_up_bars(provider, symbols, BASE, before, count + 1, sessions=xnys())
    if cursor is not None:
        index = {symbol: place for place, symbol in enumerate(symbols)}
        bars = tuple(bar for bar in bars if bar.start_ns < cursor.start_ns or index[bar.symbol] <= cursor.symbol_index)
    return _last_of_each(bars, count)


def live_warm_up(
    provider: MarketDataProvider, slots: tuple[StrategySlot, ...], symbols: tuple[str, ...]
) -> Callable[[int], tuple[Bar, ...]]:
    """What a live run calls with the time: the last bars that were complete by then."""
    count = lookback_in_feed_bars(slots)

    def complete_by(now_ns: int) -> tuple[Bar, ...]:
        return bars_complete_by(provider, symbols, now_ns, count) if count else ()

    return complete_by


def bars_complete_by(
    provider: MarketDataProvider, symbols: tuple[str, ...], now_ns: int, count: int
) -> tuple[Bar, ...]:
    """The last bars of each symbol that had ended by then."""
    return warm_up_bars(provider, symbols, BASE, now_ns - BASE.length_ns + 1, count, sessions=xnys())


def _last_of_each(bars: tuple[Bar, ...], count: int) -> tuple[Bar, ...]:
    left: dict[str, int] = {}
    kept: list[Bar] = []
    for bar in reversed(bars):
        left[bar.symbol] = left.get(bar.symbol, count) - 1
        if left[bar.symbol] >= 0:
            kept.append(bar)
    return tuple(reversed(kept))
