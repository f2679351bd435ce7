"""How many requests may still go out: Alpaca allows an account 200 in a minute and refuses what is more.

The last of them are kept for cancels and questions, so that new orders can never lock the desk out of its own. Two
clocks would disagree, so time is a steady one of its own. May not send or wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

_MINUTE_SECONDS: Final = 60.0
#: However far away a reset is said to be, it is no further.
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Use(Enum):
    """What a request is for, which decides what it may spend."""

    ORDER = "order"
    QUERY = "query"
    CANCEL = "cancel"


class RateBudget:
    """Fills up evenly, as Alpaca's own count does, and believes Alpaca where that says less. Safe for threads."""

    def __init__(self, per_minute: int, kept: int, steady_seconds: Callable[[], float]) -> None:
        self._per_second = per_minute / _MINUTE_SECONDS
        self._most = per_minute
        self._kept = kept
        self._steady_seconds = steady_seconds
        self._lock = threading.Lock()
        self._left: float = per_minute
        self._at = steady_seconds()
        #: Alpaca has refused for the rate: nothing but cancels goes out before.
        self._closed_until = self._at

    def take(self, use: Use) -> float:
        """Take one and return 0, or return the seconds until there may be one. A cancel is never held back."""
        with self._lock:
            now = self._refilled()
            if use is Use.CANCEL:
                self._left = max(0.0, self._left - 1)
                return 0.0
            if now < self._closed_until:
                return self._closed_until - now
            needed = 1 + (self._kept if use is Use.ORDER else 0)
            if self._left < needed:
                return (needed - self._left) / self._per_second
            self._left -= 1
            return 0.0

    def hear(self, headers: Mapping[str, str], unix_seconds: float, *, is_refused: bool) -> None:
        """Believe what an answer says of the rate; `is_refused`: it was a refusal for the rate."""
        remaining, reset = _number(headers.get("X-RateLimit-Remaining")), _number(headers.get("X-RateLimit-Reset"))
        with self._lock:
            now = self._refilled()
            if remaining is not None:
                self._left = min(self._left, remaining)
            if is_refused:
                self._left = 0.0
                pause = 1.0 if reset is None else reset - unix_seconds
                self._closed_until = now + min(max(pause, 1.0), _LONGEST_PAUSE_SECONDS)

    def _refilled(self) -> float:
        now = self._steady_seconds()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        return now


def _number(text: str | None) -> float | None:
    """What a header says, if it is a plain number."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
