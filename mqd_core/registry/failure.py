"""Turn whatever a plugin's code raises into one error that says in one line what it was, and where.

May not let anything pass but Ctrl-C: a plugin may call `sys.exit`, and a panic in a compiled one is no Exception.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mqd_core.errors import PluginLoadError

#: Longer texts are cut: an error is read by a person.
_LONGEST: Final = 400


@contextmanager
def attributed(explain: Callable[[BaseException], str]) -> Iterator[None]:
    """Run plugin code; what it raises becomes PluginLoadError with the text that `explain` makes of it, chained."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginLoadError(explain(error)) from error


def raised_text(error: BaseException, package: str) -> str:
    """Return such as `raised at plugin.py:7: ValueError: no`, the place being the innermost code of the package."""
    where = place(error, package)
    return f"raised at {where}: {cause_text(error)}" if where else f"raised {cause_text(error)}"


def cause_text(error: BaseException) -> str:
    """Return such as `ModuleNotFoundError: No module named 'alpaca'`, on one line."""
    # The standard library's printer copes with an exception whose own __str__ fails.
    lines = traceback.format_exception_only(type(error), error)
    told = next((line for line in lines if not line.startswith(" ")), "".join(lines))
    text = " ".join(told.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def place(error: BaseException, package: str) -> str:
    """Return `file:line` of the innermost code of this package that the error went through, "" if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno or 1}"
    told = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module == package or module.startswith(f"{package}."):
            told = f"{_shown(frame.f_code.co_filename)}:{line}"
    return told


def _shown(filename: str) -> str:
    """Return the path as a person would type it: relative if it is below the working directory."""
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return os.fspath(filename)
