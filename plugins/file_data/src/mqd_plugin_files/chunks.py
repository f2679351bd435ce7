"""Rows of any number at a time into chunks of one size: how a file is cut does not depend on how it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np

from mqd_core.api import BarChunk
from mqd_plugin_files.block import Floats, Integers

#: Rows of a chunk, but for the last: they fit a core's cache, and the port allows twice as many.
CHUNK_ROWS: Final = 32_768

#: Row in the file, start, open, high, low, close, volume.
Columns: TypeAlias = tuple[Integers, Integers, Floats, Floats, Floats, Floats, Floats]


class ChunkBuilder:
    """Collects the rows of one symbol and yields them in chunks of CHUNK_ROWS."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._parts: list[Columns] = []
        self._rows = 0

    def add(self, columns: Columns) -> Iterator[BarChunk]:
        """Take rows, and yield the chunks that they fill."""
        if len(columns[0]):
            self._parts.append(columns)
            self._rows += len(columns[0])
        if self._rows >= CHUNK_ROWS:
            whole = self._rows - self._rows % CHUNK_ROWS
            joined = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
            for first in range(0, whole, CHUNK_ROWS):
                yield self._chunk([column[first : first + CHUNK_ROWS] for column in joined])
            self._parts, self._rows = [], 0
            yield from self.add(_columns([column[whole:] for column in joined]))

    def rest(self) -> Iterator[BarChunk]:
        """Yield the last chunk, unless there is no row left."""
        if self._rows:
            yield self._chunk([np.concatenate(column) for column in zip(*self._parts, strict=True)])
            self._parts, self._rows = [], 0

    def _chunk(self, columns: Sequence[Integers | Floats]) -> BarChunk:
        rows, start_ns, open_, high, low, close, volume = _columns(columns)
        return BarChunk(
            symbol=self._symbol,
            start_ns=start_ns,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            first_row=int(rows[0]),
        )


def _columns(columns: Sequence[Integers | Floats]) -> Columns:
    rows, start_ns, *numbers = columns
    open_, high, low, close, volume = (np.asarray(column, dtype=np.float64) for column in numbers)
    return np.asarray(rows, dtype=np.int64), np.asarray(start_ns, dtype=np.int64), open_, high, low, close, volume
