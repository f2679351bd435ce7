"""The logger that the desk and its plugins hold: made at once, working from its first line on, whatever is set up.

It may be made at import time, before `setup_logging`, and goes on through a second set-up: which level counts and where
lines go is looked up as a line is logged. May not import structlog before there is a line to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from mqd_core.logging.delivery import CURRENT, Delivery
from mqd_core.logging.levels import CRITICAL, DEBUG, ERROR, INFO, WARNING, level_name
from mqd_core.logging.line import formatted, values_of
from mqd_core.logging.streams import LogStream

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

ExceptionInfo: TypeAlias = (
    bool
    | BaseException
    | tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
    | None
)


class StreamLogger:
    """Logs to one stream. Every method takes a message, values in `extra`, and further values by name.

    `extra` and named values end up in the line's `extra`; `exc_info=True` (or an exception) adds its traceback there
    as `exception`. Positional arguments fill `%s` in the message. A call never raises.
    """

    __slots__ = ("_bound", "_bound_for", "_fields", "_stream")

    def __init__(self, stream: LogStream, fields: Mapping[str, object] | None = None) -> None:
        self._stream = stream
        self._fields = dict(fields or {})
        self._bound: FilteringBoundLogger | None = None
        self._bound_for: tuple[Delivery | None, int] | None = None

    def bind(self, **fields: object) -> StreamLogger:
        """A logger of the same stream whose lines all carry these values."""
        return StreamLogger(self._stream, {**self._fields, **fields})

    def is_enabled_for(self, level: int) -> bool:
        """Whether a line of that level (10 DEBUG to 50 CRITICAL) would be written."""
        return level >= CURRENT.threshold

    def debug(
        self,
        message: object,
        /,
        *args: object,
        extra: Mapping[str, object] | None = None,
        exc_info: ExceptionInfo = None,
        stack_info: bool = False,
        **fields: object,
    ) -> None:
        """Say what only an author wants to know."""
        if CURRENT.threshold <= DEBUG:
            self._log(DEBUG, formatted(message, args), extra, fields, exc_info=exc_info, stack_info=stack_info)

    def info(
        self,
        message: object,
        /,
        *args: object,
        extra: Mapping[str, object] | None = None,
        exc_info: ExceptionInfo = None,
        stack_info: bool = False,
        **fields: object,
    ) -> None:
        """Say what happened."""
        if CURRENT.threshold <= INFO:
            self._log(INFO, formatted(message, args), extra, fields, exc_info=exc_info, stack_info=stack_info)

    def warning(
        self,
        message: object,
        /,
        *args: object,
        extra: Mapping[str, object] | None = None,
        exc_info: ExceptionInfo = None,
        stack_info: bool = False,
        **fields: object,
    ) -> None:
        """Say what a person should look at."""
        if CURRENT.threshold <= WARNING:
            self._log(WARNING, formatted(message, args), extra, fields, exc_info=exc_info, stack_info=stack_info)

    def error(
        self,
        message: object,
        /,
        *args: object,
        extra: Mapping[str, object] | None = None,
        exc_info: ExceptionInfo = None,
        stack_info: bool = False,
        **fields: object,
    ) -> None:
        """Say what failed."""
        if CURRENT.threshold <= ERROR:
            self._log(ERROR, formatted(message, args), extra, fields, exc_info=exc_info, stack_info=stack_info)

    def critical(
        self,
        message: object,
        /,
        *args: object,
        extra: Mapping[str, object] | None = None,
        exc_info: ExceptionInfo = None,
        stack_info: bool = False,
        **fields: object,
    ) -> None:
        """Say what a person must look at now."""
        if CURRENT.threshold <= CRITICAL:
            self._log(CRITICAL, formatted(message, args), extra, fields, exc_info=exc_info, stack_info=stack_info)

    def exception(
        self,
        message: object,
        /,
        *args: object,
        extra: Mapping[str, object] | None = None,
        exc_info: ExceptionInfo = True,
        stack_info: bool = False,
        **fields: object,
    ) -> None:
        """Say what failed, with the traceback of the exception being handled."""
        self.error(message, *args, extra=extra, exc_info=exc_info, stack_info=stack_info, **fields)

    def _log(
        self,
        level: int,
        message: str,
        extra: Mapping[str, object] | None,
        fields: dict[str, object],
        *,
        exc_info: ExceptionInfo,
        stack_info: bool,
    ) -> None:
        values = {**self._fields, **values_of(extra), **fields}
        call = getattr(self._bound_logger(), level_name(level).lower())
        # All values in one argument: none of their names can then collide with a parameter of structlog's.
        if exc_info or stack_info:
            call(message, extra=values, exc_info=exc_info, stack_info=stack_info)
        else:
            call(message, extra=values)

    def _bound_logger(self) -> FilteringBoundLogger:
        now = CURRENT.delivery, CURRENT.threshold
        if self._bound is None or self._bound_for != now:
            from mqd_core.logging.pipeline import bound_logger

            self._bound = bound_logger(self._stream, CURRENT.threshold)
            self._bound_for = now
        return self._bound


def get_logger(stream: LogStream) -> StreamLogger:
    """The logger of a stream. Costs nothing and does nothing until something is logged."""
    return StreamLogger(LogStream(stream))
