"""The desk's clocks: the only place that reads the machine's. May not be imported by anything pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


def steady_ns() -> int:
    """Nanoseconds that only ever grow, for measuring how long something took: of no known beginning."""
    return time.perf_counter_ns()  # noqa: TID251  this is the clock that others are handed


class Clock(Protocol):
    """UTC nanoseconds since 1970."""

    def now_ns(self) -> int:
        """Now."""
        ...


class WallClock:
    """Real time."""

    def now_ns(self) -> int:
        """Now, by the machine."""
        return time.time_ns()  # noqa: TID251  this is the clock that others are handed


class EngineClock:
    """Event time of a simulated run: what the engine believes."""

    def __init__(self) -> None:
        self._read: Callable[[], int] = lambda: 0

    def follow(self, read: Callable[[], int]) -> None:
        """Take the time from here on."""
        self._read = read

    def now_ns(self) -> int:
        """Engine time; 0 before the engine has seen any."""
        return self._read()
