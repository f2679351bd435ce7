"""The HALT file: while it lies in a desk's folder nothing that could raise exposure leaves, whoever wrote it.

It needs no store and no engine: `mqd kill` and the watchdog write it when neither can be trusted. What it says is for
people; that it is there is what counts. May not remove itself: only a person's `resume` does.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

NAME: Final = "HALT"


class HaltNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a HALT file says: why, who wrote it, and when (UTC nanoseconds; 0 where it cannot be read)."""

    reason: str
    person: str = ""
    written_ns: int = 0


class HaltFile:
    """The HALT file of one desk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    @property
    def is_set(self) -> bool:
        """Whether it is there. One whose presence cannot be determined counts as there."""
        try:
            os.stat(self.path)  # noqa: PTH116  asked before each order: `exists` would take permission denied for "no"
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def read(self) -> HaltNote | None:
        """What it says; None where it is not there. One that a person made by hand, with any content, counts too."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return HaltNote(reason=f"{self.path} cannot be read: {error.strerror}")
        try:
            return msgspec.json.decode(data, type=HaltNote)
        except msgspec.MsgspecError:
            words = data.decode("utf-8", errors="replace").strip()[:200]
            return HaltNote(reason=words or "a HALT file without a reason")

    def write(self, note: HaltNote) -> None:
        """Put it there, durably; one that is there already stays, with what it says. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        # From here on it counts, whatever becomes of its text.
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(note))
            file.flush()
            with suppress(OSError):  # the file is there, which is what counts in this boot; its text is for people
                os.fsync(file.fileno())

    def clear(self) -> None:
        """Take it away. Raises OSError."""
        self.path.unlink(missing_ok=True)
