"""One call of foreign code that may never return, given up after a while. May not end what hangs: the process does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Answer(Generic[T]):
    """What a call returned or raised; neither while it goes on."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self.error: BaseException | None = None


def bounded_call(call: Callable[[], T], seconds: float) -> T:
    """Return what `call` returns, or raise what it raises; raises TimeoutError when it takes longer than that."""
    answer: _Answer[T] = _Answer()

    def run() -> None:
        # A boundary of the thread: raised again by whoever waits.
        try:
            answer.values.append(call())
        except BaseException as error:  # noqa: BLE001  raised again below
            answer.error = error

    # A daemon: what hangs may not keep the process alive.
    thread = threading.Thread(target=run, name="mqd-bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    if answer.error is not None:
        raise answer.error
    if not answer.values:
        message = f"no answer within {seconds:g} s"
        raise TimeoutError(message)
    return answer.values[0]
