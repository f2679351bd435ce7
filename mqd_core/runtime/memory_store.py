"""Stores that no restart reads: a journal in memory, and the same in a file of JSON lines for a backtest's run folder.

A commit only remembers the batch; entries are encoded in blocks, since records are immutable. Nothing
here is durable, and nothing here is hash-chained row by row: one running SHA-256 covers the framed lines, so that it
does not depend on how entries were cut into batches and blocks. May not be used for an account that exists.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.domain.journal import Entry, Mark, encode_lines
from mqd_core.domain.projection import DeskView, Projection
from mqd_core.errors import StoreCorrupt, StoreError
from mqd_core.ports.store import Batch, Head, JournalRow, Snapshot

#: Entries that wait to be encoded: enough to spread the cost of a block, few enough to stay in the cache with the rest.
BLOCK_ENTRIES: Final = 64

_EMPTY: Final = Head(sequence=0, ordinal=0, rows=0, hash=hashlib.sha256().hexdigest())


class _Line(msgspec.Struct):
    """A line of the journal whose body stays as it was written."""

    sequence: int
    ordinal: int
    body: msgspec.Raw


class _Tag(msgspec.Struct):
    """What every body begins with."""

    type: str


_LINES: Final = msgspec.json.Decoder(_Line)
_TAGS: Final = msgspec.json.Decoder(_Tag)
_ENTRIES: Final = msgspec.json.Decoder(Entry)


class InMemoryStore:
    """A store that forgets everything with its process: some 350 bytes an entry, and no entry for bars of a segment."""

    #: A restart never reads it: the runtime need not make snapshots.
    durable = False

    def __init__(self, block_entries: int = BLOCK_ENTRIES) -> None:
        self._block_entries = block_entries
        self._blocks: list[bytes] = []
        self._waiting: list[Entry] = []
        self._waiting_marks: list[tuple[int, tuple[Mark, ...]]] = []
        self._marks: dict[str, tuple[int, Mark]] = {}
        self._hash = hashlib.sha256()
        self._rows = 0
        self._head = _EMPTY
        self._last: Batch | None = None
        self._snapshot: Snapshot | None = None

    def commit(self, batch: Batch) -> Head:
        """Keep a batch. The head's `hash` is empty while entries wait to be encoded; `head()` gives it in full."""
        entries = batch.entries
        self._last = batch
        if batch.snapshot is not None:
            self._snapshot = batch.snapshot
        if entries:
            self._waiting.extend(entries)
            self._rows += len(entries)
            end = entries[-1]
            self._head = Head(sequence=end.sequence, ordinal=end.ordinal, rows=self._rows, hash="")
        if batch.marks:
            self._waiting_marks.append((self._rows, batch.marks))
        if len(self._waiting) >= self._block_entries or len(self._waiting_marks) >= self._block_entries:
            self._flush()
        return self._head

    def head(self) -> Head:
        """The end of the journal with the SHA-256 of all its lines, each with its newline; encodes what waits."""
        self._flush()
        return self._head

    def read(self, after_sequence: int) -> Iterator[JournalRow]:
        """Rows above a sequence; they carry no hash of their own."""
        self._flush()
        lines = itertools.chain.from_iterable(map(_LINES.decode_lines, self._kept()))
        return (_row(line) for line in lines if line.sequence > after_sequence)

    def latest_snapshot(self) -> Snapshot | None:
        """The last snapshot that a batch carried."""
        return self._snapshot

    def view(self) -> DeskView:
        """Fold the whole journal: seconds for a long run, so once, at its end."""
        self._flush()
        projection = Projection()
        # The last mark of a symbol belongs after the rows that it came with: a later book has none yet.
        marks = sorted(self._marks.values(), key=lambda item: item[0], reverse=True)
        entries = itertools.chain.from_iterable(map(_ENTRIES.decode_lines, self._kept()))
        for row, entry in enumerate(entries):
            while marks and marks[-1][0] <= row:
                projection.mark((marks.pop()[1],))
            projection.apply(entry)
        projection.mark(tuple(mark for _, mark in marks))
        if self._last is not None:
            projection.settle(self._last.sequence, self._last.ts)
        return projection.view()

    def close(self) -> None:
        """Nothing to release: what was committed can still be read."""

    def _flush(self) -> None:
        """Encode what waits, as one block."""
        for rows, marks in self._waiting_marks:
            self._marks.update((mark.symbol, (rows, mark)) for mark in marks)
        self._waiting_marks.clear()
        if self._waiting:
            block = encode_lines(tuple(self._waiting))
            self._keep(block)
            self._waiting.clear()
            self._hash.update(block)
            self._head = msgspec.structs.replace(self._head, hash=self._hash.hexdigest())

    def _keep(self, block: bytes) -> None:
        self._blocks.append(block)

    def _kept(self) -> Iterator[bytes]:
        return iter(tuple(self._blocks))


class BlobJournal(InMemoryStore):
    """The journal of one backtest: blocks go to a new file of JSON lines, and memory holds only what waits.

    Raises StoreError when the file exists already, and when it cannot be written; after that it takes nothing more.
    """

    def __init__(self, path: Path, block_entries: int = BLOCK_ENTRIES) -> None:
        super().__init__(block_entries)
        self._path = path
        self._broken = ""
        try:
            # One writer, whole blocks: a buffer of Python's own would only copy them.
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise StoreError(f"{path} exists already: a backtest writes its journal into a new run folder") from None
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}; check the run folder") from error

    def commit(self, batch: Batch) -> Head:
        """Keep a batch; raises StoreError after a failed write and after `close`."""
        if self._broken:
            raise StoreError(self._broken)
        return super().commit(batch)

    def close(self) -> None:
        """Write what waits and close the file; what was committed can still be read."""
        if self._file.closed:
            return
        try:
            if not self._broken:
                self._flush()
        finally:
            self._broken = self._broken or f"{self._path} is closed: a backtest's journal is written once"
            self._file.close()

    def _flush(self) -> None:
        if self._broken and self._waiting:
            raise StoreError(self._broken)
        super()._flush()

    def _keep(self, block: bytes) -> None:
        left = memoryview(block)
        try:
            while left:
                # A raw file may take less than it was handed.
                left = left[self._file.write(left) :]
        except OSError as error:
            self._broken = f"{self._path} could not be written: {error.strerror}; its journal ends in the middle"
            raise StoreError(self._broken) from error

    def _kept(self) -> Iterator[bytes]:
        return _chunks(self._path)


def read_journal(path: Path) -> Iterator[JournalRow]:
    """Rows of a file that a BlobJournal wrote, in order, a few megabytes in memory at a time.

    Raises StoreError when the file cannot be read, StoreCorrupt when it holds anything but whole journal lines.
    """
    for chunk in _chunks(path):
        try:
            yield from map(_row, _LINES.decode_lines(chunk))
        except msgspec.MsgspecError as error:
            raise StoreCorrupt(
                f"{path} holds a line that is no journal entry: {error}; run the backtest again"
            ) from error


def _row(line: _Line) -> JournalRow:
    body = bytes(line.body)
    return JournalRow(sequence=line.sequence, ordinal=line.ordinal, kind=_TAGS.decode(body).type, body=body)


def _chunks(path: Path, size: int = 1 << 20) -> Iterator[bytes]:
    """The file's bytes, cut after a newline."""
    try:
        with path.open("rb") as file:
            while lines := file.readlines(size):
                if not lines[-1].endswith(b"\n"):
                    raise StoreCorrupt(f"{path} ends in the middle of a line: its backtest was cut off; run it again")
                yield b"".join(lines)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
