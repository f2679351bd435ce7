"""One stream's file: appended line by line, private, rotated at 10 MB, its past kept compressed and bounded.

Only the writing thread uses it. May not raise into that thread: a line that cannot be written is counted, said once on
stderr, and reported in a line of its own as soon as writing works again.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from logging import LogRecord
from logging.handlers import BaseRotatingHandler
from pathlib import Path
from typing import Final

from mqd_core.logging.catalogue import LOG_LINES_LOST, LOG_ROTATION_POSTPONED, LogEvent
from mqd_core.logging.console import complain

#: A file is rotated before it grows beyond this.
LIMIT_BYTES: Final = 10 * 1024 * 1024
#: Log lines compress to about a tenth, so seven streams of 20 archives stay near 150 MB besides the current files,
#: while one stream keeps some 700,000 lines: months of a small account's trading.
KEPT_ARCHIVES: Final = 20
#: After a rotation that failed (on Windows: while another program reads the file) the next is tried this much later.
RETRY_BYTES: Final = 1024 * 1024

#: Called with an event of the catalogue and its fields.
Report = Callable[[LogEvent, Mapping[str, object]], None]
Replace = Callable[[str | Path, str | Path], None]


class StreamFile(BaseRotatingHandler):
    """Appends to `path` and keeps `path.1.gz` (the newest) to `path.20.gz`.

    Raises OSError when it cannot be opened at the start; later troubles are reported, not raised.
    """

    def __init__(
        self,
        path: Path,
        *,
        report: Report,
        limit_bytes: int = LIMIT_BYTES,
        retry_bytes: int = RETRY_BYTES,
        kept: int = KEPT_ARCHIVES,
        replace: Replace = os.replace,
    ) -> None:
        self.path = path
        self._report = report
        self._limit_bytes = limit_bytes
        self._retry_bytes = retry_bytes
        self._kept = kept
        self._replace = replace
        self._rotate_from_bytes = limit_bytes
        self._lost = 0
        super().__init__(path, "a", encoding="utf-8")

    def emit(self, record: LogRecord) -> None:
        """Write one line, after rotating where it would not fit."""
        lost = self._lost
        super().emit(record)
        if lost and self._lost == lost:
            self._lost = 0
            self._report(LOG_LINES_LOST, {"file": str(self.path), "lines": lost})

    def shouldRollover(self, record: LogRecord) -> bool:  # noqa: N802 - the standard library's name
        """Whether the line would take the file beyond its limit."""
        self._follow()
        if self.stream is None:
            return False
        size = os.fstat(self.stream.fileno()).st_size
        return size > 0 and size + len(record.getMessage()) >= max(self._limit_bytes, self._rotate_from_bytes)

    def doRollover(self) -> None:  # noqa: N802 - the standard library's name
        """Put the file into the archives and begin a new one; where that fails, go on with the old one."""
        self._close_stream()
        failure: OSError | None = None
        try:
            self._archive()
            self._rotate_from_bytes = self._limit_bytes
        except OSError as error:
            failure = error
        self.stream = self._open()
        if failure is not None:
            self._rotate_from_bytes = os.fstat(self.stream.fileno()).st_size + self._retry_bytes
            self._report(LOG_ROTATION_POSTPONED, {"file": str(self.path), "reason": str(failure)})

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Count a line that could not be written; what the file had not taken of it is dropped with it."""
        self._lost += 1
        if self._lost == 1:
            complain(f"{self.path}: cannot be written: {sys.exc_info()[1]}; lines are counted until it can")
        try:
            self._close_stream()
        except OSError:
            self.stream = None  # closing tries once more to write what did not fit

    def _open(self) -> io.TextIOWrapper:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ends_in_a_line = _ends_in_a_line(self.path)
        stream = open(self.path, "a", encoding="utf-8", newline="\n", opener=_private)  # noqa: SIM115 - emit closes it
        if not ends_in_a_line:
            stream.write("\n")  # what a killed process left half-written stays apart from the next line
        return stream

    def _close_stream(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()

    def _follow(self) -> None:
        """Open the file anew where somebody moved or deleted it; Windows lets nobody do that to an open file."""
        if os.name != "posix" or self.stream is None:
            return
        opened = os.fstat(self.stream.fileno())
        try:
            named = self.path.stat()
        except FileNotFoundError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
            self._close_stream()
            self.stream = self._open()

    def _archive(self) -> None:
        parked = self.path.with_name(f"{self.path.name}.rotating")
        if parked.exists():  # from a rotation that was interrupted
            self._compress(parked)
        # Renamed first: that works whole or not at all, so no line is ever both here and in an archive.
        self._replace(self.path, parked)
        self._compress(parked)

    def _compress(self, parked: Path) -> None:
        part = self.path.with_name(f"{self.path.name}.gz.part")
        with (
            parked.open("rb") as source,
            open(part, "wb", opener=_private) as target,
            gzip.GzipFile(fileobj=target, mode="wb", filename="", compresslevel=6, mtime=0) as packed,
        ):
            shutil.copyfileobj(source, packed)
        for number in range(self._kept - 1, 0, -1):
            older = self._archive_path(number)
            if older.exists():
                self._replace(older, self._archive_path(number + 1))
        self._replace(part, self._archive_path(1))
        parked.unlink()

    def _archive_path(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}.gz")


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    if sys.platform != "win32" and os.fstat(descriptor).st_mode & 0o077:
        try:
            os.fchmod(descriptor, 0o600)
        except PermissionError:
            return descriptor  # another user's file that this one may write: its mode is the owner's business
    return descriptor


def _ends_in_a_line(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:
        return True  # not there yet, or not a file that can be read: opening it will say
