"""The structlog side: processors that turn a call into an encoded line, and the sink that sends it.

Imported late, by the first line or by `setup_logging`: structlog imports rich and asyncio where it finds them, which
costs more than all the rest of a light command.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from mqd_core.logging.context import current_correlation_id
from mqd_core.logging.delivery import now_ns, send
from mqd_core.logging.levels import CRITICAL, DEBUG, ERROR, INFO, WARNING
from mqd_core.logging.line import Line, LineBody, encode_line, shown, timestamp_text, values_of
from mqd_core.logging.streams import LogStream


class Sink:
    """What structlog calls the wrapped logger: one method for each level, each sending an encoded line."""

    def __init__(self, stream: LogStream, logger_name: str) -> None:
        self.stream = stream
        self.logger_name = logger_name

    def debug(self, data: bytes) -> None:
        """Send a line of level DEBUG."""
        send(Line(self.stream, DEBUG, data))

    def info(self, data: bytes) -> None:
        """Send a line of level INFO."""
        send(Line(self.stream, INFO, data))

    def warning(self, data: bytes) -> None:
        """Send a line of level WARNING."""
        send(Line(self.stream, WARNING, data))

    def error(self, data: bytes) -> None:
        """Send a line of level ERROR."""
        send(Line(self.stream, ERROR, data))

    def critical(self, data: bytes) -> None:
        """Send a line of level CRITICAL."""
        send(Line(self.stream, CRITICAL, data))


def sink_for(*names: object) -> Sink:
    """The sink of anyone who calls `structlog.get_logger(name)`: the system stream, under the name that was asked."""
    name = shown(names[0]) if names else LogStream.SYSTEM.logger_name
    return Sink(LogStream.SYSTEM, name)


def encode_event(sink: WrappedLogger, level: str, event: EventDict) -> bytes:
    """The last processor: everything but the message becomes `extra`."""
    message = shown(event.pop("event", ""))
    values = {**values_of(event.pop("extra", None)), **event}
    name = sink.logger_name if isinstance(sink, Sink) else LogStream.SYSTEM.logger_name
    stamp = timestamp_text(now_ns())
    return encode_line(LineBody(stamp, level.upper(), name, current_correlation_id(), message, values))


#: One list for all: `structlog.testing.capture_logs` exchanges what is in it.
PROCESSORS: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.StackInfoRenderer(additional_ignores=["mqd_core.logging"]),
    structlog.processors.format_exc_info,  # the standard traceback: no values of local variables
    encode_event,
]


def bound_logger(stream: LogStream, threshold: int) -> FilteringBoundLogger:
    """A logger of one stream that does nothing below the threshold."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        Sink(stream, stream.logger_name),
        processors=PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        context_class=dict,
    ).bind()
    return logger


class StructlogDefaults:
    """Sends what others log through plain structlog here as well: by itself it prints to stdout, unscrubbed."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._before: dict[str, Any] | None = None

    def install(self) -> None:
        """Make the desk's pipeline structlog's default."""
        self._before = structlog.get_config() if structlog.is_configured() else None
        structlog.configure(
            processors=PROCESSORS,
            wrapper_class=structlog.make_filtering_bound_logger(self._threshold),
            context_class=dict,
            logger_factory=sink_for,
            cache_logger_on_first_use=False,
        )

    def remove(self) -> None:
        """Put back what was configured before."""
        if self._before is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**self._before)
