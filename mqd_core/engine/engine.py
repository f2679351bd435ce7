"""The engine: one event in, one step out. Read `on_event` and `on_bars`; the parts are beside this file.

    event -> [Engine] -> records (what was decided and moved) + effects (what to do once that is durable)

One engine serves backtest, paper, live and replay. Pure: it reads no clock, no random, no environment and does no I/O;
given the same events it makes the same steps, byte for byte. Not thread-safe, on purpose: one thread owns it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from mqd_core.domain import events
from mqd_core.domain.events import Event
from mqd_core.domain.market import Bar
from mqd_core.domain.records import DeskState, Severity
from mqd_core.engine.desk import Desk
from mqd_core.engine.effects import Step
from mqd_core.engine.facts import DeskFacts
from mqd_core.engine.instruments import Instrument
from mqd_core.engine.settings import EngineSettings
from mqd_core.engine.snapshot import decode_state, encode_state, restore_desk, state_of

#: `on_bars` returns when this many records wait to be journaled.
RECORDS_MAX: Final = 4_096
_NEVER: Final = 2**63 - 1


class Engine:
    """Takes events in order, each exactly once; `snapshot` and `restore` carry it over a restart."""

    def __init__(self, settings: EngineSettings) -> None:
        self._desk = desk = Desk(settings)
        #: Nanoseconds from a bar's start to its end.
        self.length_ns = settings.timeframe.length_ns
        self._protection = settings.protection
        self._sequence = 0
        #: Start of the last bar taken: what the venue is shown with it is over.
        self._minute_ns = -1
        self._bars = 0
        #: When the engine wants to be woken, as of the last step.
        self._timer_ns: int | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.RunStarted: self._on_run_started,
            events.BarRevised: self._on_bar_revised,
            events.WarmedUp: desk.warm,
            events.FeedStatus: self._on_feed_status,
            events.OrderReport: desk.orders.on_report,
            events.Fill: desk.orders.on_fill,
            events.FillBusted: desk.orders.on_bust,
            events.SubmitOutcome: desk.orders.on_submit_outcome,
            events.CancelOutcome: desk.orders.on_cancel_outcome,
            events.QueryOutcome: desk.orders.on_query_outcome,
            events.AccountSnapshot: self._on_account,
            events.Activity: desk.reconciler.on_activity,
            events.StreamStatus: desk.reconciler.on_stream,
            events.TimerFired: self._on_timer,
            events.SessionChanged: self._on_session_changed,
            events.Command: self._on_command,
            events.PluginFailed: self._on_plugin_failed,
            events.ClockJumped: self._on_clock_jumped,
            events.RunEnded: self._on_run_ended,
        }
        if settings.protection == "broker":
            # A stop that is paused, or no longer, neither fills nor ends.
            self._handlers |= {events.OrderReport: desk.on_status, events.QueryOutcome: desk.on_status}

    # Looking: for the runtime, between steps

    @property
    def facts(self) -> DeskFacts:
        """The desk as it stands."""
        return self._desk.facts

    @property
    def sequence(self) -> int:
        """Sequence number of the last event taken."""
        return self._sequence

    @property
    def bars(self) -> int:
        """How many bars were taken since the book began."""
        return self._bars

    @property
    def minute_ns(self) -> int:
        """Start of the last bar taken; -1 before any."""
        return self._minute_ns

    @property
    def now_ns(self) -> int:
        """Engine time."""
        return self._desk.scribe.now_ns

    @property
    def decision_hash(self) -> str:
        """The decision chain's value, in hex."""
        return self._desk.cycle.decisions.hex

    @property
    def reason(self) -> str:
        """Why the desk is in its state."""
        return self._desk.reason

    @property
    def goal(self) -> DeskState:
        """What the desk is, or while it recovers what it will be then, unless more turns up."""
        recovery = self._desk.recovery
        return recovery.goal if recovery.is_active else self._desk.facts.desk_state

    @property
    def next_timer_ns(self) -> int | None:
        """When the engine wants to be woken."""
        return self._timer_ns

    @property
    def working(self) -> int:
        """How many orders are, or may be, alive."""
        return len(self._desk.orders.open)

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Symbols in the order they have inside a minute."""
        return tuple(self._desk.instruments.values())

    @property
    def held(self) -> Sequence[Instrument]:
        """Instruments that the account holds, in the same order."""
        return self._desk.guard.held

    @property
    def quarantined(self) -> bool:
        """Whether a strategy was taken out of service."""
        return any(lane.is_quarantined for lane in self._desk.lanes())

    # Taking events

    def on_event(self, event: Event) -> Step:
        """Take one event. Raises KeyError for a bar of a symbol that nobody subscribed to."""
        if type(event) is Bar:
            return self.on_bars(iter((event,)), event.start_ns)
        desk = self._desk
        self._sequence += 1
        desk.scribe.begin(self._sequence, event.ts)  # type: ignore[union-attr]  # a Bar went the other way
        self._handlers[type(event)](event)
        desk.recovery.settle()
        return self._step(0, None)

    def on_bars(self, bars: Iterator[Bar], shown_until_ns: int) -> Step:  # noqa: C901  the one hot loop: calls cost
        """Take bars until one has an effect, 4,096 records wait, or the iterator ends; one bar or many, one code.

        A bar that starts after `shown_until_ns` is given back untaken (`Step.unread`) when a timer is due before it,
        or when an order is working and the bar begins a new minute: the venue has to see that minute first.
        """
        desk, taken, unread = self._desk, 0, None
        scribe, guard, instruments, length = desk.scribe, desk.guard, desk.instruments, self.length_ns
        sequence, minute = self._sequence, self._minute_ns
        barrier = self._barrier_ns(shown_until_ns)
        instrument: Instrument | None = None
        answer: Any
        for bar in bars:
            start = bar.start_ns
            if start > barrier:
                unread = bar
                break
            instrument = instruments[bar.symbol]
            taken += 1
            minute = instrument.start_ns = start
            instrument.close = bar.close
            if instrument.held or guard.is_due:
                equity = guard.cash
                for held in guard.held:
                    equity += held.held * held.close
                if guard.is_due or not guard.floor < equity < guard.ceiling:
                    scribe.begin(sequence + taken, start + length)
                    if guard.is_due or not guard.is_new_peak(equity):
                        desk.judge()
            # A boundary: what a strategy raises, even by its answer's truth value, quarantines it and nothing else.
            try:
                answer = instrument.call(bar, instrument.view)
                if not answer and not scribe.effects:
                    continue
            except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy may raise anything; it is quarantined
                answer = error
            if scribe.sequence != sequence + taken:
                scribe.begin(sequence + taken, start + length)
            self._on_answer(instrument, answer)
            self._minute_ns = minute
            if scribe.effects or len(scribe.records) >= RECORDS_MAX:
                break
            self._timer_ns = desk.next_timer_ns()
            barrier = self._barrier_ns(shown_until_ns)
        if taken:
            self._sequence, self._minute_ns = sequence + taken, minute
            self._bars += taken
            scribe.now_ns = max(scribe.now_ns, minute + length)
        return self._step(taken, unread)

    def snapshot(self) -> bytes:
        """The whole running state between two events; strategy objects are not in it."""
        self._desk.guard.settle_peak(self._desk.limits)
        return encode_state(state_of(self._desk, self._sequence, self._minute_ns, self._bars))

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` was taken of; strategies are warmed up afterwards. Raises StoreCorrupt."""
        state = decode_state(data)
        restore_desk(self._desk, state)
        self._sequence, self._minute_ns, self._bars = state.sequence, state.minute_ns, state.bars
        self._timer_ns = self._desk.next_timer_ns()

    # Inside

    def _barrier_ns(self, shown_until_ns: int) -> int:
        """The latest start of a bar that may be taken now without giving it back first."""
        timer = self._timer_ns
        barrier = _NEVER if timer is None else timer - self.length_ns
        if self._desk.orders.open:
            barrier = min(barrier, self._minute_ns)
        return max(barrier, shown_until_ns)

    def _step(self, bars: int, unread: Bar | None) -> Step:
        desk = self._desk
        protection = desk.protection
        if protection.touched or protection.unanswered:
            protection.settle()
        records, effects = desk.scribe.take()
        self._timer_ns = timer = desk.next_timer_ns()
        return Step(self._sequence, desk.scribe.now_ns, records, effects, timer, bars, unread)

    def _on_answer(self, instrument: Instrument, answer: Any) -> None:
        if instrument.lane is not None:
            self._desk.cycle.take(instrument.lane, answer)
            return
        for lane, signals in answer:
            if lane is not None:
                self._desk.cycle.take(lane, signals)

    # Handlers, one an event

    def _on_run_started(self, event: events.RunStarted) -> None:
        desk = self._desk
        desk.advance_sessions()
        desk.recovery.begin(desk.facts.desk_state, desk.reason)
        if event.restored:
            # The books went back in time and the market did not: a person has to look before it trades.
            desk.recovery.be_careful(DeskState.FROZEN, f"the store was restored: {event.restored}")
        if self._protection == "strategy":
            text = "protection: strategy. Strategies exit by themselves; no protective order rests at the broker"
            desk.scribe.alert(Severity.NOTICE, "protection_waived", "desk", text)

    def _on_bar_revised(self, event: events.BarRevised) -> None:
        instrument = self._desk.instruments.get(event.bar.symbol)
        if instrument is not None and instrument.start_ns == event.bar.start_ns:
            instrument.close = event.bar.close
            self._desk.guard.is_due = True

    def _on_feed_status(self, event: events.FeedStatus) -> None:
        if event.code in ("down", "silent"):
            self._desk.scribe.alert(Severity.WARNING, f"feed_{event.code}", event.symbol or "feed", event.text)

    def _on_account(self, event: events.AccountSnapshot) -> None:
        desk = self._desk
        if not desk.recovery.on_account(event):
            return
        desk.open_limits(desk.sessions.current(desk.scribe.now_ns))
        desk.guard.hold(desk.ledger, desk.instruments.values())
        desk.protection.touch_all()
        if event.blocked:
            desk.halt("account_blocked", event.text or "the broker has blocked the account")

    def _on_timer(self, _event: events.TimerFired) -> None:
        self._desk.on_time()

    def _on_session_changed(self, event: events.SessionChanged) -> None:
        self._desk.on_sessions(self._desk.sessions.override(event.date, event.open_ns, event.close_ns))

    def _on_command(self, event: events.Command) -> None:
        desk, state = self._desk, self._desk.facts.desk_state
        if event.name == "halt":
            desk.halt("person", event.reason or "a person halted it")
        elif event.name == "flatten" and dict(event.arguments).get("symbol"):
            desk.flatten(dict(event.arguments)["symbol"], event.person, event.reason)
        elif event.name == "resume" and state in (DeskState.FROZEN, DeskState.HALTED):
            desk.move(DeskState.READY, "person", event.reason)
        elif event.name == "accept":
            desk.reconciler.accept(event.reason, event.person)
        else:
            text = f"{event.name} means nothing to a desk that is {state.value}"
            desk.scribe.alert(Severity.WARNING, "command_ignored", event.command_id, text)

    def _on_plugin_failed(self, event: events.PluginFailed) -> None:
        text = f"{event.error_type} at {event.place}: {event.text}"
        self._desk.scribe.alert(Severity.CRITICAL, "plugin_failed", event.plugin, text)

    def _on_clock_jumped(self, event: events.ClockJumped) -> None:
        desk = self._desk
        desk.doubt("clock_jumped", f"the clock jumped by {event.gap_ns / 1e9:.1f} s", False)
        desk.reconciler.ask()

    def _on_run_ended(self, _event: events.RunEnded) -> None:
        """Nothing is sold or canceled at the end: what is open goes on with the next start."""
        self._desk.reconciler.starts = ()
