"""The loop of a finite feed against a broker that answers at once: `mqd backtest`, and `mqd run` on such data.

Step, commit, act, as everywhere. Time is virtual: the engine's. Inside a minute: timers that are due, then the venue
with all bars of the minute, then the bars (design: the order of things inside a minute). May not decide anything
about orders, nor read a clock but to report progress and to keep pace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

import msgspec

from mqd_core.domain.events import BrokerEvent, Event, RunEnded, RunStarted, SubmitOutcome, TimerFired, WarmedUp
from mqd_core.domain.journal import Entry, FeedCursor
from mqd_core.domain.market import SECOND_NS, Bar
from mqd_core.domain.records import BookMoved, DeskState
from mqd_core.engine.effects import RaiseAlert, Step
from mqd_core.engine.engine import Engine
from mqd_core.ports.broker import BrokerConnector
from mqd_core.ports.store import TransactionLog
from mqd_core.runtime.clocks import steady_ns
from mqd_core.runtime.committer import Committer
from mqd_core.runtime.control import POLL_NS, DeskControl
from mqd_core.runtime.equity_curve import EquityCurve
from mqd_core.runtime.feed import FeedChunk, bars_digest
from mqd_core.runtime.performer import EffectPerformer, Probe, no_probe
from mqd_core.runtime.stopping import StopRequest
from mqd_core.runtime.validator import DataValidator, Rejection

_PROGRESS_NS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: bars taken, engine time, round trips closed, equity in USD."""

    bars: int
    now_ns: int
    trips: int
    equity: float


class RunMarks(msgspec.Struct, frozen=True, kw_only=True):
    """What a run keeps beside the engine for its result: opaque to the store, restored at the next start."""

    curve: bytes
    first_bar_ns: int


@dataclass(slots=True, kw_only=True)
class RunParts:
    """What a run is put together from."""

    engine: Engine
    broker: BrokerConnector
    performer: EffectPerformer
    store: TransactionLog
    chunks: Iterator[FeedChunk]
    validator: DataValidator
    curve: EquityCurve
    stop: StopRequest
    started: RunStarted
    warm_up: tuple[Bar, ...] = ()
    resume: FeedCursor | None = None
    identity: str = ""
    #: Commands and signs of life; None for a backtest.
    control: DeskControl | None = None
    pace: float | None = None
    #: Nanoseconds that it took to read the first chunk, before the run.
    first_load_ns: int = 0
    probe: Probe = no_probe
    on_committed: Callable[[tuple[Entry, ...]], None] = field(default=lambda _entries: None)
    on_rejected: Callable[[Sequence[Rejection]], None] = field(default=lambda _rejections: None)
    on_progress: Callable[[Progress], None] | None = None
    on_timing: Callable[[str, str, int], None] | None = None


class SimulatedRun:
    """One run, from RunStarted to RunEnded."""

    def __init__(self, parts: RunParts, marks: RunMarks | None = None) -> None:
        self._parts = parts
        self._engine = parts.engine
        self._performer = parts.performer
        self._venue = parts.broker.venue
        self._curve = parts.curve
        self._length_ns = parts.engine.length_ns
        self._committer = Committer(
            parts.engine,
            parts.store,
            venue_state=self._venue_state,
            run_state=self._run_state,
            cursor=self._cursor,
            on_committed=parts.on_committed,
            probe=parts.probe,
        )
        self._shown_ns = -1
        self._chunk: FeedChunk | None = None
        self._row = 0
        self._starts: memoryview = memoryview(b"")
        #: Place of the last taken bar's symbol in the feed's order, as of the last chunk.
        self._last_index = parts.resume.symbol_index if parts.resume is not None else 0
        self._next_progress_ns = 0
        #: Nanoseconds in the engine's loop, and in reading, checking and merging the feed.
        self.loop_ns = 0
        self.load_ns = parts.first_load_ns
        self.first_bar_ns = marks.first_bar_ns if marks else 0
        self.finished = False
        #: Bars that this process took; the engine counts those of the whole book.
        self.bars_taken = 0

    def run(self) -> str:
        """Run to the end of the feed, to a halt, or to a request to stop; returns which: finished, halted, signal."""
        parts = self._parts
        begin = steady_ns()
        self._start()
        for chunk in self._chunks():
            if not self._is_over:
                self._take_chunk(chunk)
            if self._is_over:
                break
        else:
            self._finish_feed()
        reason = "finished" if self.finished else ("halted" if self._is_halted else parts.stop.reason)
        self._enter(RunEnded(ts=self._engine.now_ns, reason=reason, feed_finished=self.finished))
        self._committer.commit()
        if parts.control is not None:
            parts.control.leave()
        self.loop_ns = steady_ns() - begin - (self.load_ns - parts.first_load_ns)
        return reason

    # The feed

    def _chunks(self) -> Iterator[FeedChunk]:
        chunks = self._parts.chunks
        while True:
            before = steady_ns()
            chunk = next(chunks, None)
            self.load_ns += steady_ns() - before
            if chunk is None:
                return
            yield chunk

    def _take_chunk(self, chunk: FeedChunk) -> None:
        resume, first = self._parts.resume, 0
        if resume is not None and resume.start_ns >= 0:
            first = chunk.row_after(resume.start_ns, resume.symbol_index)
        if first >= chunk.rows:
            return
        if not self.first_bar_ns:
            self.first_bar_ns = int(chunk.start_ns[first])
        self._chunk, self._row, self._starts = chunk, first, memoryview(chunk.start_ns)  # type: ignore[arg-type]
        self._curve.begin(first)
        self._committer.segment(chunk.segment)
        if chunk.rejections:
            self._parts.on_rejected(chunk.rejections)
        if self._parts.pace is None:
            self._take_bars(chunk.bars(first))
        else:
            self._take_paced(chunk, first)
        self._curve.close_chunk(chunk, self._row)
        self._last_index = int(chunk.symbol_index[self._row - 1])
        self._chunk, self._row = None, 0
        self._committer.commit_if_due()

    def _take_paced(self, chunk: FeedChunk, first: int) -> None:
        pace, bars = self._parts.pace or 1.0, chunk.bars(first)
        while self._row < chunk.rows and not self._is_over:
            rows = self._minute_rows()
            self._take_bars(islice(bars, rows))
            self._committer.commit_if_due()
            self._wait(round(rows / pace * SECOND_NS))

    def _wait(self, length_ns: int) -> None:
        """Let wall time pass, but not through a request to stop, nor deaf to commands."""
        end = steady_ns() + length_ns
        while not self._is_over and (left := end - steady_ns()) > 0:
            self._parts.stop.wait(min(left, POLL_NS) / SECOND_NS)
            self._attend()

    def _attend(self) -> None:
        """Take what other processes ask for; between bars, so that it enters like any other event."""
        if self._parts.control is not None:
            self._parts.control.attend(self._engine, self._enter, self._now_ns)

    def _now_ns(self) -> int:
        return self._engine.now_ns

    def _take_bars(self, bars: Iterator[Bar]) -> None:
        """Let the engine take all bars; before a minute that may bring something else, the venue sees it."""
        engine, stop = self._engine, self._parts.stop
        # What is left of a minute that the venue has seen comes before the other bars.
        source, left = bars, 0
        while True:
            step = engine.on_bars(source, self._shown_ns)
            if step.bars:
                self._took(step)
                left -= step.bars
            elif step.unread is None:
                return
            if step.effects:
                self._act(step)
            else:
                self._committer.commit_if_due()
            if left > 0:
                continue
            source = bars
            self._attend()
            if stop or self._is_halted:
                return
            first = self._first_to_show(bars) if step.unread is None else step.unread
            if first is not None:
                minute = self._show_minute(first, bars)
                source, left = chain(minute, bars), len(minute)
            self._report()

    def _first_to_show(self, bars: Iterator[Bar]) -> Bar | None:
        """The next bar, where the engine would give it back: an order works, and the bar begins another minute."""
        row = self._row
        if self._engine.working and row < len(self._starts) and self._starts[row] > self._engine.minute_ns:
            return next(bars, None)
        return None

    def _show_minute(self, first: Bar, bars: Iterator[Bar]) -> tuple[Bar, ...]:
        """Show a whole minute to the venue before the engine sees its first bar; returns its bars."""
        start, rows = first.start_ns, self._minute_rows()
        minute = (first, *islice(bars, rows - 1)) if rows > 1 else (first,)
        end = start + self._length_ns
        self._fire_timers(end - 1)
        if self._venue is not None and self._venue.working:
            self._hear(self._venue.advance(end, minute))
        self._shown_ns = start
        return minute

    def _minute_rows(self) -> int:
        """How many bars from the current row on share its minute; a chunk never splits one."""
        starts, row = self._starts, self._row
        start, end = starts[row], row + 1
        while end < len(starts) and starts[end] == start:
            end += 1
        return end - row

    def _finish_feed(self) -> None:
        engine = self._engine
        self._fire_timers(engine.now_ns)
        if self._venue is not None:
            self._hear(self._venue.advance(engine.now_ns, ()))
        self.finished = True

    # Events and effects

    def _start(self) -> None:
        parts = self._parts
        self._enter(parts.started)
        while self._engine.facts.desk_state is DeskState.RECOVERING:
            due = self._engine.next_timer_ns
            if due is None:
                break
            self._enter(TimerFired(ts=due))
        if parts.warm_up:
            event = WarmedUp(ts=self._engine.now_ns, bars=parts.warm_up)
            step = self._engine.on_event(event)
            shown = WarmedUp(ts=event.ts, rows=len(event.bars), digest=bars_digest(event.bars))
            self._committer.event(shown, step)
            self._act(step)
        self._attend()

    def _enter(self, event: Event) -> None:
        """Hand one event to the engine, and do what follows."""
        timing = self._parts.on_timing
        began = steady_ns() if timing is not None else 0
        step = self._engine.on_event(event)
        if timing is not None and type(event) is not TimerFired:
            timing("step", getattr(event, "client_order_id", ""), steady_ns() - began)
        self._committer.event(event, step)
        for record in step.records:
            if type(record) is BookMoved:
                self._note(record)
        if step.effects:
            self._act(step)
        elif type(event) is TimerFired:
            self._committer.commit_if_due()
        else:
            self._committer.commit_at_once()

    def _hear(self, events: Sequence[BrokerEvent]) -> None:
        for event in events:
            self._enter(event)

    def _act(self, step: Step) -> None:
        """Commit, then perform the effects; each outcome is a new event."""
        if self._parts.on_timing is not None:
            self._act_timed(step, self._parts.on_timing)
            return
        self._committer.commit_at_once()
        for effect in step.effects:
            if type(effect) is not RaiseAlert:
                for event in self._performer.perform(effect, self._engine.now_ns):
                    self._enter(event)

    def _act_timed(self, step: Step, timing: Callable[[str, str, int], None]) -> None:
        """The same, with a stopwatch: an acknowledgement counts from the decision, its commit included."""
        decided = steady_ns()
        self._committer.commit_at_once()
        if step.effects:
            timing("commit", "", steady_ns() - decided)
        for effect in step.effects:
            if type(effect) is RaiseAlert:
                continue
            sent = steady_ns()
            for event in self._performer.perform(effect, self._engine.now_ns):
                if type(event) is SubmitOutcome:
                    timing("submit", event.client_order_id, steady_ns() - sent)
                    timing("acknowledgement", event.client_order_id, steady_ns() - decided)
                self._enter(event)

    def _fire_timers(self, until_ns: int) -> None:
        """Fire every timer up to that time; the venue sees time pass at each, so that day orders expire at a close."""
        engine = self._engine
        due = engine.next_timer_ns
        while due is not None and due <= until_ns:
            self._enter(TimerFired(ts=due))
            if self._venue is not None:
                self._hear(self._venue.advance(due, ()))
            due = engine.next_timer_ns

    def _took(self, step: Step) -> None:
        self._row += step.bars
        self.bars_taken += step.bars
        if step.records:
            self._committer.bars(step)

    def _note(self, record: BookMoved) -> None:
        """Tell the equity curve of what moved the account, before the next bar. No bar moves it: events do."""
        holdings = {instrument.index: instrument.held for instrument in self._engine.held}
        self._curve.change(self._row, float(record.cash), holdings)

    # Reporting

    @property
    def _is_over(self) -> bool:
        """Whether nothing more of the feed is to be taken."""
        return bool(self._parts.stop) or self._is_halted

    @property
    def _is_halted(self) -> bool:
        return self._engine.facts.desk_state is DeskState.HALTED

    def _report(self) -> None:
        on_progress = self._parts.on_progress
        if on_progress is None:
            return
        now = steady_ns()
        if now >= self._next_progress_ns:
            self._next_progress_ns = now + _PROGRESS_NS
            facts = self._engine.facts
            on_progress(Progress(self._engine.bars, self._engine.now_ns, facts.trips, float(facts.equity)))

    def _venue_state(self) -> bytes | None:
        return None if self._venue is None or self._parts.broker.capabilities.own_record else self._venue.state()

    def _run_state(self) -> bytes:
        if self._chunk is not None:
            self._curve.close_chunk(self._chunk, self._row)
        return msgspec.msgpack.encode(RunMarks(curve=self._curve.state(), first_bar_ns=self.first_bar_ns))

    def _cursor(self) -> FeedCursor | None:
        engine, index = self._engine, self._last_index
        if self._chunk is not None and self._row:
            index = int(self._chunk.symbol_index[self._row - 1])
        return FeedCursor(
            identity=self._parts.identity,
            start_ns=engine.minute_ns,
            symbol_index=index,
            bars=engine.bars,
            finished=self.finished,
        )
