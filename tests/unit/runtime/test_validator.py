"""DataValidator: columns are judged as the contract judges bars, row for row, whatever is in them."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.contract import MarketDataContract
from mqd_core.domain.market import MINUTE_NS, Bar, Timeframe
from mqd_core.domain.sessions import xnys
from mqd_core.ports.data import BarChunk
from mqd_core.runtime.validator import GAPS_KEPT, REJECTIONS_KEPT, DataValidator, Gap, Rejection

Row = tuple[int, float, float, float, float, float]

NAMES = ("open", "high", "low", "close", "volume")


def utc(text: str) -> int:
    """Nanoseconds of a time written as `2013-10-07T13:30:00Z`."""
    return int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 1_000_000_000


OPEN = utc("2013-10-07T13:30:00Z")
TIMEFRAMES = [Timeframe.MINUTE_1, Timeframe.MINUTE_15, Timeframe.HOUR_1, Timeframe.DAY_1]
SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 1.0, 1.5, 2.0, math.inf, -math.inf, math.nan, 1.7976931348623157e308]

SOUND = st.sampled_from([(10.0, 11.0, 9.0, 10.5, 100.0), (10.0, 11.0, 9.0, 10.25, 100.0), (1.0, 1.0, 1.0, 1.0, 1.0)])
NUMBERS = st.sampled_from(SPECIAL) | st.floats()
#: Often sound, so that rows pass and others follow; or sound but for one number; or anything.
PRICES = (
    SOUND
    | st.builds(lambda row, at, number: (*row[:at], number, *row[at + 1 :]), SOUND, st.integers(0, 4), NUMBERS)
    | st.tuples(*[NUMBERS] * 5)
)
#: Minutes near one another and near opens and closes, so that starts repeat, go back, and leave gaps of every kind.
STARTS = (
    st.integers(-5, 60).map(lambda minute: OPEN + minute * MINUTE_NS)
    | st.builds(
        lambda day, edge, minute: OPEN + (day * 1_440 + edge + minute) * MINUTE_NS,
        st.integers(0, 8),
        st.sampled_from([0, 390]),
        st.integers(-2, 2),
    )
    | st.integers(0, 20_000).map(lambda minute: OPEN + minute * MINUTE_NS)
    | st.integers(0, 40).map(lambda day: OPEN + day * 1_440 * MINUTE_NS)
    | st.integers(-(2**63), 2**63 - 1)
)
ROWS = st.tuples(STARTS, PRICES).map(lambda row: (row[0], *row[1]))
CHUNKS = st.lists(st.lists(ROWS, max_size=12), max_size=5)


def chunk_of(rows: Sequence[Row], symbol: str = "SPY", first_row: int = 1) -> BarChunk:
    """Rows as the columns of a provider."""
    starts, *prices = zip(*rows, strict=True) if rows else ((),) * 6
    columns = {name: np.array(column, dtype=np.float64) for name, column in zip(NAMES, prices, strict=True)}
    return BarChunk(symbol=symbol, start_ns=np.array(starts, dtype=np.int64), first_row=first_row, **columns)


def good(minute: int, close: float = 10.5) -> Row:
    return OPEN + minute * MINUTE_NS, 10.0, 11.0, 9.0, close, 100.0


class OneByOne:
    """The contract asked about every row in turn: slow and obvious."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._contract = MarketDataContract(timeframe, xnys())
        self._last: Bar | None = None
        self.counts: Counter[str] = Counter()
        self.gaps: list[Gap] = []

    def accepts(self, row: Row) -> bool:
        bar, last = Bar("SPY", *row), self._last
        last_ns = None if last is None else last.start_ns
        violation = self._contract.check(bar, last_ns, last)
        if violation is not None:
            self.counts[violation.code] += 1
            return False
        note = self._contract.gap(bar.start_ns, last_ns)
        if note is not None:
            self.counts[note.code] += 1
            self.gaps.append(Gap("SPY", bar.start_ns, note.missing))
        self._last = bar
        return True


@given(chunks=CHUNKS, timeframe=st.sampled_from(TIMEFRAMES))
def test_columns_and_bars_are_judged_alike(chunks: list[list[Row]], timeframe: Timeframe) -> None:
    """On any rows, however cut into chunks, masks, codes, gaps and missing bars are those of the contract."""
    validator, model = DataValidator(timeframe, xnys()), OneByOne(timeframe)
    for rows in chunks:
        checked = validator.check(chunk_of(rows))
        assert checked.accepted.tolist() == [model.accepts(row) for row in rows]
    assert validator.counts == model.counts
    assert validator.gaps == model.gaps[:GAPS_KEPT]
    assert validator.missing == sum(gap.missing for gap in model.gaps)


@given(rows=st.lists(ROWS, max_size=30), cuts=st.sets(st.integers(0, 30)))
def test_chunks_do_not_matter(rows: list[Row], cuts: set[int]) -> None:
    """The same rows in one chunk or in many are judged alike, rejections and their texts included."""
    whole, parts = DataValidator(Timeframe.MINUTE_1, xnys()), DataValidator(Timeframe.MINUTE_1, xnys())
    once = whole.check(chunk_of(rows))
    accepted: list[bool] = []
    rejections: list[Rejection] = []
    first = 0
    for end in [*sorted(cut for cut in cuts if cut < len(rows)), len(rows)]:
        checked = parts.check(chunk_of(rows[first:end], first_row=first + 1))
        accepted += checked.accepted.tolist()
        rejections += checked.rejections
        first = end
    assert (accepted, tuple(rejections)) == (once.accepted.tolist(), once.rejections)
    assert (parts.counts, parts.gaps, parts.missing) == (whole.counts, whole.gaps, whole.missing)


@pytest.mark.parametrize("value", SPECIAL)
@pytest.mark.parametrize("column", range(1, 6))
def test_one_number_decides(column: int, value: float) -> None:
    """A row that is sound but for one number is judged as the contract judges it."""
    row, model = (*good(0)[:column], value, *good(0)[column + 1 :]), OneByOne(Timeframe.MINUTE_1)
    assert DataValidator(Timeframe.MINUTE_1, xnys()).check(chunk_of([row])).accepted.tolist() == [model.accepts(row)]


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_gaps_at_opens_and_closes(timeframe: Timeframe) -> None:
    """From and to any minute around opens and closes, in one chunk or two, as many bars are missing as by contract."""
    minutes = [day * 1_440 + edge + near for day in (0, 1, 5) for edge in (0, 390) for near in (-61, -1, 0, 1, 61)]
    expected = MarketDataContract(timeframe, xnys()).missing_bars
    for first, second in combinations(sorted(minutes), 2):
        one, two = DataValidator(timeframe, xnys()), DataValidator(timeframe, xnys())
        one.check(chunk_of([good(first), good(second)]))
        two.check(chunk_of([good(first)]))
        two.check(chunk_of([good(second)]))
        missing = expected(good(second)[0], good(first)[0])
        assert (first, second, one.missing, two.missing) == (first, second, missing, missing)


def test_a_rejection_names_its_row() -> None:
    """A rejection tells symbol, start, the row as the provider counts, code and text."""
    checked = DataValidator(Timeframe.MINUTE_1, xnys()).check(
        chunk_of([good(0), (OPEN + MINUTE_NS, math.nan, 1.0, 1.0, 1.0, 1.0), good(2)], first_row=501)
    )
    assert checked.accepted.tolist() == [True, False, True]
    assert checked.rejections == (Rejection("SPY", OPEN + MINUTE_NS, 502, "not_a_number", "open was nan"),)


def test_a_rejected_row_does_not_advance_time() -> None:
    """After a bad row far in the future the good rows that follow still pass."""
    rows = [good(0), (OPEN + 10**15, 1.0, 1.0, 1.0, 1.0, 0.0), good(1)]
    assert DataValidator(Timeframe.MINUTE_1, xnys()).check(chunk_of(rows)).accepted.tolist() == [True, False, True]


def test_symbols_are_apart() -> None:
    """The time of one symbol says nothing about another's."""
    validator = DataValidator(Timeframe.MINUTE_1, xnys())
    assert validator.check(chunk_of([good(5)], "SPY")).accepted.all()
    assert validator.check(chunk_of([good(0)], "QQQ")).accepted.all()
    assert not validator.check(chunk_of([good(5)], "SPY")).accepted.any()
    assert (validator.rejected, validator.counts) == (1, {"duplicate": 1})


def test_rejections_are_bounded() -> None:
    """The first rejections of a symbol are kept in full, all are counted, and another symbol has its own share."""
    validator = DataValidator(Timeframe.MINUTE_1, xnys())
    flood = [good(0)] * (REJECTIONS_KEPT + 500)
    kept = validator.check(chunk_of(flood)).rejections
    assert (len(kept), kept[-1].row) == (REJECTIONS_KEPT, REJECTIONS_KEPT + 1)
    assert validator.check(chunk_of([good(0)])).rejections == ()
    assert len(validator.check(chunk_of([good(0), good(0)], "QQQ")).rejections) == 1
    assert validator.counts == {"duplicate": REJECTIONS_KEPT + 500 + 1}
    assert validator.counts_text() == "duplicate 1,501"


def test_gaps_are_bounded_and_no_rejections() -> None:
    """Every gap is counted and the first are listed; none of them keeps a row out."""
    validator = DataValidator(Timeframe.MINUTE_1, xnys())
    assert validator.check(chunk_of([good(2 * minute) for minute in range(GAPS_KEPT + 21)])).accepted.all()
    assert (validator.counts, validator.missing, validator.rejected) == ({"gap": GAPS_KEPT + 20}, GAPS_KEPT + 20, 0)
    assert validator.gaps[0] == Gap("SPY", OPEN + 2 * MINUTE_NS, 1)
    assert (len(validator.gaps), validator.counts_text()) == (GAPS_KEPT, "none")


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_layout_of_columns(order: Literal["C", "F"]) -> None:
    """Columns may be views into a table."""
    table = np.array([good(minute)[1:] for minute in range(6)], order=order)
    starts = np.array([[good(minute)[0], 0] for minute in range(6)], dtype=np.int64)[:, 0]
    chunk = BarChunk(
        symbol="SPY",
        start_ns=starts,
        open=table[:, 0],
        high=table[:, 1],
        low=table[:, 2],
        close=table[:, 3],
        volume=table[:, 4],
    )
    assert DataValidator(Timeframe.MINUTE_1, xnys()).check(chunk).accepted.all()


@pytest.mark.parametrize(("symbol", "missing"), [("SPY", 0), ("BAC", 0), ("IBM", 2), ("AIG", 1), ("SHY", 57 + 77)])
def test_real_bars(shared_data: Path, symbol: str, missing: int) -> None:
    """Recorded minutes pass, evenings and a change to summer time included; just the known holes are missing."""
    with (shared_data / "minute_trades" / f"{symbol}.csv").open(encoding="utf-8", newline="") as file:
        rows = [(utc(row["timestamp"]), *(float(row[name]) for name in NAMES)) for row in csv.DictReader(file)]
    validator = DataValidator(Timeframe.MINUTE_1, xnys())
    for first in range(0, len(rows), 1_000):
        assert validator.check(chunk_of(rows[first : first + 1_000], symbol)).accepted.all()
    assert validator.missing == missing
