"""Which file holds the bars of a symbol. Looks at names only; what is in a file is for others.

An error says what was looked for, what is there instead, and which name is near.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, TypeAlias

from mqd_core.api import DataMissing
from mqd_plugin_files.settings import FilesSettings

Format: TypeAlias = Literal["csv", "parquet"]

#: In the order in which they are taken where a folder has both: the same rows are read faster from Parquet.
_FORMATS: Final[tuple[Format, ...]] = ("parquet", "csv")
#: The most names that an error lists.
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """A file with bars of a symbol; `is_shared` if another configured symbol is read from it too."""

    path: Path
    format: Format
    is_shared: bool


def place_of(symbol: str, settings: FilesSettings) -> Place:
    """Find the file of a symbol. Raises DataMissing."""
    if symbol not in settings.symbols:
        hint = did_you_mean(symbol, settings.symbols)
        raise DataMissing(f"{symbol} is not among data.symbols ({', '.join(settings.symbols)}){hint}; add it there")
    listed = settings.files.get(symbol)
    if listed is not None:
        others = [path for other, path in settings.files.items() if other != symbol]
        return _listed(symbol, listed, settings, is_shared=listed in others)
    path = settings.path or Path()  # the settings have seen to it that there is one
    if path.is_dir():
        return _in_folder(symbol, path, settings)
    _refuse_absent(path, f"data.path {path}")
    return Place(path, _format_of(path, settings), is_shared=len(settings.symbols) > 1)


def did_you_mean(wanted: str, there: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing if no name is near."""
    by_lower = {name.lower(): name for name in there}
    near = get_close_matches(wanted.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def listing(names: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more} more" if more > 0 else "") if ordered else "nothing"


def _listed(symbol: str, path: Path, settings: FilesSettings, *, is_shared: bool) -> Place:
    _refuse_absent(path, f"data.files.{symbol} {path}")
    if path.is_dir():
        raise DataMissing(f"data.files.{symbol} {path} is a folder; name the file in it, or use data.path")
    return Place(path, _format_of(path, settings), is_shared=is_shared)


def _in_folder(symbol: str, folder: Path, settings: FilesSettings) -> Place:
    stem = symbol.replace("/", "_")
    formats = _FORMATS if settings.format == "auto" else (settings.format,)
    for kind in formats:
        path = folder / f"{stem}.{kind}"
        if path.exists():
            return Place(path, kind, is_shared=False)
    wanted = [f"{stem}.{kind}" for kind in formats]
    there = [entry.name for entry in folder.iterdir() if entry.suffix.lower() in {".csv", ".parquet"}]
    hint = did_you_mean(stem, [Path(name).stem for name in there])
    raise DataMissing(
        f"{symbol}: there is no {' and no '.join(wanted)} in {folder}{hint} (CSV and Parquet files there: "
        f"{listing(there)}); put the file there, or name it under data.files"
    )


def _refuse_absent(path: Path, called: str) -> None:
    if path.exists():
        return
    parent = path.parent
    if not parent.is_dir():
        raise DataMissing(f"{called} does not exist, and there is no folder {parent} either")
    there = [entry.name for entry in parent.iterdir()]
    raise DataMissing(
        f"{called} does not exist{did_you_mean(path.name, there)} ({parent} holds: {listing(there)}); name the file or "
        "folder that holds the bars"
    )


def _format_of(path: Path, settings: FilesSettings) -> Format:
    if settings.format != "auto":
        return settings.format
    ending = path.suffix.lower()
    for kind in _FORMATS:
        if ending == f".{kind}":
            return kind
    raise DataMissing(f"{path}: the name ends neither in .csv nor in .parquet; say which it is by data.format")
