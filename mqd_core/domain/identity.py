"""Names that are pure functions of the journal: client order ids and correlation ids. No random, no clock."""

from __future__ import annotations

import hashlib
from typing import Final
from zlib import crc32

_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
#: First part of every client order id: this scheme, version 1.
PREFIX: Final = "m1"


def _letters(data: bytes, count: int) -> str:
    return "".join(_BASE32[byte & 31] for byte in data[:count])


def _check_letters(stem: str) -> str:
    number = crc32(stem.encode())
    return _BASE32[number & 31] + _BASE32[number >> 5 & 31] + _BASE32[number >> 10 & 31] + _BASE32[number >> 15 & 31]


def base36(number: int) -> str:
    """Write a non-negative integer in base 36."""
    if number < len(_BASE36):
        return _BASE36[number]
    digits = ""
    while True:
        number, rest = divmod(number, 36)
        digits = _BASE36[rest] + digits
        if not number:
            return digits


def desk_letters(desk_id: str, account: str) -> str:
    """Six letters that stand for one desk on one account inside every client order id."""
    return _letters(hashlib.sha256(f"{desk_id}\0{account}".encode()).digest(), 6)


def client_order_id(desk: str, sequence: int, ordinal: int) -> str:
    """The id of the order decided as record `ordinal` of event `sequence`: at most 32 of `[a-z0-9-]`.

    Four check letters tell a mistyped or foreign id from one of this desk.
    """
    stem = f"{PREFIX}-{desk}-{base36(sequence)}-{base36(ordinal)}"
    return f"{stem}-{_check_letters(stem)}"


def is_own(identifier: str, desk: str) -> bool:
    """Whether a client order id was made by this desk, check letters included."""
    stem, _, check = identifier.rpartition("-")
    own = stem.startswith(f"{PREFIX}-{desk}-")
    return own and check == _check_letters(stem)
