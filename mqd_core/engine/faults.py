"""What a plugin raised inside a step: where in its own code, and in one sentence.

May not decide what becomes of the plugin, nor say where it is installed: a journal must not depend on where it was
made.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

_CORE: Final = __name__.partition(".")[0]


def place_of(error: BaseException) -> str:
    """`file:line` of the innermost code of the plugin that it went through; "" where the core refused its answer.

    A strategy that hands nonsense to a library is told of its own line, not of the library's.
    """
    plugin, told = "", ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if not plugin and package != _CORE:
            plugin = package
        if plugin and package == plugin:
            told = f"{PurePath(frame.f_code.co_filename).name}:{line}"
    return told


def raised_by(plugin: str, error: BaseException) -> str:
    """Such as `sizer:mine raised KeyError at mine.py:7: 'SPY'`."""
    place = place_of(error)
    return f"{plugin} raised {type(error).__name__}{place and f' at {place}'}: {error}"
