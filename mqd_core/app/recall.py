"""Recall: what a reader of the journal has to know of earlier entries, without remembering them all.

May not grow with the journal: what is no longer held is forgotten, oldest first.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from mqd_core.domain.journal import Body
from mqd_core.domain.order_state import HARD_TERMINAL, SOFT_TERMINAL
from mqd_core.domain.records import Approved, Denied, OrderMoved, SignalMade

T = TypeVar("T")

#: How many values that nobody holds are kept: late fills and exits that wait for a cancel come soon after.
PASSING_MAX: Final = 4_096
#: What OrderMoved calls the lives that end an order.
TERMINAL: Final = frozenset(life.name.lower() for life in HARD_TERMINAL | SOFT_TERMINAL)


class Recall(Generic[T]):
    """Values by key. Those held stay; of those that were only noted or let go, the newest `passing_max` stay."""

    def __init__(self, passing_max: int = PASSING_MAX) -> None:
        self._passing_max = passing_max
        self._held: dict[str, T] = {}
        self._passing: dict[str, T] = {}

    def __len__(self) -> int:
        return len(self._held) + len(self._passing)

    def get(self, key: str) -> T | None:
        """The value of a key, if it is still known."""
        held = self._held.get(key)
        return self._passing.get(key) if held is None else held

    def note(self, key: str, value: T) -> None:
        """Know a value until it is pushed out, or held."""
        self._passing[key] = value
        if len(self._passing) > self._passing_max:
            del self._passing[next(iter(self._passing))]

    def hold(self, key: str, value: T) -> None:
        """Know a value until it is let go."""
        self._passing.pop(key, None)
        self._held[key] = value

    def let_go(self, key: str) -> None:
        """Hold a value no longer; a key that is not held is left as it is."""
        if key in self._held:
            self.note(key, self._held.pop(key))

    def forget(self, key: str) -> None:
        """Drop a value that nobody holds."""
        self._passing.pop(key, None)


class SignalRecall:
    """The signals of orders that are alive, and the newest of the others, by correlation id."""

    def __init__(self, passing_max: int = PASSING_MAX) -> None:
        self._signals: Recall[SignalMade] = Recall(passing_max)

    def __len__(self) -> int:
        return len(self._signals)

    def get(self, correlation_id: str) -> SignalMade | None:
        """The signal of that id, if it is still known."""
        return self._signals.get(correlation_id)

    def take(self, body: Body) -> None:
        """Take the next entry's body."""
        if isinstance(body, SignalMade):
            self._signals.note(body.correlation_id, body)
        elif isinstance(body, Approved):
            signal = self._signals.get(body.correlation_id)
            if signal is not None:
                self._signals.hold(body.correlation_id, signal)
        elif isinstance(body, Denied):
            self._signals.forget(body.correlation_id)
        elif isinstance(body, OrderMoved) and body.after in TERMINAL:
            self._signals.let_go(body.correlation_id)
