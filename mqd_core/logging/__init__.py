"""Structured logging of the desk: seven streams of JSON lines, one thread that writes them, no secret in any of them.

    from mqd_core.logging import LogContext, LogStream, get_logger, setup_logging

    setup_logging(log_dir="logs", log_level="INFO", json_logs=True)
    logger = get_logger(LogStream.ORDERS)
    with LogContext("order_12345"):
        logger.info("Order submitted", extra={"order_id": "12345", "symbol": "SPY", "quantity": 1})

Importing this package writes nothing, opens nothing, starts nothing and imports neither structlog nor rich (structlog
imports rich where it is installed): both wait for `setup_logging` or the first line. The log is for people; nothing in
the desk may read it back as truth, that is the journal's part.
"""

from mqd_core.logging.catalogue import EVENTS, LogEvent, catalogue_markdown
from mqd_core.logging.context import LogContext, current_correlation_id
from mqd_core.logging.loggers import StreamLogger, get_logger
from mqd_core.logging.records import write_record
from mqd_core.logging.scrubbing import MASK, register_secret, scrub
from mqd_core.logging.setup import flush_logging, setup_logging, shutdown_logging
from mqd_core.logging.streams import LogStream

__all__ = [
    "EVENTS",
    "MASK",
    "LogContext",
    "LogEvent",
    "LogStream",
    "StreamLogger",
    "catalogue_markdown",
    "current_correlation_id",
    "flush_logging",
    "get_logger",
    "register_secret",
    "scrub",
    "setup_logging",
    "shutdown_logging",
    "write_record",
]
