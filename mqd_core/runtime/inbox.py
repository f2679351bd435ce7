"""The inbox of command files: how a person's command reaches a desk that runs in another process.

A command is a file, written beside its place and renamed into it, so that a desk never sees half of one. It is deleted
after its event is durable; one that a crash left behind is known by its id and deleted without being done again.
May not judge a command: the engine does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.domain.events import Command

#: Where files go that are no commands, for a person to look at.
REJECTED: Final = "rejected"
_SUFFIX: Final = ".json"
#: A command is a few words; whatever is longer is none.
_BYTES_MAX: Final = 16 * 1024
_ID: Final = re.compile(r"[0-9a-z-]{1,64}", re.ASCII)


class CommandNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command as its file has it; `posted_ns` is when a person gave it (UTC nanoseconds)."""

    command_id: str
    name: str
    reason: str = ""
    person: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    posted_ns: int = 0

    def event(self, ts: int) -> Command:
        """What enters the engine at that time; when it was given is kept, for the journal's readers."""
        return Command(
            ts=ts,
            command_id=self.command_id,
            name=self.name,
            reason=self.reason,
            person=self.person,
            arguments=(*self.arguments, ("posted_ns", str(self.posted_ns))),
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """One file in the inbox: the command in it, or why there is none."""

    path: Path
    command: CommandNote | None
    problem: str = ""


def new_command_id(now_ns: int) -> str:
    """An id that sorts by time, and that no other command has."""
    return f"{now_ns:020d}-{os.urandom(4).hex()}"  # noqa: TID251  names a file, decides nothing


class CommandInbox:
    """The inbox of one desk. `was_done` says what the journal holds; it is asked of what an earlier process left."""

    def __init__(self, folder: Path, was_done: Callable[[str], bool] = lambda _command_id: False) -> None:
        self._folder = folder
        self._was_done = was_done
        #: Commands that are done, but whose files may still lie there.
        self._done: set[str] = set()
        #: Whether what an earlier process left behind was looked at.
        self._is_known = False

    def post(self, command: CommandNote) -> Path:
        """Put a command in, durably; returns its file, which is gone when a desk has taken it. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{command.command_id}{_SUFFIX}"
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(command))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path

    def waiting(self) -> Iterator[Waiting]:
        """What lies there, oldest first. What was done already is deleted, not given. Raises OSError."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(_SUFFIX))
        except FileNotFoundError:
            return
        is_first, self._is_known = not self._is_known, True
        for name in names:
            found = _read(self._folder / name)
            command = found.command
            if command is not None and is_first and self._was_done(command.command_id):
                self._done.add(command.command_id)
            if command is not None and command.command_id in self._done:
                found.path.unlink(missing_ok=True)
            else:
                yield found

    def done(self, waiting: Waiting) -> None:
        """Delete a command whose event is durable. Raises OSError; the command is not given again all the same."""
        if waiting.command is not None:
            self._done.add(waiting.command.command_id)
        waiting.path.unlink(missing_ok=True)

    def reject(self, waiting: Waiting) -> None:
        """Move a file that holds no command out of the way. Raises OSError."""
        folder = self._folder / REJECTED
        folder.mkdir(mode=0o700, exist_ok=True)
        waiting.path.replace(folder / waiting.path.name)


def _read(path: Path) -> Waiting:
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except OSError as error:
        return Waiting(path, None, f"{path.name} cannot be read: {error.strerror}")
    if len(data) > _BYTES_MAX:
        return Waiting(path, None, f"{path.name} is longer than {_BYTES_MAX:,} bytes, which no command is")
    try:
        command = msgspec.json.decode(data, type=CommandNote)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Waiting(path, None, f"{path.name} holds no command: {error}")
    if not _ID.fullmatch(command.command_id):
        return Waiting(path, None, f"{path.name} names no command id: letters a to z, digits and '-', at most 64")
    return Waiting(path, command)
