"""Step, commit, act: gathers what steps made into batches and commits them before anything is done about them.

A batch is all steps since the last commit, one transaction. Steps of bars and timers without effects may wait, at most
a second of wall time or 10,000 entries; everything else commits at once. After a failed commit the engine is ahead of
its store and must be dropped: the error goes up and ends the run. May not look into what it commits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mqd_core.domain.events import Event
from mqd_core.domain.journal import SEGMENT_ORDINAL, Entry, FeedCursor, Mark, Segment
from mqd_core.engine.effects import Step
from mqd_core.engine.engine import Engine
from mqd_core.errors import StoreError
from mqd_core.ports.store import Batch, Snapshot, TransactionLog
from mqd_core.runtime.clocks import steady_ns
from mqd_core.runtime.performer import Probe, no_probe

WAIT_NS_MAX: Final = 1_000_000_000
ENTRIES_MAX: Final = 10_000
#: Entries that are gathered for a store that no restart reads. Few: what waits is what the next order's records push
#: out of the cache, and ten thousand of them made every order a fifth dearer.
GATHERED_MAX: Final = 64


class Committer:
    """The only way from the engine's steps into a store."""

    def __init__(
        self,
        engine: Engine,
        store: TransactionLog,
        *,
        venue_state: Callable[[], bytes | None],
        run_state: Callable[[], bytes | None],
        cursor: Callable[[], FeedCursor | None],
        on_committed: Callable[[tuple[Entry, ...]], None],
        probe: Probe = no_probe,
        steady: Callable[[], int] = steady_ns,
    ) -> None:
        self._engine = engine
        self._store = store
        self._venue_state = venue_state
        self._run_state = run_state
        self._cursor = cursor
        self._on_committed = on_committed
        self._probe = probe
        self._steady_ns = steady
        self._entries: list[Entry] = []
        #: Steps that are not entries yet, each with its event; made into entries together, at the commit.
        self._steps: list[tuple[Event | None, Step]] = []
        self._waiting = 0
        self._since_ns = 0
        self._is_broken = False

    def segment(self, segment: Segment) -> None:
        """Journal a chunk of a finite feed by reference, before its first bar is taken."""
        self._make_entries()
        self._entries.append(Entry(self._engine.sequence, SEGMENT_ORDINAL, segment))
        self._waiting += 1

    def event(self, event: Event, step: Step) -> None:
        """Take the step of one event; the event as it is to be journaled."""
        self._steps.append((event, step))
        self._waiting += 1 + len(step.records)

    def bars(self, step: Step) -> None:
        """Take a step of bars that are journaled by reference."""
        self._steps.append((None, step))
        self._waiting += len(step.records)

    def _make_entries(self) -> None:
        entries = self._entries
        for event, step in self._steps:
            if event is not None:
                entries.append(Entry(step.sequence, 0, event))
            entries += [Entry(record.sequence, record.ordinal, record) for record in step.records]
        self._steps.clear()

    @property
    def waiting(self) -> int:
        """How many entries wait to be committed."""
        return self._waiting

    def commit_if_due(self) -> None:
        """Commit what may wait no longer."""
        if not self._store.durable:
            if self._waiting >= GATHERED_MAX:
                self.commit()
            return
        now = self._steady_ns()
        if not self._since_ns:
            self._since_ns = now
        elif now - self._since_ns >= WAIT_NS_MAX or self._waiting >= ENTRIES_MAX:
            self.commit()

    def commit_at_once(self) -> None:
        """Commit before an effect; a store that no restart reads may gather more first."""
        if self._store.durable or self._waiting >= GATHERED_MAX:
            self.commit()

    def commit(self) -> None:
        """Make everything so far durable, or raise StoreError and never try again."""
        if self._is_broken:
            message = "an earlier commit failed: the desk in memory is ahead of its journal and must be dropped"
            raise StoreError(message)
        self._make_entries()
        entries, engine = tuple(self._entries), self._engine
        durable = self._store.durable
        snapshot = None
        if durable:
            snapshot = Snapshot(
                sequence=engine.sequence,
                engine=engine.snapshot(),
                venue=self._venue_state(),
                run=self._run_state(),
                cursor=self._cursor(),
            )
        marks = tuple(
            Mark(symbol=instrument.symbol, start_ns=instrument.start_ns, close=instrument.close)
            for instrument in engine.instruments
            if instrument.held
        )
        batch = Batch(ts=engine.now_ns, sequence=engine.sequence, entries=entries, marks=marks, snapshot=snapshot)
        self._is_broken = True
        self._probe("commit:before")
        self._store.commit(batch)
        self._probe("commit:after")
        self._is_broken = False
        self._entries.clear()
        self._waiting = 0
        self._since_ns = 0
        self._on_committed(entries)
