"""Files made by hand, and providers on them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from mqd_core.api import BarChunk, DataContext, Timeframe
from mqd_plugin_files.provider import FileDataProvider
from mqd_plugin_files.settings import FilesSettings

COLUMNS = ("start_ns", "open", "high", "low", "close", "volume")


class NoClock:
    """A provider of history has no business with the time."""

    def now_ns(self) -> int:
        raise AssertionError("a file was read by the clock")


@dataclass(frozen=True)
class Kit:
    """A folder of a test's own, and what it takes to read from it."""

    folder: Path

    def write(self, name: str, *lines: str, header: str = "timestamp,open,high,low,close,volume") -> Path:
        """Write a CSV file; with `header` empty there is none."""
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in (header, *lines) if line), encoding="utf-8", newline="\n")
        return path

    def write_parquet(self, name: str, **columns: pa.Array | Sequence[object]) -> Path:
        """Write a Parquet file of one-minute bars at $100 whose columns can be replaced or, by None, left out."""
        rows = len(next((column for column in columns.values() if column is not None), [0]))
        usual = {
            "timestamp": pa.array(1_380_893_400 * 10**6 + np.arange(rows) * 60 * 10**6, pa.timestamp("us", "UTC")),
            **{name: pa.array(np.full(rows, 100.0)) for name in ("open", "high", "low", "close", "volume")},
        }
        table = {name: column for name, column in {**usual, **columns}.items() if column is not None}
        path = self.folder / name
        pa_parquet.write_table(pa.table(table), path)
        return path

    def provider(self, *symbols: str, **settings: object) -> FileDataProvider:
        """Make a provider of these symbols (SPY), by default of the folder."""
        given = {"symbols": symbols or ("SPY",), **settings}
        if not {"path", "files"} & set(given):
            given["path"] = self.folder
        return FileDataProvider(FilesSettings.model_validate(given), self.context())

    def context(self) -> DataContext:
        """What the desk would hand to the factory."""
        return DataContext(clock=NoClock(), log=logging.getLogger("test"), directory=self.folder, secrets={})

    def chunks(
        self, *symbols: str, start_ns: int | None = None, end_ns: int | None = None, **settings: object
    ) -> list[BarChunk]:
        """Read the first of the symbols whole."""
        provider = self.provider(*symbols, **settings)
        return list(provider.history((symbols or ("SPY",))[0], Timeframe.MINUTE_1, start_ns, end_ns))

    def columns(self, *symbols: str, **settings: object) -> dict[str, np.ndarray]:
        """Read the first of the symbols whole, as one array a column."""
        chunks = self.chunks(*symbols, **settings)
        return {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in COLUMNS}


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """A folder of the test's own with makers of files and providers."""
    return Kit(tmp_path)
