"""What reaches a running desk from other processes, and what it tells them: commands, the HALT file, the heartbeat.

Both loops call `attend` between steps; it costs a comparison until a quarter of a second has passed. Whatever goes
wrong with a file here is told as an event and stops nothing: a desk that cannot read its inbox still has orders to look
after. May not decide anything: commands are events like any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mqd_core.domain.events import Event, StreamStatus
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.records import DeskState
from mqd_core.engine.engine import Engine
from mqd_core.runtime.clocks import Clock, WallClock, steady_ns
from mqd_core.runtime.halt_file import HaltFile
from mqd_core.runtime.heartbeat import Heartbeat, HeartbeatFile
from mqd_core.runtime.inbox import CommandInbox, CommandNote, Waiting

#: How the desk speaks of its command files.
COMMANDS: Final = "commands"
#: How often commands are looked for, and how often at the most a sign of life is given.
POLL_NS: Final = SECOND_NS // 4
BEAT_NS: Final = SECOND_NS
#: The commands that make sense while a desk still finds out what it holds; the others wait until it knows.
_AT_ANY_TIME: Final = frozenset({"halt"})


@dataclass(slots=True, kw_only=True)
class DeskControl:
    """The control of one run; every method is called by the loop's thread. `run_id` names the run to the watchdog."""

    folder: Path
    inbox: CommandInbox
    halt_file: HaltFile
    run_id: str
    clock: Clock = field(default_factory=WallClock)
    steady_ns: Callable[[], int] = steady_ns
    heartbeat: HeartbeatFile = field(init=False)
    _next_poll_ns: int = field(init=False, default=0)
    _next_beat_ns: int = field(init=False, default=0)
    _open_orders: int = field(init=False, default=0)
    #: What was told of already: a folder that cannot be read is news once.
    _told: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.heartbeat = HeartbeatFile(self.folder)

    def attend(self, engine: Engine, enter: Callable[[Event], None], now_ns: Callable[[], int]) -> None:
        """Enter what has come, if it is time to look; `now_ns` is what the loop takes for now."""
        now = self.steady_ns()
        if now < self._next_poll_ns:
            return
        self._next_poll_ns = now + POLL_NS
        self.obey(engine, enter, now_ns)
        self._beat(engine, now)

    def obey(
        self,
        engine: Engine,
        enter: Callable[[Event], None],
        now_ns: Callable[[], int],
        names: frozenset[str] | None = None,
    ) -> None:
        """Enter what the HALT file and the inbox say; of commands only those with these names, where names are given.

        A sign of life is not given: this is also how a command is taken while no desk runs.
        """
        self._obey_halt_file(engine, enter, now_ns)
        try:
            for waiting in self.inbox.waiting():
                if names is None or waiting.command is None or waiting.command.name in names:
                    self._take(waiting, engine, enter, now_ns)
        except OSError as error:
            self._tell(enter, now_ns, "unreadable", f"the command inbox cannot be worked through: {error}")

    def leave(self) -> None:
        """The run has ended in order: there is nothing for a watchdog to look after."""
        self.heartbeat.clear()

    def _obey_halt_file(self, engine: Engine, enter: Callable[[Event], None], now_ns: Callable[[], int]) -> None:
        """Halt the desk that finds a HALT file, so that its journal says so, and its entries are canceled."""
        if not self.halt_file.is_set or _will_be_halted(engine):
            return
        note = self.halt_file.read()
        if note is None:
            return
        command = CommandNote(
            command_id=f"halt-file-{note.written_ns}",
            name="halt",
            reason=f"HALT file: {note.reason}",
            person=note.person,
            posted_ns=note.written_ns,
        )
        enter(command.event(now_ns()))

    def _take(
        self, waiting: Waiting, engine: Engine, enter: Callable[[Event], None], now_ns: Callable[[], int]
    ) -> None:
        command = waiting.command
        if command is None:
            self._tell(enter, now_ns, "malformed", waiting.problem)
            self.inbox.reject(waiting)
            return
        if command.name not in _AT_ANY_TIME and engine.facts.desk_state is DeskState.RECOVERING:
            return
        if command.name == "resume":
            self._lift(command)
        # Entering commits: what is deleted after it is durable.
        enter(command.event(now_ns()))
        self.inbox.done(waiting)

    def _lift(self, command: CommandNote) -> None:
        """Take away the HALT file that a person resumes from; one that is younger than their word stays. OSError."""
        note = self.halt_file.read()
        if note is not None and note.written_ns <= command.posted_ns:
            self.halt_file.clear()

    def _tell(self, enter: Callable[[Event], None], now_ns: Callable[[], int], state: str, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            enter(StreamStatus(ts=now_ns(), stream=COMMANDS, state=state, text=text))

    def _beat(self, engine: Engine, now: int) -> None:
        """Give a sign of life; at once where the desk has its first open order, which is what a watchdog is for."""
        open_orders = engine.working
        if now < self._next_beat_ns and not (open_orders and not self._open_orders):
            return
        self._next_beat_ns, self._open_orders = now + BEAT_NS, open_orders
        beat = Heartbeat(
            pid=os.getpid(),
            run_id=self.run_id,
            sequence=engine.sequence,
            open_orders=open_orders,
            written_ns=self.clock.now_ns(),
        )
        try:
            self.heartbeat.write(beat)
        except OSError:
            # A watchdog takes the silence for what it is: nobody can tell any more how this desk is.
            self._next_beat_ns = now + POLL_NS


def _will_be_halted(engine: Engine) -> bool:
    """Whether the desk is halted, or will be as soon as it has recovered."""
    return engine.goal is DeskState.HALTED
