"""Log lines for what is already in the journal: written by the runtime from committed records, with the event's time.

May not read a clock or the correlation id of the thread: both are the record's.
"""

from __future__ import annotations

from collections.abc import Mapping

from mqd_core.logging.catalogue import check_known
from mqd_core.logging.delivery import CURRENT, send
from mqd_core.logging.levels import LEVELS
from mqd_core.logging.line import Line, LineBody, encode_line, timestamp_text
from mqd_core.logging.streams import LogStream


def write_record(  # noqa: PLR0917 - the six parts of a line, in their order
    stream: LogStream,
    level: str,
    message: str,
    correlation_id: str | None,
    timestamp_ns: int,
    extra: Mapping[str, object],
) -> None:
    """Log one committed record; returns as soon as the line is encoded and in the queue, some microseconds.

    `level` is one of the five names in capitals, `timestamp_ns` the event's time in UTC nanoseconds since 1970.
    Raises KeyError for another level and, where logging was set up with `strict=True` (in tests), ValueError for a
    message or a field that the catalogue does not have.
    """
    levelno = LEVELS[level]
    if levelno < CURRENT.threshold:
        return
    delivery = CURRENT.delivery
    if delivery is not None and delivery.strict:
        check_known(stream, message, extra)
    values = extra if type(extra) is dict else dict(extra)
    body = LineBody(timestamp_text(timestamp_ns), level, stream.logger_name, correlation_id, message, values)
    send(Line(stream, levelno, encode_line(body)))
