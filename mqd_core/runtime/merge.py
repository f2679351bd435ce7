"""Symbols merged by time: one stream of checked rows, in memory that does not grow with the length of the data.

Rows are ordered by minute and inside a minute by symbol. A row that was rejected has no time to be trusted: it travels
with the bar of its symbol that was accepted before it (with the first one, where there is none before), so that a
digest can cover it. How rows are cut depends on the rows alone, never on the sizes of the provider's chunks: a source
that pages differently the next time gives the same digests. May not judge a row: that is the validator's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from mqd_core.domain.contract import utc_text
from mqd_core.domain.market import Timeframe
from mqd_core.errors import DataFault
from mqd_core.ports.data import CHUNK_ROWS_MAX, BarChunk, MarketDataProvider
from mqd_core.runtime.validator import DataValidator, Floats, Integers, Mask, Rejection

#: A merged chunk ends with the first whole minute that fills this many rows: they fit a core's cache.
MERGED_ROWS: Final = 32_768
#: More rejected rows in a row are no flaw of the data but another kind of data; and what travels together is held.
REJECTED_RUN_MAX: Final = CHUNK_ROWS_MAX


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows as columns of one length. `key` ascends: the start by which a row is merged; `index` is its symbol's."""

    key: Integers
    start_ns: Integers
    index: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    accepted: Mask

    def __len__(self) -> int:
        return len(self.key)

    def part(self, first: int, end: int) -> Rows:
        """The rows from `first` up to, not including, `end`: views, no copies."""
        return Rows(*(getattr(self, name)[first:end] for name in _COLUMNS))

    @staticmethod
    def join(parts: Sequence[Rows], *, by_key: bool = False) -> Rows:
        """Rows one after the other, or by key, those of one key in the order of the parts. One part is not copied."""
        if len(parts) == 1:
            return parts[0]
        columns = [np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS]
        if by_key:
            order = np.argsort(columns[0], kind="stable")
            columns = [column[order] for column in columns]
        return Rows(*columns)


_COLUMNS: Final = tuple(field.name for field in fields(Rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is read: bars in [start_ns, end_ns) of a provider, by its configured name, and who judges them."""

    provider: MarketDataProvider
    name: str
    timeframe: Timeframe
    start_ns: int | None
    end_ns: int | None
    validator: DataValidator

    def __str__(self) -> str:
        start = "the beginning" if self.start_ns is None else utc_text(self.start_ns)
        end = "the end" if self.end_ns is None else utc_text(self.end_ns)
        return f"{self.timeframe.value} bars from {start} up to {end}"


class SymbolStream:
    """The checked rows of one symbol, read ahead by as much as the merge asks for."""

    def __init__(self, source: Source, symbol: str, index: int) -> None:
        self.symbol = symbol
        #: How many rows the provider has yielded.
        self.rows_read = 0
        #: Rejections among the rows read, in order, until somebody takes them.
        self.rejections: deque[Rejection] = deque()
        self._source = source
        self._index = index
        history = source.provider.history(symbol, source.timeframe, source.start_ns, source.end_ns)
        self._chunks: Iterator[BarChunk] | None = iter(history)
        self._waiting: deque[Rows] = deque()
        self._rows_waiting = 0
        #: Rows before the first accepted one: they wait for its key.
        self._headless: list[Rows] = []
        self._key_ns = -1
        self._rejected_run = 0

    @property
    def is_empty(self) -> bool:
        """Whether no accepted row waits; after `fill` it means that there is none left."""
        return not self._waiting

    def fill(self, rows: int) -> None:
        """Read until more than that many rows wait, or the provider has no more. Raises DataFault."""
        while self._chunks is not None and self._rows_waiting <= rows:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._chunks = None
            else:
                self._take(self._checked(chunk))

    def key_at(self, place: int) -> int | None:
        """The key of a waiting row, the first being 0; None if fewer wait."""
        for part in self._waiting:
            if place < len(part):
                return int(part.key[place])
            place -= len(part)
        return None

    def take_before(self, key: int | None) -> Iterator[Rows]:
        """Take the waiting rows of a lesser key, or all."""
        while self._waiting:
            part = self._waiting[0]
            count = len(part) if key is None else int(np.searchsorted(part.key, key))
            if not count:
                return
            self._rows_waiting -= count
            if count < len(part):
                self._waiting[0] = part.part(count, len(part))
            else:
                self._waiting.popleft()
            yield part.part(0, count)

    def _take(self, rows: Rows) -> None:
        if not len(rows):
            return
        accepted = rows.accepted
        has_bar = bool(accepted.any())
        self._rejected_run += int(np.argmax(accepted)) if has_bar else len(rows)
        if self._rejected_run > REJECTED_RUN_MAX:
            counts = self._source.validator.counts_text()
            raise self._fault(
                f"more than {REJECTED_RUN_MAX:,} rows one after the other cannot be used, up to row {self.rows_read:,} "
                f"(rejected: {counts}); choose a range in which it traded, or leave it out"
            )
        if has_bar:
            self._rejected_run = int(np.argmax(accepted[::-1]))
        if self._key_ns < 0 and not has_bar:
            self._headless.append(rows)
            return
        if self._key_ns < 0:
            self._give_heads(rows)
        self._key_ns = int(rows.key[-1])
        self._waiting.append(rows)
        self._rows_waiting += len(rows)

    def _give_heads(self, rows: Rows) -> None:
        """Let the rows before the first accepted one travel with it."""
        first = rows.start_ns[np.argmax(rows.accepted)]
        for part in (*self._headless, rows):
            if part.key[0] < 0:
                part.key[part.key < 0] = first
        self._waiting.extend(self._headless)
        self._rows_waiting += sum(map(len, self._headless))
        self._headless.clear()

    def _checked(self, chunk: BarChunk) -> Rows:
        self._refuse_misfit(chunk)
        checked = self._source.validator.check(chunk)
        accepted, starts = checked.accepted, np.ascontiguousarray(chunk.start_ns)
        self.rows_read += len(starts)
        self.rejections.extend(checked.rejections)
        is_clean = bool(accepted.all())
        self._refuse_outside(starts if is_clean else starts[accepted])
        key = starts if is_clean else np.maximum.accumulate(np.where(accepted, starts, self._key_ns))
        return Rows(
            key=key,
            start_ns=starts,
            index=np.broadcast_to(np.int64(self._index), starts.shape),
            open=np.ascontiguousarray(chunk.open),
            high=np.ascontiguousarray(chunk.high),
            low=np.ascontiguousarray(chunk.low),
            close=np.ascontiguousarray(chunk.close),
            volume=np.ascontiguousarray(chunk.volume),
            accepted=accepted,
        )

    def _refuse_misfit(self, chunk: object) -> None:
        """Hold a chunk to what its port promises. Raises DataFault."""
        if not isinstance(chunk, BarChunk):
            raise self._fault(f"it yielded a {type(chunk).__name__}; the port asks for a BarChunk")
        if chunk.symbol != self.symbol:
            raise self._fault(f"it yielded a chunk of {chunk.symbol}")
        rows = len(chunk.start_ns)
        if rows > CHUNK_ROWS_MAX:
            raise self._fault(f"it yielded a chunk of {rows:,} rows; allowed are {CHUNK_ROWS_MAX:,}")
        for name in ("start_ns", "open", "high", "low", "close", "volume"):
            column, dtype = getattr(chunk, name), np.dtype(np.int64 if name == "start_ns" else np.float64)
            was = f"{column.dtype} of shape {column.shape}" if isinstance(column, np.ndarray) else type(column).__name__
            if was != f"{dtype} of shape {(rows,)}":
                raise self._fault(f"column {name} was {was}; it has to be an array, {dtype} of shape {(rows,)}")

    def _refuse_outside(self, starts: Integers) -> None:
        """Hold accepted bars to the range that was asked for. Raises DataFault."""
        first_ns, end_ns = self._source.start_ns, self._source.end_ns
        for start in (int(starts[0]), int(starts[-1])) if len(starts) else ():
            if (first_ns is not None and start < first_ns) or (end_ns is not None and start >= end_ns):
                raise self._fault(f"it yielded a bar of {utc_text(start)}; asked for were {self._source}")

    def _fault(self, text: str) -> DataFault:
        return DataFault(f"data provider {self._source.name}, {self.symbol}: {text}")


def merged(streams: Sequence[SymbolStream]) -> Iterator[Rows]:
    """The rows of all streams by key, in blocks of roughly MERGED_ROWS that end where a key ends."""
    share = step = max(1, MERGED_ROWS // len(streams))
    while True:
        for stream in streams:
            stream.fill(step)
        # More than `step` rows of a stream wait, or all it has: everything before the least of these keys is known.
        keys = [key for stream in streams if (key := stream.key_at(step)) is not None]
        cut = min(keys, default=None)
        parts = [part for stream in streams for part in stream.take_before(cut)]
        rows = sum(map(len, parts))
        if parts:
            yield Rows.join(parts, by_key=len(streams) > 1)
        if cut is None:
            return
        # Symbols that trade seldom fill little of a block, and rejected rows of one key none: look further ahead.
        if not rows or (len(streams) > 1 and rows < MERGED_ROWS // 2):
            step *= 2
        elif rows > MERGED_ROWS * 2:
            step = max(share, step // 2)


def chunked(blocks: Iterable[Rows]) -> Iterator[Rows]:
    """The same rows, cut where the first whole key fills MERGED_ROWS; the last chunk is what is left."""
    held: list[Rows] = []
    rows = 0
    for block in blocks:
        held.append(block)
        rows += len(block)
        while rows >= MERGED_ROWS:
            joined = Rows.join(held)
            end = int(np.searchsorted(joined.key, joined.key[MERGED_ROWS - 1], side="right"))
            yield joined.part(0, end)
            held, rows = [joined.part(end, rows)] if end < rows else [], rows - end
    if rows:
        yield Rows.join(held)
