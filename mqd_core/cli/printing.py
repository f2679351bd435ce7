"""Results on stdout, everything else on stderr, in any encoding that a terminal or pipe may have.

May not decide what is said. What comes from outside (symbols, a broker's words) passes `cell`, so that no text can
move the cursor or forge a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, redirect_stdout
from typing import TextIO

import click


def survive_encoding() -> None:
    """Let stdout and stderr write what their encoding lacks as escapes, instead of failing half way."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def print_json(value: object) -> None:
    """Print one JSON object on stdout, in ASCII. Raises ValueError for NaN, TypeError for what JSON does not know."""
    click.echo(json.dumps(value, ensure_ascii=True, allow_nan=False))


def foreign_code() -> AbstractContextManager[object]:
    """Run code of plugins: what it prints goes to stderr, since stdout is for results."""
    return redirect_stdout(sys.stderr)


def print_lines(lines: Iterable[str]) -> None:
    """Print a result for a person on stdout."""
    for line in lines:
        click.echo(line)


def say(*lines: str) -> None:
    """Print lines for a person on stderr."""
    for line in lines:
        click.echo(line, err=True)


def cell(text: str) -> str:
    """A text from outside on one line, without control characters."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " if each.isspace() else "?" for each in text)


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair in a line, values aligned."""
    rows = [(name, cell(value)) for name, value in pairs]
    width = max((len(name) for name, _ in rows), default=0)
    print_lines(f"{name:<{width}}  {value}".rstrip() for name, value in rows)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody is looking at that stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False
