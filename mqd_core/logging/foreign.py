"""Lines of the standard library's loggers (a broker's SDK, a plugin, a warning): taken into the system stream.

Everything that reaches the root logger is scrubbed like the desk's own lines. May not let through what is known to
carry secrets: several libraries log request headers or whole frames at DEBUG.
"""

from __future__ import annotations

import logging
import sys
from logging.handlers import QueueHandler
from typing import Final

from mqd_core.logging.console import complain
from mqd_core.logging.context import current_correlation_id
from mqd_core.logging.delivery import Delivery
from mqd_core.logging.levels import INFO, level_name
from mqd_core.logging.line import Line, LineBody, encode_line, formatted, shown, timestamp_text
from mqd_core.logging.streams import LogStream

#: Never below INFO, at whatever level the desk logs: at DEBUG websockets logs the frame with the secret in it,
#: httpcore and urllib3 the headers of every request, asyncio whatever a coroutine was called with.
PINNED: Final = ("websockets", "urllib3", "httpx", "httpcore", "asyncio")

_NAME_TO_STREAM: Final = {stream.logger_name: stream for stream in LogStream}
_USUAL_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FORMATTER: Final = logging.Formatter()


class ForeignLines(QueueHandler):
    """Handler of the root logger: makes a line of each record and puts it into the same queue as all others."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery.queue)
        self._delivery = delivery
        self.setLevel(delivery.threshold)
        self.addFilter(is_allowed)

    def prepare(self, record: logging.LogRecord) -> Line:
        """The line of a record: its message, its traceback, and whatever was handed over as `extra`."""
        extra: dict[str, object] = {
            name: value for name, value in vars(record).items() if name not in _USUAL_ATTRIBUTES
        }
        if record.exc_info and record.exc_info[0] is not None:
            extra["exception"] = _FORMATTER.formatException(record.exc_info)
        if record.stack_info:
            extra["stack"] = shown(record.stack_info)
        body = LineBody(
            timestamp_text(round(record.created * 1_000_000) * 1_000),
            level_name(record.levelno),
            shown(record.name),
            current_correlation_id(),
            formatted(record.msg, record.args),
            extra,
        )
        return Line(_NAME_TO_STREAM.get(record.name, LogStream.SYSTEM), record.levelno, encode_line(body))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say that a record was lost, without showing what it held."""
        complain(f"a line of {shown(record.name)} could not be taken: {type(sys.exc_info()[1]).__name__}")

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand the line over."""
        if isinstance(record, Line):
            self._delivery.put(record)


def is_allowed(record: logging.LogRecord) -> bool:
    """Whether a record may be logged at all; also where somebody lowered the level of a pinned logger's child."""
    return record.levelno >= INFO or record.name.partition(".")[0] not in PINNED


class StandardLogging:
    """Connects the standard library's loggers and warnings, and puts back what it found."""

    def __init__(self, delivery: Delivery) -> None:
        self._handler = ForeignLines(delivery)
        self._levels_before: dict[str, int] = {}

    def install(self) -> None:
        """Take over: the root logger's handler and level, the pinned loggers' levels, Python's warnings."""
        root = logging.getLogger()
        self._levels_before = {name: logging.getLogger(name).level for name in PINNED}
        self._levels_before[root.name] = root.level
        root.addHandler(self._handler)
        root.setLevel(self._handler.level)
        for name in PINNED:
            logging.getLogger(name).setLevel(max(INFO, self._handler.level))
        logging.captureWarnings(capture=True)

    def remove(self) -> None:
        """Leave the standard library's logging as it was."""
        logging.captureWarnings(capture=False)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        self._handler.close()
        for name, level in self._levels_before.items():
            logging.getLogger(name).setLevel(level)
