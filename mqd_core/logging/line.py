"""One log line: the shape that users read, its encoding, and the record that carries it to the writing thread.

A line is encoded where it is logged, so that whatever the caller changes afterwards is not in it; nothing a caller
hands over may make encoding raise. May not know queues, files or secrets.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.logging.streams import LogStream

_DAY_NS: Final = 86_400_000_000_000
_SECOND_NS: Final = 1_000_000_000
_EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()
#: Values nested deeper are cut off; it also ends a value that holds itself.
_DEEPEST: Final = 8
_LEAST_INTEGER: Final = -(2**63)
_GREATEST_INTEGER: Final = 2**64 - 1
#: Characters that JSON may hold as they are, but that break lines or turn the reading direction on a terminal.
_UNSAFE: Final = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class LineBody(msgspec.Struct):
    """The public shape of a line; the order of the fields is the order of the keys."""

    timestamp: str
    level: str
    logger: str
    correlation_id: str | None
    message: str
    extra: dict[str, object]


class Line(logging.LogRecord):
    """A line on its way: the standard handlers see a LogRecord whose message is the whole JSON text.

    The base class is not initialised: looking up thread, process and source file would cost more than all the rest.
    """

    def __init__(self, stream: LogStream, levelno: int, data: bytes) -> None:
        self.stream = stream
        self.levelno = levelno
        self.data = data

    def getMessage(self) -> str:  # noqa: N802 - the standard library's name
        """The line as text, without an end of line."""
        return self.data.decode()


def timestamp_text(timestamp_ns: int) -> str:
    """UTC nanoseconds since 1970 as `2025-01-19T18:30:45.123456Z`; the last three digits are cut, not rounded."""
    day, rest = divmod(timestamp_ns, _DAY_NS)
    date = _DATES.get(day)
    if date is None:
        date = _remember_date(day)
    second, fraction = divmod(rest, _SECOND_NS)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{date}T{hour:02}:{minute:02}:{second:02}.{fraction // 1000:06}Z"


def encode_line(body: LineBody) -> bytes:
    """Encode a line as JSON without an end of line; never raises for what a caller put into it.

    Decimals become strings, NaN and infinities null, objects that JSON does not know their `str()`.
    """
    try:
        data = _ENCODER.encode(body)
    except Exception:  # noqa: BLE001 - a value's own code may raise anything, and logging must not stop the desk
        data = _ENCODER.encode(_plain_body(body))
    if data.isascii() and b"\x7f" not in data:
        return data
    return escape_unsafe(data.decode()).encode()


def escape_unsafe(text: str) -> str:
    """A JSON text in which what breaks lines or turns the reading direction is written as an escape."""
    return _UNSAFE.sub(lambda found: json.dumps(found.group())[1:-1], text)


def decode_line(data: bytes) -> LineBody:
    """The parts of an encoded line."""
    return _DECODER.decode(data)


def formatted(message: object, args: tuple[object, ...] | Mapping[str, object] | None) -> str:
    """`message % args` as the standard library has it; where they do not fit, both are shown side by side."""
    text = shown(message)
    if not args:
        return text
    try:
        return text % args
    except Exception:  # noqa: BLE001 - an argument's own code may raise anything
        return f"{text} {shown(args)}"


def values_of(extra: object) -> dict[str, object]:
    """What was handed over as `extra`, as a dict: a copy, or a dict with it in it where it is no mapping."""
    if extra is None:
        return {}
    try:
        return dict(extra)  # type: ignore[call-overload, no-any-return]  # whatever it is, failing is an answer
    except Exception:  # noqa: BLE001 - a mapping's own code may raise anything
        return {"extra": extra}


def shown(value: object) -> str:
    """`str(value)`, or a word on its type where that raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the value's own code may raise anything
        return f"<{type(value).__name__} that cannot be shown>"


_ENCODER: Final = msgspec.json.Encoder(enc_hook=shown)
_DECODER: Final = msgspec.json.Decoder(LineBody)
_DATES: Final[dict[int, str]] = {}


def _remember_date(day: int) -> str:
    if len(_DATES) > 1_000:  # a run over decades should not keep every day it met
        _DATES.clear()
    date = _DATES[day] = dt.date.fromordinal(_EPOCH_ORDINAL + day).isoformat()
    return date


def _plain_body(body: LineBody) -> LineBody:
    """The same line made of nothing but what JSON has."""
    return LineBody(
        body.timestamp,
        _plain_text(body.level),
        _plain_text(body.logger),
        None if body.correlation_id is None else _plain_text(body.correlation_id),
        _plain_text(body.message),
        {_plain_text(key): _plain_field(value) for key, value in body.extra.items()},
    )


def _plain_field(value: object) -> object:
    try:
        return _plain(value, 1)
    except Exception:  # noqa: BLE001 - a container's own code may raise anything
        return _plain_text(value)


def _plain(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
        return int(value)
    if isinstance(value, str | bytes | int | Decimal) or depth >= _DEEPEST:
        return _plain_text(value) if depth < _DEEPEST else "..."
    if isinstance(value, Mapping):
        return {_plain_text(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, Sequence | AbstractSet):
        return [_plain(inner, depth + 1) for inner in value]
    return _plain_text(value)


def _plain_text(value: object) -> str:
    return shown(value).encode("utf-8", "backslashreplace").decode()
