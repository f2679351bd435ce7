"""The journal's own words: entries, segments of bars kept by reference, cursors, and their canonical encoding.

The encoding is JSON with fields in declared order, decimals as strings and a `type` tag: the same bytes for the same
entry on every machine, since a hash chain runs over them. May not write anything anywhere.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from mqd_core.domain.events import Event
from mqd_core.domain.records import Record

#: A segment's entry stands behind everything that its sequence number has: it is no event and takes none itself.
SEGMENT_ORDINAL: Final = 2**31 - 1


class Segment(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Bars of a finite feed, journaled by reference: one chunk of the merged feed.

    Bar k of the segment (after validation) takes the k-th sequence number after `Entry.sequence` that no journaled
    event has taken. `digest` is the SHA-256 of the columns (start as little-endian int64, then symbol index as int64,
    open, high, low, close, volume as float64) of all `rows` rows, rejected ones included.
    """

    provider: str
    settings: str
    timeframe: str
    symbols: tuple[str, ...]
    first_ns: int
    last_ns: int
    rows: int
    digest: str


class FeedCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a finite feed was consumed: the last bar's start and its symbol's place in the feed's order.

    `identity` names provider and settings; `bars` counts since the feed began; `finished` when it came to its end.
    """

    identity: str
    start_ns: int
    symbol_index: int
    bars: int
    finished: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The last close of a symbol, for readers."""

    symbol: str
    start_ns: int
    close: float


Body: TypeAlias = Event | Record | Segment


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of the journal: an event has ordinal 0, the records of its step count from 1."""

    sequence: int
    ordinal: int
    body: Body


_ENCODER: Final = msgspec.json.Encoder()
_BODY_DECODER: Final[msgspec.json.Decoder[Body]] = msgspec.json.Decoder(Body)


def kind_of(body: Body) -> str:
    """The tag of an entry's body: its class's name."""
    return type(body).__name__


def encode_body(body: Body) -> bytes:
    """Canonical bytes of a body; what the hash chain covers."""
    return _ENCODER.encode(body)


def decode_body(data: bytes) -> Body:
    """Inverse of `encode_body`; raises msgspec.ValidationError for anything else."""
    return _BODY_DECODER.decode(data)


def encode_lines(entries: tuple[Entry, ...]) -> bytes:
    """All entries as JSON lines, each with its newline, so that a chain over them does not depend on batching."""
    return _ENCODER.encode_lines(entries)
