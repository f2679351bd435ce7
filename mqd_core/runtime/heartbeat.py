"""The heartbeat file: the loop's sign of life, for a watchdog in another process.

Written by the loop's own thread, so that a loop that hangs writes none. A run that ends in order takes it away; one
that lies there and does not change belongs to a desk that hangs or has died. May not be read by the desk itself.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

NAME: Final = "heartbeat.json"


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life: who, how far, with how many orders that are or may be alive, and when (wall clock)."""

    pid: int
    run_id: str
    sequence: int
    open_orders: int
    written_ns: int


class HeartbeatFile:
    """The heartbeat file of one desk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def write(self, beat: Heartbeat) -> None:
        """Replace it. Raises OSError."""
        draft = self.path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(beat))
        draft.replace(self.path)

    def read(self) -> Heartbeat | None:
        """The last one; None where there is none, or none that can be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Heartbeat)
        except (OSError, msgspec.MsgspecError):
            return None

    def clear(self) -> None:
        """Take it away, as far as that is allowed."""
        with suppress(OSError):  # a leftover says at most that this desk has ended, with these orders open
            self.path.unlink(missing_ok=True)
