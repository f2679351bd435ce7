"""The budget of requests: so many a minute, refilled continuously. Time is handed in."""

from __future__ import annotations

from typing import Final

from mqd_core.api import SECOND_NS

_MINUTE_NS: Final = 60 * SECOND_NS


class RateLimit:
    """A bucket that holds one minute's requests."""

    __slots__ = ("_at_ns", "_left", "limit")

    def __init__(self, limit: int, now_ns: int) -> None:
        self.limit = limit
        # In requests times nanoseconds of a minute: exact without fractions.
        self._left = limit * _MINUTE_NS
        self._at_ns = now_ns

    def take(self, now_ns: int) -> bool:
        """Whether there is budget for a request at this time; it is used if so."""
        full = self.limit * _MINUTE_NS
        self._left = min(full, self._left + max(0, now_ns - self._at_ns) * self.limit)
        self._at_ns = max(self._at_ns, now_ns)
        if self._left < _MINUTE_NS:
            return False
        self._left -= _MINUTE_NS
        return True

    def headers(self, wall_ns: int) -> list[tuple[bytes, bytes]]:
        """The three headers that every answer carries."""
        missing = self.limit * _MINUTE_NS - self._left
        reset = (wall_ns + missing // self.limit) // SECOND_NS + 1
        values = (("limit", self.limit), ("remaining", self._left // _MINUTE_NS), ("reset", reset))
        return [(f"x-ratelimit-{name}".encode(), str(value).encode()) for name, value in values]
