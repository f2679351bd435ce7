"""EquityCurve: equal to a loop over every bar, in as many calls and over as many restarts as one likes."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.journal import Segment
from mqd_core.domain.market import MINUTE_NS, Timeframe
from mqd_core.domain.sessions import xnys
from mqd_core.errors import StoreCorrupt
from mqd_core.runtime.equity_curve import EquityCurve, SessionClose, sharpe_ratio
from mqd_core.runtime.feed import FeedChunk

OPEN = int(dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.timezone.utc).timestamp()) * 1_000_000_000
DAY_MINUTES = 1_440

#: A bar: its start, its symbol's place, its close.
Row = tuple[int, int, float]
#: What is held from a row on: row, cash, shares by place of the symbol.
Change = tuple[int, float, dict[int, float]]


def chunk_of(rows: Sequence[Row]) -> FeedChunk:
    starts, index, closes = zip(*rows, strict=True)
    column = np.array(closes, dtype=np.float64)
    segment = Segment(
        provider="rows",
        settings="",
        timeframe="1Min",
        symbols=(),
        first_ns=starts[0],
        last_ns=starts[-1],
        rows=len(rows),
        digest="",
    )
    return FeedChunk(
        segment=segment,
        start_ns=np.array(starts, dtype=np.int64),
        symbol_index=np.array(index, dtype=np.int64),
        open=column,
        high=column,
        low=column,
        close=column,
        volume=column,
    )


def curve_of(symbols: int, timeframe: Timeframe = Timeframe.MINUTE_1, start_equity: float = 1_000.0) -> EquityCurve:
    return EquityCurve(symbols, timeframe, xnys(), start_equity)


def minute_rows(*closes: float, first: int = 0) -> list[Row]:
    return [(OPEN + minute * MINUTE_NS, 0, close) for minute, close in enumerate(closes, start=first)]


@dataclass
class BarByBar:
    """The naive loop: equity from all holdings at each bar, one bar after the other."""

    symbols: int
    cash: float = 1_000.0
    peak: float = 1_000.0
    fall_usd: float = 0.0
    fall_pct: float = 0.0
    holdings: dict[int, float] = field(default_factory=dict)
    first: dict[int, float] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    closes: dict[str, float] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        start_ns, place, close = row
        self.first.setdefault(place, close)
        self.last[place] = close
        equity = self.equity
        self.peak = max(self.peak, equity)
        self.fall_usd = max(self.fall_usd, self.peak - equity)
        self.fall_pct = max(self.fall_pct, 100 * (self.peak - equity) / self.peak)
        session = xnys().session_at(start_ns)
        if session is not None:
            self.closes[session.date] = equity

    @property
    def equity(self) -> float:
        return self.cash + math.fsum(
            quantity * self.last[place] for place, quantity in self.holdings.items() if place in self.last
        )

    @property
    def hold_pct(self) -> float | None:
        gains = [100 * (self.last[place] / first - 1) for place, first in self.first.items()]
        return statistics.fmean(gains) if gains else None


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def check_equal(curve: EquityCurve, model: BarByBar) -> None:
    assert curve.equity == near(model.equity)
    assert curve.max_drawdown_usd == near(model.fall_usd)
    assert curve.max_drawdown_pct == near(model.fall_pct)
    assert {close.date: close.equity for close in curve.session_closes} == pytest.approx(model.closes, rel=1e-9)
    assert [close.date for close in curve.session_closes] == sorted(model.closes)
    hold = curve.buy_and_hold_pct
    assert hold is None if model.hold_pct is None else hold == near(model.hold_pct)


QUANTITIES = st.floats(-3, 3).map(lambda value: round(value, 9))
CLOSES = st.floats(1, 200).map(lambda value: round(value, 2))


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[list[Row]], list[list[Change]], list[list[int]]]:
    """Symbols, chunks of their bars in order, changes of each chunk, and rows at which it is taken in parts."""
    symbols = draw(st.integers(1, 4))
    minutes = sorted(draw(st.sets(st.integers(-30, 4 * DAY_MINUTES), min_size=1, max_size=40)))
    places = st.sets(st.integers(0, symbols - 1), min_size=1)
    each = [(minute, sorted(draw(places))) for minute in minutes]
    rows = [(OPEN + minute * MINUTE_NS, place, draw(CLOSES)) for minute, who in each for place in who]
    ends = sorted(draw(st.sets(st.integers(1, len(rows)), max_size=3)) | {len(rows)})
    chunks = [rows[first:end] for first, end in pairwise([0, *ends])]
    holdings = st.dictionaries(st.integers(0, symbols - 1), QUANTITIES, max_size=symbols)
    changes, cuts = [], []
    for chunk in chunks:
        at = st.tuples(st.integers(0, len(chunk)), st.floats(500, 1_500), holdings)
        changes.append(sorted(draw(st.lists(at, max_size=8)), key=lambda change: change[0]))
        cuts.append(sorted(draw(st.sets(st.integers(0, len(chunk)), max_size=3)) | {len(chunk)}))
    return symbols, chunks, changes, cuts


@given(histories(), st.booleans())
def test_as_bar_by_bar(
    history: tuple[int, list[list[Row]], list[list[Change]], list[list[int]]], restarts: bool
) -> None:
    """Whatever is traded, wherever chunks are cut and the process starts anew, each figure is the naive loop's."""
    symbols, chunks, changes, cuts = history
    curve, model = curve_of(symbols), BarByBar(symbols)
    for rows, moved, ends in zip(chunks, changes, cuts, strict=True):
        chunk, waiting, first = chunk_of(rows), [*moved], 0
        curve.begin()
        for end in ends:
            for row in range(first, end + 1):
                while waiting and waiting[0][0] == row:
                    _, cash, holdings = waiting.pop(0)
                    curve.change(row, cash, holdings)
                    model.cash, model.holdings = cash, holdings
                if row < end:
                    model.take(rows[row])
            curve.close_chunk(chunk, end)
            check_equal(curve, model)
            if restarts:
                state, curve = curve.state(), curve_of(symbols)
                curve.restore(state)
                assert curve.state() == state
                curve.begin(end)
            first = end


class TestDrawdown:
    def test_known_path(self) -> None:
        """Bought at 100 with everything, a rise to 120 and a fall to 90 is 25 per cent, 300 dollars of 1,200."""
        curve = curve_of(1)
        curve.change(1, 0.0, {0: 10.0})
        curve.close_chunk(chunk_of(minute_rows(100, 100, 120, 90, 130)), 5)
        assert (curve.max_drawdown_pct, curve.max_drawdown_usd, curve.equity) == (25.0, 300.0, 1_300.0)

    def test_from_the_start(self) -> None:
        """What is lost from the first bar on counts against the equity at the start."""
        curve = curve_of(1)
        curve.change(0, 0.0, {0: 10.0})
        curve.close_chunk(chunk_of(minute_rows(95, 99)), 2)
        assert (curve.max_drawdown_pct, curve.max_drawdown_usd) == (5.0, 50.0)

    def test_deepest_in_per_cent_and_in_usd_differ(self) -> None:
        """The two maxima are of different falls, where the account grew between them."""
        curve = curve_of(1)
        curve.change(0, 0.0, {0: 10.0})
        curve.close_chunk(chunk_of(minute_rows(100, 50, 1_000, 600)), 4)
        assert (curve.max_drawdown_pct, curve.max_drawdown_usd) == (50.0, 4_000.0)

    def test_an_account_that_begins_empty(self) -> None:
        """There is no per cent of nothing; from the first dollar on there is."""
        curve = curve_of(1, start_equity=0.0)
        curve.close_chunk(chunk_of(minute_rows(1, 1)), 2)
        assert (curve.max_drawdown_pct, curve.max_drawdown_usd) == (0.0, 0.0)
        curve.begin()
        curve.change(2, 100.0, {})
        curve.change(3, 90.0, {})
        curve.close_chunk(chunk_of(minute_rows(1, 1, 1, 1)), 4)
        assert (curve.max_drawdown_pct, curve.max_drawdown_usd) == (10.0, 10.0)

    def test_a_run_without_a_trade(self) -> None:
        """Nothing held is nothing lost."""
        curve = curve_of(2)
        curve.close_chunk(chunk_of([(OPEN, 0, 5.0), (OPEN, 1, 7.0), (OPEN + MINUTE_NS, 1, 3.0)]), 3)
        assert (curve.max_drawdown_pct, curve.max_drawdown_usd, curve.equity) == (0.0, 0.0, 1_000.0)
        assert curve.sharpe is None


class TestSessions:
    def test_closes(self) -> None:
        """Each session has the equity at its last bar inside it: not of the evening after, nor the morning before."""
        minutes = {-30: 1.0, 0: 2.0, 388: 3.0, 391: 4.0, DAY_MINUTES - 10: 5.0, DAY_MINUTES + 7: 6.0, 9_000: 7.0}
        curve = curve_of(1)
        curve.change(0, 0.0, {0: 1.0})
        curve.close_chunk(chunk_of([(OPEN + minute * MINUTE_NS, 0, close) for minute, close in minutes.items()]), 7)
        assert curve.session_closes == (SessionClose("2013-10-07", 3.0), SessionClose("2013-10-08", 6.0))

    def test_a_session_in_parts(self) -> None:
        """A session over several chunks has one close, its last one."""
        curve = curve_of(1)
        curve.change(0, 0.0, {0: 1.0})
        for first in (0, 200, 380):
            curve.begin()
            curve.close_chunk(chunk_of(minute_rows(first + 1.0, first + 2.0, first=first)), 2)
        assert curve.session_closes == (SessionClose("2013-10-07", 382.0),)

    @pytest.mark.parametrize("stamp_minutes", [-570, 0, -810])
    def test_daily_bars(self, stamp_minutes: int) -> None:
        """A bar of a day counts for its date, stamped with New York's midnight, with the open, or with UTC's."""
        curve = curve_of(1, Timeframe.DAY_1)
        curve.change(0, 0.0, {0: 1.0})
        starts = [OPEN + (day * DAY_MINUTES + stamp_minutes) * MINUTE_NS for day in range(3)]
        curve.close_chunk(chunk_of([(start, 0, 5.0 + day) for day, start in enumerate(starts)]), 3)
        assert [(close.date, close.equity) for close in curve.session_closes] == [
            ("2013-10-07", 5.0),
            ("2013-10-08", 6.0),
            ("2013-10-09", 7.0),
        ]

    @pytest.mark.parametrize("start_ns", [0, OPEN + 40 * 365 * DAY_MINUTES * MINUTE_NS])
    def test_outside_of_the_table(self, start_ns: int) -> None:
        """Where no session is known there is no close of one; the drawdown is known all the same."""
        curve = curve_of(1)
        curve.change(0, 900.0, {})
        curve.close_chunk(chunk_of([(start_ns, 0, 5.0)]), 1)
        assert (curve.session_closes, curve.max_drawdown_usd) == ((), 100.0)


class TestSharpe:
    def test_known(self) -> None:
        """Mean over sample deviation of the returns, from the start on, times the root of 252 sessions a year."""
        equities = [1_000.0, 1_010.0, 1_000.0, 1_030.0]
        returns = [after / before - 1 for before, after in pairwise(equities)]
        expected = statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(252)
        assert sharpe_ratio(equities) == near(expected)

    def test_of_a_curve(self) -> None:
        """The curve's ratio is that of its start and its sessions."""
        curve = curve_of(1)
        curve.change(0, 0.0, {0: 10.0})
        closes = [101.0, 103.0, 99.0]
        curve.close_chunk(
            chunk_of([(OPEN + day * DAY_MINUTES * MINUTE_NS, 0, close) for day, close in enumerate(closes)]), 3
        )
        assert curve.sharpe == sharpe_ratio([1_000.0, 1_010.0, 1_030.0, 990.0])

    @pytest.mark.parametrize(
        "equities",
        [
            [1_000.0],
            [1_000.0, 1_100.0],
            [1_000.0, 1_000.0, 1_000.0],
            [100.0, 110.0, 121.0],
            [1_000.0, 0.0, 5.0],
            [0.0, 1.0, 2.0],
        ],
    )
    def test_none(self, equities: list[float]) -> None:
        """No ratio of one session, of equal returns, or of returns on nothing."""
        assert sharpe_ratio(equities) is None


class TestTelling:
    def test_late_changes(self) -> None:
        """What is told after a chunk's end, by its last row or as row 0, counts from the next chunk on."""
        curve, rows = curve_of(1), minute_rows(10, 20)
        curve.close_chunk(chunk_of(rows), 2)
        curve.change(2, 950.0, {})
        curve.change(0, 900.0, {0: 1.0})
        assert (curve.max_drawdown_usd, curve.equity) == (0.0, 1_000.0)
        curve.begin()
        assert curve.equity == 920.0
        curve.close_chunk(chunk_of(minute_rows(10, first=2)), 1)
        assert (curve.max_drawdown_usd, curve.equity) == (90.0, 910.0)

    def test_nothing_is_taken_twice(self) -> None:
        """Closing a chunk again at the same row changes nothing."""
        curve, chunk = curve_of(1), chunk_of(minute_rows(100, 50))
        curve.change(0, 0.0, {0: 10.0})
        curve.close_chunk(chunk, 2)
        curve.change(2, 500.0, {})
        curve.close_chunk(chunk, 2)
        before = curve.state()
        curve.close_chunk(chunk, 2)
        assert curve.state() == before
        assert (curve.max_drawdown_usd, curve.equity) == (500.0, 500.0)

    def test_disorder(self) -> None:
        """Rows out of order, beyond the chunk, or of a chunk that was not begun are refused."""
        curve, chunk = curve_of(1), chunk_of(minute_rows(1, 2, 3))
        curve.change(2, 1.0, {})
        with pytest.raises(ValueError, match="row 1 was told after one at row 2"):
            curve.change(1, 1.0, {})
        with pytest.raises(ValueError, match="rows up to 1 of 3 were asked for, but row 2 was reached"):
            curve.close_chunk(chunk, 1)
        with pytest.raises(ValueError, match="a change was told of row 2, but row 0 is the next to take"):
            curve.state()
        with pytest.raises(ValueError, match="rows up to 4 of 3"):
            curve.close_chunk(chunk, 4)
        curve.close_chunk(chunk, 3)
        with pytest.raises(ValueError, match="rows up to 2 of 3"):
            curve.close_chunk(chunk, 2)
        with pytest.raises(ValueError, match="had not begun"):
            curve.close_chunk(chunk_of(minute_rows(1, 2, 3)), 3)

    def test_a_mapping_may_change_later(self) -> None:
        """The caller may go on using the mapping that it told."""
        curve, holdings = curve_of(1), {0: 10.0}
        curve.change(0, 0.0, holdings)
        holdings[0] = 99.0
        curve.close_chunk(chunk_of(minute_rows(7)), 1)
        assert curve.equity == 70.0


class TestState:
    @pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff"])
    def test_corrupt(self, data: bytes) -> None:
        """What is no state is refused, and the curve stays as it was."""
        curve = curve_of(1)
        before = curve.state()
        with pytest.raises(StoreCorrupt, match="equity curve cannot be read"):
            curve.restore(data)
        assert curve.state() == before

    def test_other_symbols(self) -> None:
        """A state of another number of symbols is refused."""
        with pytest.raises(StoreCorrupt, match="of 2 symbols, the feed of 1"):
            curve_of(1).restore(curve_of(2).state())
