"""The finite feed: history of all symbols as bars in the order of time, cut into chunks that a journal can name.

    provider's chunks -> [DataValidator] -> merged by minute -> FeedChunk: a segment, and columns that become bars

Bars are made on the way, by C code from columns that fit a core's cache; see `FeedChunk.bars`. May not trade, journal,
or know the engine. Import it late, since it imports numpy.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Final

import numpy as np

from mqd_core.domain.journal import Segment, encode_body
from mqd_core.domain.market import Bar, Timeframe
from mqd_core.domain.sessions import SessionTable
from mqd_core.errors import DataFault, DataMissing
from mqd_core.ports.data import MarketDataProvider
from mqd_core.runtime.merge import Rows, Source, SymbolStream, chunked, merged
from mqd_core.runtime.validator import DataValidator, Floats, Integers, Rejection

#: While history for a warm-up is not enough, each look into the past goes so many times farther than the one before.
_FARTHER: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeedChunk:
    """Accepted rows of the merged feed as contiguous columns, with the segment that stands for them in the journal.

    Ordered by (start, place of the symbol); `symbol_index` is that place. Holds whole minutes only. `rows` counts
    accepted rows, `segment.rows` all. `rejections` are those of the chunk's rows, as far as they were kept in full.
    """

    segment: Segment
    start_ns: Integers
    symbol_index: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    rejections: tuple[Rejection, ...] = ()

    @property
    def rows(self) -> int:
        """How many bars the chunk holds; one at least."""
        return len(self.start_ns)

    def bars(self, first: int = 0) -> Iterator[Bar]:
        """The bars from row `first` on, each made when it is asked for."""
        columns = (self.start_ns, self.open, self.high, self.low, self.close, self.volume)
        return map(Bar, self._names(first), *(column.data[first:] for column in columns))

    def _names(self, first: int) -> Iterable[str]:
        symbols = self.segment.symbols
        if len(symbols) == 1:
            return repeat(symbols[0])
        names: list[str] = np.array(symbols, dtype=object)[self.symbol_index[first:]].tolist()
        return names

    def row_after(self, start_ns: int, symbol_index: int) -> int:
        """The first row that comes after that bar in the feed's order; `rows` if there is none."""
        first = int(np.searchsorted(self.start_ns, start_ns, side="left"))
        end = int(np.searchsorted(self.start_ns, start_ns, side="right"))
        return first + int(np.searchsorted(self.symbol_index[first:end], symbol_index, side="right"))


class BarFeed:
    """All bars of some symbols in a range of time, from one provider, read once.

    `symbols` are in the order that their bars have inside a minute. `provider_name` and `settings_digest` are what the
    segments say of the source. `validator` must not have judged anything before.
    """

    def __init__(
        self,
        provider: MarketDataProvider,
        provider_name: str,
        settings_digest: str,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        *,
        start_ns: int | None,
        end_ns: int | None,
        validator: DataValidator,
    ) -> None:
        """Nothing is read yet. Raises ValueError if there is no symbol, or one of them twice."""
        if not symbols or len(set(symbols)) < len(symbols):
            raise ValueError(f"a feed needs symbols, each once; they were {symbols}")
        self.symbols = symbols
        self._settings_digest = settings_digest
        self._source = Source(
            provider=provider,
            name=provider_name,
            timeframe=timeframe,
            start_ns=start_ns,
            end_ns=end_ns,
            validator=validator,
        )
        self._is_read = False

    def chunks(self) -> Iterator[FeedChunk]:
        """Read the feed: chunks in order, each with whole minutes, together every bar once.

        Raises:
            DataMissing: a symbol has no row at all; every such symbol is named. Before the first chunk.
            DataFault: the provider breaks its port's promise, or a symbol's rows cannot be used.
            RuntimeError: the feed was read before; make a new one, with a new validator.
        """
        if self._is_read:
            raise RuntimeError("a feed is read once; make a new one, with a new validator")
        self._is_read = True
        streams = [SymbolStream(self._source, symbol, place) for place, symbol in enumerate(self.symbols)]
        for stream in streams:
            stream.fill(0)
        self._refuse_empty(streams)
        for rows in chunked(merged(streams)):
            yield self._chunk(rows, streams)

    def _refuse_empty(self, streams: Sequence[SymbolStream]) -> None:
        source = self._source
        missing = ", ".join(stream.symbol for stream in streams if not stream.rows_read)
        if missing:
            text = f"data provider {source.name}: there is no row of {missing} among {source}"
            raise DataMissing(f"{text}; choose symbols and a range that it has")
        useless = ", ".join(f"{stream.symbol} ({stream.rows_read:,} rows)" for stream in streams if stream.is_empty)
        if useless:
            text = f"data provider {source.name}: there is no usable row of {useless} among {source}"
            raise DataFault(f"{text}; rejected: {source.validator.counts_text()}")

    def _chunk(self, rows: Rows, streams: Sequence[SymbolStream]) -> FeedChunk:
        columns = (rows.start_ns, rows.index, rows.open, rows.high, rows.low, rows.close, rows.volume)
        digest = digest_of(columns)
        is_clean = bool(rows.accepted.all())
        starts = rows.start_ns if is_clean else rows.start_ns[rows.accepted]
        index = rows.index if is_clean else rows.index[rows.accepted]
        segment = Segment(
            provider=self._source.name,
            settings=self._settings_digest,
            timeframe=self._source.timeframe.value,
            symbols=self.symbols,
            first_ns=int(starts[0]),
            last_ns=int(starts[-1]),
            rows=len(rows),
            digest=digest,
        )
        prices = columns[2:] if is_clean else tuple(column[rows.accepted] for column in columns[2:])
        return FeedChunk(
            segment=segment,
            start_ns=starts,
            symbol_index=index,
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            volume=prices[4],
            rejections=() if is_clean else _take_rejections(rows, streams),
        )


def _take_rejections(rows: Rows, streams: Sequence[SymbolStream]) -> tuple[Rejection, ...]:
    """The rejections of a chunk's rows: a stream reads ahead, and knows of later ones too."""
    counts = np.bincount(rows.index[~rows.accepted], minlength=len(streams)).tolist()
    return tuple(
        stream.rejections.popleft()
        for stream, count in zip(streams, counts, strict=True)
        for _ in range(min(count, len(stream.rejections)))
    )


def digest_of(columns: Iterable[Integers | Floats]) -> str:
    """SHA-256, in hex, of columns one after the other, each the eight little-endian bytes of all its rows.

    Of a segment these are: start (int64), symbol index (int64), open, high, low, close, volume (float64), rows in
    merged order, a rejected row behind the accepted bar of its symbol that came before it.
    """
    digest = hashlib.sha256()
    for column in columns:
        digest.update(np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def bars_digest(bars: Iterable[Bar]) -> str:
    """SHA-256, in hex, of the canonical encoding of bars, one after the other."""
    digest = hashlib.sha256()
    for bar in bars:
        digest.update(encode_body(bar))
    return digest.hexdigest()


def warm_up_bars(
    provider: MarketDataProvider,
    symbols: Sequence[str],
    timeframe: Timeframe,
    before_ns: int,
    count: int,
    *,
    sessions: SessionTable,
) -> tuple[Bar, ...]:
    """The last `count` bars of each symbol that start before `before_ns`, in the feed's order; fewer if there are.

    Asks for the sessions that should hold them, then for what lies before those, each time farther, at last for
    everything: years of history are not read through for an hour of it. Raises DataFault.
    """
    source = Source(
        provider=provider,
        name=type(provider).__name__,
        timeframe=timeframe,
        start_ns=None,
        end_ns=before_ns,
        validator=DataValidator(timeframe, sessions),
    )
    histories = [_last_bars(source, symbol, count, sessions) for symbol in symbols]
    # sorted() is stable: inside a minute the symbols keep their order.
    return tuple(sorted((bar for bars in histories for bar in bars), key=lambda bar: bar.start_ns))


def _last_bars(source: Source, symbol: str, count: int, sessions: SessionTable) -> list[Bar]:
    timeframe, end_ns = source.timeframe, source.end_ns
    found: list[Bar] = []
    reach = 1
    while end_ns is not None and len(found) < count:
        wanted = count - len(found)
        start_ns = _start_of(wanted * reach, timeframe, end_ns, sessions)
        validator = DataValidator(timeframe, sessions)
        look = replace(source, start_ns=start_ns, end_ns=end_ns, validator=validator)
        found = _last_of(SymbolStream(look, symbol, 0), wanted) + found
        end_ns, reach = start_ns, reach * _FARTHER
    return found


def _start_of(bars: int, timeframe: Timeframe, end_ns: int, sessions: SessionTable) -> int | None:
    """The open of the session from which on there is room for so many bars before `end_ns`; None: at the very first."""
    start_ns = end_ns
    while bars > 0:
        session = sessions.session_at(start_ns - 1) or sessions.previous_session(start_ns)
        if session is None:
            return None
        held_ns = min(session.close_ns, start_ns) - session.open_ns
        bars -= 1 if timeframe is Timeframe.DAY_1 else -(-held_ns // timeframe.length_ns)
        start_ns = session.open_ns
    return start_ns


def _last_of(stream: SymbolStream, count: int) -> list[Bar]:
    """The last `count` accepted bars of a stream, holding little more than those on the way."""
    tail: deque[Rows] = deque()
    held = 0
    stream.fill(0)
    while not stream.is_empty:
        for part in stream.take_before(None):
            tail.append(part)
            held += int(np.count_nonzero(part.accepted))
            while held - (oldest := int(np.count_nonzero(tail[0].accepted))) >= count:
                held -= oldest
                tail.popleft()
        stream.fill(0)
    bars = [bar for part in tail for bar in _accepted_bars(part, stream.symbol)]
    return bars[-count:]


def _accepted_bars(rows: Rows, symbol: str) -> Iterator[Bar]:
    columns = (rows.start_ns, rows.open, rows.high, rows.low, rows.close, rows.volume)
    return map(Bar, repeat(symbol), *(column[rows.accepted].tolist() for column in columns))
