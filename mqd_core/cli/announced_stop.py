"""A request to stop that tells the person at once that it was heard. May not end anything by itself."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from mqd_core.runtime.stopping import StopRequest

_STDERR: Final = 2
_HEARD: Final = b"\nmqd: stopping after this step; press Ctrl-C again to leave at once\n"


class AnnouncedStop(StopRequest):
    """Says on stderr that the first request was heard."""

    def ask(self, reason: str) -> None:
        """Ask the run to stop."""
        first = not self
        super().ask(reason)
        if first:
            # Called from a signal handler, where a buffered stderr may be in the middle of a write.
            with suppress(OSError):
                os.write(_STDERR, _HEARD)
