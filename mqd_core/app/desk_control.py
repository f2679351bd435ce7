"""The control of a run: which files it listens to, and what its journal says was done already. May not run anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mqd_core.app.hooks import Hooks
from mqd_core.app.places import DeskPlaces
from mqd_core.domain.events import Command
from mqd_core.domain.journal import Entry, decode_body
from mqd_core.ports import TransactionLog
from mqd_core.runtime.control import DeskControl
from mqd_core.runtime.halt_file import HaltFile
from mqd_core.runtime.inbox import CommandInbox
from mqd_core.runtime.send_guard import SendGuard


def desk_inbox(places: DeskPlaces, journal: TransactionLog | None = None) -> CommandInbox:
    """The desk's inbox; with a journal, one that gives no command which stands in it."""
    if journal is None:
        return CommandInbox(places.inbox)
    return CommandInbox(places.inbox, lambda command_id: was_done(journal, command_id))


def desk_control(places: DeskPlaces, journal: TransactionLog, run_id: str) -> DeskControl:
    """The control of a run of `mqd run`."""
    inbox = desk_inbox(places, journal)
    return DeskControl(folder=places.root, inbox=inbox, halt_file=HaltFile(places.root), run_id=run_id)


def guarded(hooks: Hooks, guard: SendGuard) -> Hooks:
    """Hooks that tell the guard of each commit before anybody else."""
    return replace(hooks, on_committed=_first(guard.committed, hooks.on_committed))


def was_done(journal: TransactionLog, command_id: str) -> bool:
    """Whether the journal holds that command: a crash came between its commit and the end of its file."""
    for row in journal.read(0):
        if row.kind == Command.__name__:
            body = decode_body(row.body)
            if isinstance(body, Command) and body.command_id == command_id:
                return True
    return False


def _first(
    one: Callable[[tuple[Entry, ...]], None], other: Callable[[tuple[Entry, ...]], None]
) -> Callable[[tuple[Entry, ...]], None]:
    def both(entries: tuple[Entry, ...]) -> None:
        one(entries)
        other(entries)

    return both
