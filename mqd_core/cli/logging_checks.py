"""Whether logging does what it promises, found out by logging: into a temporary folder, read back from the files.

May not touch the configured log folder.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from mqd_core.cli.checks import CheckRow
from mqd_core.errors import ConfigError
from mqd_core.logging import LogContext, LogStream, flush_logging, get_logger, setup_logging, shutdown_logging

_KEYS: Final = ("timestamp", "level", "logger", "correlation_id", "message", "extra")
_TIMESTAMP: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_MESSAGE: Final = "Doctor's check"
_PRICE: Final = Decimal("598.45")

_Lines = dict[LogStream, list[dict[str, Any]]]


def logging_rows() -> list[CheckRow]:
    """Write one line to each stream and look at what arrived."""
    try:
        with tempfile.TemporaryDirectory(prefix="mqd-doctor-") as folder:
            _write(folder)
            lines = _read(Path(folder))
    except (OSError, ValueError, ConfigError) as error:
        return [CheckRow("logging", "failed", f"no log could be written and read back: {error}")]
    return [*judged(lines)]


def _write(folder: str) -> None:
    setup_logging(folder, "INFO", console=None)
    try:
        for stream in LogStream:
            with LogContext(_correlation_id(stream)):
                get_logger(stream).info(_MESSAGE, extra={"stream": stream.value, "price": _PRICE})
        flush_logging()
    finally:
        shutdown_logging()


def _read(folder: Path) -> _Lines:
    return {
        stream: [
            json.loads(line)
            for file in sorted((folder / stream.value).glob("*.jsonl"))
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        for stream in LogStream
    }


def judged(lines: _Lines) -> Iterator[CheckRow]:
    """What is right and wrong with the lines that were read back, a row for each promise."""
    silent = [stream.value for stream, found in lines.items() if not found]
    yield _row("logging", silent, "every stream was written", "nothing was written to")
    mixed = [
        stream.value
        for stream, found in lines.items()
        if [line.get("extra", {}).get("stream") for line in found] != [stream.value]
    ]
    yield _row(
        "log streams", mixed, f"{len(lines)} streams, each in files of its own", "not exactly its own line is in"
    )
    wrong = [stream.value for stream, found in lines.items() if not all(_has_shape(stream, line) for line in found)]
    yield _row("log lines", wrong, "JSON objects of the documented shape", "lines of another shape are in")
    lost = [
        stream.value
        for stream, found in lines.items()
        if any(line.get("correlation_id") != _correlation_id(stream) for line in found)
    ]
    yield _row("correlation ids", lost, "each line has that of its context", "lines have another one in")


def _row(check: str, faulty: list[str], good: str, bad: str) -> CheckRow:
    if faulty:
        return CheckRow(check, "failed", f"{bad} {', '.join(faulty)}; install mqd-core again")
    return CheckRow(check, "ok", good)


def _has_shape(stream: LogStream, line: dict[str, Any]) -> bool:
    return (
        tuple(line) == _KEYS
        and _TIMESTAMP.fullmatch(str(line["timestamp"])) is not None
        and (line["level"], line["logger"], line["message"]) == ("INFO", stream.logger_name, _MESSAGE)
        and line["extra"].get("price") == str(_PRICE)
    )


def _correlation_id(stream: LogStream) -> str:
    return f"doctor-{stream.value}"
