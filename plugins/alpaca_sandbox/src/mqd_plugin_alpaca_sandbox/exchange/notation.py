"""How numbers, times and ids are written on the wire, and read from it. Pure; may not know an order."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal, InvalidOperation
from typing import Final

from mqd_core.api import EXACT, SECOND_NS

_NAMESPACE: Final = uuid.UUID("6f0c3f5e-55a3-4a0e-9d3b-1f6c0e0a8d11")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
#: Crockford's base 32, the alphabet of ULIDs.
_ULID_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: More digits than any amount or price of an account can need.
_DIGITS_MAX: Final = 30


def number_text(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros: `0.5`, `100`, `0`."""
    return f"{value.normalize(EXACT):f}" if value else "0"


def read_number(value: object) -> Decimal | None:
    """A number from JSON text or a JSON number; None for what is neither, not finite, or absurdly long."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    if not number.is_finite() or len(number.as_tuple().digits) > _DIGITS_MAX or abs(number.adjusted()) > _DIGITS_MAX:
        return None
    return number


def time_text(ts_ns: int) -> str:
    """RFC 3339 in UTC with as many of nine decimals as needed: `2026-09-18T14:30:00.123456789Z`."""
    seconds, rest = divmod(ts_ns, SECOND_NS)
    stamp = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{stamp}{fraction}Z"


def read_time(text: str) -> int | None:
    """UTC nanoseconds of an RFC 3339 time or a plain date (its first instant in UTC); None for anything else."""
    head, dot, tail = text.strip().replace("Z", "+00:00").replace("z", "+00:00").partition(".")
    digits = ""
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        head += tail[len(digits) :]
    try:
        moment = dt.datetime.fromisoformat(head)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    whole = (moment - _EPOCH) // dt.timedelta(seconds=1)
    return whole * SECOND_NS + int(digits[:9].ljust(9, "0") or "0")


def new_york_text(ts_ns: int, offset_hours: int) -> str:
    """The same instant as New York writes it: `2026-09-18T10:30:00.5-04:00`."""
    return f"{time_text(ts_ns + offset_hours * 3_600 * SECOND_NS)[:-1]}{offset_hours:+03d}:00"


def made_uuid(*parts: object) -> str:
    """An id that is a function of what it names: the same seed and the same orders give the same ids."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in parts)))


def is_uuid(text: str) -> bool:
    """Whether the text can be an id."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def made_ulid(ts_ns: int, number: int) -> str:
    """An id of 26 characters that sorts as text by time, then by number."""
    value = (ts_ns // 1_000_000 << 80) | number
    return "".join(_ULID_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def activity_id(ts_ns: int, unique: str) -> str:
    """`20260918143000123::<uuid>`: sorts as text by millisecond."""
    stamp = (_EPOCH + dt.timedelta(milliseconds=ts_ns // 1_000_000)).strftime("%Y%m%d%H%M%S%f")
    return f"{stamp[:17]}::{unique}"
