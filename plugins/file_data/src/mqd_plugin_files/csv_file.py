"""CSV files as blocks of rows, a megabyte of the file at a time. All values are text here.

pyarrow reads; the standard library's csv, which knows lines, only looks for the place of a fault. May not turn text
into numbers or times: one pair of rules does that for CSV and Parquet, so that both give the same bits.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from mqd_core.api import DataFault, DataMissing
from mqd_plugin_files.block import Block, columns_of
from mqd_plugin_files.settings import FilesSettings

_BLOCK_BYTES: Final = 1 << 20
#: The longest piece of a line that an error repeats.
_SHOWN: Final = 80


class CsvFile:
    """One CSV file with a header line; commas, UTF-8, a byte order mark is allowed."""

    def __init__(self, path: Path, settings: FilesSettings) -> None:
        """Read the header. Raises DataMissing if the file is empty or lacks a column."""
        self._path = path
        header = next(self._records(), None)
        if header is None:
            raise DataMissing(f"{path} is empty; a header line and one line for each bar belong there")
        self._header = header[1]
        self.columns = columns_of(self._header, settings, str(path))

    def blocks(self) -> Iterator[Block]:
        """Yield the rows in order. Raises DataFault naming the line of what cannot be parsed."""
        if self.line_of(1) is None:
            return
        read = 0
        reader = None
        try:
            reader = self._open()
            for batch in reader:
                columns = {name: batch.column(column) for name, column in self.columns.items()}
                yield Block(columns, np.arange(read + 1, read + batch.num_rows + 1, dtype=np.int64))
                read += batch.num_rows
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise DataFault(self._explain(error)) from error
        finally:
            if reader is not None:
                reader.close()

    def place(self, row: int) -> str:
        """Return such as `SPY.csv:17`: where the row stands, the header being line 1."""
        line = self.line_of(row)
        return f"{self._path}, row {row}" if line is None else f"{self._path}:{line}"

    def line_of(self, row: int) -> int | None:
        """The line of the file in which a row begins; None if there are not so many rows."""
        for number, (line, _) in enumerate(self._records()):
            if number == row:
                return line
        return None

    def _open(self) -> pa_csv.CSVStreamingReader:
        wanted = list(self.columns.values())
        return pa_csv.open_csv(
            self._path,
            # One thread: a run reads no faster than it trades, and other cores may have other runs.
            read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            convert_options=pa_csv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
            ),
        )

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """The line on which each record begins, and its fields; the header first, empty lines left out."""
        with _opened(self._path), self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file)
            begins = 1
            for fields in reader:
                if fields:
                    yield begins, fields
                begins = reader.line_num + 1

    def _explain(self, error: Exception) -> str:
        """Find what the parser stumbled over: a row with too many or too few fields, or bytes that are no text."""
        for line, fields in self._records():
            if len(fields) != len(self._header):
                text = ",".join(fields)[:_SHOWN]
                counts = f"the header has {len(self._header)} fields, the line has {len(fields)}"
                return f"{self._path}:{line}: {counts}: {text!r}"
        with self._path.open("rb") as file:
            for line, content in enumerate(file, start=1):
                try:
                    content.decode("utf-8")
                except UnicodeDecodeError:
                    return f"{self._path}:{line}: the line was not UTF-8 text: {content[:_SHOWN]!r}; save it as UTF-8"
        return f"{self._path}: not a CSV file that can be read: {error}"


@contextmanager
def _opened(path: Path) -> Iterator[None]:
    """Put into words that a file could not be opened, and what the csv module makes of one that is no text."""
    try:
        yield
    except OSError as error:
        raise DataMissing(f"{path} could not be opened: {error.strerror or error}") from error
    except csv.Error as error:
        raise DataFault(f"{path}: not a CSV file that can be read: {error}") from error
