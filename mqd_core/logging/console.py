"""Log lines for people: one readable line each, on stderr or in a plain-text file.

Whatever came from outside (symbols, a broker's words) is stripped of control and direction characters, so that no
text can move the cursor, forge a line or hide what it says. May not write to stdout, which belongs to results.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

import msgspec

from mqd_core.logging.line import Line, LineBody, decode_line
from mqd_core.logging.scrubbing import scrub

_PREFIX: Final = "miniquantdesk."
#: `2025-01-19T18:30:45.123` of a timestamp: nobody reads microseconds off a screen.
_MILLISECONDS: Final = 23
#: These values span lines; they follow the line, each of their lines marked, so that none passes for a log line.
_BLOCKS: Final = ("exception", "stack")
_BLOCK_MARK: Final = "    | "


def printable(text: str) -> str:
    """The text on one line: white space becomes spaces, control, format and direction characters question marks."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " if each.isspace() else "?" for each in text)


def readable(data: bytes) -> str:
    """An encoded log line as a person reads it, without an end of line; tracebacks follow on lines of their own."""
    body = decode_line(data)
    words = [
        f"{body.timestamp[:_MILLISECONDS]}Z {body.level:<8} {body.logger.removeprefix(_PREFIX):<11} {body.message}",
        *(f"{name}={_shown(value)}" for name, value in body.extra.items() if name not in _BLOCKS),
    ]
    if body.correlation_id is not None:
        words.append(f"[{body.correlation_id}]")
    return "\n".join((printable(" ".join(words)), *_blocks(body)))


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value if value and " " not in value and "=" not in value else f'"{value}"'
    return msgspec.json.encode(value).decode()


def _blocks(body: LineBody) -> list[str]:
    texts = (str(body.extra[name]) for name in _BLOCKS if name in body.extra)
    return [_BLOCK_MARK + printable(line) for text in texts for line in text.splitlines()]


class JsonLines(logging.Formatter):
    """Writes a line as the JSON it is."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON text of the line."""
        return record.getMessage()


class Readable(logging.Formatter):
    """Writes a line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The readable text of a line, scrubbed once more after it was put together."""
        if not isinstance(record, Line):
            return printable(scrub(super().format(record)))
        return scrub(readable(record.data))


class ConsoleHandler(logging.Handler):
    """Shows lines on whatever stderr is at that moment; one that is closed or gone is no reason to fail."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line."""
        show(self.format(record))


def complain(text: str) -> None:
    """Say on stderr what logging itself could not do: there is nowhere else to say it."""
    show(f"mqd logging: {printable(scrub(text))}")


def show(text: str) -> None:
    """Write one text and an end of line to stderr, if there is one."""
    stream = sys.stderr
    if stream is None:  # a Windows process without a console
        return
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except (OSError, ValueError):
        return  # closed, or a pipe whose reader has left: the files have the line
