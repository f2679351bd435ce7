"""The log folder on disk: made private, checked, and shared out when several processes log into it.

A file that two processes rotate loses lines, and on Windows cannot be renamed at all. The first process in a folder
writes `orders/orders.jsonl`; a second one at the same time writes `orders/orders-2.jsonl`. May not write a line.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mqd_core.errors import ConfigError
from mqd_core.logging.streams import LogStream

#: More processes than this in one log folder are a mistake, and each would leave seven files behind.
MOST_WRITERS: Final = 32


class LogFolder:
    """A log folder and this process's place in it, from `open` to `close`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.place = 0
        self._lock: FileLock | None = None

    def open(self) -> None:
        """Make the folder and those of the streams, and take a place. Raises ConfigError when that cannot be."""
        try:
            for folder in (self.path, *(self.path / stream.value for stream in LogStream)):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_place()
        except (OSError, NotImplementedError) as error:
            raise unusable(self.path, error) from error

    def close(self) -> None:
        """Give the place back."""
        if self._lock is not None:
            with suppress(OSError):  # a folder that is gone has no lock to give back
                self._lock.release()
            self._lock = None

    def file(self, stream: LogStream, ending: str) -> Path:
        """The file of a stream for this process."""
        number = "" if self.place == 1 else f"-{self.place}"
        return self.path / stream.value / f"{stream.value}{number}.{ending}"

    def _take_place(self) -> None:
        for place in range(1, MOST_WRITERS + 1):
            lock = FileLock(self.path / f".writer-{place}.lock", thread_local=False, mode=0o600)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            self._lock, self.place = lock, place
            return
        raise ConfigError(
            f"{self.path}: {MOST_WRITERS} processes log into this folder already; end some of them, or set "
            "logging.log_dir to another folder"
        )


def unusable(path: Path, error: BaseException) -> ConfigError:
    """What to say when logs cannot be written somewhere, and what to do about it."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    where = getattr(error, "filename", None)
    at = f" (at {where})" if where is not None and str(where) != str(path) else ""
    return ConfigError(
        f"{path}: logs cannot be written here: {reason}{at}; make it a folder that you may write to, or set "
        "logging.log_dir to another folder"
    )
