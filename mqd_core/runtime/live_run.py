"""The loop of a live feed: `mqd run` where the data source offers `live()`.

Step, commit, act, as everywhere. Whatever happens comes through the bus, one event after the other; time is the wall
clock's. A broker with a venue in this process is called inline and lives by the minutes of the bars, as in a
simulation; any other one is called by threads, and its answers are events. A desk that is halted goes on running:
its orders and positions need it. May not decide anything about orders, nor wait for a broker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mqd_core.domain.contract import REVISED
from mqd_core.domain.events import (
    BarRevised,
    ClockJumped,
    Event,
    FeedStatus,
    RunEnded,
    RunStarted,
    StreamStatus,
    SubmitOutcome,
    TimerFired,
    WarmedUp,
)
from mqd_core.domain.journal import Entry, FeedCursor
from mqd_core.domain.market import SECOND_NS, Bar
from mqd_core.domain.records import BookMoved, DeskState, Record
from mqd_core.engine.effects import INBOX, Effect, RaiseAlert, SubmitOrder
from mqd_core.engine.engine import Engine
from mqd_core.engine.faults import place_of
from mqd_core.ports.broker import BrokerConnector
from mqd_core.ports.store import TransactionLog
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.clock_watch import ClockWatch
from mqd_core.runtime.clocks import Clock, WallClock, steady_ns
from mqd_core.runtime.committer import Committer
from mqd_core.runtime.control import DeskControl
from mqd_core.runtime.effect_threads import EffectThreads
from mqd_core.runtime.live_curve import LiveCurve
from mqd_core.runtime.live_feed import LiveFeed
from mqd_core.runtime.live_validator import LiveValidator
from mqd_core.runtime.performer import EffectPerformer, Probe, no_probe
from mqd_core.runtime.simulated_run import Progress, RunMarks
from mqd_core.runtime.stopping import StopRequest

#: The loop looks up this often when nothing comes, for a request to stop and for its clocks.
TICK_SECONDS: Final = 0.25
#: How long after a minute's end its bars are waited for, before what is due at that end is done without them.
GRACE_NS: Final = 5 * SECOND_NS
#: How long a desk that stops awaits answers of its broker.
DRAIN_NS: Final = 10 * SECOND_NS
#: So many events that wait already are taken before the timers are looked at again.
PREFERRED_MAX: Final = 100
_JOIN_SECONDS: Final = 1.0
_PROGRESS_NS: Final = 100_000_000


@dataclass(slots=True, kw_only=True)
class LiveParts:
    """What a live run is put together from.

    `effects` performs inline exactly where the broker has a venue in this process: no call to it blocks.
    """

    engine: Engine
    broker: BrokerConnector
    effects: EffectPerformer | EffectThreads
    bus: OrderEventBus
    feed: LiveFeed
    store: TransactionLog
    validator: LiveValidator
    curve: LiveCurve
    stop: StopRequest
    started: RunStarted
    #: History that was complete at a time; None where the source has none, and strategies warm up as bars come.
    warm_up: Callable[[int], tuple[Bar, ...]] | None = None
    identity: str = ""
    #: Commands and signs of life; None for a desk without a folder.
    control: DeskControl | None = None
    clock: Clock = field(default_factory=WallClock)
    steady_ns: Callable[[], int] = steady_ns
    #: Over the machine's own clocks, whatever clock the desk goes by.
    watch: ClockWatch = field(default_factory=lambda: ClockWatch(WallClock(), steady_ns))
    tick_seconds: float = TICK_SECONDS
    probe: Probe = no_probe
    on_committed: Callable[[tuple[Entry, ...]], None] = field(default=lambda _entries: None)
    on_progress: Callable[[Progress], None] | None = None
    on_timing: Callable[[str, str, int], None] = field(default=lambda _kind, _order_id, _duration_ns: None)


class LiveRun:
    """One run, from RunStarted to RunEnded; `run` returns when it was asked to stop."""

    def __init__(self, parts: LiveParts, marks: RunMarks | None = None) -> None:
        self._parts = parts
        self._engine = parts.engine
        self._bus = parts.bus
        effects = parts.effects
        self._threads = effects if isinstance(effects, EffectThreads) else None
        self._performer = effects if isinstance(effects, EffectPerformer) else None
        self._clock = parts.clock
        self._validator = parts.validator
        self._venue = parts.broker.venue
        self._length_ns = parts.engine.length_ns
        self._places = {instrument.symbol: instrument.index for instrument in parts.engine.instruments}
        self._committer = Committer(
            parts.engine,
            parts.store,
            venue_state=self._venue_state,
            run_state=self._run_state,
            cursor=self._cursor,
            on_committed=parts.on_committed,
            probe=parts.probe,
            steady=parts.steady_ns,
        )
        self._steady_ns = parts.steady_ns
        self._timing = parts.on_timing
        self._watch = parts.watch
        #: Bars of one minute that wait for those of the other symbols, and until when.
        self._minute: list[Bar] = []
        self._minute_until_ns = 0
        #: Events taken since timers were last looked at.
        self._preferred = 0
        #: When orders were handed to the broker and decided on, whose answers are awaited; steady time.
        self._sent_ns: dict[str, tuple[int, int]] = {}
        self._next_progress_ns = 0
        #: Nanoseconds of this process's run; a live feed is not loaded.
        self.loop_ns = self.load_ns = 0
        self.first_bar_ns = marks.first_bar_ns if marks else 0
        #: Bars that this process took; the engine counts those of the whole book.
        self.bars_taken = 0
        #: Answers that had not come when the run ended.
        self.unanswered = 0

    def run(self) -> str:
        """Run until asked to stop; returns why. Raises StoreError and RunFailed, and then nothing more is sent."""
        parts = self._parts
        begin = self._steady_ns()
        try:
            self._start()
            while not parts.stop:
                self._turn()
            self._drain()
            self._leave(_JOIN_SECONDS)
            self._enter(RunEnded(ts=self._clock.now_ns(), reason=parts.stop.reason))
            self._committer.commit()
            if parts.control is not None:
                parts.control.leave()
        finally:
            self._leave(0.0)
        self.loop_ns = self._steady_ns() - begin
        return parts.stop.reason

    # From start to end

    def _start(self) -> None:
        """Recover first; then bars may come, and history is read while they wait."""
        parts = self._parts
        for instrument in self._engine.instruments:
            if instrument.start_ns:
                self._validator.resume(instrument.symbol, instrument.start_ns)
        if self._threads is not None:
            self._threads.start()
        self._enter(parts.started)
        while self._engine.facts.desk_state is DeskState.RECOVERING and not parts.stop:
            self._turn()
        if not parts.stop:
            parts.feed.start()
            self._warm_up()

    def _warm_up(self) -> None:
        warm_up, feed = self._parts.warm_up, self._parts.feed
        if warm_up is None:
            return
        # A boundary: without history the strategies warm up as bars come, and what is open still needs the desk.
        try:
            bars = warm_up(self._clock.now_ns())
        except (Exception, SystemExit) as error:  # noqa: BLE001  a source may raise anything; a person is told
            self._enter(feed.failed(type(error).__name__, place_of(error), str(error)))
            return
        if bars:
            self._validator.know(bars)
            self._enter(WarmedUp(ts=self._engine.now_ns, bars=bars))

    def _turn(self) -> None:
        """Wait a little for an event, take it, and do what time asks for."""
        if self._parts.control is not None:
            self._parts.control.attend(self._engine, self._enter, self._clock.now_ns)
        patience_ns = self._patience_ns()
        self._watch.begin()
        event = self._bus.take(patience_ns / SECOND_NS)
        jump_ns = self._watch.end(patience_ns)
        if jump_ns:
            self._enter(ClockJumped(ts=self._clock.now_ns(), gap_ns=jump_ns))
        if event is not None:
            self._take(event)
        if self._minute and self._clock.now_ns() >= self._minute_until_ns:
            self._show_minute()
        self._fire_due()
        if self._committer.waiting:
            self._committer.commit_if_due()
        if self._threads is not None:
            self._threads.check()
        self._report()

    def _patience_ns(self) -> int:
        tick_ns, due = round(self._parts.tick_seconds * SECOND_NS), self._engine.next_timer_ns
        left = tick_ns if due is None else due - self._clock.now_ns()
        return left if 0 < left < tick_ns else tick_ns

    def _drain(self) -> None:
        """Take no bar any more, but the answers of the broker that are on their way."""
        parts, threads = self._parts, self._threads
        if threads is None:
            return
        end = self._steady_ns() + DRAIN_NS
        while self._steady_ns() < end:
            threads.check()
            # Asked before the bus is: what is no longer in flight is on it.
            in_flight = threads.in_flight
            event = self._bus.take(parts.tick_seconds if in_flight else 0.0)
            if event is None and not in_flight:
                break
            if event is not None and not isinstance(event, Bar | BarRevised | FeedStatus):
                self._enter(event)
        self.unanswered = threads.in_flight

    def _leave(self, patience_seconds: float) -> None:
        """Let nothing in any more, and nothing out."""
        self._bus.close()
        if self._threads is not None:
            self._threads.close(patience_seconds)

    # Bars and time

    def _take(self, event: Event) -> None:
        if isinstance(event, Bar):
            self._take_bar(event)
            return
        if isinstance(event, BarRevised) and not self._validator.is_revision(event.bar):
            return
        self._enter(event)
        if isinstance(event, StreamStatus) and event.stream == INBOX:
            self._sent_ns.clear()

    def _take_bar(self, bar: Bar) -> None:
        now = self._clock.now_ns()
        verdict = self._validator.check(bar, now)
        if not verdict.passes:
            if verdict.code == REVISED:
                self._enter(BarRevised(ts=now, bar=bar))
            return
        if self._minute and self._minute[0].start_ns != bar.start_ns:
            self._show_minute()
        if verdict.code:
            # The engine learns what time it is, so that the gate knows how old the price is.
            self._enter(FeedStatus(ts=now, code=verdict.code, symbol=bar.symbol, text=verdict.text))
        self._minute.append(bar)
        if len(self._minute) == 1:
            self._minute_until_ns = max(bar.start_ns + self._length_ns, now) + GRACE_NS
        # Only a venue has to see a minute whole: it can be shown each minute but once.
        if self._venue is None or self._validator.reached(bar.start_ns):
            self._show_minute()

    def _show_minute(self) -> None:
        """What is due before a minute's bars, what they fill, and then the bars, in the order of their symbols."""
        minute = tuple(sorted(self._minute, key=lambda bar: self._places[bar.symbol]))
        self._minute.clear()
        end = minute[0].start_ns + self._length_ns
        self._fire_timers(end - 1)
        if self._venue is not None and self._venue.working:
            self._hear(self._venue.advance(end, minute))
        for bar in minute:
            self._enter(bar)

    def _fire_due(self) -> None:
        """Fire the timers whose time has come, but what is due at a minute's end only behind that minute's bars."""
        now, due = self._clock.now_ns(), self._engine.next_timer_ns
        if len(self._bus) and self._preferred < PREFERRED_MAX:
            # Bars that come late and in a heap keep their place before a timer; a flood cannot hold one up.
            self._preferred += 1
            return
        self._preferred = 0
        while due is not None and due <= now and not self._waits_for_bars(due, now):
            self._fire_timers(due)
            due = self._engine.next_timer_ns

    def _waits_for_bars(self, due_ns: int, now_ns: int) -> bool:
        if self._minute and self._minute[0].start_ns + self._length_ns <= due_ns:
            return True
        if due_ns % self._length_ns or now_ns >= due_ns + GRACE_NS:
            return False
        return not self._validator.reached(due_ns - self._length_ns)

    def _fire_timers(self, until_ns: int) -> None:
        """Fire every timer up to that time; a venue sees time pass at each, so that day orders expire at a close."""
        engine, venue = self._engine, self._venue
        due = engine.next_timer_ns
        while due is not None and due <= until_ns:
            self._enter(TimerFired(ts=max(due, self._clock.now_ns()) if venue is None else due))
            if venue is not None:
                self._hear(venue.advance(due, ()))
            due = engine.next_timer_ns

    # Events and effects

    def _enter(self, event: Event) -> None:
        """Hand one event to the engine, and do what follows."""
        began = self._steady_ns()
        step = self._engine.on_event(event)
        self._time_step(event, began)
        self._committer.event(event, step)
        if isinstance(event, Bar):
            self._count(event)
        self._note(step.records)
        self._parts.probe("step:after")
        if isinstance(event, Bar | TimerFired) and not step.effects:
            self._committer.commit_if_due()
            return
        decided = self._steady_ns()
        self._committer.commit_at_once()
        if step.effects:
            self._timing("commit", "", self._steady_ns() - decided)
        for effect in step.effects:
            if not isinstance(effect, RaiseAlert):
                self._perform(effect, decided)

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            self._enter(event)

    def _perform(self, effect: Effect, decided_ns: int = 0) -> None:
        if isinstance(effect, SubmitOrder):
            self._sent_ns[effect.order.client_order_id] = self._steady_ns(), decided_ns
        if self._threads is not None:
            self._threads.hand_over(effect)
        if self._performer is not None:
            for event in self._performer.perform(effect, self._engine.now_ns):
                self._enter(event)

    def _count(self, bar: Bar) -> None:
        self._parts.curve.add(bar)
        self.bars_taken += 1
        self.first_bar_ns = self.first_bar_ns or bar.start_ns

    def _note(self, records: Sequence[Record]) -> None:
        """Tell the equity curve of what moved the account; what was paid in or out is neither profit nor loss."""
        for record in records:
            if isinstance(record, BookMoved):
                holdings = {x.index: x.held for x in self._engine.instruments if x.held}
                deposits = float(self._engine.facts.deposits)
                self._parts.curve.change(float(record.cash) - deposits, holdings)

    # Reporting

    def _time_step(self, event: Event, began_ns: int) -> None:
        now = self._steady_ns()
        if isinstance(event, SubmitOutcome):
            # An acknowledgement counts from the decision, its commit included.
            sent_ns, decided_ns = self._sent_ns.pop(event.client_order_id, (began_ns, began_ns))
            self._timing("submit", event.client_order_id, began_ns - sent_ns)
            self._timing("acknowledgement", event.client_order_id, began_ns - decided_ns)
        if not isinstance(event, TimerFired):
            self._timing("step", getattr(event, "client_order_id", ""), now - began_ns)

    def _report(self) -> None:
        on_progress, now = self._parts.on_progress, self._steady_ns()
        if on_progress is not None and now >= self._next_progress_ns:
            self._next_progress_ns = now + _PROGRESS_NS
            engine, facts = self._engine, self._engine.facts
            on_progress(Progress(engine.bars, engine.now_ns, facts.trips, float(facts.equity)))

    def _venue_state(self) -> bytes | None:
        return None if self._venue is None or self._parts.broker.capabilities.own_record else self._venue.state()

    def _run_state(self) -> bytes:
        return msgspec.msgpack.encode(RunMarks(curve=self._parts.curve.state(), first_bar_ns=self.first_bar_ns))

    def _cursor(self) -> FeedCursor:
        engine = self._engine
        return FeedCursor(
            identity=self._parts.identity, start_ns=engine.minute_ns, symbol_index=0, bars=engine.bars, finished=False
        )
