"""What people read: one line each, whatever a symbol or a broker's text holds."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.logging.console import ConsoleHandler, Readable, complain, printable, readable, show
from mqd_core.logging.line import Line, LineBody, encode_line
from mqd_core.logging.streams import LogStream


def seen(message: str, extra: dict[str, object] | None = None, correlation_id: str | None = None) -> str:
    """A line as the console shows it."""
    body = LineBody(
        "2025-01-19T18:30:45.123456Z", "WARNING", "miniquantdesk.orders", correlation_id, message, extra or {}
    )
    return readable(encode_line(body))


def test_a_line_reads_from_time_to_correlation_id() -> None:
    """Time to the millisecond, level, stream, message, values, id; values with spaces are quoted."""
    extra: dict[str, object] = {"symbol": "SPY", "quantity": 1, "why": "a b", "none": None, "empty": "", "list": ["x"]}
    assert seen("Order submitted", extra, "order_1") == (
        "2025-01-19T18:30:45.123Z WARNING  orders      Order submitted "
        'symbol=SPY quantity=1 why="a b" none=null empty="" list=["x"] [order_1]'
    )


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_no_text_leaves_its_line(message: str, value: str) -> None:
    """Whatever stands in message, value, name or id, the console shows one line of printable characters."""
    assert seen(message, {value: value, "v": value}, message).isprintable()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\x1b[31mred", "?[31mred"),
        ("a\nb\tc\r\n", "a b c  "),
        ("\u202egnp.exe\u2066", "?gnp.exe?"),
        ("é€\U0001f4c8", "é€\U0001f4c8"),
        ("a\u00a0b\u2028c\x85", "a b c "),
        ("\x00\x7f\x9b\ufeff\u200b", "?????"),
    ],
)
def test_control_and_direction_characters_are_stripped(text: str, clean: str) -> None:
    """No character that moves the cursor, breaks the line or turns the reading direction gets through."""
    assert printable(text) == clean


def test_a_traceback_follows_its_line_and_cannot_pass_for_one() -> None:
    """Every line of a traceback is marked, those that an error's text forges too."""
    forged = "ValueError: x\n2025-01-19T18:30:45.123Z INFO  risk  All is well\x1b[2K"
    first, *rest = seen("It failed", {"exception": f"Traceback\n{forged}", "stack": "Stack"}).split("\n")
    assert first.endswith("It failed")
    assert rest == [
        "    | Traceback",
        "    | ValueError: x",
        "    | 2025-01-19T18:30:45.123Z INFO  risk  All is well?[2K",
        "    | Stack",
    ]


def test_the_console_is_whatever_stderr_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that was made before stderr was exchanged (by a progress display) writes to the new one."""
    handler = ConsoleHandler(logging.INFO)
    handler.setFormatter(Readable())
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    data = encode_line(LineBody("2025-01-19T18:30:45.123456Z", "INFO", "l", None, "Hello", {}))
    handler.handle(Line(LogStream.SYSTEM, 20, data))
    handler.handle(logging.makeLogRecord({"msg": "PKABCDEFGHIJ0123456789\n"}))
    handler.close()
    assert terminal.getvalue().splitlines() == ["2025-01-19T18:30:45.123Z INFO     l           Hello", "*** "]


def test_a_console_that_is_gone_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed stderr, and none at all, are put up with."""
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    show("nobody reads this")
    monkeypatch.setattr(sys, "stderr", None)
    show("nor this")


def test_complaints_are_scrubbed_and_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What logging says of itself is as clean as a line."""
    complain("Authorization: Basic abcdefgh\nnext")
    assert capsys.readouterr().err == "mqd logging: Authorization: *** next\n"


def test_the_readable_text_has_all_that_the_line_has() -> None:
    """Nested values are shown as JSON."""
    value = {"a": [1, {"b": "c d"}]}
    assert json.loads(seen("m", {"value": value}).split("value=")[1]) == value
