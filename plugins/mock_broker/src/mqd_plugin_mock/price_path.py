"""How the synthetic market moves: levels of the days, and the minutes of one session. Nothing here is a real price.

Why bars are the same on every machine and Python: chance is SHAKE-128 of (seed, symbol, date), a published standard,
and not a generator of numpy, whose streams of normal draws may change between versions; from there on everything is
arithmetic of 64-bit integers, in hundredths of a cent, with floor division. A normal draw is the sum of four uniform
ones. Logarithms and cosines, whose last digit differs between platforms, do not occur. The only floats are the final
cents divided by 100, which IEEE 754 rounds in one way.

A session is a function of (settings, symbol, date) and of its open and close, which come from the levels; so a part of
the market has the same bars as the whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from math import isqrt
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mqd_core.api import EXACT, MINUTE_NS, Session
from mqd_plugin_mock.settings import SyntheticSettings

Column: TypeAlias = NDArray[np.int64]

#: Units of a price are hundredths of a cent.
_USD: Final = 10_000
_CENT: Final = 100
_BASIS: Final = 10_000
_FULL_SESSION_MINUTES: Final = 390
#: The sum of four 16-bit draws: its mean, and its standard deviation, 65,536 / sqrt(3).
_NORMAL_MEAN: Final = 2 * 65_535
_NORMAL_DEVIATION: Final = 37_837
#: 16-bit draws of a session before those of its minutes; of each minute; of each shock.
_SESSION_DRAWS: Final = 64
_MINUTE_DRAWS: Final = 9
_SHOCK_DRAWS: Final = 6
#: A shock with its recovery takes no more minutes than this; a failed one, what is left of its part of the session.
_SHOCK_MINUTES_MAX: Final = 44


class Day(NamedTuple):
    """Where a session opens and closes, in units."""

    opening: int
    closing: int


@dataclass(frozen=True, slots=True)
class Minutes:
    """The bars of one session as columns: starts in UTC nanoseconds, prices in cents, volume in shares."""

    start_ns: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column

    def part(self, rows: slice | NDArray[np.bool_]) -> Minutes:
        """Some of the rows."""
        columns = (self.start_ns, self.open, self.high, self.low, self.close, self.volume)
        return Minutes(*(column[rows] for column in columns))


class PricePath:
    """The way of one symbol."""

    __slots__ = ("_base", "_key", "_settings", "_shock_bp", "_volatility_bp")

    def __init__(self, settings: SyntheticSettings, symbol: str) -> None:
        self._settings = settings
        self._key = f"mqd-plugin-mock/synthetic/1/{settings.seed}/{symbol}"
        self._volatility_bp = _basis_points(settings.volatility_pct)
        self._shock_bp = _basis_points(settings.shock_pct)
        if settings.start_price is not None:
            self._base = int(EXACT.multiply(settings.start_price, Decimal(_USD)))
        else:
            cents = 2_000 + int(_draws(f"{self._key}/base", 1)[0]) * 10_000 // 65_536
            self._base = cents * _CENT

    def days(self, count: int) -> list[Day]:
        """Opens and closes of the first `count` sessions; more of them change nothing about the earlier ones."""
        draws = _draws(f"{self._key}/days", 8 * count).reshape(count, 2, 4)
        normals = (draws.sum(axis=2) - _NORMAL_MEAN).tolist()
        gap_bp = _basis_points(self._settings.overnight_gap_pct)
        reversion_bp = _basis_points(self._settings.mean_reversion_pct)
        base, opening = self._base, self._base
        days = []
        for way, gap in normals:
            closing = _within(opening + _scaled(opening, self._volatility_bp, way), base)
            days.append(Day(opening, closing))
            back = (closing - base) * reversion_bp // _BASIS
            opening = _within(closing + _scaled(closing, gap_bp, gap) - back, base)
        return days

    def minutes(self, session: Session, day: Day) -> Minutes:
        """The bars of a session that opens and closes there."""
        length = (session.close_ns - session.open_ns) // MINUTE_NS
        draws = _draws(f"{self._key}/{session.date}", _SESSION_DRAWS + _MINUTE_DRAWS * length)
        of_session = draws[:_SESSION_DRAWS].tolist()
        of_minutes = draws[_SESSION_DRAWS:].reshape(_MINUTE_DRAWS, length)
        slopes, rush = self._shocks(length, day.opening, of_session[2:])
        # Standard deviation of one minute, in units.
        deviation = day.opening * self._volatility_bp // (_BASIS * isqrt(length))
        close = self._closes(day, deviation, of_minutes[:4], slopes)
        jump = (of_minutes[4] - 32_768) * deviation // 65_536
        opened = np.empty_like(close)
        opened[0] = day.opening
        opened[1:] = close[:-1] + jump[1:]
        open_cents, close_cents = (opened + _CENT // 2) // _CENT, (close + _CENT // 2) // _CENT
        wick = 2 * deviation
        high = np.maximum(open_cents, close_cents) + of_minutes[5] * wick // (65_536 * _CENT)
        low = np.minimum(open_cents, close_cents) - of_minutes[6] * wick // (65_536 * _CENT)
        kept = self._traded(length, of_session[:2], of_minutes[8])
        starts = session.open_ns + MINUTE_NS * np.arange(length, dtype=np.int64)
        volume = self._volume(length, rush, of_minutes[7])
        return Minutes(starts, open_cents, high, low, close_cents, volume).part(kept)

    @staticmethod
    def _closes(day: Day, deviation: int, draws: Column, slopes: Column) -> Column:
        """A bridge from the open to the close: a random way, less what would miss the end, and the shocks."""
        length = draws.shape[1]
        elapsed = np.arange(1, length + 1, dtype=np.int64)
        way = np.cumsum((draws.sum(axis=0) - _NORMAL_MEAN) * deviation // _NORMAL_DEVIATION)
        missed = day.closing - day.opening - int(way[-1])
        closes: Column = day.opening + way + missed * elapsed // length + np.cumsum(slopes)
        return closes

    def _shocks(self, length: int, opening: int, draws: list[int]) -> tuple[Column, Column]:
        """Change of price by shocks, minute for minute, in units, and by how much each minute multiplies the volume."""
        slopes, rush = np.zeros(length, dtype=np.int64), np.ones(length, dtype=np.int64)
        count = self._settings.shocks_per_day * length // _FULL_SESSION_MINUTES
        failed_bp = _basis_points(self._settings.failed_shock_pct)
        for ordinal in range(count):
            size, fast, back, pause, luck, place = draws[ordinal * _SHOCK_DRAWS : (ordinal + 1) * _SHOCK_DRAWS]
            part = length // count
            end = (ordinal + 1) * part
            start = ordinal * part + 2 + place % max(part - _SHOCK_MINUTES_MAX, 1)
            depth = opening * self._shock_bp // _BASIS * (80 + size % 41) // 100
            bottom = _fall(slopes, rush, start, 1 + fast % 3, depth)
            recovery = bottom + pause % 6
            if luck * _BASIS < failed_bp * 65_536:
                second = depth * 80 // 100
                bottom = _fall(slopes, rush, bottom + 3 + pause % 6, 1 + fast % 3, second)
                depth, recovery, end = depth + second, bottom + 2, end - 1
            else:
                end = recovery + 8 + back % 25
            _rise(slopes, recovery, end, depth)
        return slopes, rush

    def _traded(self, length: int, halt: list[int], draws: Column) -> NDArray[np.bool_]:
        """Which minutes have a bar: not the ones in which nothing happened to trade, nor those of a halt."""
        missing_bp = _basis_points(self._settings.missing_minutes_pct)
        kept: NDArray[np.bool_] = draws * _BASIS >= missing_bp * 65_536
        chance, place = halt
        if chance * _BASIS < _basis_points(self._settings.halt_pct) * 65_536:
            start = 10 + place % (length - 40)
            kept[start : start + 5 + place % 11] = False
        return kept

    def _volume(self, length: int, rush: Column, draws: Column) -> Column:
        """Most at open and close, least at noon, three times as much in a fall; never nothing."""
        distance = 2 * np.arange(length, dtype=np.int64) - length
        # 60 at noon to 300 at both ends, 140 on average.
        weight = 60 + 240 * distance * distance // (length * length)
        volume: Column = self._settings.volume_per_minute * weight * (draws + 32_768) // (140 * 65_536)
        volume *= rush
        volume[volume < 1] = 1
        return volume


def _fall(slopes: Column, rush: Column, start: int, minutes: int, depth: int) -> int:
    """Fall by `depth` within some minutes; returns the first minute after them."""
    end = start + minutes
    slopes[start:end] -= depth // minutes
    slopes[end - 1] -= depth % minutes
    rush[start:end] = 3
    return end


def _rise(slopes: Column, start: int, end: int, height: int) -> None:
    """Rise by exactly `height`, evenly, from minute `start` up to `end`."""
    minutes = end - start
    slopes[start:end] += height // minutes
    slopes[end - 1] += height % minutes


def _draws(key: str, count: int) -> Column:
    """Return `count` draws from 0 to 65,535 for this key."""
    return np.frombuffer(hashlib.shake_128(key.encode()).digest(2 * count), dtype="<u2").astype(np.int64)


def _scaled(level: int, deviation_bp: int, normal: int) -> int:
    """A normal draw with a standard deviation of so many basis points of a level, in whole cents."""
    units = level * deviation_bp * normal // (_BASIS * _NORMAL_DEVIATION)
    return units // _CENT * _CENT


def _within(level: int, base: int) -> int:
    """Keep a level between a quarter and four times the base, so that it is a price whatever the settings are."""
    return min(max(level, base // 4), base * 4) // _CENT * _CENT


def _basis_points(percent: Decimal) -> int:
    """Per cent of at most two decimals as whole basis points."""
    return int(EXACT.multiply(percent, Decimal(100)))
