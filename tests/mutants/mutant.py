"""Mutants: deliberate faults of the desk, each a sentence of what is wrong and a small change of its source.

A mutant is a file of `catalogue/`. Its first lines say what is wrong, and, where it can only show under certain faults
of the broker, one of which (faults that are needed together are joined by a plus). Then come edits, each the path of a
file, the exact text that stands there once, and what stands there instead:

    An unknown order is taken for a rejected one.
    shows under: answer_lost, lands_late
    ==== mqd_core/engine/order_manager.py
    ---- was
            the old lines
    ---- is
            the new lines

What is shipped is never changed: `apply` writes into a copy.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("catalogue")
_EDIT = re.compile(r"^==== (\S+)\n---- was\n(.*?)^---- is\n(.*?)(?=^====|\Z)", flags=re.MULTILINE | re.DOTALL)


class StaleMutant(ValueError):
    """Raised when a mutant's text does not stand in its file exactly once, or the file of the mutant is no mutant."""


@dataclass(frozen=True)
class Edit:
    """One replacement in one file."""

    path: str
    was: str
    becomes: str

    def made_in(self, source: str, mutant: str) -> str:
        """The source with the replacement made."""
        found = source.count(self.was)
        if found != 1:
            text = f"{mutant}: the text to replace stands in {self.path} {found} times, must stand there once"
            raise StaleMutant(f"{text}:\n{self.was}")
        return source.replace(self.was, self.becomes)


@dataclass(frozen=True)
class Mutant:
    """One way in which the desk is wrong."""

    name: str
    wrong: str
    edits: tuple[Edit, ...]
    #: Kinds of faults of which one has to be on; none: it shows under any.
    under: tuple[str, ...] = ()

    def sources(self, root: Path) -> dict[str, str]:
        """The changed files of a checkout at `root`, by path. Raises StaleMutant."""
        changed: dict[str, str] = {}
        for edit in self.edits:
            source = changed.get(edit.path)
            if source is None:
                source = (root / edit.path).read_text(encoding="utf-8")
            changed[edit.path] = edit.made_in(source, self.name)
        return changed

    def apply(self, root: Path, copy: Path) -> None:
        """Put a wrong copy of the core of a checkout into a folder."""
        copy_core(root, copy)
        for path, source in self.sources(root).items():
            (copy / path).write_text(source, encoding="utf-8", newline="\n")


def copy_core(root: Path, copy: Path) -> None:
    """Put a copy of the core into a folder."""
    shutil.copytree(root / "mqd_core", copy / "mqd_core", ignore=shutil.ignore_patterns("__pycache__"))


def read_mutant(path: Path) -> Mutant:
    """The mutant of a file. Raises StaleMutant."""
    text = path.read_text(encoding="utf-8")
    head, mark, rest = text.partition("====")
    edits = tuple(Edit(*parts) for parts in _EDIT.findall(mark + rest))
    if not head.strip() or not edits or len(edits) != text.count("\n==== "):
        raise StaleMutant(f"{path}: a mutant is a sentence and one or more edits; see mutant.py")
    wrong, _, under = head.partition("\nshows under:")
    return Mutant(path.stem, " ".join(wrong.split()), edits, tuple(under.replace(",", " ").split()))


def all_mutants() -> list[Mutant]:
    """All mutants, by name."""
    return [read_mutant(path) for path in sorted(FOLDER.glob("*.txt"))]
