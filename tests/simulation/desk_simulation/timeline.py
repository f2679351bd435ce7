"""Virtual time: a queue of what happens when, and the two clocks that a desk reads. May not know what it carries."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timeline:
    """True time in nanoseconds, and actions due at times; those of one time happen in the order they were put in."""

    def __init__(self, now_ns: int) -> None:
        #: What the world goes by: broker, exchange and market.
        self.now_ns = now_ns
        #: By how much the desk's wall clock is wrong.
        self.wall_error_ns = 0
        self._actions: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, due_ns: int, action: Callable[[], None]) -> None:
        """Have something happen at a time, or now if that has passed."""
        heapq.heappush(self._actions, (max(due_ns, self.now_ns), next(self._numbers), action))

    @property
    def next_due_ns(self) -> int | None:
        """When the next thing happens; None if nothing will."""
        return self._actions[0][0] if self._actions else None

    def advance(self, until_ns: int, holds: Callable[[], object] = bool) -> None:
        """Let time pass to `until_ns`, doing what is due, or until `holds` is true after something was done."""
        actions = self._actions
        while actions and actions[0][0] <= until_ns:
            due_ns, _, action = heapq.heappop(actions)
            self.now_ns = max(self.now_ns, due_ns)
            action()
            if holds():
                return
        self.now_ns = max(self.now_ns, until_ns)

    def steady_ns(self) -> int:
        """The desk's steady clock."""
        return self.now_ns


class DeskClock:
    """The desk's wall clock, which may be wrong."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def now_ns(self) -> int:
        """Now, as the desk's machine believes."""
        return self._timeline.now_ns + self._timeline.wall_error_ns
