"""CommandInbox: commands as files, each done once, whatever else lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqd_core.runtime.inbox import REJECTED, CommandInbox, CommandNote, new_command_id


def command(command_id: str, name: str = "halt") -> CommandNote:
    return CommandNote(command_id=command_id, name=name, reason="test", person="anna", posted_ns=3)


def names(inbox: CommandInbox) -> list[str]:
    return [waiting.command.command_id for waiting in inbox.waiting() if waiting.command is not None]


def test_commands_come_in_the_order_in_which_they_were_given(tmp_path: Path) -> None:
    """Oldest first by their ids, again and again until they are done; a folder that is not there holds none."""
    inbox = CommandInbox(tmp_path / "inbox")
    assert names(inbox) == []
    for time in (20, 3, 100):
        inbox.post(command(f"{time:020d}-x"))
    assert names(inbox) == names(inbox) == [f"{time:020d}-x" for time in (3, 20, 100)]
    first = next(iter(inbox.waiting()))
    inbox.done(first)
    assert not first.path.exists()
    assert len(names(inbox)) == 2


def test_a_command_becomes_an_event_with_all_that_its_person_said(tmp_path: Path) -> None:
    """Id, name, reason, person and the time at which it was given go into the journal."""
    inbox = CommandInbox(tmp_path)
    inbox.post(command("1-a"))
    (waiting,) = inbox.waiting()
    assert waiting.command is not None
    event = waiting.command.event(9)
    assert (event.ts, event.command_id, event.name, event.reason, event.person) == (9, "1-a", "halt", "test", "anna")
    assert event.arguments == (("posted_ns", "3"),)


def test_what_the_journal_holds_is_not_done_again(tmp_path: Path) -> None:
    """A crash between the commit and the deletion leaves a file; the next process deletes it and does nothing else."""
    CommandInbox(tmp_path).post(command("1-a"))
    CommandInbox(tmp_path).post(command("2-b"))
    asked: list[str] = []

    def was_done(command_id: str) -> bool:
        asked.append(command_id)
        return command_id == "1-a"

    inbox = CommandInbox(tmp_path, was_done)
    assert names(inbox) == ["2-b"]
    assert [path.name for path in tmp_path.iterdir()] == ["2-b.json"]
    inbox.post(command("3-c"))
    assert names(inbox) == ["2-b", "3-c"]
    assert asked == ["1-a", "2-b"]


def test_a_command_whose_file_comes_back_is_not_done_again(tmp_path: Path) -> None:
    """What this process has done it knows by the id, even if its file could not be deleted."""
    inbox = CommandInbox(tmp_path)
    inbox.post(command("1-a"))
    (waiting,) = inbox.waiting()
    inbox.done(waiting)
    inbox.post(command("1-a"))
    assert names(inbox) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"halt",
        b"\xff\xfe\x00",
        b"[]",
        b'{"name": "halt"}',
        b'{"command_id": "1-a", "name": "halt", "unknown": 1}',
        b'{"command_id": "../../x", "name": "halt"}',
        b'{"command_id": "", "name": "halt"}',
        b'{"command_id": "1-a", "name": 7}',
        b'{"command_id": "1-a", "name": "' + b"x" * 20_000 + b'"}',
    ],
)
def test_what_is_no_command_is_moved_aside(tmp_path: Path, content: bytes) -> None:
    """A malformed file is told of with its name, and kept for a person; it does not stop what comes behind it."""
    inbox = CommandInbox(tmp_path)
    (tmp_path / "0.json").write_bytes(content)
    inbox.post(command("1-a"))
    bad, good = inbox.waiting()
    assert (bad.command, good.problem) == (None, "")
    assert bad.problem.startswith("0.json")
    inbox.reject(bad)
    assert (tmp_path / REJECTED / "0.json").read_bytes() == content
    assert names(inbox) == ["1-a"]


def test_a_half_written_command_is_not_seen(tmp_path: Path) -> None:
    """What is still being written has another name."""
    (tmp_path / "1-a.draft").write_bytes(b'{"command_id"')
    assert list(CommandInbox(tmp_path).waiting()) == []


def test_ids_sort_by_time_and_differ() -> None:
    """Two commands of one nanosecond are two."""
    first, second, later = new_command_id(5), new_command_id(5), new_command_id(10**18)
    assert first != second
    assert max(first, second) < later
