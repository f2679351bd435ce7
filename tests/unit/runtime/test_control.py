"""DeskControl: what other processes ask of a desk, and what it shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mqd_core.domain.events import Command, Event, RunStarted, StreamStatus
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.records import Alert, DeskMoved, DeskState
from mqd_core.runtime.control import POLL_NS, DeskControl
from mqd_core.runtime.halt_file import HaltFile, HaltNote
from mqd_core.runtime.heartbeat import Heartbeat
from mqd_core.runtime.inbox import REJECTED, CommandInbox, CommandNote
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import ScriptedStrategy, Workbench, enter, make_settings, make_slot


class Clock:
    """Stands still unless it is told."""

    def __init__(self) -> None:
        self.ns = 1_000 * SECOND_NS

    def now_ns(self) -> int:
        return self.ns


class Controlled:
    """An engine that is attended to, and what entered it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter()}))])).start()
        self.clock = Clock()
        self.inbox = CommandInbox(folder / "inbox")
        self.halt_file = HaltFile(folder)
        self.control = DeskControl(
            folder=folder,
            inbox=self.inbox,
            halt_file=self.halt_file,
            run_id="r",
            clock=self.clock,
            steady_ns=self.clock.now_ns,
        )

    def attend(self, seconds: float = 1.0) -> list[Any]:
        """Let time pass and the desk look around; what entered it."""
        self.clock.ns += round(seconds * SECOND_NS)
        before = len(self.bench.events)
        self.control.attend(self.bench.engine, self._enter, lambda: self.bench.engine.now_ns)
        return [event for _, event in self.bench.events[before:]]

    def _enter(self, event: Event) -> None:
        self.bench.enter(event)

    def post(self, name: str, posted_ns: int = 0, command_id: str = "1-a") -> None:
        self.inbox.post(CommandNote(command_id=command_id, name=name, reason="because", posted_ns=posted_ns))

    @property
    def state(self) -> DeskState:
        return self.bench.engine.facts.desk_state

    @property
    def beat(self) -> Heartbeat | None:
        return self.control.heartbeat.read()


@pytest.fixture
def desk(tmp_path: Path) -> Controlled:
    return Controlled(tmp_path)


def test_a_command_enters_and_its_file_is_gone(desk: Controlled) -> None:
    """A halt from outside halts the desk with its person's reason, once."""
    desk.post("halt")
    (event,) = desk.attend()
    assert isinstance(event, Command)
    assert (event.name, event.reason, desk.state) == ("halt", "because", DeskState.HALTED)
    assert list((desk.folder / "inbox").iterdir()) == []
    assert desk.attend() == []


def test_it_looks_four_times_a_second(desk: Controlled) -> None:
    """Between two looks nothing is read."""
    desk.attend()
    desk.post("halt")
    assert desk.attend(POLL_NS / SECOND_NS / 2) == []
    assert len(desk.attend(POLL_NS / SECOND_NS / 2)) == 1


def test_a_halt_file_halts_the_desk_once(desk: Controlled) -> None:
    """The journal gets to know of the file, with its reason; the file stays."""
    desk.halt_file.write(HaltNote(reason="killed", person="anna", written_ns=4))
    (event,) = desk.attend()
    assert (event.name, event.reason, event.person) == ("halt", "HALT file: killed", "anna")
    assert desk.state is DeskState.HALTED
    assert desk.attend() == []
    assert desk.halt_file.is_set


def test_a_resume_takes_an_older_halt_file_away(desk: Controlled) -> None:
    """After a person's word the desk trades again, and is not halted by the file a moment later."""
    desk.halt_file.write(HaltNote(reason="killed", written_ns=4))
    desk.attend()
    desk.post("resume", posted_ns=5)
    assert [event.name for event in desk.attend()] == ["resume"]
    assert desk.state is DeskState.READY
    assert not desk.halt_file.is_set
    assert desk.attend() == []


def test_a_resume_does_not_lift_a_younger_halt(desk: Controlled) -> None:
    """Who killed the desk after the other had resumed it has the last word."""
    desk.post("resume", posted_ns=5)
    desk.halt_file.write(HaltNote(reason="killed", written_ns=6))
    assert [event.name for event in desk.attend()] == ["halt", "resume"]
    desk.attend()
    assert desk.state is DeskState.HALTED
    assert desk.halt_file.is_set


def test_what_is_no_command_is_moved_aside_and_told_of(desk: Controlled) -> None:
    """A person is alerted, the file kept, and the next command done."""
    (desk.folder / "inbox").mkdir()
    (desk.folder / "inbox" / "0.json").write_text("{", encoding="utf-8")
    desk.post("halt")
    status, command = desk.attend()
    assert isinstance(status, StreamStatus)
    assert (status.stream, status.state, command.name) == ("commands", "malformed", "halt")
    assert "stream_malformed" in [record.code for record in desk.bench.records if isinstance(record, Alert)]
    assert [path.name for path in (desk.folder / "inbox" / REJECTED).iterdir()] == ["0.json"]


def test_an_inbox_that_cannot_be_read_is_told_of_once(desk: Controlled) -> None:
    """It stops nothing, and does not fill the journal either."""
    (desk.folder / "inbox").write_text("a file in the place of the folder", encoding="utf-8")
    (status,) = desk.attend()
    assert (status.stream, status.state) == ("commands", "unreadable")
    assert desk.attend() == []
    assert desk.beat is not None


def test_a_desk_that_recovers_takes_a_halt_and_lets_the_rest_wait(tmp_path: Path) -> None:
    """Whether to resume can be judged when the desk knows what it holds."""
    desk = Controlled(tmp_path)
    desk.bench = Workbench(make_settings([make_slot(ScriptedStrategy())]))
    started = RunStarted(ts=1, run_id="r", desk_id="d", mode="run", book=1, configuration="", feed="")
    desk.bench.engine.on_event(started)
    assert desk.state is DeskState.RECOVERING
    desk.post("resume", posted_ns=9, command_id="1-a")
    desk.post("halt", command_id="2-b")
    assert [event.name for event in desk.attend()] == ["halt"]
    assert desk.bench.engine.goal is DeskState.HALTED
    assert len(list((tmp_path / "inbox").iterdir())) == 1


def test_the_heart_beats_once_a_second_and_at_the_first_open_order(desk: Controlled) -> None:
    """A watchdog learns of an open order at the next look, and of all else within a second."""
    desk.attend()
    first = desk.beat
    assert first is not None
    assert (first.run_id, first.open_orders) == ("r", 0)
    desk.attend(0.3)
    assert desk.beat == first
    desk.bench.play(make_bars([50.0]))
    assert desk.bench.engine.working == 1
    desk.attend(0.3)
    assert desk.beat is not None
    assert desk.beat.open_orders == 1
    desk.control.leave()
    assert desk.beat is None


def test_a_file_without_a_heartbeat_is_none(desk: Controlled) -> None:
    """Half a file, or none at all, is no sign of life."""
    assert desk.beat is None
    desk.control.heartbeat.path.write_text('{"pid": 1', encoding="utf-8")
    assert desk.beat is None


def test_moves_are_in_the_journal(desk: Controlled) -> None:
    """A halt and a resume are records with their person's words."""
    desk.post("halt", command_id="1-a")
    desk.attend()
    desk.post("resume", command_id="2-b")
    desk.attend()
    moves = [(record.after, record.text) for record in desk.bench.records if isinstance(record, DeskMoved)]
    assert moves[-2:] == [(DeskState.HALTED, "because"), (DeskState.READY, "because")]
