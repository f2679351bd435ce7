"""Takes secrets out of an encoded log line and leaves it a log line.

Replacing bytes in JSON could cut an escape in two, so a line in which something was found is taken apart, scrubbed
text by text, and encoded again. May only read and write the parts a caller filled: timestamp and level are the desk's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from mqd_core.logging.line import LineBody, decode_line, encode_line
from mqd_core.logging.scrubbing import MASK, Scrubber, is_sensitive_name

_ENCODER: Final = msgspec.json.Encoder()


def scrub_line(data: bytes, scrubber: Scrubber) -> bytes:
    """The same line without secrets: the same bytes where there are none."""
    # Without an escape every text stands in the line as it is; with one, only taking it apart tells.
    if b"\\" not in data and not scrubber.may_hold_one(data):
        return data
    body = decode_line(data)
    clean = LineBody(
        body.timestamp,
        body.level,
        _text(body.logger, scrubber),
        None if body.correlation_id is None else _text(body.correlation_id, scrubber),
        _text(body.message, scrubber),
        _mapping(body.extra, scrubber),
    )
    line = encode_line(clean)
    if not scrubber.holds_one(line):
        return line
    # What remains was made by putting the parts together: nothing but time, level and logger may stay.
    return encode_line(LineBody(body.timestamp, body.level, clean.logger, None, MASK, {}))


def _value(value: object, scrubber: Scrubber) -> object:
    if isinstance(value, str):
        return _text(value, scrubber)
    if isinstance(value, dict):
        return _mapping(value, scrubber)
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and is_sensitive_name(value[0]):
            return [value[0], MASK]
        return [_value(inner, scrubber) for inner in value]
    if isinstance(value, int | float) and scrubber.holds_one(_ENCODER.encode(value)):
        return MASK
    return value


def _mapping(values: Mapping[str, object], scrubber: Scrubber) -> dict[str, object]:
    return {
        _text(name, scrubber): MASK if is_sensitive_name(name) else _value(value, scrubber)
        for name, value in values.items()
    }


def _text(text: str, scrubber: Scrubber) -> str:
    clean = scrubber.scrub(text)
    # An escape may complete a secret: a line feed is written as a backslash and an n.
    return MASK if scrubber.holds_one(_ENCODER.encode(clean)) else clean
