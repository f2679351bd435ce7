"""Log streams for the length of a run, from the configuration's `logging:` section.

May not write what the run decides: that comes from its journal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from mqd_core.cli.invocation import Invocation
from mqd_core.cli.printing import is_terminal
from mqd_core.errors import ConfigError, MqdError, UsageError
from mqd_core.logging import LogStream, get_logger, setup_logging, shutdown_logging
from mqd_core.logging.catalogue import ALERT_RAISED, UNCAUGHT_ERROR

if TYPE_CHECKING:
    from mqd_core.app.assembly import Mode
    from mqd_core.config import Config


@contextmanager
def logging_on(config: Config, mode: Mode, invocation: Invocation) -> Iterator[None]:
    """Write the log streams until the block ends; an error that ends it is logged on its way out."""
    section = config.logging
    level = section.log_level.value
    # A backtest's lines come all at once after its loop, and beside a progress line there is room for warnings only.
    console = "WARNING" if mode == "backtest" or is_terminal(sys.stderr) else level
    full: Literal["drop", "wait"] = "wait" if mode == "backtest" else "drop"
    setup_logging(section.log_dir, level, section.json_logs, console=console, when_full=full)
    invocation.log_dir = section.log_dir
    try:
        yield
    except Exception as error:
        # Into the files only: on the screen it stands once, as the command's last words.
        setup_logging(section.log_dir, level, section.json_logs, console=None)
        _log(error)
        raise
    finally:
        shutdown_logging()


def _log(error: Exception) -> None:
    logger = get_logger(LogStream.SYSTEM)
    kind, text = type(error).__name__, str(error)
    if isinstance(error, ConfigError | UsageError):
        return  # Nothing ran.
    if isinstance(error, MqdError):
        values = {"severity": "critical", "code": kind, "subject": "command", "reason": text}
        logger.critical(ALERT_RAISED.message, extra=values)
    else:
        values = {"error_type": kind, "error": text, "thread": "MainThread"}
        logger.critical(UNCAUGHT_ERROR.message, extra=values, exc_info=error)
