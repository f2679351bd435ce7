"""Replays of small journals: each kind of difference is found at its place, and what is no journal is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from mqd_core.domain.events import RunStarted, WarmedUp
from mqd_core.domain.journal import SEGMENT_ORDINAL, Entry, FeedCursor, Segment, encode_body, kind_of
from mqd_core.domain.market import Bar
from mqd_core.domain.records import Approved
from mqd_core.engine.engine import Engine
from mqd_core.errors import StoreCorrupt
from mqd_core.ports.store import JournalRow, Snapshot
from mqd_core.runtime.feed import FeedChunk, bars_digest
from mqd_core.runtime.replay import JournalReplay, Mismatch
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import ScriptedStrategy, Workbench, enter, leave, make_settings, make_slot

BARS = make_bars([100 + step % 5 for step in range(40)])
SCRIPT = {3: enter(), 9: leave(), 20: enter(), 31: leave()}


def segment_of(bars: Sequence[Bar]) -> Segment:
    return Segment(
        provider="made",
        settings="s",
        timeframe="1Min",
        symbols=("SPY",),
        first_ns=bars[0].start_ns,
        last_ns=bars[-1].start_ns,
        rows=len(bars),
        digest=bars_digest(bars),
    )


def chunk_of(bars: Sequence[Bar]) -> FeedChunk:
    columns = {name: np.array([getattr(bar, name) for bar in bars]) for name in Bar.__struct_fields__[1:]}
    return FeedChunk(segment=segment_of(bars), symbol_index=np.zeros(len(bars), dtype=np.int64), **columns)


def new_engine() -> Engine:
    return Engine(make_settings([make_slot(ScriptedStrategy(SCRIPT))]))


class Made:
    """A start of that engine, on chunks of bars."""

    def __init__(self, parts: Sequence[Sequence[Bar]], history: tuple[Bar, ...] = ()) -> None:
        self.engine = new_engine()
        self._parts = parts
        self._history = history

    def chunks(self) -> Iterator[FeedChunk]:
        return map(chunk_of, self._parts)

    def warm_up(self, _cursor: FeedCursor | None) -> tuple[Bar, ...]:
        return self._history


def row_of(entry: Entry) -> JournalRow:
    body = encode_body(entry.body)
    return JournalRow(sequence=entry.sequence, ordinal=entry.ordinal, kind=kind_of(entry.body), body=body)


def journal(parts: Sequence[Sequence[Bar]] = (BARS,), *extra: Any) -> tuple[list[JournalRow], Workbench]:
    """What a run over these chunks would have written; events in `extra` enter before the first bar."""
    bench = Workbench(make_settings([make_slot(ScriptedStrategy(SCRIPT))])).start(BARS[0].start_ns)
    for event in extra:
        bench.enter(event)
    segments = []
    for part in parts:
        segments.append(Entry(bench.engine.sequence, SEGMENT_ORDINAL, segment_of(part)))
        bench.play(part)
    entries = [Entry(sequence, 0, event) for sequence, event in bench.events]
    entries += [Entry(record.sequence, record.ordinal, record) for record in bench.records]
    rows = sorted((*entries, *segments), key=lambda entry: (entry.sequence, entry.ordinal))
    return [row_of(entry) for entry in rows], bench


def replayed(rows: Sequence[JournalRow], build: Callable[[RunStarted], Any]) -> tuple[Mismatch | None, JournalReplay]:
    replay = JournalReplay(build)
    for row in rows:
        mismatch = replay.take(row)
        if mismatch is not None:
            return mismatch, replay
    return None, replay


def on(*parts: Sequence[Bar]) -> Callable[[RunStarted], Made]:
    return lambda _started: Made(parts)


def test_a_journal_in_one_segment_or_in_many_is_identical() -> None:
    """Bars by reference are taken where the numbers leave room for them, however they were cut into segments."""
    for parts in ((BARS,), (BARS[:7], BARS[7:8], BARS[8:])):
        rows, bench = journal(parts)
        mismatch, replay = replayed(rows, on(*parts))
        assert mismatch is None
        # Bars behind the last entry are in no row: the state that was kept says that they were taken.
        kept = Snapshot(sequence=bench.engine.sequence, engine=bench.engine.snapshot())
        assert replay.finish(kept) is None
        assert replay.tally.bars == len(BARS)
        assert replay.tally.decisions == len(SCRIPT)
        assert replay.tally.records == len(bench.records)


def test_a_state_that_was_not_reached_by_this_journal_is_found() -> None:
    """The state kept at the end is compared byte for byte, and the bars that led to it have to be there."""
    rows, bench = journal()
    state = bench.engine.snapshot()
    for sequence, engine, kind in ((bench.engine.sequence, b"other", "state"), (10_000, state, "bars")):
        _, replay = replayed(rows, on(BARS))
        found = replay.finish(Snapshot(sequence=sequence, engine=engine))
        assert found is not None
        assert found.kind == kind
    _, replay = replayed(rows, on(BARS))
    assert replay.finish(None) is None


def test_a_record_that_the_journal_ends_before_is_found() -> None:
    """A journal that was cut behind an event lacks what that event led to."""
    rows, _ = journal()
    last = max(place for place, row in enumerate(rows) if row.ordinal == 0)
    _, replay = replayed(rows[: last + 1], on(BARS))
    found = replay.finish(None)
    assert found is not None
    assert (found.kind, found.sequence, found.journal) == ("extra", rows[last].sequence, "")


def test_other_bars_are_found_before_one_is_taken() -> None:
    """A digest that differs, a feed that has ended, rows that are left: all of them differences of bars."""
    rows, _ = journal((BARS[:20], BARS[20:]))
    other = [*BARS[:19], msgspec.structs.replace(BARS[19], volume=1.0)]
    found, replay = replayed(rows, on(other, BARS[20:]))
    assert found is not None
    assert (found.kind, replay.tally.bars) == ("data", 0)
    found, replay = replayed(rows, on(BARS[:20]))
    assert found is not None
    assert (found.kind, found.now, replay.tally.bars) == ("data", "the feed ends before", 20)
    # A segment that begins while bars of the one before it are left cannot have been written by a desk.
    place = next(place for place, row in enumerate(rows) if row.ordinal == SEGMENT_ORDINAL)
    doubled = [*rows[: place + 1], rows[place]]
    found, _ = replayed(doubled, on(BARS[:20], BARS[20:]))
    assert found is not None
    assert (found.kind, found.now) == ("bars", "20 bars of the segment before it are left")


def test_a_number_that_no_bar_explains_is_found() -> None:
    """An event that stands farther behind than the segment has bars shows a journal that lost one."""
    rows, _ = journal((BARS[:5],))
    end = rows[-1]
    moved = msgspec.structs.replace(rows[0], sequence=end.sequence + 50)
    found, _ = replayed([*rows, moved], on(BARS[:5]))
    assert found is not None
    assert found.kind == "bars"


def test_bars_by_value_need_no_source() -> None:
    """Live bars are events; one of a symbol that nobody trades is a difference of the configuration."""
    rows, bench = journal((), *BARS)
    mismatch, replay = replayed(rows, on())
    assert mismatch is None
    assert (replay.tally.bars, replay.tally.decisions) == (len(BARS), len(bench.of(Approved)))
    foreign = row_of(Entry(rows[-1].sequence + 1, 0, msgspec.structs.replace(BARS[-1], symbol="IBM")))
    found, _ = replayed([*rows, foreign], on())
    assert found is not None
    assert found.kind == "symbol"


def test_history_is_read_anew_and_compared() -> None:
    """A warm-up that is journaled by digest is checked against what the source says now."""
    history = tuple(make_bars([90.0, 91.0], date="2025-01-03"))
    rows, _ = journal((), WarmedUp(ts=BARS[0].start_ns, bars=history))
    place = next(place for place, row in enumerate(rows) if row.kind == "WarmedUp")
    shown = WarmedUp(ts=BARS[0].start_ns, rows=2, digest=bars_digest(history))
    rows[place] = row_of(Entry(rows[place].sequence, 0, shown))
    assert replayed(rows, lambda _started: Made((), history))[0] is None
    found, _ = replayed(rows, lambda _started: Made((), history[:1]))
    assert found is not None
    assert found.kind == "data"


def test_a_restart_goes_on_with_new_strategies() -> None:
    """A second start restores the state and builds its strategies anew: what they counted is gone, as it was then."""
    rows, bench = journal((BARS[:15],))
    second = Workbench(make_settings([make_slot(ScriptedStrategy(SCRIPT))]), bench.venue)
    second.engine.restore(bench.engine.snapshot())
    second.start(bench.engine.now_ns, run_id="run-2")
    segment = Entry(second.engine.sequence, SEGMENT_ORDINAL, segment_of(BARS))
    second.play(BARS[15:])
    entries = [Entry(sequence, 0, event) for sequence, event in second.events]
    entries += [Entry(record.sequence, record.ordinal, record) for record in second.records]
    later = sorted((*entries, segment), key=lambda entry: (entry.sequence, entry.ordinal))
    built: list[str] = []

    def build(started: RunStarted) -> Made:
        built.append(started.run_id)
        return Made((BARS[:15],) if len(built) == 1 else (BARS,))

    mismatch, replay = replayed([*rows, *map(row_of, later)], build)
    assert mismatch is None
    assert built == ["run-1", "run-2"]
    assert replay.finish(Snapshot(sequence=second.engine.sequence, engine=second.engine.snapshot())) is None
    assert (replay.tally.starts, replay.tally.bars) == (2, 40)


def test_what_is_no_journal_is_refused() -> None:
    """No start at the beginning, a body that nobody knows, numbers that go back: corrupt, and said so."""
    rows, _ = journal()
    with pytest.raises(StoreCorrupt, match="does not begin with the start of a run"):
        replayed(rows[1:], on(BARS))
    with pytest.raises(StoreCorrupt, match="is no Nonsense that"):
        replayed([JournalRow(sequence=1, ordinal=0, kind="Nonsense", body=b'{"type":"Nonsense"}')], on(BARS))
    with pytest.raises(StoreCorrupt, match="does not follow"):
        replayed([*rows, rows[0]], on(BARS))
