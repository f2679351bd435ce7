"""Symbols and the strategies that watch them: what the bar loop touches.

An instrument's `call` is what a bar is handed to. With one strategy at the feed's own timeframe it is that strategy's
bound `on_bar`, so the common case pays for nothing it does not use; otherwise it is a `FanOut`. May not decide
anything: answers go to the orchestrator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from mqd_core.domain.ledger import BookView
from mqd_core.domain.market import Asset, Bar
from mqd_core.domain.signals import Signal
from mqd_core.engine.aggregation import BarAggregator
from mqd_core.engine.settings import StrategySlot
from mqd_core.ports.strategy import StrategyView

NOTHING: tuple[Signal, ...] = ()


class Lane:
    """One strategy object in one symbol: its book, its view, whether it is warm, whether it still runs."""

    __slots__ = ("book", "call", "dust", "instrument", "is_quarantined", "slot", "symbol", "view", "warm_left")

    def __init__(self, slot: StrategySlot, symbol: str, instrument: Instrument) -> None:
        self.slot = slot
        self.symbol = symbol
        self.instrument = instrument
        self.book = BookView(strategy_id=slot.strategy_id, symbol=symbol)
        self.view: StrategyView | None = None
        #: Bars still to be shown before signals count.
        self.warm_left = slot.lookback_bars
        self.is_quarantined = False
        #: Its remainder is worth less than the venue's minimum, and a person was told once.
        self.dust = False
        self.call: Callable[[Bar, Any], Sequence[Signal]] = slot.strategy.on_bar if self.warm_left <= 0 else self.warm

    def warm(self, bar: Bar, view: StrategyView) -> Sequence[Signal]:
        """Show a bar of the warm-up; what the strategy signals is discarded."""
        self.slot.strategy.on_bar(bar, view)
        self.warm_left -= 1
        if self.warm_left <= 0:
            self.call = self.slot.strategy.on_bar
            self.instrument.bind()
        return NOTHING

    def silence(self) -> None:
        """Never call the strategy again."""
        self.is_quarantined = True
        self.call = _silent


class FanOut:
    """Hands a bar of the feed to several strategies, and to the aggregators of longer bars.

    Its answer is a list of (lane, signals, or what the strategy raised); a lane of None says that an aggregator needs
    a timer.
    """

    __slots__ = ("_aggregators", "_lanes")

    def __init__(self, lanes: tuple[Lane, ...], aggregators: tuple[BarAggregator, ...]) -> None:
        self._lanes = lanes
        self._aggregators = aggregators

    def __call__(self, bar: Bar, _view: object) -> Sequence[tuple[Lane | None, Any]]:
        """Show the bar to all; returns who answered what."""
        answers: list[tuple[Lane | None, Any]] = [(None, NOTHING) for one in self._aggregators if one.add(bar)]
        for lane in self._lanes:
            # A boundary: one strategy's fault must not keep the others from seeing the bar.
            try:
                signals = lane.call(bar, lane.view)
                if signals:
                    answers.append((lane, signals))
            except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy may raise anything; it is quarantined
                answers.append((lane, error))
        return answers


class Instrument:
    """One symbol: its last close and when that bar began, what the account holds, and who watches."""

    __slots__ = ("aggregated", "asset", "call", "close", "held", "index", "lane", "lanes", "quantity", "start_ns",
                 "symbol", "view")  # fmt: skip

    def __init__(self, symbol: str, index: int, asset: Asset) -> None:
        self.symbol = symbol
        self.index = index
        self.asset = asset
        self.close = 0.0
        self.start_ns = 0
        #: What the account holds, as a float for the loss guard and exact for everything else.
        self.held = 0.0
        self.quantity = Decimal(0)
        self.lanes: tuple[Lane, ...] = ()
        #: Aggregators of longer bars, each with the lanes that wait for them.
        self.aggregated: tuple[tuple[BarAggregator, tuple[Lane, ...]], ...] = ()
        #: The only lane, where there is just one at the feed's timeframe; None behind a FanOut.
        self.lane: Lane | None = None
        self.call: Callable[[Bar, Any], Sequence[Any]] = _silent
        self.view: StrategyView | None = None

    def bind(self) -> None:
        """Choose what a bar is handed to; again whenever a lane's own `call` has changed."""
        slow = {id(lane) for _, lanes in self.aggregated for lane in lanes}
        direct = tuple(lane for lane in self.lanes if id(lane) not in slow)
        if len(direct) == 1 and not self.aggregated:
            self.lane = direct[0]
            self.call, self.view = direct[0].call, direct[0].view
        else:
            self.lane = None
            self.call = FanOut(direct, tuple(aggregator for aggregator, _ in self.aggregated))


def _silent(_bar: Bar, _view: object) -> Sequence[Signal]:
    return NOTHING
