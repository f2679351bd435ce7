"""EquityCurve: what an account was worth at each bar's close, computed from columns when a chunk is done.

Nothing runs once a bar: the loop tells only when cash or holdings changed, and before which bar. All in floats, since
these are statistics: exact money is in the ledger. May not decide anything, and no limit may be judged by it.

Equity at a bar's close is cash + quantity x last close of each symbol; a holding counts from its symbol's first close
on. Drawdown is measured from the highest equity before, the start included. A deposit or withdrawal would count as
profit or loss: a finite feed trades a simulated account, which has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from mqd_core.domain.journal import Segment
from mqd_core.domain.market import Timeframe
from mqd_core.domain.sessions import SessionTable
from mqd_core.errors import StoreCorrupt
from mqd_core.runtime.feed import FeedChunk
from mqd_core.runtime.validator import Floats, Integers, session_bounds

SESSIONS_A_YEAR: Final = 252
#: Returns that differ by less are equal: what is left is the rounding of floats.
_DEVIATION_MIN: Final = 1e-12


class SessionClose(msgspec.Struct, frozen=True):
    """Equity in USD at the close of a session's last bar."""

    date: str
    equity: float


class _State(msgspec.Struct):
    """The curve as plain values; closes are 0 where a symbol has had no bar."""

    start_equity: float
    cash: float
    quantities: list[float]
    first_closes: list[float]
    last_closes: list[float]
    peak: float
    drawdown_usd: float = 0.0
    drawdown_pct: float = 0.0
    closes: list[SessionClose] = msgspec.field(default_factory=list)


class _Change(msgspec.Struct, frozen=True):
    """What is held from a row of the current chunk on."""

    row: int
    cash: float
    quantities: list[float]


_STATES: Final = msgspec.json.Decoder(_State)


class EquityCurve:
    """Equity of one account over a finite feed of `symbols` symbols, known by their place in the feed's order.

    Each chunk is begun, then taken in as many calls of `close_chunk` as one likes.
    """

    def __init__(self, symbols: int, timeframe: Timeframe, sessions: SessionTable, start_equity: float) -> None:
        none = [0.0] * symbols
        self._state = _State(start_equity, start_equity, none, [*none], [*none], start_equity)
        self._is_daily = timeframe is Timeframe.DAY_1
        self._dates = [session.date for session in sessions]
        self._opens, self._ends = session_bounds(sessions)
        self._segment: Segment | None = None
        #: The next row of the current chunk to take.
        self._row = 0
        self._changes: list[_Change] = []

    # What a run tells

    def begin(self, first_row: int = 0) -> None:
        """A new chunk is next; rows before `first_row` were taken by an earlier process."""
        self._hold_last()
        self._segment, self._row = None, first_row

    def change(self, row: int, cash: float, holdings: Mapping[int, float]) -> None:
        """From the bar in that row on, the account holds this: cash in USD, shares by place of the symbol.

        Of rows that are taken already nothing changes: what is told late, or after a chunk's end, counts from the next
        row on. Raises ValueError if a change of a later row was told before.
        """
        row = max(row, self._row)
        if self._changes and row < self._changes[-1].row:
            raise ValueError(f"a change at row {row} was told after one at row {self._changes[-1].row}")
        quantities = [0.0] * len(self._state.quantities)
        for symbol, quantity in holdings.items():
            quantities[symbol] = quantity
        self._changes.append(_Change(row, cash, quantities))

    def close_chunk(self, chunk: FeedChunk, upto_row: int) -> None:
        """Take the chunk's rows up to, not including, `upto_row`; none if it has come that far before.

        Raises ValueError if the chunk was not begun, rows before were taken, or a change was told of a later row.
        """
        if self._segment is not None and self._segment is not chunk.segment:
            raise ValueError("a chunk was closed that had not begun")
        latest = self._changes[-1].row if self._changes else self._row
        if not latest <= upto_row <= chunk.rows:
            raise ValueError(f"rows up to {upto_row} of {chunk.rows} were asked for, but row {latest} was reached")
        if upto_row > self._row:
            one = len(self._state.quantities) == 1
            equity = self._equity_of_one(chunk, upto_row) if one else self._equity_of_many(chunk, upto_row)
            self._fold(chunk.start_ns[self._row : upto_row], equity)
        self._hold_last()
        self._segment, self._row = chunk.segment, upto_row

    # What it says

    @property
    def equity(self) -> float:
        """Worth of the account, in USD, at the last closes."""
        state = self._state
        holdings = zip(state.quantities, state.last_closes, strict=True)
        return math.fsum((state.cash, *(quantity * close for quantity, close in holdings)))

    @property
    def max_drawdown_usd(self) -> float:
        """The deepest fall from the highest equity before it, in USD."""
        return self._state.drawdown_usd

    @property
    def max_drawdown_pct(self) -> float:
        """The deepest fall in per cent of the highest equity before it; not always the deepest one in USD."""
        return self._state.drawdown_pct

    @property
    def session_closes(self) -> tuple[SessionClose, ...]:
        """Equity at the close of each session's last bar; of a session still open, of its last bar so far.

        Bars outside of sessions count for none of them, but a 1Day bar counts for its date's.
        """
        return tuple(self._state.closes)

    @property
    def sharpe(self) -> float | None:
        """See `sharpe_ratio`."""
        return sharpe_ratio([self._state.start_equity, *(close.equity for close in self._state.closes)])

    @property
    def buy_and_hold_pct(self) -> float | None:
        """Per cent gained by equal amounts in all symbols from their first close to their last; None before any bar."""
        pairs = zip(self._state.first_closes, self._state.last_closes, strict=True)
        gains = [last / first - 1 for first, last in pairs if first]
        return 100 * math.fsum(gains) / len(gains) if gains else None

    def state(self) -> bytes:
        """The curve up to the last row taken, for `restore`. Raises ValueError if a change was told of a later row."""
        if self._changes and self._changes[-1].row > self._row:
            raise ValueError(
                f"a change was told of row {self._changes[-1].row}, but row {self._row} is the next to take"
            )
        self._hold_last()
        return msgspec.json.encode(self._state)

    def restore(self, data: bytes) -> None:
        """Become what `state` was taken of. Raises StoreCorrupt if that was no curve, or one of other symbols."""
        try:
            state = _STATES.decode(data)
        except msgspec.MsgspecError as error:
            raise StoreCorrupt(f"the stored equity curve cannot be read: {error}") from error
        symbols = len(self._state.quantities)
        if {len(state.quantities), len(state.first_closes), len(state.last_closes)} != {symbols}:
            raise StoreCorrupt(f"the stored equity curve is of {len(state.quantities)} symbols, the feed of {symbols}")
        self._changes.clear()
        self._state = state
        self.begin()

    # Inside

    def _hold_last(self) -> None:
        if self._changes:
            self._state.cash, self._state.quantities = self._changes[-1].cash, self._changes[-1].quantities
            self._changes.clear()

    def _equity_of_one(self, chunk: FeedChunk, upto_row: int) -> Floats:
        """Equity at each row's close: each row's cash and quantity are those of the last change before it."""
        state, first = self._state, self._row
        closes = chunk.close[first:upto_row]
        state.first_closes[0] = state.first_closes[0] or float(closes[0])
        state.last_closes[0] = float(closes[-1])
        if not self._changes:
            return state.cash + state.quantities[0] * closes
        rows = np.diff([0, *(change.row - first for change in self._changes), len(closes)])
        cash = np.repeat([state.cash, *(change.cash for change in self._changes)], rows)
        quantity = np.repeat([state.quantities[0], *(change.quantities[0] for change in self._changes)], rows)
        quantity *= closes
        quantity += cash
        return quantity

    def _equity_of_many(self, chunk: FeedChunk, upto_row: int) -> Floats:
        """Equity at each row's close, as the running sum of what each row and change adds.

        A row adds its symbol's quantity times the move of its close, a change adds cash and the worth of what was
        bought at the close before. Each call starts from the exact worth, so that rounding does not add up.
        """
        state, rows = self._state, slice(self._row, upto_row)
        closes = _ClosesBySymbol(chunk.symbol_index[rows], chunk.close[rows], np.array(state.last_closes))
        held = np.array([state.quantities, *(change.quantities for change in self._changes)])
        cash = [state.cash, *(change.cash for change in self._changes)]
        changed = np.array([change.row - self._row for change in self._changes], dtype=np.int64)
        steps = np.zeros(len(closes.order) + 1)
        np.add.at(steps, changed, np.diff(cash))
        # By symbol, then by time: symbol and number of each change of a quantity.
        symbol, number = np.nonzero(np.diff(held, axis=0).T)
        place = closes.places(symbol, changed[number])
        bought = held[number + 1, symbol] - held[number, symbol]
        np.add.at(steps, changed[number], bought * closes.before(symbol, place))
        quantity = closes.spread(held[0], symbol, place, held[number + 1, symbol])
        moves = np.empty(len(closes.order))
        moves[closes.order] = quantity * (closes.close - closes.previous)
        worth = self.equity
        for place_of, (first, last) in closes.ends():
            state.first_closes[place_of] = state.first_closes[place_of] or first
            state.last_closes[place_of] = last
        moves += steps[:-1]
        equity = np.cumsum(moves, out=moves)
        equity += worth
        return equity

    def _fold(self, starts: Integers, equity: Floats) -> None:
        """Take equity at each row's close; the array is used up, since new ones cost more than the arithmetic."""
        state = self._state
        self._close_sessions(starts, equity)
        peaks = np.maximum.accumulate(equity)
        np.maximum(peaks, state.peak, out=peaks)
        falls = np.subtract(peaks, equity, out=equity)
        fall = float(falls.max())
        state.peak = float(peaks[-1])
        state.drawdown_usd = max(state.drawdown_usd, fall)
        # Per cent of nothing is no number: an account that began empty counts from its first dollar.
        some = int(np.searchsorted(peaks, 0.0, side="right"))
        # The peaks ascend, so no fall is deeper than the deepest in USD of the first of them.
        if some < len(peaks) and 100 * fall / float(peaks[some]) > state.drawdown_pct:
            shares = np.divide(falls[some:], peaks[some:], out=falls[some:])
            state.drawdown_pct = max(state.drawdown_pct, 100 * float(shares.max()))

    def _close_sessions(self, starts: Integers, equity: Floats) -> None:
        closes = self._state.closes
        first = int(np.searchsorted(self._ends, starts[0], side="right"))
        end = int(np.searchsorted(self._ends, starts[-1], side="right")) + 1
        # The last row before each close; the one before the first session if the session has none.
        rows = np.searchsorted(starts, self._ends[first:end], side="left") - 1
        is_new = np.diff(rows, prepend=-1) > 0
        if not self._is_daily:
            is_new &= starts[rows] >= self._opens[first:end]
        for session in np.flatnonzero(is_new).tolist():
            close = SessionClose(self._dates[first + session], float(equity[rows[session]]))
            if closes and closes[-1].date == close.date:
                closes.pop()
            closes.append(close)


class _ClosesBySymbol:
    """Rows of many symbols brought together by symbol, each symbol's in order."""

    def __init__(self, index: Integers, close: Floats, last: Floats) -> None:
        symbols = len(last)
        # Of values of one or two bytes numpy's stable sort is a radix sort.
        self.order = np.argsort(index.astype(np.min_scalar_type(symbols)), kind="stable")
        self.close = close[self.order]
        counts = np.bincount(index, minlength=symbols)
        self._last = last
        self._ends = np.cumsum(counts)
        self._begins = self._ends - counts
        self._traded = np.flatnonzero(counts)
        self._keys = index[self.order] * len(index) + self.order
        #: The close before, of the same symbol.
        self.previous = np.empty(len(close))
        self.previous[1:] = self.close[:-1]
        self.previous[self._begins[self._traded]] = last[self._traded]

    def places(self, symbol: Integers, row: Integers) -> Integers:
        """Where, among the rows by symbol, those of a symbol from a row on begin."""
        return np.searchsorted(self._keys, symbol * len(self.order) + row)

    def before(self, symbol: Integers, place: Integers) -> Floats:
        """The last close of a symbol before a place of its own."""
        return np.where(place > self._begins[symbol], self.close[place - 1], self._last[symbol])

    def spread(self, first: Floats, symbol: Integers, place: Integers, values: Floats) -> Floats:
        """A value for each row: the symbol's first one, and from each of its places on the one given for it."""
        order = np.argsort(np.concatenate((np.arange(len(first)), symbol)), kind="stable")
        places = np.concatenate((self._begins, place))[order]
        return np.repeat(np.concatenate((first, values))[order], np.diff(places, append=len(self.order)))

    def ends(self) -> zip[tuple[int, tuple[float, float]]]:
        """First and last close of each symbol that has rows."""
        first = self.close[self._begins[self._traded]].tolist()
        last = self.close[self._ends[self._traded] - 1].tolist()
        return zip(self._traded.tolist(), zip(first, last, strict=True), strict=True)


def sharpe_ratio(equities: Sequence[float]) -> float | None:
    """Mean of the returns from each equity to the next over their sample deviation, times the root of 252.

    The first is the equity at the start, the others those at the closes of sessions; the riskless rate counts as zero.
    None if there are fewer than two sessions, if all returns are equal, or if an equity before a return is not above 0.
    """
    if len(equities) <= 2 or min(equities[:-1]) <= 0:
        return None
    returns = [after / before - 1 for before, after in pairwise(equities)]
    # fsum and no sum: it rounds once, and the same on every Python.
    mean = math.fsum(returns) / len(returns)
    deviation = math.sqrt(math.fsum((value - mean) * (value - mean) for value in returns) / (len(returns) - 1))
    if deviation < _DEVIATION_MIN:
        return None
    return mean / deviation * math.sqrt(SESSIONS_A_YEAR)
