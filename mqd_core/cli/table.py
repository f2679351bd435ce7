"""Tables as plain text: the same on a terminal, in a pipe and in a file.

Columns are aligned, numbers to the right, units stand in the headings. May not know what a cell means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mqd_core.cli.printing import cell

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, with the unit in it; `right` for numbers, `optional` if it is left out where all cells are empty."""

    heading: str
    right: bool = False
    optional: bool = False

    def aligned(self, text: str, width: int) -> str:
        """A cell of that width."""
        return text.rjust(width) if self.right else text.ljust(width)


def text(heading: str, *, optional: bool = False) -> Column:
    """A column of words."""
    return Column(heading, optional=optional)


def number(heading: str, *, optional: bool = False) -> Column:
    """A column of numbers."""
    return Column(heading, right=True, optional=optional)


def table_lines(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, heading first; cells are made safe to print."""
    cells = [[cell(each) for each in row] for row in rows]
    shown = [
        (column, [column.heading, *(row[index] for row in cells)])
        for index, column in enumerate(columns)
        if not column.optional or any(row[index] for row in cells)
    ]
    aligned = [[column.aligned(each, max(map(len, texts))) for each in texts] for column, texts in shown]
    for line in zip(*aligned, strict=True):
        yield _GAP.join(line).rstrip()
