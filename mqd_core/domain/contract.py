"""What a bar must satisfy before anybody trades on it: one record at a time, the truth that faster checks are held to.

A violation keeps a bar out: it is counted and named, and the time of the last good bar stays where it was, so one bad
row does not make outcasts of its successors. A note lets the bar pass. May not repair a bar, remember one, or read a
clock: whoever asks hands over the bar accepted before and the time of arrival.
"""

from __future__ import annotations

import datetime as dt
from math import isinf, isnan
from typing import Final

import msgspec

from mqd_core.domain.market import Bar, Timeframe
from mqd_core.domain.sessions import SessionTable

# Codes of violations, in the order in which they are looked for; the first one found is told. They never change.
NOT_A_NUMBER: Final = "not_a_number"
INFINITE: Final = "infinite"
NON_POSITIVE: Final = "non_positive"
HIGH_LOW: Final = "high_low"
ZERO_VOLUME: Final = "zero_volume"
OUT_OF_ORDER: Final = "out_of_order"
DUPLICATE: Final = "duplicate"
REVISED: Final = "revised"
# Codes of notes.
GAP: Final = "gap"
STALE: Final = "stale"

_PRICES: Final = ("open", "high", "low", "close")
_NUMBERS: Final = (*_PRICES, "volume")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_TIME_END_NS: Final = 2**63


class Violation(msgspec.Struct, frozen=True):
    """Why a bar was kept out: a stable code for machines, a sentence for people."""

    code: str
    text: str


class Note(msgspec.Struct, frozen=True):
    """What is remarkable about a bar that was let in. `missing` is the number of bars that a gap leaves out."""

    code: str
    text: str
    missing: int = 0


def utc_text(ts_ns: int) -> str:
    """A time for messages, ISO 8601 to the microsecond; the number itself where it is none that int64 could hold."""
    if not 0 <= ts_ns < _TIME_END_NS:
        return f"{ts_ns} ns"
    return (_EPOCH + dt.timedelta(microseconds=ts_ns // 1_000)).isoformat().replace("+00:00", "Z")


class MarketDataContract:
    """The conditions on bars of one timeframe. Holds no state: ask it about any symbol in any order.

    `stale_after_ns` is how long after its end a live bar may arrive without a note.
    """

    __slots__ = ("_length_ns", "_sessions", "_stale_after_ns", "_timeframe")

    def __init__(self, timeframe: Timeframe, sessions: SessionTable, stale_after_ns: int = 0) -> None:
        self._timeframe = timeframe
        self._length_ns = timeframe.length_ns
        self._sessions = sessions
        self._stale_after_ns = stale_after_ns

    def check(self, bar: Bar, previous_start_ns: int | None, previous_bar: Bar | None) -> Violation | None:
        """What keeps the bar out, or None.

        Args:
            bar: the bar in question; its symbol is not looked at.
            previous_start_ns: start of the symbol's last accepted bar, or None before the first.
            previous_bar: that bar, or None where its content is not known (then the same start is a duplicate).
        """
        return self._check_numbers(bar) or self._check_order(bar, previous_start_ns, previous_bar)

    @staticmethod
    def _check_numbers(bar: Bar) -> Violation | None:
        numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        for code, is_wrong in ((NOT_A_NUMBER, isnan), (INFINITE, isinf)):
            for name, value in zip(_NUMBERS, numbers, strict=True):
                if is_wrong(value):
                    return Violation(code, f"{name} was {value!r}")
        for name, value in zip(_PRICES, numbers, strict=False):
            if value <= 0:
                return Violation(NON_POSITIVE, f"{name} was {value!r}; a price is above zero")
        if bar.volume < 0:
            return Violation(NON_POSITIVE, f"volume was {bar.volume!r}; it is never below zero")
        if bar.high < max(bar.open, bar.close, bar.low) or bar.low > min(bar.open, bar.close):
            prices = ", ".join(f"{name} {value!r}" for name, value in zip(_PRICES, numbers, strict=False))
            return Violation(HIGH_LOW, f"{prices}: open and close were not between low and high")
        if bar.volume == 0:
            return Violation(ZERO_VOLUME, "volume was 0; a bar without a trade has no prices")
        return None

    @staticmethod
    def _check_order(bar: Bar, previous_start_ns: int | None, previous_bar: Bar | None) -> Violation | None:
        if previous_start_ns is None:
            # Nothing traded before 1970; the usual cause is a time stamp that its source had not filled in.
            return Violation(OUT_OF_ORDER, f"it started {bar.start_ns} ns from 1970") if bar.start_ns < 0 else None
        if bar.start_ns > previous_start_ns:
            return None
        if bar.start_ns < previous_start_ns:
            return Violation(OUT_OF_ORDER, f"it came after the bar of {utc_text(previous_start_ns)}")
        if previous_bar is None or _content(bar) == _content(previous_bar):
            return Violation(DUPLICATE, "it came twice")
        pairs = zip(_NUMBERS, _content(previous_bar), _content(bar), strict=True)
        changes = ", ".join(f"{name} {old!r} to {new!r}" for name, old, new in pairs if old != new)
        return Violation(REVISED, f"it came again with {changes}")

    def gap(self, start_ns: int, previous_start_ns: int | None) -> Note | None:
        """A note if bars are missing inside a session between two accepted bars; never before the first."""
        missing = 0 if previous_start_ns is None else self.missing_bars(start_ns, previous_start_ns)
        if previous_start_ns is None or not missing:
            return None
        bars = "bar is" if missing == 1 else "bars are"
        return Note(GAP, f"{missing} {bars} missing after {utc_text(previous_start_ns)}", missing)

    def missing_bars(self, start_ns: int, previous_start_ns: int) -> int:
        """How many bars should have come between two: only inside sessions, and none where the table knows no session.

        Counted in steps from the previous bar, so that it does not matter whether a source aligns its bars to the hour
        or to the open. A 1Day bar is that of the first session to close after its start: it may be stamped with any
        instant of the date up to the close.
        """
        sessions = self._sessions.sessions_between(previous_start_ns, start_ns)
        if self._timeframe is Timeframe.DAY_1:
            return max(sum(session.close_ns <= start_ns for session in sessions) - 1, 0)
        missing = 0
        for session in sessions:
            first_ns, end_ns = max(session.open_ns, previous_start_ns + 1), min(session.close_ns, start_ns)
            missing += (end_ns - 1 - previous_start_ns) // self._length_ns
            missing -= (first_ns - 1 - previous_start_ns) // self._length_ns
        return missing

    def stale(self, bar: Bar, arrived_ns: int) -> Note | None:
        """A note if a live bar arrived later after its end than it may."""
        late_ns = arrived_ns - bar.start_ns - self._length_ns
        if late_ns <= self._stale_after_ns:
            return None
        limit = f"{self._stale_after_ns / 1e9:.1f} s"
        return Note(STALE, f"it arrived {late_ns / 1e9:.1f} s after its end; allowed are {limit}")


def _content(bar: Bar) -> tuple[float, float, float, float, float]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume
