"""Replay: a journal taken through a fresh engine, and the first record that is not what was journaled.

    rows -> events in their order -> [Engine] -> records made now == records journaled then, byte for byte

Bars by reference are read anew, and compared by digest before one of them is taken. A process that took over in the
middle is replayed as it happened: new strategies, the state as it was then, a warm-up. Effects are dropped: what came
of them stands in the journal. May not write, nor judge why two things differ.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, Protocol

import msgspec

from mqd_core.domain.events import RunStarted, WarmedUp
from mqd_core.domain.journal import SEGMENT_ORDINAL, Body, FeedCursor, Segment, decode_body, encode_body
from mqd_core.domain.market import Bar
from mqd_core.domain.records import Approved, Denied, Record
from mqd_core.engine.effects import Step
from mqd_core.engine.engine import Engine
from mqd_core.errors import StoreCorrupt
from mqd_core.ports.store import JournalRow, Snapshot
from mqd_core.runtime.feed import FeedChunk, bars_digest

#: The journal says when timers fired and what the venue did: no bar has to be given back for either.
_NEVER: Final = 2**63 - 1
_DECISIONS: Final = (Approved, Denied)

#: `record`: another record in its place. `missing`: the engine did not make it. `extra`: the journal does not have it.
#: `data`: bars read anew are not those of then. `bars`: the journal numbers more or fewer bars than its segments hold.
#: `symbol`: a bar of a symbol that the configuration does not trade. `state`: the state kept at the end is another.
Kind = Literal["record", "missing", "extra", "data", "bars", "symbol", "state"]


class Origin(Protocol):
    """What one start of a desk is built from again."""

    @property
    def engine(self) -> Engine:
        """New, with new strategies."""
        ...

    def chunks(self) -> Iterator[FeedChunk]:
        """The finite feed from its beginning; asked for where the journal has bars by reference."""
        ...

    def warm_up(self, cursor: FeedCursor | None) -> tuple[Bar, ...]:
        """History that a finite run was warmed up with, going on behind the cursor."""
        ...


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first difference. `journal` and `now` are canonical JSON, or words where no entry differs; "" for none."""

    kind: Kind
    sequence: int
    ordinal: int
    ts: int
    journal: str
    now: str


@dataclass(slots=True)
class Tally:
    """What has been replayed so far."""

    starts: int = 0
    events: int = 0
    bars: int = 0
    records: int = 0
    decisions: int = 0


class JournalReplay:
    """Takes rows in order until one differs; `engine` is there from the first RunStarted on."""

    def __init__(self, build: Callable[[RunStarted], Origin]) -> None:
        self._build = build
        self._origin: Origin | None = None
        self._engine: Engine | None = None
        self._made: deque[Record] = deque()
        self._feed = _Feed()
        self.tally = Tally()

    @property
    def engine(self) -> Engine:
        """The engine as it stands. Raises StoreCorrupt where no run was started."""
        if self._engine is None:
            raise StoreCorrupt("the journal does not begin with the start of a run: it is no desk's journal, or cut")
        return self._engine

    def take(self, row: JournalRow) -> Mismatch | None:
        """Take the next row; the difference that it shows, if it does. Raises StoreCorrupt for no journal's row."""
        try:
            if row.ordinal and row.ordinal != SEGMENT_ORDINAL:
                return self._take_record(row)
            body = decode_body(row.body)
        except msgspec.MsgspecError as error:
            place = f"(sequence {row.sequence}, ordinal {row.ordinal})"
            raise StoreCorrupt(f"journal row {place} is no {row.kind} that this mqd-core knows: {error}") from error
        if isinstance(body, RunStarted):
            return self._start(row, body)
        return self._take_segment(row, body) if isinstance(body, Segment) else self._take_event(row, body)

    def finish(self, snapshot: Snapshot | None) -> Mismatch | None:
        """End a journal that was taken whole; with the state that was kept at its end, compare that too."""
        sequence = self.engine.sequence if snapshot is None else snapshot.sequence
        mismatch = self._advance(sequence) or self._nothing_more(sequence + 1, 0)
        if mismatch is not None or snapshot is None or snapshot.engine == self.engine.snapshot():
            return mismatch
        return self._mismatch("state", sequence, 0, "the state kept with the last commit", "another state")

    # Rows

    def _start(self, row: JournalRow, started: RunStarted) -> Mismatch | None:
        before = self._engine
        if before is not None:
            mismatch = self._advance(row.sequence - 1) or self._nothing_more(row.sequence, 0)
            if mismatch is not None:
                return mismatch
        self._origin = origin = self._build(started)
        self._engine = engine = origin.engine
        if before is not None:
            # What a process that takes over restores is what the one before it last committed.
            engine.restore(before.snapshot())
        self._feed.begin(origin, engine, resumes=before is not None)
        self.tally.starts += 1
        return self._enter(row, started)

    def _take_event(self, row: JournalRow, event: Body) -> Mismatch | None:
        mismatch = self._advance(row.sequence - 1) or self._nothing_more(row.sequence, 0)
        if mismatch is not None:
            return mismatch
        if isinstance(event, Bar) and not self._feed.note(event):
            return self._mismatch("symbol", row.sequence, 0, _text(event), "no strategy trades it")
        if isinstance(event, WarmedUp) and event.rows and not event.bars:
            bars = self._feed.warm_up()
            if (len(bars), bars_digest(bars)) != (event.rows, event.digest):
                now = f"{len(bars)} bars of history, digest {bars_digest(bars)}"
                return self._mismatch("data", row.sequence, 0, _text(event), now)
            event = WarmedUp(ts=event.ts, bars=bars)
        return self._enter(row, event)

    def _enter(self, row: JournalRow, event: Body) -> Mismatch | None:
        engine = self.engine
        if engine.sequence != row.sequence - 1:
            raise StoreCorrupt(f"journal row (sequence {row.sequence}) does not follow sequence {engine.sequence}")
        self._keep(engine.on_event(event))  # type: ignore[arg-type]  # records and segments went other ways
        self.tally.events += 1
        return None

    def _take_segment(self, row: JournalRow, segment: Segment) -> Mismatch | None:
        mismatch = self._advance(row.sequence) or self._nothing_more(row.sequence, SEGMENT_ORDINAL)
        if mismatch is not None:
            return mismatch
        if self._feed.left:
            now = f"{self._feed.left:,} bars of the segment before it are left"
            return self._mismatch("bars", row.sequence, SEGMENT_ORDINAL, _text(segment), now)
        found = self._feed.next_segment()
        if found != segment:
            now = "the feed ends before" if found is None else _text(found)
            return self._mismatch("data", row.sequence, SEGMENT_ORDINAL, _text(segment), now)
        return None

    def _take_record(self, row: JournalRow) -> Mismatch | None:
        mismatch = self._advance(row.sequence)
        if mismatch is not None:
            return mismatch
        place = row.sequence, row.ordinal
        if not self._made or _place(self._made[0]) > place:
            return self._mismatch("missing", *place, row.body.decode(), "")
        record = self._made.popleft()
        if _place(record) < place:
            return self._mismatch("extra", record.sequence, record.ordinal, "", _text(record))
        if encode_body(record) != row.body:
            return self._mismatch("record", *place, row.body.decode(), _text(record))
        self.tally.records += 1
        self.tally.decisions += isinstance(record, _DECISIONS)
        return None

    # The engine

    def _advance(self, sequence: int) -> Mismatch | None:
        """Take the bars by reference up to that sequence number."""
        engine = self.engine
        while engine.sequence < sequence:
            step = engine.on_bars(self._feed.bars(sequence - engine.sequence), _NEVER)
            if not step.bars:
                words = f"{sequence - engine.sequence:,} bars by reference before this sequence number"
                return self._mismatch("bars", sequence, 0, words, "no bar of its segments is left")
            self._feed.took(step.bars)
            self._keep(step)
        return None

    def _keep(self, step: Step) -> None:
        self._made.extend(step.records)
        self.tally.bars = self.engine.bars

    def _nothing_more(self, sequence: int, ordinal: int) -> Mismatch | None:
        """Whatever was made before that place had to be in the journal by now."""
        if self._made and _place(self._made[0]) < (sequence, ordinal):
            record = self._made[0]
            return self._mismatch("extra", record.sequence, record.ordinal, "", _text(record))
        return None

    def _mismatch(self, kind: Kind, sequence: int, ordinal: int, journal: str, now: str) -> Mismatch:
        return Mismatch(kind, sequence, ordinal, self.engine.now_ns, journal, now)


class _Feed:
    """Bars by reference, read anew, and how far they were taken."""

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._chunks: Iterator[FeedChunk] | None = None
        self._chunk: FeedChunk | None = None
        self._bars: Iterator[Bar] = iter(())
        self._row = 0
        self._places: dict[str, int] = {}
        #: Behind which bar this process went on; None in a book's first.
        self._resume: FeedCursor | None = None
        self._last_index = 0

    @property
    def left(self) -> int:
        """Bars of the segment in hand that were not taken."""
        return 0 if self._chunk is None else self._chunk.rows - self._row

    def begin(self, origin: Origin, engine: Engine, *, resumes: bool) -> None:
        """Begin with a process: its feed is read from the beginning, and what was taken before is passed over."""
        self._origin, self._chunks, self._chunk, self._row = origin, None, None, 0
        self._bars = iter(())
        self._places = {instrument.symbol: instrument.index for instrument in engine.instruments}
        self._resume = None
        if resumes:
            self._resume = FeedCursor(
                identity="", start_ns=engine.minute_ns, symbol_index=self._last_index, bars=engine.bars
            )

    def next_segment(self) -> Segment | None:
        """Go on to the next chunk with bars that were not taken; None at the feed's end."""
        if self._chunks is None:
            self._chunks = iter(()) if self._origin is None else self._origin.chunks()
        for chunk in self._chunks:
            first, resume = 0, self._resume
            if resume is not None and resume.start_ns >= 0:
                first = chunk.row_after(resume.start_ns, resume.symbol_index)
            if first < chunk.rows:
                self._chunk, self._row, self._bars = chunk, first, chunk.bars(first)
                return chunk.segment
        return None

    def bars(self, count: int) -> Iterator[Bar]:
        """The next bars, at most so many."""
        return islice(self._bars, min(count, self.left))

    def took(self, count: int) -> None:
        """So many of them were taken."""
        self._row += count
        if self._chunk is not None:
            self._last_index = int(self._chunk.symbol_index[self._row - 1])

    def note(self, bar: Bar) -> bool:
        """Note a bar that is journaled by value; False for one of a symbol that nobody trades."""
        index = self._places.get(bar.symbol)
        if index is not None:
            self._last_index = index
        return index is not None

    def warm_up(self) -> tuple[Bar, ...]:
        """The history that this process was warmed up with."""
        return () if self._origin is None else self._origin.warm_up(self._resume)


def _place(record: Record) -> tuple[int, int]:
    return record.sequence, record.ordinal


def _text(body: Body) -> str:
    return encode_body(body).decode()
