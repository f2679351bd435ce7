"""How fast market time passes: so many of its seconds for each of the wall's, and nothing of the nights. Pure."""

from __future__ import annotations


class Pace:
    """Market time as a function of a clock that is handed in."""

    __slots__ = ("_market_ns", "_speed", "_wall_ns")

    def __init__(self, speed: float, market_ns: int, wall_ns: int) -> None:
        """Raises ValueError where time would stand still or run back."""
        if not speed > 0:
            raise ValueError(f"speed was {speed}: must be above 0")
        self._speed = speed
        self._market_ns = market_ns
        self._wall_ns = wall_ns

    def market_ns(self, wall_ns: int) -> int:
        """Market time at a time of the wall."""
        return self._market_ns + int((wall_ns - self._wall_ns) * self._speed)

    def jump(self, market_ns: int, wall_ns: int) -> None:
        """Let it be this market time at this time of the wall."""
        self._market_ns, self._wall_ns = market_ns, wall_ns
