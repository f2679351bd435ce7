"""Performs effects on a broker whose calls block: orders, queries and snapshots in one thread, cancels in their own.

What is known afterwards comes back through the bus. Effects of one lane are performed in the order in which they were
handed over; a cancel never waits behind a submission that hangs. Which outcome is which, `EffectPerformer` says, here
as inline. May not decide anything about an order, nor send one twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from msgspec import structs

from mqd_core.domain.events import CancelOutcome, Event, QueryOutcome, SubmitOutcome
from mqd_core.engine.effects import CancelOrder, Effect
from mqd_core.errors import RunFailed
from mqd_core.ports.broker import BrokerConnector
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.clocks import Clock
from mqd_core.runtime.performer import EffectPerformer, Probe, no_probe
from mqd_core.runtime.send_guard import Guard

_OUTCOMES: Final = (SubmitOutcome, CancelOutcome, QueryOutcome)


class EffectThreads:
    """Two lanes into one broker. Effects are handed over by one thread, the loop's."""

    def __init__(
        self,
        broker: BrokerConnector,
        bus: OrderEventBus,
        clock: Clock,
        probe: Probe = no_probe,
        *,
        guard: Guard | None = None,
    ) -> None:
        self._orders = _Lane("mqd-orders", EffectPerformer(broker, probe, guard, clock.now_ns), bus, clock)
        self._cancels = _Lane("mqd-cancels", EffectPerformer(broker, probe, clock_ns=clock.now_ns), bus, clock)

    def start(self) -> None:
        """Start the threads, before anything is handed over."""
        self._orders.start()
        self._cancels.start()

    def hand_over(self, effect: Effect) -> None:
        """Have it performed; returns at once."""
        lane = self._cancels if isinstance(effect, CancelOrder) else self._orders
        lane.hand_over(effect)

    @property
    def in_flight(self) -> int:
        """How many effects were handed over whose answers are not on the bus yet."""
        return self._orders.in_flight + self._cancels.in_flight

    def check(self) -> None:
        """Raise RunFailed if a thread has died, which no broker's error brings about: nothing can be sent any more."""
        for lane in (self._orders, self._cancels):
            if lane.fault is not None:
                kind = type(lane.fault).__name__
                text = f"the thread {lane.name}, which talks to the broker, ended with {kind}: {lane.fault}"
                raise RunFailed(f"{text}; what was in flight is asked about at the next start") from lane.fault

    def close(self, patience_seconds: float = 0.0) -> None:
        """Begin nothing more, and wait for each thread as long as that to end.

        One that hangs in a call is left behind and ends with the process; what became of its order is asked for at the
        next start.
        """
        self._orders.close(patience_seconds)
        self._cancels.close(patience_seconds)


class _Lane:
    """One thread, and the effects that wait for it."""

    def __init__(self, name: str, performer: EffectPerformer, bus: OrderEventBus, clock: Clock) -> None:
        self.name = name
        #: What ended the thread, if it did not end by `close`.
        self.fault: BaseException | None = None
        self._performer = performer
        self._bus = bus
        self._clock = clock
        # None ends the thread.
        self._waiting: SimpleQueue[Effect | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._in_flight = 0
        self._is_closed = False
        # A daemon: a connector's call that never returns may not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def in_flight(self) -> int:
        """Effects without an answer on the bus."""
        with self._lock:
            return self._in_flight

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hand_over(self, effect: Effect) -> None:
        """Put it behind what waits."""
        with self._lock:
            self._in_flight += 1
        self._waiting.put(effect)

    def close(self, patience_seconds: float) -> None:
        """Begin nothing more, and end the thread if no call holds it."""
        self._is_closed = True
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(patience_seconds)

    def _run(self) -> None:
        # A boundary of the thread: the loop is told what ended it, and ends the run.
        try:
            while not self._is_closed:
                effect = self._waiting.get()
                if effect is None or self._is_closed:
                    return
                self._perform(effect)
                with self._lock:
                    self._in_flight -= 1
        except BaseException as error:  # noqa: BLE001  raised again by the loop, which asks
            self.fault = error

    def _perform(self, effect: Effect) -> None:
        for event in self._performer.perform(effect, self._clock.now_ns()):
            self._bus.put(_known_now(event, self._clock.now_ns))


def _known_now(event: Event, now_ns: Callable[[], int]) -> Event:
    """An outcome is known when its call has returned, not when it was made."""
    return structs.replace(event, ts=now_ns()) if isinstance(event, _OUTCOMES) else event
