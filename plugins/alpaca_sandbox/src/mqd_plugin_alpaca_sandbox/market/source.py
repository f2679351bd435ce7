"""Bars from whatever data provider of mqd is installed. Imports none of them: they are found as mqd finds them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from mqd_core.api import (
    Bar,
    DataContext,
    DataMissing,
    DataProviderRecord,
    MarketDataProvider,
    PluginSettings,
    Timeframe,
)

SYNTHETIC: Final = "synthetic"
_FILES: Final = "files"
_GROUP: Final = "mqd.data_providers"


class _WallClock:
    """The time of day, which a provider of history does not ask for."""

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        return time.time_ns()  # noqa: TID251  a context has to have a clock


def open_bars(data: str, symbols: Sequence[str], seed: int, days: int) -> dict[str, Iterator[Bar]]:
    """Minute bars of each symbol, in order: of the synthetic market, or of files in a folder or of one file.

    Raises DataMissing where the provider is not installed, ValueError for settings it refuses, and DataFault later.
    """
    if data == SYNTHETIC:
        keys: dict[str, object] = {"symbols": tuple(symbols), "seed": seed, "days": days}
        provider = _provider(SYNTHETIC, keys)
    else:
        provider = _provider(_FILES, {"symbols": tuple(symbols), "path": Path(data)})
    return {symbol: _bars(provider, symbol) for symbol in symbols}


def _provider(name: str, keys: dict[str, object]) -> MarketDataProvider:
    record = _record(name)
    settings = record.settings.model_validate(keys)
    log = logging.getLogger(f"mqd.sandbox.{name}")
    return record.factory(settings, DataContext(clock=_WallClock(), log=log, directory=Path(), secrets={}))


def _record(name: str) -> DataProviderRecord[PluginSettings]:
    for entry in entry_points(group=_GROUP):
        if entry.name == name:
            for record in entry.load().mqd_data_providers():
                if isinstance(record, DataProviderRecord) and record.name == name:
                    return record
    raise DataMissing(f"the sandbox takes its prices from mqd's data provider {name!r}, which is not installed")


def _bars(provider: MarketDataProvider, symbol: str) -> Iterator[Bar]:
    for chunk in provider.history(symbol, Timeframe.MINUTE_1, None, None):
        columns = (chunk.start_ns, chunk.open, chunk.high, chunk.low, chunk.close, chunk.volume)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield Bar(symbol, *row)
