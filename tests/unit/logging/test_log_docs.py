"""docs/LOGGING.md is what the catalogue says, and its example line is one that the desk would write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mqd_core.domain.identity import is_own
from mqd_core.logging import EVENTS, LogStream
from mqd_core.logging.catalogue import check_known
from mqd_core.logging.docs_text import logging_page, main


def test_the_committed_page_is_current(project_root: Path) -> None:
    """Run `python -m mqd_core.logging.docs_text` when this fails."""
    assert (project_root / "docs" / "LOGGING.md").read_text(encoding="utf-8") == logging_page()


def test_every_event_has_its_section() -> None:
    """Streams and events each have a heading, in the catalogue's order."""
    headings = re.findall(r"^##+ (.*)$", logging_page().partition("# Events")[2], flags=re.MULTILINE)
    expected = []
    for stream in LogStream:
        expected += [stream.value, *(event.message for event in EVENTS if event.stream is stream)]
    assert headings == expected


def test_the_example_is_a_line_of_the_catalogue() -> None:
    """Its keys are those of the table below it, its message and fields are known, its order id is a real one."""
    page = logging_page()
    (text,) = re.findall(r"^    (\{.*\})$", page, flags=re.MULTILINE)
    line = json.loads(text)
    table = page.partition("| key | meaning |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE) == list(line)
    check_known(LogStream.ORDERS, line["message"], line["extra"])
    assert is_own(line["extra"]["order_id"], "abcdef")


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes the page, is content with it, and is not with another."""
    file = tmp_path / "page.md"

    assert main(["--check", str(file)]) == 1
    assert "is stale; run: python -m mqd_core.logging.docs_text" in capsys.readouterr().err
    assert main([str(file)]) == 0
    assert main(["--check", str(file)]) == 0
    file.write_text("other", encoding="utf-8")
    assert main(["--check", str(file)]) == 1


def test_the_page_is_the_same_everywhere() -> None:
    """No line ends otherwise, no folder of a machine is in it."""
    page = logging_page()
    assert "\r" not in page
    assert str(Path.cwd()) not in page
    assert page.endswith("|\n")
