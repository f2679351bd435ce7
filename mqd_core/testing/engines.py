"""An engine on a workbench: builders with defaults that forbid nothing, scripted plugins, and a venue that obeys.

For tests of strategies, sizers, risk rules and of the engine itself: everything a live desk does between a bar and a
fill, in memory and at once. May not be used to measure results: the venue fills whatever it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice, takewhile
from typing import Any, Final, TypeVar

from msgspec import structs

from mqd_core.api import (
    MINUTE_NS,
    SECOND_NS,
    AccountSnapshot,
    ApprovedOrder,
    Bar,
    Event,
    Fill,
    OrderType,
    Reason,
    Record,
    RiskRule,
    RunStarted,
    Side,
    Signal,
    SignalAction,
    Size,
    Sizer,
    SizingView,
    Strategy,
    StrategyView,
    Timeframe,
    TimeInForce,
    xnys,
)
from mqd_core.domain.events import TimerFired
from mqd_core.engine.effects import Effect, RaiseAlert, Step
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import EngineSettings, StrategySlot
from mqd_core.risk.facts import GateSettings
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_core.risk.limits import LimitSettings
from mqd_core.testing.bars import session_of
from mqd_core.testing.venues import ObedientVenue

T = TypeVar("T")

DESK: Final = "abcdef"
#: Limits that forbid next to nothing, so that a test forbids what it is about.
OPEN_GATE: Final = GateSettings(
    max_open_positions=100,
    max_position_size_pct=Decimal(100),
    max_gross_exposure_pct=Decimal(100),
    max_order_value_usd=None,
    price_collar_pct=Decimal(50),
    max_bar_age_ns=2 * MINUTE_NS,
    max_orders_per_minute=100,
    max_orders_per_session=10_000,
    duplicate_window_ns=5 * SECOND_NS,
)
NO_LIMITS: Final = LimitSettings(
    daily_loss_limit_usd=None, weekly_loss_limit_usd=None, circuit_breaker_loss_pct=None, halt_ns=30 * MINUTE_NS
)


def enter(symbol: str = "SPY", reason: Reason = (("why", "scripted"),), **fields: Any) -> Signal:
    """A wish to buy."""
    return Signal(action=SignalAction.ENTER, symbol=symbol, reason=reason, **fields)


def leave(symbol: str = "SPY", reason: Reason = (("why", "scripted"),), **fields: Any) -> Signal:
    """A wish to sell the whole book."""
    return Signal(action=SignalAction.EXIT, symbol=symbol, reason=reason, **fields)


class ScriptedStrategy:
    """Answers its n-th bar (counted from 1) by a script: signals, or an exception to raise; () for all others.

    Keeps the bars and fills that it was shown. `seen` says how many bars another object has been shown before it.
    """

    def __init__(self, script: Mapping[int, Any] | None = None, seen: int = 0) -> None:
        self._script = dict(script or {})
        self._seen = seen
        self.bars: list[Bar] = []
        self.fills: list[Fill] = []

    def on_bar(self, bar: Bar, _view: StrategyView) -> Sequence[Signal]:
        """Do what the script says."""
        self.bars.append(bar)
        answer = self._script.get(self._seen + len(self.bars), ())
        if isinstance(answer, BaseException):
            raise answer
        signals: Sequence[Signal] = (answer,) if isinstance(answer, Signal) else answer
        return signals

    def on_fill(self, fill: Fill, _view: StrategyView) -> None:
        """Remember it."""
        self.fills.append(fill)


class AnsweringStrategy:
    """Answers each bar by a function of bar and view; the function may keep nothing between two calls."""

    def __init__(self, answer: Callable[[Bar, StrategyView], Sequence[Signal]]) -> None:
        self._answer = answer

    def on_bar(self, bar: Bar, view: StrategyView) -> Sequence[Signal]:
        """Ask the function."""
        return self._answer(bar, view)

    def on_fill(self, fill: Fill, view: StrategyView) -> None:
        """Nothing to learn."""


class FixedSizer:
    """Always the same amount, whatever the account has."""

    def __init__(self, quantity: str | None = "1", notional: str | None = None) -> None:
        amount = None if quantity is None or notional is not None else Decimal(quantity)
        self._size = Size(reason="fixed", quantity=amount, notional=None if notional is None else Decimal(notional))

    def size(self, _signal: Signal, _view: SizingView) -> Size:
        """Say the amount."""
        return self._size


def make_slot(
    strategy: Strategy,
    *symbols: str,
    strategy_id: str = "scripted",
    timeframe: Timeframe = Timeframe.MINUTE_1,
    lookback_bars: int = 0,
) -> StrategySlot:
    """A strategy's place in an engine; without symbols it trades SPY."""
    return StrategySlot(
        strategy_id=strategy_id,
        plugin=type(strategy).__name__,
        symbols=symbols or ("SPY",),
        timeframe=timeframe,
        lookback_bars=lookback_bars,
        strategy=strategy,
    )


def make_gate(**changes: Any) -> GateSettings:
    """Gate settings that forbid nothing but what `changes` say."""
    return structs.replace(OPEN_GATE, **changes)


def make_limits(**changes: Any) -> LimitSettings:
    """Loss limits, all off but those in `changes`."""
    return structs.replace(NO_LIMITS, **changes)


def make_settings(
    slots: Sequence[StrategySlot],
    sizer: Sizer | None = None,
    rules: Sequence[tuple[str, RiskRule]] = (),
    **changes: Any,
) -> EngineSettings:
    """Settings of an engine for these slots; `changes` are fields of EngineSettings."""
    symbols = tuple(dict.fromkeys(symbol for slot in slots for symbol in slot.symbols))
    settings = EngineSettings(
        desk=DESK,
        symbols=symbols,
        timeframe=Timeframe.MINUTE_1,
        slots=tuple(slots),
        sizer=sizer or FixedSizer(),
        sizer_plugin="fixed",
        rules=tuple(rules),
        gate=OPEN_GATE,
        limits=NO_LIMITS,
        position_limit_pct=Decimal(100),
        risk_per_trade_pct=Decimal(1),
        order_value_limit=None,
        sessions=xnys(),
    )
    return replace(settings, **changes)


def approved_order(client_order_id: str = "order-1", **changes: Any) -> ApprovedOrder:
    """An order as the gate hands it to a broker: a market order to buy one SPY, but for `changes`."""
    fields: dict[str, object] = {
        "client_order_id": client_order_id,
        "strategy_id": "scripted",
        "symbol": "SPY",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(1),
        "notional": None,
        "limit_price": None,
        "stop_price": None,
        "reference_price": Decimal(100),
        "submitted_ns": session_of().open_ns,
    }
    return PreTradeRiskGate(OPEN_GATE).reinstate({**fields, **changes})


class Workbench:
    """An engine and its venue, driven as a simulated run drives them; keeps every event, record and effect."""

    def __init__(self, settings: EngineSettings, venue: ObedientVenue | None = None) -> None:
        self.engine = Engine(settings)
        self.venue = venue or ObedientVenue()
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        #: Events that are no bars, each with its sequence number.
        self.events: list[tuple[int, Event]] = []
        self._length_ns = settings.timeframe.length_ns
        self._shown_ns = -1

    def start(self, ts_ns: int | None = None, run_id: str = "run-1") -> Workbench:
        """Begin a run, by default an hour before the session that bars begin in; the venue answers for the account."""
        start_ns = session_of().open_ns - 60 * MINUTE_NS if ts_ns is None else ts_ns
        self.enter(
            RunStarted(
                ts=start_ns, run_id=run_id, desk_id="test", mode="test", book=1, configuration="", feed="made up"
            )
        )
        return self

    def play(self, bars: Sequence[Bar], at_once: int | None = None) -> Workbench:
        """Take bars, at most `at_once` in one call of the engine, with timers and fills between as they come."""
        position = 0
        while position < len(bars):
            end = None if at_once is None else position + at_once
            step = self.engine.on_bars(islice(bars, position, end), self._shown_ns)
            position += step.bars
            self._take(step)
            if step.unread is not None:
                self._show(tuple(_minute(bars, position)))
        return self

    def enter(self, event: Event) -> Step:
        """Hand one event to the engine, and do what follows."""
        step = self.engine.on_event(event)
        self.events.append((step.sequence, event))
        self._take(step)
        return step

    def wait(self, until_ns: int) -> Workbench:
        """Let time pass: every timer up to that time fires."""
        due = self.engine.next_timer_ns
        while due is not None and due <= until_ns:
            self.enter(TimerFired(ts=due))
            due = self.engine.next_timer_ns
        return self

    def of(self, kind: type[T]) -> list[T]:
        """All records of one type, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    def sent(self, kind: type[T]) -> list[T]:
        """All effects of one type, in order."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def account(self) -> AccountSnapshot:
        """The account as the venue counts it."""
        return self.venue.account(self.engine.now_ns)

    def _show(self, minute: Sequence[Bar]) -> None:
        """What comes before a minute's bars: timers that are due, then the venue's fills."""
        start_ns = minute[0].start_ns
        self.wait(start_ns + self._length_ns - 1)
        for event in self.venue.advance(minute):
            self.enter(event)
        self._shown_ns = start_ns

    def _take(self, step: Step) -> None:
        self.records += step.records
        self.effects += step.effects
        for effect in step.effects:
            if not isinstance(effect, RaiseAlert):
                for event in self.venue.perform(effect, self.engine.now_ns):
                    self.enter(event)


def _minute(bars: Sequence[Bar], position: int) -> Sequence[Bar]:
    start_ns = bars[position].start_ns
    return [*takewhile(lambda bar: bar.start_ns == start_ns, islice(bars, position, None))]
