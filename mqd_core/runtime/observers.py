"""Observers: plugins that are shown every committed record, each in a thread of its own, behind the desk's back.

The loop only puts records into bounded queues and never waits: an observer that is slow misses some, one that raises
is counted and at last left alone. May not change, delay or end anything, nor enter anything into the desk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from mqd_core.domain.journal import SEGMENT_ORDINAL, Entry
from mqd_core.domain.records import Record
from mqd_core.engine.faults import place_of
from mqd_core.logging import LogStream, catalogue, get_logger
from mqd_core.ports.observer import Observer

#: Records that may wait for one observer.
CAPACITY: Final = 10_000
#: An observer that has raised so often is shown nothing more.
FAILURES_MAX: Final = 10
#: How long, at the end of a run, an observer may still look at what waits for it.
PATIENCE_SECONDS: Final = 5.0


class ObserverThreads:
    """All observers of one run. `tell` may be called before `watch`: then nobody looks."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._threads: tuple[ObserverThread, ...] = ()

    def watch(self, observers: Iterable[tuple[str, Observer]]) -> None:
        """Show these, each with its kind and name, what is told from now on."""
        self._threads = tuple(ObserverThread(label, observer, self._capacity) for label, observer in observers)
        for thread in self._threads:
            thread.start()

    def tell(self, entries: Iterable[Entry]) -> None:
        """Show the records among committed entries; events and segments are none."""
        if not self._threads:
            return
        records = [entry.body for entry in entries if 0 < entry.ordinal < SEGMENT_ORDINAL]
        for thread in self._threads:
            thread.put(records)  # type: ignore[arg-type]  # ordinals between these two are those of records

    def close(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Let each observer look at what waits for it, as long as that, and end its thread."""
        for thread in self._threads:
            thread.finish()
        for thread in self._threads:
            thread.join(patience_seconds)

    def remarks(self) -> list[str]:
        """A sentence for each observer that did not see everything."""
        return [remark for thread in self._threads for remark in thread.remarks()]


class ObserverThread:
    """One observer, its queue and its thread."""

    def __init__(self, label: str, observer: Observer, capacity: int = CAPACITY) -> None:
        self.label = label
        #: How many records it was never shown, and how often it has raised.
        self.dropped = self.failures = 0
        self._observer = observer
        self._capacity = capacity
        self._changed = threading.Condition()
        self._waiting: deque[Record] = deque()
        self._is_finishing = False
        self._is_left = False
        self._error_types: set[str] = set()
        self._log = get_logger(LogStream.SYSTEM)
        # A daemon: an observer that hangs may not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=f"mqd-observer-{label}", daemon=True)

    @property
    def is_disabled(self) -> bool:
        """Whether it has raised too often."""
        return self.failures >= FAILURES_MAX

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, records: Sequence[Record]) -> None:
        """Have records shown; those for which there is no room are dropped, the latest first."""
        if self.is_disabled or self._is_left:
            return
        with self._changed:
            room = max(self._capacity - len(self._waiting), 0)
            self._waiting.extend(records[:room])
            is_first = len(records) > room and not self.dropped
            self.dropped += max(len(records) - room, 0)
            self._changed.notify()
        if is_first:
            text = f"it is too slow: {self._capacity:,} records wait for it, and others are dropped from now on"
            self._say("behind", "", "", text)

    def finish(self) -> None:
        """End the thread as soon as nothing waits."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify()

    def join(self, patience_seconds: float) -> None:
        """Wait as long as that for the end; what then still waits is dropped."""
        if self._thread.is_alive():
            self._thread.join(patience_seconds)
        with self._changed:
            self._is_left = True
            if not self.is_disabled:
                self.dropped += len(self._waiting)
            self._waiting.clear()

    def remarks(self) -> list[str]:
        """What a person should know of it."""
        if self.is_disabled:
            return [f"{self.label} was shown nothing more after it had raised {self.failures} times"]
        remarks = [f"{self.label} raised {self.failures} times"] if self.failures else []
        return [*remarks, f"{self.label} missed {self.dropped:,} records"] if self.dropped else remarks

    def _run(self) -> None:
        while (record := self._next()) is not None:
            # A boundary: an observer may raise anything, SystemExit included, and nothing comes of it.
            try:
                self._observer.on_record(record)
            except BaseException as error:  # noqa: BLE001  it is counted, told once, and at last left alone
                self._count(error)

    def _next(self) -> Record | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_finishing)
            if self._is_left or self.is_disabled or not self._waiting:
                return None
            return self._waiting.popleft()

    def _count(self, error: BaseException) -> None:
        self.failures += 1
        error_type = type(error).__name__
        if error_type not in self._error_types:
            self._error_types.add(error_type)
            self._say("failed", error_type, place_of(error), str(error))
        if self.is_disabled:
            text = f"it has raised {FAILURES_MAX} times and is shown nothing more"
            self._say("disabled", error_type, place_of(error), text)

    def _say(self, state: str, error_type: str, place: str, text: str) -> None:
        fields = {"plugin": self.label, "state": state, "error_type": error_type, "place": place, "reason": text}
        told = {name: value for name, value in fields.items() if value}
        self._log.error(catalogue.PLUGIN_MOVED.message, extra=told)
