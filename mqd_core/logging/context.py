"""The correlation id that log lines carry: bound to the running thread or task, never passed by hand.

May not write a line and may not make up an id: ids are functions of the desk and a sequence.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Final

#: All ids entered in this thread or task, innermost last. A tuple and not a token for each context: the same
#: LogContext may then be entered twice, or by several threads at once.
_ENTERED: Final[ContextVar[tuple[str, ...]]] = ContextVar("mqd_log_correlation_ids", default=())


def current_correlation_id() -> str | None:
    """The id of the innermost LogContext of this thread or task, or None outside of any."""
    entered = _ENTERED.get()
    return entered[-1] if entered else None


class LogContext:
    """Give every line that is logged inside of it one correlation id; contexts nest, the innermost counts.

    A thread that is started inside of one begins without: it names its own.
    """

    __slots__ = ("correlation_id",)

    def __init__(self, correlation_id: str) -> None:
        self.correlation_id = str(correlation_id)  # whatever an untyped caller hands over, the line holds text

    def __enter__(self) -> LogContext:  # noqa: PYI034 - Self is not in the typing module of Python 3.10
        _ENTERED.set((*_ENTERED.get(), self.correlation_id))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _ENTERED.set(_ENTERED.get()[:-1])
