"""What an event of the log is. May not know any one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mqd_core.logging.streams import LogStream


@dataclass(frozen=True)
class LogEvent:
    """One event: where it is logged, how loud, its message, when it happens, and what each field means.

    The message is a constant, so that a log can be searched for it; what changes stands in the fields. Not every line
    has every field, but no line has another one. Money and quantities are decimal strings; durations name their unit.
    """

    stream: LogStream
    level: str
    message: str
    meaning: str
    fields: Mapping[str, str]


#: In every line that is written from a journal: several runs may share a log folder.
RUN: Final = {"run_id": "id of the run that wrote the line"}
