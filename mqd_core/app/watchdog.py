"""The watchdog's judgement: whether a desk that gives no sign of life has orders that somebody has to look after.

Silence is counted by the watchdog's own looks, so that a machine that slept, or a clock that was set, is no silence of
the desk. May not act: `emergency` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mqd_core.domain.market import SECOND_NS
from mqd_core.runtime.clocks import steady_ns
from mqd_core.runtime.heartbeat import Heartbeat, HeartbeatFile

#: How often a watchdog looks.
LOOK_SECONDS: Final = 0.5
_LOOK_NS_MAX: Final = SECOND_NS


class Watchdog:
    """Looks at one desk's heartbeat. `open_orders` reads the desk's store; None where it cannot be read."""

    def __init__(
        self,
        heartbeat: HeartbeatFile,
        silence_seconds: float,
        open_orders: Callable[[], int | None],
        clock_ns: Callable[[], int] = steady_ns,
    ) -> None:
        self._heartbeat = heartbeat
        self._limit_ns = round(silence_seconds * SECOND_NS)
        self._open_orders = open_orders
        self._clock_ns = clock_ns
        self._last: Heartbeat | None = None
        self._looked_ns = clock_ns()
        self._silent_ns = 0
        self._is_judged = False
        #: Processes whose desks were seen, and how long none has been there; what a watchdog that leaves goes by.
        self.seen: set[int] = set()
        self.absent_ns = 0

    def look(self) -> Heartbeat | None:
        """Look once. The last sign of life of a desk that must be killed; None while there is nothing to do."""
        now = self._clock_ns()
        passed_ns, self._looked_ns = min(now - self._looked_ns, _LOOK_NS_MAX), now
        beat = self._heartbeat.read()
        if beat is None or beat != self._last:
            self.absent_ns = self.absent_ns + passed_ns if beat is None else 0
            if beat is not None:
                self.seen.add(beat.pid)
            self._last, self._silent_ns, self._is_judged = beat, 0, False
            return None
        self._silent_ns += passed_ns
        if self._silent_ns < self._limit_ns or self._is_judged:
            return None
        self._is_judged = True
        # Intents are in the store before they are sent: it may know of an order that came after the last beat.
        return beat if beat.open_orders or self._open_orders() != 0 else None
