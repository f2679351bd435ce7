"""Every event that the desk logs, as data: docs/LOGGING.md is made of it, and tests hold the desk to it.

May import streams and events only: a command that prints the catalogue needs no logging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mqd_core.logging import desk_events, trading_events
from mqd_core.logging.desk_events import (
    ACKNOWLEDGEMENT_TIMED,
    ALERT_RAISED,
    BAR_REJECTED,
    BAR_REVISED,
    COMMAND_TAKEN,
    COMMIT_TIMED,
    CONNECTION_MOVED,
    DATA_GAP,
    DESK_STATE_MOVED,
    FEED_STATUS,
    LOG_LINES_DROPPED,
    LOG_LINES_LOST,
    LOG_ROTATION_POSTPONED,
    PLUGIN_LOADED,
    PLUGIN_MOVED,
    RUN_ENDED,
    RUN_STARTED,
    SESSION_CLOSED,
    SESSION_OPENED,
    STEP_TIMED,
    SUBMIT_TIMED,
    UNCAUGHT_ERROR,
)
from mqd_core.logging.event import LogEvent
from mqd_core.logging.streams import LogStream
from mqd_core.logging.trading_events import (
    BOOK_MOVED,
    BREAKER_TRIPPED,
    DIFFERENCE_MOVED,
    LIMIT_MOVED,
    ORDER_ACKNOWLEDGED,
    ORDER_APPROVED,
    ORDER_CANCELED,
    ORDER_DENIED,
    ORDER_EXPIRED,
    ORDER_FILLED,
    ORDER_MOVED,
    ORDER_OUTCOME_UNKNOWN,
    ORDER_PARTIALLY_FILLED,
    ORDER_REJECTED,
    ORDER_SUBMITTED,
    PROTECTION_MOVED,
    SIGNAL_MADE,
    SIGNAL_SIZED,
    SYMBOL_MOVED,
    TRADE_CLOSED,
    TRADE_REOPENED,
)

__all__ = [
    "ACKNOWLEDGEMENT_TIMED",
    "ALERT_RAISED",
    "BAR_REJECTED",
    "BAR_REVISED",
    "BOOK_MOVED",
    "BREAKER_TRIPPED",
    "COMMAND_TAKEN",
    "COMMIT_TIMED",
    "CONNECTION_MOVED",
    "DATA_GAP",
    "DESK_STATE_MOVED",
    "DIFFERENCE_MOVED",
    "EVENTS",
    "FEED_STATUS",
    "LIMIT_MOVED",
    "LOG_LINES_DROPPED",
    "LOG_LINES_LOST",
    "LOG_ROTATION_POSTPONED",
    "ORDER_ACKNOWLEDGED",
    "ORDER_APPROVED",
    "ORDER_CANCELED",
    "ORDER_DENIED",
    "ORDER_EXPIRED",
    "ORDER_FILLED",
    "ORDER_MOVED",
    "ORDER_OUTCOME_UNKNOWN",
    "ORDER_PARTIALLY_FILLED",
    "ORDER_REJECTED",
    "ORDER_SUBMITTED",
    "PLUGIN_LOADED",
    "PLUGIN_MOVED",
    "PROTECTION_MOVED",
    "RUN_ENDED",
    "RUN_STARTED",
    "SESSION_CLOSED",
    "SESSION_OPENED",
    "SIGNAL_MADE",
    "SIGNAL_SIZED",
    "STEP_TIMED",
    "SUBMIT_TIMED",
    "SYMBOL_MOVED",
    "TRADE_CLOSED",
    "TRADE_REOPENED",
    "UNCAUGHT_ERROR",
    "LogEvent",
    "catalogue_markdown",
    "check_known",
]

_STREAM_MEANINGS: Final = {
    LogStream.SYSTEM: "The desk itself: runs, plugins, states, sessions, alerts, and logging's own troubles.",
    LogStream.TRADING: "From signal to closed trade.",
    LogStream.ORDERS: "The life of every order, from approval to its last state.",
    LogStream.POSITIONS: "Books and cash, each time they change.",
    LogStream.RISK: "What was denied and which limit moved.",
    LogStream.DATA: "The feed: what was refused, what is missing.",
    LogStream.PERFORMANCE: "How long things took, in microseconds.",
}

#: All of them, stream by stream.
EVENTS: Final[tuple[LogEvent, ...]] = tuple(
    event for stream in LogStream for event in (*desk_events.EVENTS, *trading_events.EVENTS) if event.stream is stream
)
_BY_STREAM_AND_MESSAGE: Final = {(event.stream, event.message): event for event in EVENTS}


def check_known(stream: LogStream, message: str, extra: Mapping[str, object]) -> None:
    """Raise ValueError unless the catalogue has the message in that stream and all the fields in its event."""
    event = _BY_STREAM_AND_MESSAGE.get((stream, message))
    if event is None:
        known = ", ".join(each.message for each in EVENTS if each.stream is stream)
        raise ValueError(f"the log catalogue has no {message!r} in stream {stream.value}; it has: {known}")
    unknown = sorted(set(extra) - set(event.fields))
    if unknown:
        raise ValueError(
            f"the log catalogue has no field {', '.join(unknown)} in {message!r} of stream {stream.value}; "
            f"it has: {', '.join(event.fields)}"
        )


def catalogue_markdown() -> str:
    """The catalogue as Markdown: a section for each stream, a table of fields for each event."""
    return "\n".join(line for stream in LogStream for line in _stream_lines(stream))


def _stream_lines(stream: LogStream) -> Iterator[str]:
    yield f"## {stream.value}\n\n{_STREAM_MEANINGS[stream]}\n"
    for event in EVENTS:
        if event.stream is stream:
            yield f"### {event.message}\n\n`{event.level}`. {event.meaning}\n"
            yield "| field | meaning |\n|---|---|"
            yield from (f"| `{name}` | {meaning} |" for name, meaning in event.fields.items())
            yield ""
