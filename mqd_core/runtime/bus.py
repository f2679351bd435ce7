"""OrderEventBus: the inbox of a live desk, and the only door into it. Threads put, the loop takes, in order of arrival.

Bounded. A desk that cannot keep up loses everything that waits, at once, and is told: a hole that it knows of is
caught up on by asking the broker; single events missing in the middle would never be noticed. May not look into what
it carries, nor drop or merge a single event.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, get_args

from mqd_core.domain.events import Event, StreamStatus
from mqd_core.engine.effects import INBOX
from mqd_core.runtime.clocks import Clock

#: Events that may wait. At a minute's bar of a hundred symbols that is over an hour and a half.
CAPACITY: Final = 10_000
#: What the bus says of itself when it had to drop what waited.
OVERFLOW: Final = "overflow"

_EVENTS: Final = frozenset(get_args(Event))


class OrderEventBus:
    """Thread-safe: any number of threads put, one takes."""

    def __init__(self, clock: Clock, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._untold = 0
        self._is_closed = False
        #: How many events were dropped since the bus was made.
        self.dropped = 0

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    def put(self, event: Event) -> None:
        """Add an event and return at once; after `close` it is ignored, since the desk has left.

        A full bus drops all that waits and begins anew with this event. Raises TypeError for what is no event.
        """
        if type(event) not in _EVENTS:
            message = f"{type(event).__name__} was put into the desk's inbox; it takes events (mqd_core.domain.events)"
            raise TypeError(message)
        with self._changed:
            if self._is_closed:
                return
            if len(self._waiting) >= self._capacity:
                self._untold += len(self._waiting)
                self.dropped += len(self._waiting)
                self._waiting.clear()
            self._waiting.append(event)
            self._changed.notify()

    def take(self, timeout_seconds: float) -> Event | None:
        """The next event, waiting for one as long as that; None if none came, or the bus is closed and empty.

        Where events were dropped it is a StreamStatus of the stream `inbox` that says so, in their place.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed, timeout_seconds)
            if self._untold:
                # All that waits now came after what was dropped.
                text = f"the desk did not keep up: {self._untold:,} events that waited were dropped"
                self._untold = 0
                return StreamStatus(ts=self._clock.now_ns(), stream=INBOX, state=OVERFLOW, text=text)
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Take nothing more in, and let nobody wait; what waits can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
