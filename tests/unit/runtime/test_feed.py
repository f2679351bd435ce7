"""BarFeed: every accepted bar once and in order, cut by the data alone, in bounded memory."""

from __future__ import annotations

import datetime as dt
import hashlib
import heapq
import math
import struct
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mqd_core.domain.events import FeedEvent
from mqd_core.domain.market import MINUTE_NS, Bar, Timeframe
from mqd_core.domain.sessions import xnys
from mqd_core.errors import DataFault, DataMissing
from mqd_core.ports.data import CHUNK_ROWS_MAX, BarChunk
from mqd_core.runtime.feed import BarFeed, FeedChunk
from mqd_core.runtime.merge import MERGED_ROWS, Source, SymbolStream, merged
from mqd_core.runtime.validator import DataValidator

Row = tuple[int, float, float, float, float, float]

OPEN = int(dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.timezone.utc).timestamp()) * 1_000_000_000
NAMES = ("open", "high", "low", "close", "volume")


def good(minute: int, close: float = 10.5) -> Row:
    return OPEN + minute * MINUTE_NS, 10.0, 11.0, 9.0, close, 100.0


def bad(minute: int) -> Row:
    return OPEN + minute * MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 0.0


class RowsProvider:
    """Serves given rows in chunks of given sizes, taken in turn; remembers what it was asked for."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], sizes: Sequence[int] = (CHUNK_ROWS_MAX,)) -> None:
        self._rows = rows
        self._sizes = sizes
        self.asked: list[tuple[str, int | None, int | None]] = []

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        self.asked.append((symbol, start_ns, end_ns))
        first_ns, last_ns = -(2**63) if start_ns is None else start_ns, 2**63 if end_ns is None else end_ns
        rows = [row for row in self._rows.get(symbol, ()) if first_ns <= row[0] < last_ns]
        first, turn = 0, 0
        while first < len(rows):
            size = self._sizes[turn % len(self._sizes)]
            yield chunk_of(symbol, rows[first : first + size], first + 1)
            first, turn = first + size, turn + 1

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[FeedEvent], None]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class ChunksProvider(RowsProvider):
    """Serves anything, to break the port's promises."""

    def __init__(self, *chunks: Any) -> None:
        super().__init__({})
        self._chunks = chunks

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        return iter(self._chunks)


class LongProvider(RowsProvider):
    """Makes bars of given minutes on the way, as a source does that is larger than memory."""

    def __init__(self, minutes: Mapping[str, NDArray[np.int64]]) -> None:
        super().__init__({})
        self._minutes = minutes

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        minutes = self._minutes[symbol]
        for first in range(0, len(minutes), 10_000):
            starts = OPEN + minutes[first : first + 10_000] * MINUTE_NS
            one = np.ones(len(starts))
            yield BarChunk(symbol=symbol, start_ns=starts, open=one, high=one, low=one, close=one, volume=one)


def chunk_of(symbol: str, rows: Sequence[Row], first_row: int = 1) -> BarChunk:
    starts, *prices = zip(*rows, strict=True)
    columns = {name: np.array(column, dtype=np.float64) for name, column in zip(NAMES, prices, strict=True)}
    return BarChunk(symbol=symbol, start_ns=np.array(starts, dtype=np.int64), first_row=first_row, **columns)


def feed_of(provider: RowsProvider, *symbols: str, start_ns: int | None = None, end_ns: int | None = None) -> BarFeed:
    validator = DataValidator(Timeframe.MINUTE_1, xnys())
    return BarFeed(
        provider,
        "rows",
        "digest-of-settings",
        symbols,
        Timeframe.MINUTE_1,
        start_ns=start_ns,
        end_ns=end_ns,
        validator=validator,
    )


def bars_of(chunks: Sequence[FeedChunk]) -> list[Bar]:
    return [bar for chunk in chunks for bar in chunk.bars()]


def described(chunks: Sequence[FeedChunk]) -> list[Any]:
    """All that a chunk says, as values that compare."""
    return [(chunk.segment, [*chunk.bars()], chunk.symbol_index.tolist(), chunk.rejections) for chunk in chunks]


#: Minutes of few days, some twice and some backwards, with sound and unsound rows.
SERIES = st.lists(
    st.builds(
        lambda minute, close, is_good: good(minute, close) if is_good else bad(minute),
        st.integers(0, 40),
        st.sampled_from([10.0, 10.5]),
        st.integers(0, 3).map(bool),
    ),
    max_size=40,
).map(lambda rows: [good(0), *rows])
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4)


class TestMerge:
    @given(st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1, max_size=5), SIZES)
    def test_order(self, minutes: list[set[int]], sizes: list[int]) -> None:
        """Bars come by minute, and inside a minute in the order of the symbols, each exactly once."""
        symbols = [f"S{place}" for place in range(len(minutes))]
        rows = {name: [good(minute) for minute in sorted(each)] for name, each in zip(symbols, minutes, strict=True)}
        chunks = [*feed_of(RowsProvider(rows, sizes), *symbols).chunks()]
        streams = ([(row[0], place, Bar(name, *row)) for row in rows[name]] for place, name in enumerate(symbols))
        expected = [(place, bar) for _, place, bar in heapq.merge(*streams, key=lambda item: item[:2])]
        assert bars_of(chunks) == [bar for _, bar in expected]
        assert [place for chunk in chunks for place in chunk.symbol_index.tolist()] == [place for place, _ in expected]

    @given(st.lists(SERIES, min_size=1, max_size=4), SIZES, SIZES)
    def test_the_providers_chunks_do_not_matter(
        self, series: list[list[Row]], sizes: list[int], other_sizes: list[int]
    ) -> None:
        """Rows give the same segments, digests, bars and rejections, however the provider cuts them."""
        rows = {f"S{place}": each for place, each in enumerate(series)}
        one, other = (feed_of(RowsProvider(rows, each), *rows) for each in (sizes, other_sizes))
        assert described([*one.chunks()]) == described([*other.chunks()])

    @given(SERIES, SERIES, SIZES)
    def test_nothing_is_lost(self, first: list[Row], second: list[Row], sizes: list[int]) -> None:
        """Accepted bars ascend, segments count every row, and each rejected row is told of once."""
        feed = feed_of(RowsProvider({"A": first, "B": second}, sizes), "A", "B")
        chunks = [*feed.chunks()]
        places = [(bar.start_ns, bar.symbol) for bar in bars_of(chunks)]
        assert places == sorted(set(places))
        rejections = [rejection for chunk in chunks for rejection in chunk.rejections]
        assert sum(chunk.segment.rows for chunk in chunks) == len(first) + len(second)
        assert len(places) + len(rejections) == len(first) + len(second)
        rows = {"A": first, "B": second}
        assert all(rows[each.symbol][each.row - 1][0] == each.start_ns for each in rejections)

    def test_minutes_stay_whole(self) -> None:
        """A chunk ends with the first whole minute that fills it, so three symbols overfill it by one row."""
        rows = [good(minute) for minute in range(MERGED_ROWS // 3 + 50)]
        chunks = [*feed_of(RowsProvider({"A": rows, "B": rows, "C": rows}, [5_000]), "A", "B", "C").chunks()]
        assert [chunk.rows for chunk in chunks] == [MERGED_ROWS + 1, 3 * len(rows) - MERGED_ROWS - 1]
        assert chunks[0].segment.last_ns < chunks[1].segment.first_ns

    def test_a_rejected_row_stays_with_the_bar_before_it(self) -> None:
        """At a chunk's end the rejected rows that follow its last bar belong to it, wherever the provider cuts."""
        rows = [good(minute) for minute in range(MERGED_ROWS)] + [bad(MERGED_ROWS)] * 3 + [good(MERGED_ROWS + 1)]
        for sizes in ([MERGED_ROWS], [MERGED_ROWS + 2], [CHUNK_ROWS_MAX], [700]):
            chunks = [*feed_of(RowsProvider({"A": rows}, sizes), "A").chunks()]
            assert [(chunk.rows, chunk.segment.rows, len(chunk.rejections)) for chunk in chunks] == [
                (MERGED_ROWS, MERGED_ROWS + 3, 3),
                (1, 1, 0),
            ]

    def test_symbols_that_trade_seldom(self) -> None:
        """One busy symbol among quiet ones fills the chunks as if it were alone, and so do all when they wake."""
        quiet = np.append(np.arange(0, 120_000, 30_000), np.arange(120_000, 150_000))
        minutes = {"A": np.arange(150_000), **{f"Q{place}": quiet for place in range(8)}}
        chunks = [*feed_of(LongProvider(minutes), *minutes).chunks()]
        sizes = [chunk.rows for chunk in chunks]
        assert sum(sizes) == 150_000 + 8 * len(quiet)
        assert all(MERGED_ROWS <= size < MERGED_ROWS + 9 for size in sizes[:-1])
        for earlier, later in pairwise(chunks):
            assert earlier.start_ns[-1] < later.start_ns[0]
        starts = np.concatenate([chunk.start_ns for chunk in chunks])
        index = np.concatenate([chunk.symbol_index for chunk in chunks])
        assert (np.diff((starts - OPEN) // MINUTE_NS * 9 + index) > 0).all()

    def test_blocks_do_not_grow(self) -> None:
        """After a quiet time the merge looks no farther ahead than before it, so that what it holds stays bounded."""
        quiet = np.append(np.arange(0, 120_000, 30_000), np.arange(120_000, 200_000))
        minutes = {"A": np.arange(200_000), **{f"Q{place}": quiet for place in range(8)}}
        source = Source(
            provider=LongProvider(minutes),
            name="rows",
            timeframe=Timeframe.MINUTE_1,
            start_ns=None,
            end_ns=None,
            validator=DataValidator(Timeframe.MINUTE_1, xnys()),
        )
        blocks = [len(rows) for rows in merged([SymbolStream(source, name, at) for at, name in enumerate(minutes)])]
        assert max(blocks) > 4 * MERGED_ROWS
        assert max(blocks[-3:]) <= 2 * MERGED_ROWS

    def test_columns_of_one_symbol_are_not_copied(self) -> None:
        """A full chunk of one symbol is a view of what the provider yielded."""
        whole = chunk_of("A", [good(minute) for minute in range(CHUNK_ROWS_MAX)])
        chunks = [*feed_of(ChunksProvider(whole), "A").chunks()]
        assert [chunk.rows for chunk in chunks] == [MERGED_ROWS, MERGED_ROWS]
        assert all(np.shares_memory(chunk.close, whole.close) for chunk in chunks)

    @pytest.mark.parametrize("symbols", [("A",), ("A", "B", "C")])
    def test_memory_is_bounded(self, symbols: tuple[str, ...]) -> None:
        """A history four times as long takes no more memory to read."""
        peaks = []
        for rows in (150_000, 600_000):
            provider = LongProvider(dict.fromkeys(symbols, np.arange(rows)))
            tracemalloc.start()
            assert sum(chunk.rows for chunk in feed_of(provider, *symbols).chunks()) == rows * len(symbols)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.25 * peaks[0]


class TestChunk:
    def test_bars(self) -> None:
        """Bars are made from any row on, with plain numbers in them."""
        chunk = next(feed_of(RowsProvider({"A": [good(0), good(1)], "B": [good(1)]}), "A", "B").chunks())
        assert [*chunk.bars()] == [Bar("A", *good(0)), Bar("A", *good(1)), Bar("B", *good(1))]
        assert [*chunk.bars(2)] == [Bar("B", *good(1))]
        assert [*chunk.bars(3)] == []
        bar = next(chunk.bars())
        assert {type(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)} == {float}
        assert type(bar.start_ns) is int

    def test_segment(self) -> None:
        """A segment names the source and its settings, the range of accepted bars, and all rows by their digest."""
        rows = {"A": [good(0), bad(9)], "B": [good(0), good(1)]}
        (chunk,) = feed_of(RowsProvider(rows), "A", "B").chunks()
        segment = chunk.segment
        assert (segment.provider, segment.settings, segment.timeframe) == ("rows", "digest-of-settings", "1Min")
        assert (segment.symbols, segment.rows, chunk.rows) == (("A", "B"), 4, 3)
        assert (segment.first_ns, segment.last_ns) == (good(0)[0], good(1)[0])
        merged = [(good(0), 0), (bad(9), 0), (good(0), 1), (good(1), 1)]
        columns = [struct.pack("<4q", *(row[0] for row, _ in merged)), struct.pack("<4q", *(at for _, at in merged))]
        columns += [struct.pack("<4d", *(row[column] for row, _ in merged)) for column in range(1, 6)]
        assert segment.digest == hashlib.sha256(b"".join(columns)).hexdigest()

    def test_digest_tells_rows_apart(self) -> None:
        """A single changed bit in any column, of a rejected row too, gives another digest."""
        nan, other_nan = math.nan, struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
        digests = set()
        for volume in (0.0, -0.0, nan, other_nan):
            row = (OPEN + MINUTE_NS, 10.0, 11.0, 9.0, 10.5, volume)
            (chunk,) = feed_of(RowsProvider({"A": [good(0), row]}), "A").chunks()
            digests.add(chunk.segment.digest)
        assert len(digests) == 4

    @given(st.lists(st.sets(st.integers(0, 8), min_size=1), min_size=1, max_size=3))
    def test_row_after(self, minutes: list[set[int]]) -> None:
        """Resuming after any bar, also one that is not in the chunk, begins with the first bar that follows it."""
        rows = {f"S{place}": [good(minute) for minute in sorted(each)] for place, each in enumerate(minutes)}
        (chunk,) = feed_of(RowsProvider(rows), *rows).chunks()
        order = [*zip(chunk.start_ns.tolist(), chunk.symbol_index.tolist(), strict=True)]
        for minute in range(-1, 10):
            for place in range(len(minutes)):
                after = (OPEN + minute * MINUTE_NS, place)
                assert chunk.row_after(*after) == sum(each <= after for each in order)


class TestFaults:
    def test_range(self) -> None:
        """The provider is asked for the range, and each symbol once."""
        provider = RowsProvider({"A": [good(0), good(1), good(2)]})
        bars = bars_of([*feed_of(provider, "A", start_ns=good(1)[0], end_ns=good(2)[0]).chunks()])
        assert bars == [Bar("A", *good(1))]
        assert provider.asked == [("A", good(1)[0], good(2)[0])]

    @pytest.mark.parametrize(("start", "end"), [(1, None), (None, 2), (1, 2)])
    def test_bars_outside_of_the_range(self, start: int | None, end: int | None) -> None:
        """A provider that yields bars that were not asked for is at fault."""
        start_ns, end_ns = (None if minute is None else good(minute)[0] for minute in (start, end))
        provider = ChunksProvider(chunk_of("A", [good(0), good(1), good(2)]))
        with pytest.raises(DataFault, match=r"rows, A: it yielded a bar of 2013-10-07T13:3[02]:00Z; asked for were"):
            next(feed_of(provider, "A", start_ns=start_ns, end_ns=end_ns).chunks())

    @pytest.mark.parametrize(
        ("chunk", "text"),
        [
            (replace(chunk_of("A", [good(0)]), symbol="B"), "it yielded a chunk of B"),
            (replace(chunk_of("A", [good(0)]), close=np.ones(2)), r"close was float64 of shape \(2,\)"),
            (replace(chunk_of("A", [good(0)]), low=np.ones((1, 1))), r"low was float64 of shape \(1, 1\)"),
            (replace(chunk_of("A", [good(0)]), volume=np.ones(1, dtype=np.int64)), r"volume was int64 of shape \(1,\)"),
            (replace(chunk_of("A", [good(0)]), open=np.ones(1, dtype=np.float32)), "open was float32"),
            (replace(chunk_of("A", [good(0)]), start_ns=np.zeros(1)), r"start_ns was float64 .* an array, int64"),
            (replace(chunk_of("A", [good(0)]), high=[11.0]), "high was list"),  # type: ignore[arg-type]
            (replace(chunk_of("A", [good(0)]), start_ns=np.zeros(CHUNK_ROWS_MAX + 1, dtype=np.int64)), "65,537 rows"),
            ([good(0)], "it yielded a list; the port asks for a BarChunk"),
        ],
    )
    def test_misfit(self, chunk: object, text: str) -> None:
        """A chunk that is not what the port says is refused: by provider, symbol, and what was wrong."""
        with pytest.raises(DataFault, match=f"data provider rows, A: .*{text}"):
            next(feed_of(ChunksProvider(chunk), "A").chunks())

    def test_no_rows(self) -> None:
        """Symbols without any row end the run before its first chunk; all of them are named, with the range."""
        provider = RowsProvider({"A": [good(0)]})
        with pytest.raises(DataMissing, match=r"no row of B, C among 1Min bars from 2013-10-07T13:30:00Z up to the"):
            next(feed_of(provider, "A", "B", "C", start_ns=OPEN).chunks())

    def test_no_usable_row(self) -> None:
        """A symbol whose rows are all rejected is an error of the data, told by the codes."""
        provider = RowsProvider({"A": [good(0)], "B": [bad(0), bad(1)]}, [1])
        with pytest.raises(DataFault, match=r"no usable row of B \(2 rows\) .*; rejected: zero_volume 2"):
            next(feed_of(provider, "A", "B").chunks())

    @pytest.mark.parametrize("rows", [[good(0)], []])
    def test_a_long_run_of_rejected_rows(self, rows: list[Row]) -> None:
        """A source that turns useless for very long is stopped, so that what is held stays bounded."""
        run = [bad(minute) for minute in range(1, CHUNK_ROWS_MAX + 1)]
        last = len(rows) + len(run)
        allowed = feed_of(RowsProvider({"A": [*rows, *run, good(last)]}, [40_000]), "A")
        assert sum(chunk.segment.rows for chunk in allowed.chunks()) == last + 1
        refused = feed_of(RowsProvider({"A": [*rows, *run, bad(last), good(last + 1)]}, [40_000]), "A")
        with pytest.raises(DataFault, match=r"more than 65,536 rows one after the other .*zero_volume 65,537"):
            [*refused.chunks()]

    def test_empty_chunks(self) -> None:
        """Chunks without rows are passed over, wherever they come."""
        empty = replace(chunk_of("A", [good(0)]), start_ns=np.array([], dtype=np.int64))
        empty = replace(empty, **dict.fromkeys(NAMES, np.array([])))
        provider = ChunksProvider(empty, chunk_of("A", [good(0)]), empty, chunk_of("A", [good(1)]), empty)
        assert bars_of([*feed_of(provider, "A").chunks()]) == [Bar("A", *good(0)), Bar("A", *good(1))]
        with pytest.raises(DataMissing, match="no row of A"):
            next(feed_of(ChunksProvider(empty), "A").chunks())

    def test_read_once(self) -> None:
        """A feed is not read twice, since its validator remembers what came."""
        feed = feed_of(RowsProvider({"A": [good(0)]}), "A")
        assert len([*feed.chunks()]) == 1
        with pytest.raises(RuntimeError, match="read once"):
            next(feed.chunks())

    @pytest.mark.parametrize("symbols", [(), ("A", "A")])
    def test_symbols(self, symbols: tuple[str, ...]) -> None:
        """A feed has symbols, each once."""
        with pytest.raises(ValueError, match="each once"):
            feed_of(RowsProvider({}), *symbols)
