"""What both kinds of files are read into: some rows as arrow columns, and the words for what is wrong with a value.

May not know files; whoever opened one adds its name and the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mqd_core.api import DataMissing
from mqd_plugin_files.places import did_you_mean
from mqd_plugin_files.settings import FilesSettings

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

PRICES = ("open", "high", "low", "close")
REQUIRED = ("timestamp", *PRICES, "volume")
OPTIONAL = ("session", "symbol")


class BadValue(Exception):
    """A value that cannot be read: which place in its column, what it was, and what is allowed there."""

    def __init__(self, index: int, was: str, allowed: str) -> None:
        super().__init__(f"was {was}; {allowed}")
        self.index = index


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows of a file: columns by mqd's own names, and the row of each in the file, the first being 1."""

    columns: dict[str, pa.Array]
    rows: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, mask: Mask) -> Block:
        """Return the rows for which the mask is True; this block if that is all."""
        if mask.all():
            return self
        kept = pa.array(mask)
        return Block({name: column.filter(kept) for name, column in self.columns.items()}, self.rows[mask])


def columns_of(there: list[str], settings: FilesSettings, path: str) -> dict[str, str]:
    """Return the file's name of each column that is to be read, by mqd's name.

    An optional column has to be there if the settings name it. Raises DataMissing, naming the columns there are.
    """
    names: dict[str, str] = settings.columns.model_dump()
    asked = settings.columns.model_fields_set
    wanted = [name for name in (*REQUIRED, *OPTIONAL) if name in REQUIRED or name in asked or names[name] in there]
    for name in wanted:
        column = names[name]
        if column not in there:
            hint, columns = did_you_mean(column, there), ", ".join(map(repr, there)) or "none"
            raise DataMissing(
                f"{path}: there is no column {column!r}{hint} (columns there: {columns}); say which one it is by "
                f"data.columns.{name}"
            )
        if there.count(column) > 1:
            raise DataMissing(f"{path}: {there.count(column)} columns are called {column!r}; each must be there once")
    return {name: names[name] for name in wanted}
