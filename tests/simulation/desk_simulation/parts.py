"""Stand-ins for what waits or has threads in a live desk: the inbox, the lanes to the broker, the feed's thread.

Each is the real class with the waiting taken out: what the real one would do in time, the timeline does. May not decide
anything that the real ones decide.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import structs

from desk_simulation.crash import CrashPoints
from desk_simulation.market import Feed
from desk_simulation.timeline import Timeline
from mqd_core.domain.events import CancelOutcome, Event, QueryOutcome, SubmitOutcome
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.engine.effects import CancelOrder, Effect
from mqd_core.ports import BrokerConnector
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.clocks import Clock
from mqd_core.runtime.effect_threads import EffectThreads
from mqd_core.runtime.live_feed import LiveFeed
from mqd_core.runtime.send_guard import Guard

MILLISECOND_NS = 1_000_000
#: How often the loop looks up when nothing comes, and how seldom while nothing will for minutes.
TICK_SECONDS = 5.0
IDLE_NS = 600 * SECOND_NS
_STAMPED = (SubmitOutcome, CancelOutcome, QueryOutcome)


class VirtualBus(OrderEventBus):
    """The inbox; waiting for it lets virtual time pass."""

    def __init__(self, clock: Clock, timeline: Timeline, points: CrashPoints) -> None:
        super().__init__(clock)
        self._timeline = timeline
        self._points = points
        self._left = False
        #: By how much the next wait overruns: a machine that sleeps.
        self.suspended_ns = 0
        #: Told how often the loop has to look up.
        self.set_tick: Callable[[float], None] = lambda _seconds: None

    def take(self, timeout_seconds: float) -> Event | None:
        """The next event, or None when virtual time has passed."""
        self._points("take")
        timeline = self._timeline
        if self.suspended_ns:
            until_ns, self.suspended_ns = timeline.now_ns + self.suspended_ns, 0
            timeline.advance(until_ns)
        if not self._left and not self:
            timeline.advance(timeline.now_ns + round(timeout_seconds * SECOND_NS), self._holds)
            self._choose_tick()
        return super().take(0.0) if len(self) or self._left else None

    def _choose_tick(self) -> None:
        """Skip what is idle: overnight the loop need not look up every few seconds."""
        due_ns = self._timeline.next_due_ns
        idle_ns = IDLE_NS if due_ns is None else due_ns - self._timeline.now_ns
        self.set_tick(TICK_SECONDS if idle_ns < 2 * MINUTE_NS else min(idle_ns, IDLE_NS) / SECOND_NS)

    def _holds(self) -> bool:
        return len(self) > 0 or self.suspended_ns > 0

    def close(self) -> None:
        """Take nothing more in."""
        self._left = True
        super().close()


class VirtualFeed(LiveFeed):
    """The source's thread: the world's feed speaks into the real sink."""

    def attach(self, feed: Feed) -> None:
        """Name the feed."""
        self._feed = feed

    def start(self) -> None:
        """Let it speak."""
        self._feed.listen(self.sink)

    def close(self) -> None:
        """Nothing is open."""


class Still:
    """A heartbeat that nobody listens to."""

    def write(self, _beat: object) -> None:
        """Give no sign."""

    def clear(self) -> None:
        """There is none."""


class _Heard:
    """What the real lanes put into their inbox, kept until the answer has travelled."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)

    def take(self) -> list[Event]:
        events, self.events = self.events, []
        return events


class VirtualEffects(EffectThreads):
    """The two lanes to the broker. Their threads are never started: what these do, the timeline calls."""

    def __init__(
        self,
        broker: BrokerConnector,
        bus: OrderEventBus,
        clock: Clock,
        probe: Callable[[str], None],
        guard: Guard,
        *,
        timeline: Timeline,
        draw: random.Random,
    ) -> None:
        heard = _Heard()
        super().__init__(broker, heard, clock, probe, guard=guard)  # type: ignore[arg-type]  # put is all that a lane calls
        self.virtual = tuple(
            VirtualLane(lane, heard, bus, clock, timeline=timeline, draw=draw) for lane in (self._orders, self._cancels)
        )

    def start(self) -> None:
        """Start nothing."""

    def hand_over(self, effect: Effect) -> None:
        """Have it performed a moment later."""
        self.virtual[isinstance(effect, CancelOrder)].hand_over(effect)

    @property
    def in_flight(self) -> int:
        """How many effects were handed over whose answers are not on the bus yet."""
        return sum(lane.in_flight for lane in self.virtual)

    def close(self, patience_seconds: float = 0.0) -> None:
        """Begin nothing more."""
        self.abandon()

    def abandon(self) -> None:
        """The process is gone: what was not begun never will be, and no answer is heard."""
        for lane in self.virtual:
            lane.is_closed = True
            lane.waiting.clear()


class VirtualLane:
    """One lane: one call after the other, each with the time that it takes."""

    def __init__(
        self, real: Any, heard: _Heard, bus: OrderEventBus, clock: Clock, *, timeline: Timeline, draw: random.Random
    ) -> None:
        self._real = real
        self._heard = heard
        self._bus = bus
        self._clock = clock
        self._timeline = timeline
        self._draw = draw
        self.waiting: deque[Effect] = deque()
        self._is_busy = False
        self.is_closed = False

    @property
    def in_flight(self) -> int:
        return len(self.waiting) + self._is_busy

    def hand_over(self, effect: Effect) -> None:
        self.waiting.append(effect)
        if not self._is_busy:
            self._is_busy = True
            self._after(self._draw.randint(1, 30) * MILLISECOND_NS, self._begin)

    def _begin(self) -> None:
        if not self.is_closed and self.waiting:
            effect = self.waiting.popleft()
            self._call(lambda: self._real._perform(effect))
        else:
            self._is_busy = False

    def _call(self, call: Callable[[], None]) -> None:
        """Call the broker now; the answer travels."""
        self._heard.take()
        call()
        events = self._heard.take()
        self._after(self._travel_ns(), lambda: self._answer(events))

    def _answer(self, events: list[Event]) -> None:
        if self.is_closed:
            return
        now_ns = self._clock.now_ns()
        for event in events:
            self._bus.put(structs.replace(event, ts=now_ns) if isinstance(event, _STAMPED) else event)
        if self.waiting:
            self._begin()
        else:
            self._is_busy = False

    def _travel_ns(self) -> int:
        dice = self._draw.random()
        if dice < 0.9:
            return self._draw.randint(10, 300) * MILLISECOND_NS
        return self._draw.randint(300, 3_000 if dice < 0.98 else 10_000) * MILLISECOND_NS

    def _after(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._timeline.at(self._timeline.now_ns + delay_ns, action)
