"""How a run is asked to stop: once to drain, and why. Set from a signal handler, read between steps.

May not end anything by itself.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """A flag that any thread or signal handler may set; the run drains and ends."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""

    def __bool__(self) -> bool:
        return self._event.is_set()

    def ask(self, reason: str) -> None:
        """Ask the run to stop; the first reason stays."""
        if not self._event.is_set():
            self.reason = reason
            self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not through a request to stop; True when one came."""
        return self._event.wait(seconds)


@contextmanager
def stop_on_signals(stop: StopRequest) -> Iterator[None]:
    """Turn the first Ctrl-C, SIGTERM or console close into a request to stop; the second leaves at once.

    A second signal raises KeyboardInterrupt: the store's transaction keeps its word, whatever the moment.
    """
    names = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
    kinds = [getattr(signal, name) for name in names if hasattr(signal, name)]

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.ask("signal")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {kind: signal.signal(kind, handle) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
