"""Reads `.env.local`: KEY=VALUE lines and nothing else, from a file that only its owner can read.

Refuses a file that others may read or that git tracks, and says the command that mends it. Messages name lines and
keys; may not repeat a value, nor any line that it could not read.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mqd_core.config.document import Place
from mqd_core.config.problems import Level, Problem

_MAXIMUM_BYTES: Final = 64 * 1024
_GIT_SECONDS: Final = 5
_LINE: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
#: What stands in a value that nobody has filled in yet.
_NOT_FILLED_IN: Final = re.compile(r"<.*>|\$\{.*\}|your[_-].*|changeme|xxx+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SecretLine:
    """One value of the file, and the line it stands in; empty when it is not filled in."""

    value: str = field(repr=False)
    line: int


def file_problem(file: Path, line: int | None, text: str) -> Problem:
    """Make an error about the file or one line of it."""
    place = None if line is None else Place(line, 1)
    return Problem(level=Level.ERROR, file=str(file), place=place, key="", text=text)


def read_secret_file(file: Path) -> tuple[dict[str, SecretLine], list[Problem]]:
    """Read the file if it is safe to use; what is wrong with it comes back as problems, all at once."""
    problem = _unsafe(file)
    if problem is not None:
        return {}, [file_problem(file, None, problem)]
    try:
        data = _contents(file)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return {}, [file_problem(file, None, "the text is not UTF-8; save the file as UTF-8")]
    except OSError as error:
        return {}, [file_problem(file, None, f"could not be read: {error.strerror}")]
    if len(data) > _MAXIMUM_BYTES:
        return {}, [file_problem(file, None, "is larger than 64 KiB; it should hold a few lines")]
    return _parsed(file, text)


def _parsed(file: Path, text: str) -> tuple[dict[str, SecretLine], list[Problem]]:
    values: dict[str, SecretLine] = {}
    problems: list[Problem] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            problems.append(file_problem(file, number, "is not NAME=value, with one name and its value in a line"))
            continue
        name, (value, fault) = found["name"], _unquoted(found["value"].strip())
        if not _NAME.fullmatch(name):
            fault = f"the name must be in capitals: {name.upper()}"
        elif name in values:
            fault = f"{name} is already set in line {values[name].line}; keep one of the two"
        if fault:
            problems.append(file_problem(file, number, fault))
        else:
            values[name] = SecretLine(value, number)
    return values, problems


def _unquoted(value: str) -> tuple[str, str]:
    """The value without the quotes around it, and what is wrong with it, if anything."""
    if _NOT_FILLED_IN.fullmatch(value.strip("'\"")):
        return "", ""
    quote = value[:1]
    if quote in {"'", '"'}:
        if len(value) < 2 or value[-1] != quote or quote in value[1:-1]:
            return "", "the quote that the value starts with is not closed at its end; quote all of it or nothing"
        return value[1:-1], ""
    if re.search(r"\s", value):
        return "", "the value holds a space; quote it, and put a remark into a line of its own that starts with #"
    return value, ""


def _contents(file: Path) -> bytes:
    # O_NOFOLLOW: what was checked a moment ago may not have become a link to something else.
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(_MAXIMUM_BYTES + 1)


def _unsafe(file: Path) -> str | None:
    """Why the file may not be used, with the command that mends it; None when it may."""
    facts = file.lstat()
    quoted = shlex.quote(str(file))
    if stat.S_ISLNK(facts.st_mode):
        return "is a symbolic link; keep the secrets in the file itself"
    if not stat.S_ISREG(facts.st_mode):
        return "is not a file; make it a file that holds NAME=value lines"
    # Windows keeps access rights elsewhere, and there a user's folder is closed to others by default.
    if os.name == "posix":
        if facts.st_uid != os.geteuid():
            return f'belongs to another user, who can change it; become its owner: sudo chown "$USER" {quoted}'
        if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return f"others on this machine can read it (mode {stat.S_IMODE(facts.st_mode):o}); run: chmod 600 {quoted}"
    if _tracked_by_git(file):
        return (
            f"git tracks it, so the secrets are in the repository's history; run: git rm --cached {quoted}, "
            "then let the broker replace the keys"
        )
    return None


def _tracked_by_git(file: Path) -> bool:
    folder = file.parent.resolve()
    git = shutil.which("git")
    if git is None or not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return False
    # No file system monitor: a repository's own settings may not make git start a program here.
    command = [git, "-c", "core.fsmonitor=false", "ls-files", "--error-unmatch", "--", file.name]
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command; the name is an argument of its own
            command, cwd=folder, capture_output=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0
