"""A configuration as it was written: plain text values, and the place of each of them.

Knows nothing of what the keys mean and reads no file: `yaml` fills it, everything else looks things up in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

#: The way to a value from the top of the document: keys of mappings, indices of lists.
KeyPath = tuple[str | int, ...]

#: What stands for "nothing is written there", since null may be written.
ABSENT: Final = object()


class Place(NamedTuple):
    """A position in a file, both counted from 1, the column in characters."""

    line: int
    column: int


def dotted(path: KeyPath) -> str:
    """Write a path the way a person points at it: `strategies[0].parameters.vwap_window`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one configuration file. Scalars are text or None; places are those of keys and list items."""

    content: Mapping[str, object]
    places: Mapping[KeyPath, Place] = field(default_factory=lambda: MappingProxyType({}))
    path: Path | None = None

    @property
    def label(self) -> str:
        """What messages call this document: its file as the user named it."""
        return "configuration" if self.path is None else str(self.path)

    def place(self, path: KeyPath) -> Place | None:
        """Where a key is written; the nearest key around it when it is not; None when there is no file."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return None

    def locate(self, path: KeyPath) -> str:
        """`file:line:col` of a key, for a message."""
        place = self.place(path)
        return self.label if place is None else f"{self.label}:{place.line}:{place.column}"

    def value(self, path: KeyPath) -> object:
        """What is written at a path, or ABSENT."""
        node: object = self.content
        for part in path:
            node = child(node, part)
        return node


def child(node: object, part: str | int) -> object:
    """The value one step further down, or ABSENT where there is none."""
    if isinstance(node, Mapping):
        return node.get(part, ABSENT)
    if isinstance(node, list | tuple) and isinstance(part, int) and 0 <= part < len(node):
        return node[part]
    return ABSENT
