"""Events of the desk itself, its data and its speed: the streams system, data and performance.

See `catalogue` for the whole. May import nothing but what an event is.
"""

from __future__ import annotations

from typing import Final

from mqd_core.logging.event import RUN, LogEvent
from mqd_core.logging.streams import LogStream

_STATE_MOVE: Final = {
    **RUN,
    "previous_state": "state before",
    "state": "state after",
    "code": "why, for machines",
    "reason": "why, in words",
}
_TIMING: Final = {"duration_us": "how long it took, microseconds"}
_ORDER_TIMING: Final = {
    **_TIMING,
    "order_id": "the desk's own id of the order (client order id), if it is about one",
    "symbol": "symbol of that order",
}

RUN_STARTED: Final = LogEvent(
    LogStream.SYSTEM,
    "INFO",
    "Run started",
    "A process has taken the desk.",
    {
        "run_id": "id of the run",
        "desk_id": "id of the desk",
        "mode": "run or backtest",
        "version": "version of mqd-core",
        "configuration": "SHA-256 of the configuration",
        "feed": "the data source and its settings",
        "strategies": "entries that run, with the digests of their code",
        "versions": "distributions in use and their versions",
        "protection": "strategy or broker",
    },
)
RUN_ENDED: Final = LogEvent(
    LogStream.SYSTEM,
    "INFO",
    "Run ended",
    "The process leaves the desk in order.",
    {
        "run_id": "id of the run",
        "reason": "finished, signal, halted or failed",
        "orders": "orders that this run approved",
        "fills": "fills that it applied",
        "trades": "round trips that it closed",
    },
)
PLUGIN_LOADED: Final = LogEvent(
    LogStream.SYSTEM,
    "INFO",
    "Plugin loaded",
    "A plugin that the configuration names was imported and accepted.",
    {
        "kind": "slot it fills: broker, strategy, ...",
        "plugin": "name in the configuration",
        "distribution": "distribution that offers it",
        "version": "version of that distribution",
        "target": "module and object of its entry point",
    },
)
PLUGIN_MOVED: Final = LogEvent(
    LogStream.SYSTEM,
    "ERROR",
    "Plugin moved",
    "A plugin changed state while it ran: a failure counted, quarantined.",
    {
        **RUN,
        "plugin": "kind and name",
        "symbol": "symbol of the instance, if it has one",
        "state": "failed or quarantined",
        "error_type": "type of the error it raised",
        "place": "file and line where it raised",
        "reason": "why, in words",
    },
)
DESK_STATE_MOVED: Final = LogEvent(
    LogStream.SYSTEM,
    "WARNING",
    "Desk state moved",
    "What the desk may do has changed: starting, recovering, ready, frozen, halted.",
    _STATE_MOVE,
)
SESSION_OPENED: Final = LogEvent(
    LogStream.SYSTEM,
    "INFO",
    "Session opened",
    "A trading session began.",
    {**RUN, "session_date": "exchange date", "closes_at": "when it ends"},
)
SESSION_CLOSED: Final = LogEvent(
    LogStream.SYSTEM,
    "INFO",
    "Session closed",
    "A trading session ended.",
    {**RUN, "session_date": "exchange date", "next_open_at": "when the next one begins"},
)
ALERT_RAISED: Final = LogEvent(
    LogStream.SYSTEM,
    "WARNING",
    "Alert raised",
    "Something a person should know of now.",
    {
        **RUN,
        "severity": "notice, warning or critical",
        "code": "what, for machines",
        "subject": "what it is about",
        "reason": "in words",
    },
)
COMMAND_TAKEN: Final = LogEvent(
    LogStream.SYSTEM,
    "WARNING",
    "Command taken",
    "A person has ordered the desk to do something.",
    {
        **RUN,
        "command_id": "id of the command",
        "command": "halt, resume, ...",
        "person": "who, as far as the system knows",
        "reason": "why, in the person's words",
    },
)
CONNECTION_MOVED: Final = LogEvent(
    LogStream.SYSTEM,
    "INFO",
    "Connection moved",
    "A live connection went up, down or silent.",
    {**RUN, "connection": "which one", "state": "state after", "reason": "in words"},
)
UNCAUGHT_ERROR: Final = LogEvent(
    LogStream.SYSTEM,
    "CRITICAL",
    "Uncaught error",
    "An error that nobody handled ended the process or one of its threads.",
    {
        "error_type": "type of the error",
        "error": "its message",
        "thread": "thread it ended",
        "exception": "its traceback",
    },
)
LOG_LINES_DROPPED: Final = LogEvent(
    LogStream.SYSTEM,
    "WARNING",
    "Log lines dropped",
    "More lines were logged than could be written; trading did not wait for them. The journal has everything.",
    {"lines": "how many were dropped since the last such line"},
)
LOG_LINES_LOST: Final = LogEvent(
    LogStream.SYSTEM,
    "ERROR",
    "Log lines lost",
    "A log file can be written again after it could not (a full disk, for one).",
    {"file": "the file", "lines": "how many lines of it were lost"},
)
LOG_ROTATION_POSTPONED: Final = LogEvent(
    LogStream.SYSTEM,
    "WARNING",
    "Log rotation postponed",
    "A full log file could not be put into the archives; it grows on and the next try follows within a megabyte.",
    {"file": "the file", "reason": "what the system said"},
)

BAR_REJECTED: Final = LogEvent(
    LogStream.DATA,
    "WARNING",
    "Bar rejected",
    "A bar broke the market data contract and was shown to no strategy.",
    {
        **RUN,
        "symbol": "symbol",
        "bar_at": "start of the bar",
        "code": "which check refused it",
        "reason": "what was wrong with which value",
    },
)
DATA_GAP: Final = LogEvent(
    LogStream.DATA,
    "WARNING",
    "Data gap",
    "Bars are missing between two that came.",
    {
        **RUN,
        "symbol": "symbol",
        "gap_from": "start of the first bar that is missing",
        "gap_until": "start of the bar after the gap",
        "bars": "how many bars are missing",
    },
)
BAR_REVISED: Final = LogEvent(
    LogStream.DATA,
    "INFO",
    "Bar revised",
    "The source corrected a bar that it had already sent; strategies are not shown it again.",
    {**RUN, "symbol": "symbol", "bar_at": "start of the bar", "close": "its close now, USD a share"},
)
FEED_STATUS: Final = LogEvent(
    LogStream.DATA,
    "INFO",
    "Feed status",
    "The feed's own news: connected, silent, ended, a symbol halted.",
    {**RUN, "code": "what, for machines", "symbol": "symbol it is about, if any", "reason": "in words"},
)

STEP_TIMED: Final = LogEvent(
    LogStream.PERFORMANCE,
    "INFO",
    "Step timed",
    "One step of the engine, from event in to effects out.",
    _ORDER_TIMING,
)
COMMIT_TIMED: Final = LogEvent(
    LogStream.PERFORMANCE,
    "INFO",
    "Commit timed",
    "One durable commit to the journal.",
    _TIMING,
)
SUBMIT_TIMED: Final = LogEvent(
    LogStream.PERFORMANCE,
    "INFO",
    "Submit timed",
    "One submission: the call to the broker, from send to answer.",
    _ORDER_TIMING,
)
ACKNOWLEDGEMENT_TIMED: Final = LogEvent(
    LogStream.PERFORMANCE,
    "INFO",
    "Acknowledgement timed",
    "From the signal's bar being known to the broker's acknowledgement.",
    _ORDER_TIMING,
)

EVENTS: Final = (
    RUN_STARTED,
    RUN_ENDED,
    PLUGIN_LOADED,
    PLUGIN_MOVED,
    DESK_STATE_MOVED,
    SESSION_OPENED,
    SESSION_CLOSED,
    ALERT_RAISED,
    COMMAND_TAKEN,
    CONNECTION_MOVED,
    UNCAUGHT_ERROR,
    LOG_LINES_DROPPED,
    LOG_LINES_LOST,
    LOG_ROTATION_POSTPONED,
    BAR_REJECTED,
    DATA_GAP,
    BAR_REVISED,
    FEED_STATUS,
    STEP_TIMED,
    COMMIT_TIMED,
    SUBMIT_TIMED,
    ACKNOWLEDGEMENT_TIMED,
)
