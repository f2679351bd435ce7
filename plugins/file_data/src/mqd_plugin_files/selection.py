"""Which rows of a file are wanted, and in words why none was. Judges nothing else of a row."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pa_compute

from mqd_core.api import MINUTE_NS, xnys
from mqd_plugin_files.block import Block, Integers, Mask
from mqd_plugin_files.places import listing
from mqd_plugin_files.settings import FilesSettings

REGULAR: Final = "regular"
_DAY_NS: Final = 24 * 60 * MINUTE_NS
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


@dataclass(slots=True, eq=False)
class Selection:
    """The rows of one symbol that the settings ask for. Counts what it sees, to be able to say why nothing was left."""

    symbol: str
    settings: FilesSettings
    rows: int = 0
    rows_of_symbol: int = 0
    rows_in_session: int = 0
    rows_wanted: int = 0
    first_ns: int = 2**63 - 1
    last_ns: int = -(2**63)
    symbols: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    _opens: Integers = field(init=False)
    _closes: Integers = field(init=False)

    def __post_init__(self) -> None:
        table = xnys()
        self._opens = np.array([session.open_ns for session in table], dtype=np.int64)
        self._closes = np.array([session.close_ns for session in table], dtype=np.int64)

    def of_symbol(self, block: Block) -> Block:
        """Return the rows of the symbol; all, if the file has no column that says of which symbol they are."""
        self.rows += len(block)
        column = block.columns.get("symbol")
        if column is not None:
            block = block.where(_equals(column, self.symbol))
            if not self.rows_of_symbol:
                self.symbols.update(_values(column))
        self.rows_of_symbol += len(block)
        return block

    def wanted(self, block: Block, starts: Integers) -> Mask:
        """Return which of the symbol's rows are in the session and the days that the settings name."""
        self.first_ns = min(self.first_ns, int(starts.min()))
        self.last_ns = max(self.last_ns, int(starts.max()))
        in_session = self._in_session(block, starts)
        wanted = in_session & self._in_days(starts)
        self.rows_in_session += int(np.count_nonzero(in_session))
        self.rows_wanted += int(np.count_nonzero(wanted))
        return wanted

    def _in_session(self, block: Block, starts: Integers) -> Mask:
        if self.settings.session == "all":
            return np.ones(len(starts), dtype=np.bool_)
        column = block.columns.get("session")
        if column is not None:
            if not self.rows_in_session:
                self.sessions.update(_values(column))
            return _equals(column, REGULAR)
        place = np.searchsorted(self._closes, starts, side="right")
        known = place < len(self._opens)
        place[~known] = 0
        return np.asarray(known & (self._opens[place] <= starts), dtype=np.bool_)

    def _in_days(self, starts: Integers) -> Mask:
        days = self.settings.from_date, self.settings.to_date
        first_ns, last_ns = (None if day is None else (day - _EPOCH.date()).days * _DAY_NS for day in days)
        mask = np.ones(len(starts), dtype=np.bool_)
        if first_ns is not None:
            mask &= starts >= first_ns
        if last_ns is not None:
            mask &= starts < last_ns + _DAY_NS
        return mask

    def why_nothing(self) -> str:
        """Say why no row was left, and what to do."""
        if not self.rows:
            return "has no rows; one for each bar belongs there"
        if not self.rows_of_symbol:
            column = self.settings.columns.symbol
            return f"has no row of {self.symbol} in column {column!r} (there: {listing(self.symbols)})"
        span = f"{self.rows_of_symbol:,} rows of {self.symbol}, from {_text(self.first_ns)} to {_text(self.last_ns)}"
        if not self.rows_in_session and self.sessions:
            column = self.settings.columns.session
            return (
                f"has {span}, and none is {REGULAR!r} in column {column!r} (there: {listing(self.sessions)}); set "
                "data.session to all, or data.columns.session to the column that says it"
            )
        if not self.rows_in_session:
            known = f"{_text(int(self._opens[0]))} to {_text(int(self._closes[-1]))}"
            return (
                f"has {span}, and none starts in a regular session of the exchange (known from {known}); set "
                "data.session to all for markets that do not close, and see whether data.timezone, data.timestamp_unit "
                "and data.stamp are right"
            )
        first, last = self.settings.from_date or "the beginning", self.settings.to_date or "the end"
        return f"has {span}, and none is left from data.from ({first}) to data.to ({last})"


def _equals(column: pa.Array, value: str) -> Mask:
    equal = pa_compute.equal(column.cast(pa.string()), value).fill_null(False)
    return np.asarray(equal.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _values(column: pa.Array) -> set[str]:
    return {str(value) for value in column.unique().to_pylist() if value is not None}


def _text(ts_ns: int) -> str:
    return (_EPOCH + dt.timedelta(microseconds=ts_ns // 1_000)).isoformat(timespec="minutes").replace("+00:00", "Z")
