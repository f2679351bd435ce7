"""The plugins of a simulated desk: a dense strategy, a sizer, and the doors to exchange, market and store.

They are registered once a process; what they are made for stands in `Surroundings`. May not judge a desk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from zlib import crc32

from desk_simulation.crash import CrashPoints
from desk_simulation.plan import Act, Plan
from mqd_core.api import (
    Bar,
    BrokerConnector,
    BrokerRecord,
    DataProviderRecord,
    FeedEvent,
    Fill,
    NoSettings,
    OrderType,
    Signal,
    SignalAction,
    Size,
    SizerRecord,
    SizingView,
    Store,
    StoreContext,
    StoreRecord,
    StrategyContext,
    StrategyRecord,
    StrategyView,
    Timeframe,
    TimeInForce,
    hookimpl,
    money,
)
from mqd_plugin_mock.capabilities import RECORDED

CENT = Decimal("0.01")


class Surroundings:
    """What the plugins of the next desk are made for: one world, one process."""

    plan: Plan
    points: CrashPoints
    broker: BrokerConnector
    make_store: Callable[[StoreContext], Store]
    #: Told of each fault that a plugin commits.
    fired: Callable[[str], None]


def drawn(seed: int, *key: object) -> int:
    """A number below 2**32 that is a function of seed and key."""
    return crc32(repr((seed, *key)).encode())


class UncleanBar(AssertionError):
    """The desk has shown a strategy what no strategy may see."""


class DenseStrategy:
    """Signals on many bars, as a function of bar and book alone: after a restart it goes on as if nothing had been."""

    def __init__(self, around: Surroundings, symbols: Sequence[str]) -> None:
        self._around = around
        self._plan = around.plan
        self._rates = dict(around.plan.plugins)
        self._symbols = symbols
        self._last_ns = -1

    def on_bar(self, bar: Bar, view: StrategyView) -> Sequence[Signal]:
        """Enter or leave as drawn; commit a fault as drawn."""
        self._around.points("on_bar")
        self._check(bar)
        plan = self._plan
        if bar.start_ns >= plan.quiet_ns:
            return ()
        if plan.prices:
            minute = plan.minute_of(bar.start_ns)
            return tuple(_scripted(act, bar.symbol) for act in plan.acts if act.minute == minute)
        dice = drawn(plan.seed, "bar", bar.symbol, bar.start_ns)
        self._misbehave(dice, "strategy_raises")
        if self._commits(dice, "strategy_babbles"):
            return [Signal(action=SignalAction.ENTER, symbol="ZZZ"), 1.5, None]  # type: ignore[list-item]
        if (dice >> 8) % 1000 >= plan.density * 1000:
            return ()
        return (self._leave(bar, dice) if view.book.quantity else self._enter(bar, dice),)

    def on_fill(self, fill: Fill, _view: StrategyView) -> None:
        """Perhaps fail."""
        self._around.points("on_fill")
        self._misbehave(drawn(self._plan.seed, "fill", fill.client_order_id), "strategy_raises")

    def _enter(self, bar: Bar, dice: int) -> Signal:
        price = money(bar.close)
        kind = (OrderType.MARKET, OrderType.MARKET, OrderType.LIMIT, OrderType.STOP)[dice >> 18 & 3]
        return Signal(
            action=SignalAction.ENTER,
            symbol=bar.symbol,
            order_type=kind,
            time_in_force=TimeInForce.GTC if dice >> 20 & 7 == 0 else TimeInForce.DAY,
            limit_price=_near(price, "0.9985" if dice >> 23 & 1 else "1.0005") if kind is OrderType.LIMIT else None,
            stop_price=_near(price, "1.001") if kind is OrderType.STOP else None,
            stop_loss=Decimal("0.01") if dice >> 24 & 1 else None,
            reason=(("dice", dice),),
        )

    def _leave(self, bar: Bar, dice: int) -> Signal:
        price = money(bar.close)
        kind = (OrderType.MARKET, OrderType.MARKET, OrderType.LIMIT, OrderType.STOP)[dice >> 18 & 3]
        return Signal(
            action=SignalAction.EXIT,
            symbol=bar.symbol,
            order_type=kind,
            limit_price=_near(price, "1.0015" if dice >> 23 & 1 else "0.9995") if kind is OrderType.LIMIT else None,
            stop_price=_near(price, "0.999") if kind is OrderType.STOP else None,
            reason=(("dice", dice),),
        )

    def _check(self, bar: Bar) -> None:
        values = (bar.open, bar.high, bar.low, bar.close)
        is_clean = all(math.isfinite(value) and value > 0 for value in values) and bar.volume >= 0
        if not (is_clean and bar.high >= max(values) and bar.low <= min(values) and bar.start_ns > self._last_ns):
            self._around.fired("unclean bar")
            raise UncleanBar(f"{bar} after {self._last_ns}")
        self._last_ns = bar.start_ns

    def _commits(self, dice: int, kind: str) -> bool:
        rate = self._rates.get(kind)
        if rate is None or (dice >> 2) % 1000 >= rate * 1000:
            return False
        self._around.fired(f"plugin:{kind}")
        return True

    def _misbehave(self, dice: int, kind: str) -> None:
        if self._commits(dice, kind):
            raise ArithmeticError("the strategy cannot go on")


def _scripted(act: Act, symbol: str) -> Signal:
    """The signal of an act; the sizer reads its size in the reason."""
    price = Decimal(act.price) if act.price else None
    return Signal(
        action=SignalAction.ENTER if act.is_entry else SignalAction.EXIT,
        symbol=symbol,
        order_type=act.order_type,
        limit_price=price if act.order_type is OrderType.LIMIT else None,
        stop_price=price if act.order_type is OrderType.STOP else None,
        reason=(("shares", act.shares), ("dollars", act.dollars)),
    )


def _near(price: Decimal, factor: str) -> Decimal:
    return (price * Decimal(factor)).quantize(CENT)


class DrawnSizer:
    """A quantity or a notional, whole or broken, small or all that there is."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._plan = around.plan
        self._rates = dict(around.plan.plugins)

    def size(self, signal: Signal, view: SizingView) -> Size:
        """Draw a size from the signal's own dice."""
        self._around.points("size")
        told = dict(signal.reason)
        if "shares" in told:
            dollars, shares = str(told["dollars"]), str(told["shares"])
            if dollars:
                return Size(reason="script", notional=Decimal(dollars))
            return Size(reason="script", quantity=Decimal(shares))
        dice = drawn(self._plan.seed, "size", signal.reason)
        if (dice >> 4) % 1000 < self._rates.get("sizer_raises", 0.0) * 1000:
            self._around.fired("plugin:sizer_raises")
            raise ZeroDivisionError("the sizer cannot go on")
        dollars = Decimal(50 + dice % 400)
        if dice >> 14 & 3 == 0 and signal.order_type is OrderType.MARKET:
            return Size(reason="dollars", notional=dollars)
        shares = dollars / view.price
        step = Decimal("0.000001") if dice >> 16 & 1 else Decimal(1)
        return Size(reason="shares", quantity=max(shares.quantize(step), step))


class LiveMarket:
    """The data source; the world feeds its sink by itself."""

    def history(self, *_asked: Any) -> Iterator[Any]:
        """No history: the record says so."""
        return iter(())

    def live(self, _symbols: Sequence[str], _timeframe: Timeframe, _sink: Callable[[FeedEvent], None]) -> None:
        """Never called: the world's feed stands in for the thread."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class SimulationPlugins:
    """What a distribution with these plugins would register."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @hookimpl
    def mqd_brokers(self) -> Iterator[BrokerRecord[NoSettings]]:
        """Yield the door to the exchange."""
        yield BrokerRecord(
            name="exchange",
            summary="The exchange outside the desk",
            settings=NoSettings,
            factory=lambda _settings, _context: self._around.broker,
            capabilities=RECORDED,
        )

    @hookimpl
    def mqd_data_providers(self) -> Iterator[DataProviderRecord[NoSettings]]:
        """Yield the market."""
        yield DataProviderRecord(
            name="market",
            summary="A made-up market, live",
            settings=NoSettings,
            factory=lambda _settings, _context: LiveMarket(),
            has_history=False,
            has_live=True,
            synthetic=True,
        )

    @hookimpl
    def mqd_stores(self) -> Iterator[StoreRecord[NoSettings]]:
        """Yield the store whose process can die at each statement."""
        yield StoreRecord(
            name="crashing",
            summary="The SQLite store",
            settings=NoSettings,
            factory=lambda _settings, context: self._around.make_store(context),
        )

    @hookimpl
    def mqd_strategies(self) -> Iterator[StrategyRecord[NoSettings]]:
        """Yield the dense strategy."""
        yield StrategyRecord(
            name="dense", summary="Signals often", settings=NoSettings, factory=self._strategy, scope="symbol"
        )

    @hookimpl
    def mqd_sizers(self) -> Iterator[SizerRecord[NoSettings]]:
        """Yield the sizer."""
        yield SizerRecord(
            name="drawn",
            summary="Sizes of all kinds",
            settings=NoSettings,
            factory=lambda _settings, _context: DrawnSizer(self._around),
        )

    def _strategy(self, _settings: NoSettings, context: StrategyContext) -> DenseStrategy:
        return DenseStrategy(self._around, context.symbols)
