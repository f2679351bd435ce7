"""Switches logging on and off for the process: the one place that opens files, starts the thread and sets hooks.

May be called again: the former set-up is finished first, whole, so that no line is written twice. What other threads
log in between is treated as before any set-up.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mqd_core.logging.delivery import CURRENT, PATIENCE_SECONDS, QUEUE_LINES, Delivery, Writer
from mqd_core.logging.levels import CRITICAL, OFF, level_number
from mqd_core.logging.streams import LogStream

if TYPE_CHECKING:
    from mqd_core.logging.folders import LogFolder
    from mqd_core.logging.foreign import StandardLogging
    from mqd_core.logging.pipeline import StructlogDefaults
    from mqd_core.logging.uncaught import UncaughtErrors


class LoggingSession:
    """Logging that is switched on: the delivery, the thread, and everything of the process that was changed for it."""

    def __init__(self, delivery: Delivery, writer: Writer, folder: LogFolder, json_logs: bool) -> None:  # noqa: FBT001
        self.delivery = delivery
        self.writer = writer
        self.folder = folder
        self.json_logs = json_logs
        self._connections: list[StandardLogging | StructlogDefaults | UncaughtErrors] = []

    def start(self, file_level: int, console_level: int) -> None:
        """Open the files, start the thread, take over. Raises ConfigError when a file cannot be opened."""
        from mqd_core.logging.console import ConsoleHandler, JsonLines, Readable
        from mqd_core.logging.files import StreamFile
        from mqd_core.logging.folders import unusable

        formatter, ending = (JsonLines(), "jsonl") if self.json_logs else (Readable(), "log")
        files: dict[LogStream, StreamFile] = {}
        for stream in LogStream:
            path = self.folder.file(stream, ending)
            try:
                files[stream] = StreamFile(path, report=self.writer.report)
            except OSError as error:
                for opened in files.values():
                    opened.close()
                raise unusable(path, error) from error
            files[stream].setFormatter(formatter)
            files[stream].setLevel(file_level)
        console = None
        if console_level < OFF:
            console = ConsoleHandler(console_level)
            console.setFormatter(Readable())
        self.writer.write_to(files, console)
        self.writer.start()
        CURRENT.use(self.delivery)
        self._connect(console_level)

    def stop(self) -> None:
        """Take nothing more, write what waits, put everything back."""
        self.disconnect()
        self.writer.finish()
        self.folder.close()

    def disconnect(self) -> None:
        """Leave the process as it was before `start`; lines go nowhere from now on."""
        CURRENT.use(None)
        while self._connections:
            self._connections.pop().remove()

    def _connect(self, console_level: int) -> None:
        from mqd_core.logging.foreign import StandardLogging
        from mqd_core.logging.pipeline import StructlogDefaults
        from mqd_core.logging.uncaught import UncaughtErrors

        self._connections = [
            StandardLogging(self.delivery),
            StructlogDefaults(self.delivery.threshold),
            UncaughtErrors(self.delivery, console_shows_them=console_level <= CRITICAL),
        ]
        for connection in self._connections:
            connection.install()


class _Process:
    """What this process has switched on, if anything."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.session: LoggingSession | None = None
        self.hooked = False
        #: Sessions of a parent process. They are kept, unused: closing them would unlock the parent's folder.
        self.inherited: list[LoggingSession] = []

    def hook_once(self) -> None:
        """Finish at exit, and forget in a forked child, which has no writing thread."""
        if not self.hooked:
            self.hooked = True
            atexit.register(shutdown_logging)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self.forget_in_child)

    def forget_in_child(self) -> None:
        """Begin a forked child without logging; it may set up its own."""
        self.lock = threading.RLock()
        if self.session is not None:
            self.session.disconnect()
            self.inherited.append(self.session)
            self.session = None


_PROCESS: Final = _Process()


def setup_logging(
    log_dir: str | Path = "logs",
    log_level: str = "INFO",
    json_logs: bool = True,  # noqa: FBT001, FBT002 - the third setting of the configuration's section, in its order
    *,
    console: str | None = "INFO",
    strict: bool = False,
    when_full: Literal["drop", "wait"] = "drop",
    queue_lines: int = QUEUE_LINES,
) -> None:
    """Write the seven streams under `log_dir`, from `log_level` on, and show lines on stderr from `console` on.

    `json_logs=False` writes readable text instead of JSON lines. `console=None` shows nothing. `when_full` says what
    happens to a line when `queue_lines` wait already: a live desk drops and counts it, a backtest waits for room.
    `strict=True` makes `write_record` refuse what the catalogue does not have. A second call replaces the first.

    Raises ConfigError for an unknown level and for a folder or file that cannot be written.
    """
    from mqd_core.logging.folders import LogFolder

    file_level = level_number(log_level, "logging.log_level")
    console_level = OFF if console is None else level_number(console, "the console's log level")
    with _PROCESS.lock:
        shutdown_logging()
        folder = LogFolder(log_dir)
        folder.open()
        delivery = Delivery(
            threshold=min(file_level, console_level),
            strict=strict,
            wait=when_full == "wait",
            queue_lines=queue_lines,
        )
        session = LoggingSession(delivery, Writer(delivery), folder, json_logs)
        try:
            session.start(file_level, console_level)
        except BaseException:
            folder.close()
            raise
        _PROCESS.session = session
        _PROCESS.hook_once()


def shutdown_logging() -> None:
    """Write everything that waits, close the files, give back what `setup_logging` took; without one, do nothing.

    Runs by itself when the process exits.
    """
    with _PROCESS.lock:
        session, _PROCESS.session = _PROCESS.session, None
        if session is not None:
            session.stop()


def flush_logging(timeout_seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until every line logged so far is in its file; False when that took longer or nothing is set up."""
    delivery = CURRENT.delivery
    return delivery is not None and delivery.flush(timeout_seconds)
