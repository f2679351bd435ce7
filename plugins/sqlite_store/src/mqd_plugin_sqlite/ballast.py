"""A file that takes room on the store's disk while a desk runs, to be given up when the disk is full.

A desk that cannot write must still be able to end: to fold its log in, to write its last log lines. Without room there
is no ballast, and the desk runs all the same. May not touch another file.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

#: Below this much free space a person is told at each start.
FREE_BYTES_WARN: Final = 1024**3
#: The ballast may take this part of what is free.
_SHARE: Final = 2
_BLOCK: Final = bytes(1024 * 1024)


def free_bytes(path: Path) -> int:
    """Free space on the disk of a path whose folder exists, in bytes, for this user; raises OSError."""
    return shutil.disk_usage(path.parent).free


class Ballast:
    """One file of a given size beside the store; a size of 0 is no ballast."""

    def __init__(self, store: Path, size_bytes: int) -> None:
        self.path = store.with_name(f"{store.name}.ballast")
        self.size_bytes = size_bytes

    def make(self) -> bool:
        """Take the room, if twice as much is free; whether it is taken then. What an earlier desk left is used."""
        try:
            if not self.size_bytes:
                self.give_up()
            elif not self._is_whole():
                self.give_up()
                if free_bytes(self.path) >= _SHARE * self.size_bytes:
                    self._fill()
            return self._is_whole()
        except OSError:
            self.give_up()
            return False

    def give_up(self) -> bool:
        """Give the room back; whether there was any. Never raises: it is called when something else has failed."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True

    def _is_whole(self) -> bool:
        return bool(self.size_bytes) and self.path.is_file() and self.path.stat().st_size == self.size_bytes

    def _fill(self) -> None:
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, self.size_bytes)
            else:  # pragma: no cover - macOS and Windows: a file without holes has to be written
                for start in range(0, self.size_bytes, len(_BLOCK)):
                    file.write(_BLOCK[: self.size_bytes - start])
