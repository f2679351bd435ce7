"""ClockWatch: whether time did what a waiting loop expects of it. May not decide what a jump means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mqd_core.runtime.clocks import Clock, steady_ns

#: By so much wall clock and steady clock may differ, and a wait may overrun: 5 s.
JUMP_NS: Final = 5_000_000_000


class ClockWatch:
    """Compares the wall clock with a steady one at each wait of a loop.

    They part when the wall clock is set, and on most systems when the machine was suspended; where the steady clock
    goes on meanwhile, and when only this process was stopped, the wait itself is far too long.
    """

    def __init__(self, clock: Clock, steady: Callable[[], int], stopwatch: Callable[[], int] = steady_ns) -> None:
        """`clock` and `steady` are compared with each other; `stopwatch` measures waits, as long as they really are."""
        self._clock = clock
        self._steady = steady
        self._stopwatch = stopwatch
        self._wall_ns, self._steady_ns, self._begun_ns = clock.now_ns(), steady(), stopwatch()

    def begin(self) -> None:
        """A wait begins."""
        self._begun_ns = self._stopwatch()

    def end(self, most_ns: int) -> int:
        """The wait, which was to last `most_ns` at the most, is over: by how much time has jumped since the last one.

        In nanoseconds, below zero for a wall clock that was set back; 0 for any jump up to `JUMP_NS`.
        """
        wall_ns, now_ns = self._clock.now_ns(), self._steady()
        jump_ns = (wall_ns - self._wall_ns) - (now_ns - self._steady_ns)
        overrun_ns = self._stopwatch() - self._begun_ns - most_ns
        self._wall_ns, self._steady_ns = wall_ns, now_ns
        if abs(jump_ns) > JUMP_NS:
            return jump_ns
        return overrun_ns if overrun_ns > JUMP_NS else 0
