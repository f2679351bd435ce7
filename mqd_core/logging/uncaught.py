"""Errors that nobody caught: logged, and shown without secrets. Python itself would print them as they are.

May not swallow one: what was installed before (a debugger's hook, a test runner's) is called afterwards.
"""

from __future__ import annotations

import sys
import threading
import traceback
from types import TracebackType

from mqd_core.logging.catalogue import UNCAUGHT_ERROR
from mqd_core.logging.console import show
from mqd_core.logging.delivery import Delivery, own_line
from mqd_core.logging.line import shown
from mqd_core.logging.scrubbing import scrub


class UncaughtErrors:
    """Stands in for `sys.excepthook` and `threading.excepthook`.

    `console_shows_them`: whether the console handler prints critical lines, so that nothing is said twice.
    """

    def __init__(self, delivery: Delivery, *, console_shows_them: bool) -> None:
        self._delivery = delivery
        self._console_shows_them = console_shows_them
        self._process_hook = sys.excepthook
        self._thread_hook = threading.excepthook

    def install(self) -> None:
        """Take over both hooks."""
        self._process_hook, sys.excepthook = sys.excepthook, self.in_main_thread
        self._thread_hook, threading.excepthook = threading.excepthook, self.in_thread

    def remove(self) -> None:
        """Put both hooks back, unless somebody else has replaced them since."""
        if sys.excepthook == self.in_main_thread:
            sys.excepthook = self._process_hook
        if threading.excepthook == self.in_thread:
            threading.excepthook = self._thread_hook

    def in_main_thread(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log what ends the process. Ctrl-C is no error."""
        name = threading.current_thread().name
        if issubclass(kind, KeyboardInterrupt):
            self._process_hook(kind, error, trace)
        elif self._process_hook is sys.__excepthook__:
            self._tell(error, trace, name)
        else:
            self._log(error, trace, name)
            self._process_hook(kind, error, trace)

    def in_thread(self, args: threading.ExceptHookArgs) -> None:
        """Log what ended a thread. SystemExit is how a thread may leave."""
        if args.exc_value is None or issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else "a thread that is gone"
        if self._thread_hook is threading.__excepthook__:
            self._tell(args.exc_value, args.exc_traceback, name)
        else:
            self._log(args.exc_value, args.exc_traceback, name)
            self._thread_hook(args)

    def _tell(self, error: BaseException, trace: TracebackType | None, thread: str) -> None:
        text = self._log(error, trace, thread)
        if not self._console_shows_them:
            show(scrub(f"Uncaught error in {thread}:\n{text}"))

    def _log(self, error: BaseException, trace: TracebackType | None, thread: str) -> str:
        text = "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")
        extra = {"error_type": type(error).__name__, "error": shown(error), "thread": thread, "exception": text}
        self._delivery.put(own_line(UNCAUGHT_ERROR, extra))
        return text
