"""Where a desk keeps things: its state folder, its lock, the folders of its runs. May not read what is in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from mqd_core.errors import AlreadyRunning, RunFailed

if TYPE_CHECKING:
    from typing_extensions import Self

RUNS: Final = Path("runs")


@dataclass(frozen=True, slots=True)
class DeskPlaces:
    """The folders of one desk below `desk.state_dir`."""

    root: Path

    @property
    def store(self) -> Path:
        """What the store plugin owns: moved as a whole when a book is closed."""
        return self.root / "store"

    @property
    def lock(self) -> Path:
        """The file whose lock says that a process has this desk."""
        return self.root / "desk.lock"

    @property
    def holder(self) -> Path:
        """Who holds the lock, for the message that a second process prints."""
        return self.root / "desk.json"

    @property
    def inbox(self) -> Path:
        """Where other processes put commands for the desk."""
        return self.root / "inbox"

    def of_plugin(self, slot: str) -> Path:
        """A folder of a plugin's own."""
        return self.root / slot


def make_folder(folder: Path, purpose: str) -> Path:
    """Make a folder that only its owner reads; raises RunFailed with the remedy where that is not allowed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = (
            f"the folder for {purpose}, {folder}, cannot be made: {error.strerror}. "
            "Make it writable, or name another one in the configuration"
        )
        raise RunFailed(message) from error
    return folder


class DeskLock:
    """Held for the life of a run: one process, one desk."""

    def __init__(self, places: DeskPlaces, run_id: str) -> None:
        self._places = places
        self._run_id = run_id
        self._lock = FileLock(places.lock)

    def __enter__(self) -> Self:
        """Take the lock; raises AlreadyRunning that names the holder."""
        make_folder(self._places.root, "the desk's state")
        holder = {"pid": os.getpid(), "run": self._run_id, "since": _utc_now().strftime("%Y-%m-%d %H:%M:%S UTC")}
        try:
            self._lock.acquire(timeout=0)
            self._places.holder.write_text(json.dumps(holder), encoding="utf-8", newline="\n")
        except Timeout:
            message = f"desk {self._places.root.name} is already running{self._held_by()}; stop that one first"
            raise AlreadyRunning(message) from None
        except OSError as error:
            self._lock.release()
            message = (
                f"the desk's lock in {self._places.root} cannot be taken: {error.strerror}; make the folder and what "
                "is in it writable"
            )
            raise RunFailed(message) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back; the system does so itself when a process dies."""
        self._places.holder.unlink(missing_ok=True)
        self._lock.release()

    def _held_by(self) -> str:
        try:
            holder = json.loads(self._places.holder.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return f" in process {holder.get('pid')} since {holder.get('since')} (run {holder.get('run')})"


def new_run_id(mode: str, now: datetime | None = None) -> str:
    """`<utc>-<mode>-<6 hex>`: sorts by time, and two runs of one second do not meet."""
    moment = now or _utc_now()
    tail = os.urandom(3).hex()  # noqa: TID251  as above
    return f"{moment.strftime('%Y%m%dT%H%M%SZ')}-{mode}-{tail}"


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)  # noqa: TID251  for names and messages, decides nothing
