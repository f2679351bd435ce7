"""From the thread that logs to the thread that writes: a bounded queue, and what happens when it is full.

`CURRENT` is where every logger finds the way out. Before `setup_logging` and after `shutdown_logging` there is none:
lines of WARNING and above are then shown on stderr, others are not made. May not open files or change the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import Handler, LogRecord
from logging.handlers import QueueListener
from queue import Empty, SimpleQueue
from typing import Final

from mqd_core.logging.catalogue import LOG_LINES_DROPPED, LogEvent
from mqd_core.logging.console import complain, readable, show
from mqd_core.logging.levels import LEVELS, WARNING
from mqd_core.logging.line import Line, LineBody, encode_line, timestamp_text
from mqd_core.logging.line_scrubbing import scrub_line
from mqd_core.logging.scrubbing import process_scrubber, scrub
from mqd_core.logging.streams import LogStream

#: Lines that may wait: at some 500 bytes each, 32 MB at the most while a disk or a terminal does not take them.
QUEUE_LINES: Final = 65_536
#: How long a caller waits for room, where lines may not be dropped, and how long a flush waits at the most.
PATIENCE_SECONDS: Final = 10.0


class FlushMark(LogRecord):
    """Goes through the queue like a line; when it is reached, all lines before it have been written."""

    def __init__(self) -> None:
        self.reached = threading.Event()


class Delivery:
    """The door to the writing thread: any thread may put a line, and none waits for a disk.

    With `wait` a caller waits for room where the queue is full (a backtest, which writes its lines after the loop);
    without, the line is dropped and counted (a live desk: trading does not wait for its log).
    """

    def __init__(self, *, threshold: int, strict: bool, wait: bool, queue_lines: int) -> None:
        self.queue: SimpleQueue[LogRecord | None] = SimpleQueue()
        self.threshold = threshold
        self.strict = strict
        self._wait = wait
        self._queue_lines = queue_lines
        self._lock = threading.RLock()  # a signal handler may log while its thread holds it
        self._dropped = 0
        #: Set by the writer: it may not wait for itself.
        self.writing_thread: threading.Thread | None = None

    def put(self, line: Line) -> None:
        """Hand over one line; costs the caller no more than that."""
        if self.queue.qsize() >= self._queue_lines and not self._has_room():
            with self._lock:
                self._dropped += 1
            return
        self.queue.put(line)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put before has been written; False when that took too long."""
        if threading.current_thread() is self.writing_thread:
            return False
        mark = FlushMark()
        self.queue.put(mark)
        return mark.reached.wait(timeout_seconds)

    def take_dropped(self) -> int:
        """How many lines were dropped since the last call, as soon as half of the queue is free again; 0 before."""
        if not self._dropped or self.queue.qsize() > self._queue_lines // 2:
            return 0
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def _has_room(self) -> bool:
        if not self._wait:
            return False
        return threading.current_thread() is self.writing_thread or self.flush(PATIENCE_SECONDS)


class Writer(QueueListener):
    """The one thread that writes: takes lines from the queue, scrubs them, hands them to their file and the console."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery.queue)
        self._delivery = delivery
        self._files: Mapping[LogStream, Handler] = {}
        self._console: Handler | None = None

    def write_to(self, files: Mapping[LogStream, Handler], console: Handler | None) -> None:
        """Name the handlers, before the start; they report their own troubles by `report`."""
        self._files = files
        self._console = console
        self.handlers = (*files.values(), *(() if console is None else (console,)))

    def start(self) -> None:
        """Start the thread."""
        super().start()
        if self._thread is not None:
            self._thread.name = "mqd-log-writer"

    def dequeue(self, block: bool) -> LogRecord:  # noqa: FBT001 - the standard library's signature
        """The next line; runs in the writing thread."""
        if self._delivery.writing_thread is None:
            self._delivery.writing_thread = threading.current_thread()
        return super().dequeue(block)

    def finish(self) -> None:
        """Write all that waits, stop the thread, close the handlers."""
        self.stop()
        self._delivery.writing_thread = threading.current_thread()
        while True:  # what other threads put while the last lines were written
            try:
                late = self._delivery.queue.get_nowait()
            except Empty:
                break
            if isinstance(late, LogRecord):
                self.handle(late)
        self._report_dropped()
        for handler in self.handlers:
            try:
                handler.close()
            except OSError as error:
                complain(f"a log file could not be closed: {error}")

    def prepare(self, record: LogRecord) -> LogRecord:
        """Take the secrets out of a line: the last thing that happens to it, after all formatting."""
        if isinstance(record, Line):
            record.data = scrub_line(record.data, process_scrubber())
        return record

    def handle(self, record: LogRecord) -> None:
        """Write one line; whatever goes wrong with it, the thread goes on."""
        try:
            self._write(record)
            self._report_dropped()
        except Exception as error:  # noqa: BLE001 - the thread must survive a line it cannot write; it says so
            complain(f"a line could not be written: {type(error).__name__}: {error}")
        if isinstance(record, FlushMark):
            record.reached.set()

    def report(self, event: LogEvent, extra: Mapping[str, object]) -> None:
        """Write a line of logging's own; called in the writing thread."""
        self._write(own_line(event, extra))

    def _write(self, record: LogRecord) -> None:
        prepared = self.prepare(record)
        if not isinstance(prepared, Line):
            return
        file = self._files[prepared.stream]
        if prepared.levelno >= file.level:
            file.handle(prepared)
        if self._console is not None and prepared.levelno >= self._console.level:
            self._console.handle(prepared)

    def _report_dropped(self) -> None:
        dropped = self._delivery.take_dropped()
        if dropped:
            self.report(LOG_LINES_DROPPED, {"lines": dropped})


@dataclass(slots=True)
class Current:
    """The delivery in use, or None, and the least level worth making a line for."""

    delivery: Delivery | None = None
    threshold: int = WARNING

    def use(self, delivery: Delivery | None) -> None:
        """Send all lines there from now on; None: only warnings, to stderr."""
        self.delivery = delivery
        self.threshold = WARNING if delivery is None else delivery.threshold


CURRENT: Final = Current()


def send(line: Line) -> None:
    """Hand a line to the writing thread, or show it where there is none."""
    delivery = CURRENT.delivery
    if delivery is not None:
        delivery.put(line)
    elif line.levelno >= WARNING:
        show(scrub(readable(scrub_line(line.data, process_scrubber()))))


def own_line(event: LogEvent, extra: Mapping[str, object]) -> Line:
    """A line of logging's own, stamped now."""
    stamp = timestamp_text(now_ns())
    body = LineBody(stamp, event.level, event.stream.logger_name, None, event.message, dict(extra))
    return Line(event.stream, LEVELS[event.level], encode_line(body))


#: The time of lines that are logged as things happen; lines of journal records carry their event's time instead.
now_ns: Final[Callable[[], int]] = time.time_ns  # noqa: TID251 - no decision is made on a log line's time
