"""One thing that is wrong with a configuration, and how a whole list of them is shown.

May not decide what is wrong: the modules that check make problems, this one keeps them in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mqd_core.config.document import Document, KeyPath, Place, dotted
from mqd_core.config.redaction import scrubbed


class Level(str, Enum):
    """How bad a problem is: an error stops the command, a warning is said aloud."""

    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A sentence about one key. `str()` gives `file:line:col: key: text`, as far as each is known."""

    level: Level
    file: str
    place: Place | None
    key: str
    text: str

    @classmethod
    def at(cls, document: Document, path: KeyPath, text: str, level: Level = Level.ERROR) -> Problem:
        """Make a problem about a key of a document."""
        return cls(level=level, file=document.label, place=document.place(path), key=dotted(path), text=text)

    def __str__(self) -> str:
        where = self.file if self.place is None else f"{self.file}:{self.place.line}:{self.place.column}"
        return scrubbed(": ".join(part for part in (where, self.key, self.text) if part))


def lines(problems: Iterable[Problem]) -> list[str]:
    """Write each problem once, sorted by file and place."""
    ordered = sorted(problems, key=lambda one: (one.file, one.place or Place(0, 0), one.key, one.text))
    return list(dict.fromkeys(str(problem) for problem in ordered))
