"""What an error of SQLite means for a person, and what to do next. May not touch a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.api import StoreCorrupt, StoreError

#: What to do about a store that cannot be trusted; nothing is ever deleted by itself.
RESTORE: Final = (
    "Keep the file. `mqd store verify` looks at all of it, `mqd store restore` puts a backup in its place; or move its "
    "folder away to begin a new book: positions and open orders are then taken from the broker"
)

# SQLite's texts (sqlite3_errstr) are the same in every version; Python has its codes only from 3.11 on.
_MEANINGS: Final[tuple[tuple[str, type[StoreError], str], ...]] = (
    ("disk is full", StoreError, "the disk is full. Free some space, then start the desk again"),
    ("readonly", StoreError, "the file or its folder may only be read. Give this user the right to write to both"),
    ("is locked", StoreError, "another process holds it. End that process; a desk's store has one writer"),
    ("disk I/O error", StoreError, "the disk failed or its quota is used up. Check the disk before you start again"),
    (
        "unable to open",
        StoreError,
        "it cannot be opened. Check that the path is a file, and that this user may enter its folder and write there",
    ),
    ("malformed", StoreCorrupt, f"its pages are damaged. {RESTORE}"),
    ("not a database", StoreCorrupt, f"it is not an SQLite database. {RESTORE}"),
)


def store_error(error: sqlite3.Error, path: Path, action: str) -> StoreError:
    """The StoreError that says in words what SQLite met in `action` ("could not be written") on `path`."""
    text = str(error)
    for fragment, kind, meaning in _MEANINGS:
        if fragment in text:
            return kind(f"{path} {action}: {meaning} (SQLite: {text})")
    return StoreError(f"{path} {action} (SQLite: {text})")


@contextmanager
def explained(path: Path, action: str) -> Iterator[None]:
    """Raise what SQLite raises in this block as a StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, path, action) from error


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Raise what reading a value raises in this block as a StoreCorrupt: a damaged page can turn a number into text."""
    try:
        yield
    except (msgspec.MsgspecError, OverflowError, TypeError, ValueError) as error:
        raise StoreCorrupt(f"{path} holds a value that no desk wrote ({error}). {RESTORE}") from error
