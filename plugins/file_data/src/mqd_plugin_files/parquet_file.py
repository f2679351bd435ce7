"""Parquet files as blocks of rows. May not turn values into numbers or times: see `prices` and `times`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from mqd_core.api import DataFault, DataMissing
from mqd_plugin_files.block import Block, columns_of
from mqd_plugin_files.settings import FilesSettings

_BATCH_ROWS: Final = 32_768


class ParquetFile:
    """One Parquet file."""

    def __init__(self, path: Path, settings: FilesSettings) -> None:
        """Read the schema. Raises DataMissing if a column is absent, DataFault if it is no Parquet file."""
        self._path = path
        with self._opened() as file:
            self.columns = columns_of(file.schema_arrow.names, settings, str(path))

    def blocks(self) -> Iterator[Block]:
        """Yield the rows in order. Raises DataFault."""
        read = 0
        with self._opened() as file:
            batches = file.iter_batches(_BATCH_ROWS, columns=list(self.columns.values()), use_threads=False)
            while True:
                try:
                    batch = next(batches, None)
                except (pa.ArrowException, OSError) as error:
                    raise DataFault(f"{self.place(read + 1)} could not be read: {error}") from error
                if batch is None:
                    return
                columns = {name: _plain(batch.column(column)) for name, column in self.columns.items()}
                yield Block(columns, np.arange(read + 1, read + batch.num_rows + 1, dtype=np.int64))
                read += batch.num_rows

    def place(self, row: int) -> str:
        """Return such as `SPY.parquet, row 17`, the first being 1."""
        return f"{self._path}, row {row}"

    def _opened(self) -> pa_parquet.ParquetFile:
        try:
            return pa_parquet.ParquetFile(self._path)
        except pa.ArrowInvalid as error:
            if not self._path.stat().st_size:
                raise DataMissing(f"{self._path} is empty") from error
            raise DataFault(f"{self._path}: not a Parquet file that can be read: {error}") from error
        except OSError as error:
            raise DataMissing(f"{self._path} could not be opened: {error.strerror or error}") from error


def _plain(column: pa.Array) -> pa.Array:
    """Text that pandas kept as categories arrives as a dictionary."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
