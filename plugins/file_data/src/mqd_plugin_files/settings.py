"""The settings of the provider `files`. Reads no file: whether what is named is there is asked when it is read."""

from __future__ import annotations

import datetime as dt
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator, model_validator

from mqd_core.api import PluginSettings, is_symbol


class Columns(PluginSettings):
    """What the columns are called in the files, where they are called otherwise."""

    timestamp: str = Field(default="timestamp", min_length=1, description="Column of the bar's time")
    open: str = Field(default="open", min_length=1, description="Column of the first price")
    high: str = Field(default="high", min_length=1, description="Column of the highest price")
    low: str = Field(default="low", min_length=1, description="Column of the lowest price")
    close: str = Field(default="close", min_length=1, description="Column of the last price")
    volume: str = Field(default="volume", min_length=1, description="Column of the volume, in shares")
    session: str = Field(
        default="session",
        min_length=1,
        description="Column that says `regular` of bars in the regular session; optional",
    )
    symbol: str = Field(
        default="symbol", min_length=1, description="Column of the symbol, in files that hold several; optional"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Columns:
        names = list(self.model_dump().values())
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two of the columns are called {twice[0]!r}; each is another column of the file")
        return self


class FilesSettings(PluginSettings):
    """The keys of the `data:` section beside its name. Relative paths are relative to the working directory."""

    symbols: tuple[str, ...] = Field(min_length=1, description="Symbols whose bars are read")
    path: Path | None = Field(
        default=None,
        description="Folder that holds SYMBOL.csv or SYMBOL.parquet for each symbol, or one file; a `/` in a symbol is "
        "`_` in its file's name",
    )
    files: dict[str, Path] = Field(default={}, description="Files of symbols that are called otherwise: SYMBOL: path")
    format: Literal["auto", "csv", "parquet"] = Field(
        default="auto",
        description="What the files are; auto goes by the name's ending, and takes Parquet where a folder has both",
    )
    columns: Columns = Field(default=Columns(), description="Names of the columns")
    timestamp_unit: Literal["s", "ms", "us", "ns"] | None = Field(
        default=None, description="Unit of timestamps that are whole numbers since 1970, UTC"
    )
    timezone: str | None = Field(
        default=None, description="Time zone of timestamps that have none of their own, such as America/New_York"
    )
    stamp: Literal["start", "end"] = Field(
        default="start", description="Whether a timestamp is the start of its bar or the end"
    )
    session: Literal["regular", "all"] = Field(
        default="regular",
        description="Which bars are read: those of the regular session, by the session column where there is one, else "
        "by the exchange's hours; or all",
    )
    from_date: dt.date | None = Field(
        default=None,
        alias="from",
        description="First day that is read, UTC; warm-up has nothing from before it",
    )
    to_date: dt.date | None = Field(default=None, alias="to", description="Last day that is read, UTC")

    @field_validator("symbols")
    @classmethod
    def _symbols_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            _check_symbol(symbol)
        twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands there twice")
        return symbols

    @field_validator("files")
    @classmethod
    def _files_of_symbols(cls, files: dict[str, Path]) -> dict[str, Path]:
        for symbol in files:
            _check_symbol(symbol)
        return files

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                near = get_close_matches(name, sorted(available_timezones()), n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ", such as America/New_York or UTC"
                raise ValueError(f"{name!r} is no time zone of the IANA database{hint}") from None
        return name

    @model_validator(mode="after")
    def _places_and_range(self) -> FilesSettings:
        unplaced = [symbol for symbol in self.symbols if symbol not in self.files]
        if self.path is None and unplaced:
            raise ValueError(f"there is neither a path nor an entry under files for {', '.join(unplaced)}")
        if self.from_date is not None and self.to_date is not None and self.from_date > self.to_date:
            raise ValueError(f"from {self.from_date} is after to {self.to_date}")
        return self


def _check_symbol(symbol: str) -> None:
    if not is_symbol(symbol):
        raise ValueError(f"{symbol!r} is no symbol: capitals and digits, such as SPY, BRK.B or BTC/USD")
