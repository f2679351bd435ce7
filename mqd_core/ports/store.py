"""Port of a store: an append-only journal that is durable on return, and a read-only view for other processes.

A store keeps what it is handed and gives it back; what it means is not its business, except that it folds records
into the `DeskView` that readers see (`mqd_core.domain.projection` does the folding). May not hold behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from mqd_core.domain.events import Event
from mqd_core.domain.journal import Body, Entry, FeedCursor, Mark, Segment
from mqd_core.domain.projection import DeskView, OrderView, PositionView

__all__ = [
    "Batch",
    "Body",
    "DeskView",
    "Entry",
    "Event",
    "FeedCursor",
    "Head",
    "JournalReader",
    "JournalRow",
    "Mark",
    "OrderView",
    "PositionStore",
    "PositionView",
    "Segment",
    "Snapshot",
    "Store",
    "TransactionLog",
]

Digest: TypeAlias = str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the journal: last sequence and ordinal, how many rows, and the hash chain's value (hex)."""

    sequence: int
    ordinal: int
    rows: int
    hash: Digest


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's state after `sequence`, and what else a restart needs, as opaque values.

    `engine` is Engine.snapshot(); `venue` the in-process venue's state; `run` what the runtime keeps for its result;
    `cursor` how far the finite feed was read.
    """

    sequence: int
    engine: bytes
    venue: bytes | None = None
    run: bytes | None = None
    cursor: FeedCursor | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """All steps since the last commit, in order: one transaction.

    `ts` is engine time after the last step; `marks` are the last closes of symbols that are held or ordered;
    `snapshot` is None where a store is told that nothing will ever restart from it.
    """

    ts: int
    sequence: int
    entries: tuple[Entry, ...]
    marks: tuple[Mark, ...] = ()
    snapshot: Snapshot | None = None


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as stored: `body` is its canonical JSON, `hash` the chain's value after it (hex, "" if unchained)."""

    sequence: int
    ordinal: int
    kind: str
    body: bytes
    hash: Digest = ""


class TransactionLog(Protocol):
    """The append-only journal.

    A store whose files a person can replace may have an attribute `restored: str`: which backup was put into its
    place, and when; "" from the commit on that has a RunStarted which says so.
    """

    #: False for a store that a restart never reads; spares the runtime the work of snapshots.
    durable: bool

    def commit(self, batch: Batch) -> Head:
        """Keep a batch: all or nothing, durable on return. Raises StoreError; then nothing of it was kept."""
        ...

    def read(self, after_sequence: int) -> Iterator[JournalRow]:
        """Rows with a sequence above `after_sequence`, in order of (sequence, ordinal)."""
        ...

    def latest_snapshot(self) -> Snapshot | None:
        """The snapshot of the last commit that had one; None for a new store."""
        ...


class PositionStore(Protocol):
    """Read only, from any process, while the desk runs."""

    def view(self) -> DeskView:
        """Orders, positions, limits and cash as of the last commit."""
        ...


@runtime_checkable
class JournalReader(Protocol):
    """What a replay needs of a store's read-only half: the journal, and the state that was kept with its end."""

    def read(self, after_sequence: int) -> Iterator[JournalRow]:
        """Rows with a sequence above `after_sequence`, in order of (sequence, ordinal)."""
        ...

    def latest_snapshot(self) -> Snapshot | None:
        """The snapshot of the last commit that had one; None for a new store."""
        ...


class Store(TransactionLog, PositionStore, Protocol):
    """Both halves."""

    def close(self) -> None:
        """Release the files; safe to call twice."""
        ...
