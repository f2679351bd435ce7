"""DataValidator: the contract on bars, applied to columns; what it flags is judged by the contract, row by row.

Numpy decides which rows pass, some nanoseconds each; why a row does not pass is the contract's word alone, and a test
proves that both agree on every row. May not change a value: a row passes as it is, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from mqd_core.domain import contract
from mqd_core.domain.contract import MarketDataContract
from mqd_core.domain.market import Bar, Timeframe
from mqd_core.domain.sessions import SessionTable
from mqd_core.errors import DataFault
from mqd_core.ports.data import BarChunk

#: How many rejections of one symbol are kept in full; all are counted.
REJECTIONS_KEPT: Final = 1_000
#: How many gaps are listed over all symbols; all are counted.
GAPS_KEPT: Final = 100

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

# Before any bar: a start below zero is no time of a market.
_BEFORE_ALL_NS: Final = -1


class Rejection(msgspec.Struct, frozen=True):
    """A row that was kept out. `row` is its place in the source, as the provider counts."""

    symbol: str
    start_ns: int
    row: int
    code: str
    text: str


class Gap(msgspec.Struct, frozen=True):
    """Bars that never came, inside a session, between the bar before and the one that starts at `start_ns`."""

    symbol: str
    start_ns: int
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A mask over the rows of a chunk, True where a row passed, and why the others did not (the first of a symbol)."""

    accepted: Mask
    rejections: tuple[Rejection, ...]


@dataclass(slots=True)
class _Symbol:
    """What is remembered of a symbol from chunk to chunk."""

    start_ns: int = _BEFORE_ALL_NS
    bar: Bar | None = None
    kept: int = 0


class DataValidator:
    """Checks chunks of any number of symbols, each symbol's in order. Not thread-safe.

    `counts` holds rejections by code, and under `gap` the number of gaps; `missing` is how many bars those left out.
    """

    def __init__(self, timeframe: Timeframe, sessions: SessionTable) -> None:
        self._contract = MarketDataContract(timeframe, sessions)
        self._length_ns = timeframe.length_ns
        self._is_daily = timeframe is Timeframe.DAY_1
        self._opens, self._closes = session_bounds(sessions)
        self._symbols: dict[str, _Symbol] = {}
        self.counts: dict[str, int] = {}
        self.missing = 0
        #: The first gaps that were found.
        self.gaps: list[Gap] = []

    @property
    def rejected(self) -> int:
        """How many rows were kept out."""
        return sum(count for code, count in self.counts.items() if code != contract.GAP)

    def counts_text(self) -> str:
        """Rejections by code, for messages."""
        counts = sorted((code, count) for code, count in self.counts.items() if code != contract.GAP)
        return ", ".join(f"{code} {count:,}" for code, count in counts) or "none"

    def check(self, chunk: BarChunk) -> Checked:
        """Judge the next rows of a symbol; what passes becomes the state against which later rows are judged."""
        symbol = self._symbols.setdefault(chunk.symbol, _Symbol())
        starts, accepted = chunk.start_ns, _sound(chunk)
        is_clean = bool(accepted.all()) and _ascends(starts, symbol.start_ns)
        if not is_clean:
            # A sound row passes if it is later than all sound rows before it: those that did not pass were not later.
            reached = np.maximum.accumulate(np.where(accepted, starts, symbol.start_ns))
            accepted[1:] &= starts[1:] > np.maximum(reached[:-1], symbol.start_ns)
            accepted[:1] &= starts[:1] > symbol.start_ns
        rejections = () if is_clean else self._reject(chunk, accepted, symbol)
        passed = starts if is_clean else starts[accepted]
        if passed.size:
            self._note_gaps(chunk.symbol, passed, symbol.start_ns)
            last = len(starts) - 1 - int(np.argmax(accepted[::-1]))
            symbol.bar = next(_bars(chunk, np.array([last])))
            symbol.start_ns = symbol.bar.start_ns
        return Checked(accepted, rejections)

    def _reject(self, chunk: BarChunk, accepted: Mask, symbol: _Symbol) -> tuple[Rejection, ...]:
        """Ask the contract about each flagged row, with the bar accepted before it."""
        flagged, passed = np.flatnonzero(~accepted), np.flatnonzero(accepted)
        before = np.searchsorted(passed, flagged)
        from_state = int(np.searchsorted(before, 1))
        earlier = [symbol.bar] * from_state + [*_bars(chunk, passed[before[from_state:] - 1])]
        rejections = []
        for row, bar, previous in zip(flagged.tolist(), _bars(chunk, flagged), earlier, strict=True):
            violation = self._contract.check(bar, None if previous is None else previous.start_ns, previous)
            if violation is None:
                raise DataFault(f"{chunk.symbol}: the checks of columns and of bars disagree over {bar}")
            self.counts[violation.code] = self.counts.get(violation.code, 0) + 1
            if symbol.kept < REJECTIONS_KEPT:
                symbol.kept += 1
                place = chunk.first_row + row
                rejections.append(Rejection(chunk.symbol, bar.start_ns, place, violation.code, violation.text))
        return tuple(rejections)

    def _note_gaps(self, name: str, starts: Integers, last_ns: int) -> None:
        """Count the bars missing before each accepted one: `MarketDataContract.missing_bars` in columns."""
        is_jump = starts[1:] != starts[:-1] + self._length_ns
        rows = np.flatnonzero(is_jump | self._is_daily) + 1
        later, earlier = starts[rows], starts[rows - 1]
        if last_ns != _BEFORE_ALL_NS:
            later, earlier = np.insert(later, 0, starts[0]), np.insert(earlier, 0, last_ns)
        self._keep_gaps(name, later, self._missing(later, earlier))

    def _missing(self, later: Integers, earlier: Integers) -> Integers:
        first = np.searchsorted(self._closes, earlier, side="right")
        missing = np.zeros(len(later), dtype=np.int64)
        if self._is_daily:
            missing[:] = np.maximum(np.searchsorted(self._closes, later, side="right") - first - 1, 0)
            return missing
        sessions = np.searchsorted(self._opens, later, side="left") - first
        # One session, as in it or over a night: by columns. More: rare enough for the contract's loop.
        one = np.flatnonzero(sessions == 1)
        session, before = first[one], earlier[one] + 1
        steps_to_end = (np.minimum(self._closes[session], later[one]) - before) // self._length_ns
        missing[one] = steps_to_end - (np.maximum(self._opens[session], before) - before) // self._length_ns
        for row in np.flatnonzero(sessions > 1).tolist():
            missing[row] = self._contract.missing_bars(int(later[row]), int(earlier[row]))
        return missing

    def _keep_gaps(self, name: str, starts: Integers, missing: Integers) -> None:
        found = np.flatnonzero(missing)
        if not found.size:
            return
        self.counts[contract.GAP] = self.counts.get(contract.GAP, 0) + len(found)
        self.missing += int(missing.sum())
        listed = found[: GAPS_KEPT - len(self.gaps)]
        self.gaps += map(Gap, repeat(name), starts[listed].tolist(), missing[listed].tolist())


@lru_cache(maxsize=4)
def session_bounds(sessions: SessionTable) -> tuple[Integers, Integers]:
    """Opens and closes of all sessions, in nanoseconds, in order. Made once a table, which never changes."""
    bounds = np.array([[each.open_ns for each in sessions], [each.close_ns for each in sessions]], dtype=np.int64)
    bounds.flags.writeable = False
    return bounds[0], bounds[1]


def _sound(chunk: BarChunk) -> Mask:
    """Where the numbers of a row are what a bar's must be; comparisons with NaN are False, so it is flagged."""
    low, high = chunk.low, chunk.high
    sound = low > 0.0
    for lesser, greater in ((low, chunk.open), (chunk.open, high), (low, chunk.close), (chunk.close, high)):
        sound &= lesser <= greater
    sound &= high < np.inf
    sound &= chunk.volume > 0.0
    sound &= chunk.volume < np.inf
    return sound


def _ascends(starts: Integers, last_ns: int) -> bool:
    return not starts.size or (bool(starts[0] > last_ns) and bool((starts[1:] > starts[:-1]).all()))


def _bars(chunk: BarChunk, rows: NDArray[np.intp]) -> map[Bar]:
    columns = (chunk.start_ns, chunk.open, chunk.high, chunk.low, chunk.close, chunk.volume)
    return map(Bar, repeat(chunk.symbol), *(column[rows].tolist() for column in columns))
