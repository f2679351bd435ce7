"""FileDataProvider: history of symbols from files, block by block, so that memory does not grow with their length.

May not judge a row: what can be read is passed on as it stands, in the order of the file, to mqd's data validator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from mqd_core.api import BarChunk, DataFault, DataMissing, Timeframe
from mqd_plugin_files.block import BadValue, Block
from mqd_plugin_files.chunks import ChunkBuilder
from mqd_plugin_files.csv_file import CsvFile
from mqd_plugin_files.parquet_file import ParquetFile
from mqd_plugin_files.places import place_of
from mqd_plugin_files.prices import floats_of
from mqd_plugin_files.selection import Selection
from mqd_plugin_files.times import TimeReader

if TYPE_CHECKING:
    from mqd_core.api import DataContext, FeedEvent
    from mqd_plugin_files.settings import FilesSettings

T = TypeVar("T")


class FileDataProvider:
    """Bars of the configured symbols from CSV and Parquet files. Holds no file open between two histories."""

    def __init__(self, settings: FilesSettings, context: DataContext) -> None:
        self._settings = settings
        self._log = context.log

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        """One-minute bars that start in [start_ns, end_ns), in the order of the file.

        A chunk's `first_row` is the row of its first bar in the file, the first after the header being 1. Rows that
        are left out (another session, another symbol) are not counted inside of a chunk. Nothing is yielded where the
        file has bars and none of them starts in that range.

        Raises:
            DataMissing: there is no such file, it lacks a column, or no row is what the settings ask for.
            DataFault: a row cannot be read, or another timeframe was asked for: the desk makes longer bars of these.
        """
        if timeframe is not Timeframe.MINUTE_1:
            raise DataFault(f"files hold 1Min bars, {timeframe.value} was asked for")
        settings = self._settings
        place = place_of(symbol, settings)
        file = CsvFile(place.path, settings) if place.format == "csv" else ParquetFile(place.path, settings)
        if place.is_shared and "symbol" not in file.columns:
            raise DataMissing(
                f"{place.path}: several symbols are read from it, without a column {settings.columns.symbol!r} to "
                "tell them apart; name it by data.columns.symbol, or give each symbol its file under data.files"
            )
        self._log.debug("reading bars", extra={"symbol": symbol, "path": str(place.path), "format": place.format})
        return _Reading(file, str(place.path), Selection(symbol, settings), settings).chunks(start_ns, end_ns)

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[FeedEvent], None]) -> None:
        """Raise DataFault: a file has no live side."""
        raise DataFault("files have history only; for live bars configure another data provider")

    def close(self) -> None:
        """Do nothing: a file is open only while its history is read, and there are no threads."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One history of one symbol."""

    file: CsvFile | ParquetFile
    path: str
    selection: Selection
    settings: FilesSettings

    def chunks(self, start_ns: int | None, end_ns: int | None) -> Iterator[BarChunk]:
        selection, times, builder = self.selection, TimeReader(self.settings), ChunkBuilder(self.selection.symbol)
        for every in self.file.blocks():
            block = selection.of_symbol(every)
            if not len(block):
                continue
            starts = self._read(block, "timestamp", times.starts_of)
            numbers = [self._read(block, name, floats_of) for name in ("open", "high", "low", "close", "volume")]
            mask = selection.wanted(block, starts)
            if start_ns is not None:
                mask &= starts >= start_ns
            if end_ns is not None:
                mask &= starts < end_ns
            open_, high, low, close, volume = (column[mask] for column in numbers)
            yield from builder.add((block.rows[mask], starts[mask], open_, high, low, close, volume))
            if end_ns is not None and int(starts.min()) >= end_ns:
                # What follows is later; were it not, mqd would refuse it as out of order.
                break
        else:
            if not selection.rows_wanted:
                raise DataMissing(f"{self.path} {selection.why_nothing()}")
        yield from builder.rest()

    def _read(self, block: Block, name: str, convert: Callable[[pa.Array], T]) -> T:
        """Convert a column. Raises DataFault that names the place of what is wrong in it."""
        try:
            return convert(block.columns[name])
        except BadValue as fault:
            row = int(block.rows[fault.index])
            raise DataFault(f"{self.file.place(row)}: column {self.file.columns[name]!r} {fault}") from None
        except DataMissing as missing:
            raise DataMissing(f"{self.path}: column {self.file.columns[name]!r}: {missing}") from None
