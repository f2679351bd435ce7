"""`mqd replay`: a past run's journal taken through fresh engines, and what a person or a program is told of it.

May not print, and may not repair a journal: it only says whether the desk would decide the same again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from mqd_core.app.notation import time_text
from mqd_core.app.past_runs import PastRun
from mqd_core.app.rebuild import Rebuilder
from mqd_core.config import Config
from mqd_core.domain.journal import SEGMENT_ORDINAL
from mqd_core.runtime.clocks import steady_ns
from mqd_core.runtime.replay import JournalReplay, Mismatch, Tally
from mqd_core.runtime.simulated_run import Progress

SCHEMA: Final = 1
_PROGRESS_NS: Final = 100_000_000
_PROGRESS_ROWS: Final = 256
_WHAT: Final = {
    "record": "the engine made another record than the journal holds",
    "missing": "the journal holds a record that the engine did not make",
    "extra": "the engine made a record that the journal does not hold",
    "data": "the bars are not those of then",
    "bars": "the journal numbers other bars than its segments hold",
    "symbol": "the journal holds a bar of a symbol that the configuration does not trade",
    "state": "the state that the store keeps is not the one that its journal leads to",
    "hash": "the run's result states another decision hash than its journal leads to",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOutcome:
    """What became of a replay. `causes` are what is not as it was when the run was made, whether it matters or not."""

    label: str
    source: str
    mismatch: Mismatch | None
    hash_differs: bool
    tally: Tally
    decision_hash: str
    causes: tuple[str, ...]
    wall_seconds: float

    @property
    def is_identical(self) -> bool:
        """Whether every record came out as it was journaled."""
        return self.mismatch is None and not self.hash_differs


def replay(
    run: PastRun, using: Config | None = None, on_progress: Callable[[Progress], None] | None = None
) -> ReplayOutcome:
    """Replay a run to its end or to the first difference. Raises ConfigError where it cannot be, and StoreCorrupt."""
    began = steady_ns()
    with ExitStack() as opened:
        rebuilder = Rebuilder(run.config_of, using, opened)
        journal = JournalReplay(rebuilder)
        mismatch = _take_all(journal, run, on_progress)
        if mismatch is None:
            mismatch = journal.finish(run.snapshot())
        stated, now = run.decision_hash, journal.engine.decision_hash
        return ReplayOutcome(
            label=run.label,
            source=str(run.source),
            mismatch=mismatch,
            hash_differs=mismatch is None and bool(stated) and stated != now,
            tally=journal.tally,
            decision_hash=now,
            causes=tuple(rebuilder.differences),
            wall_seconds=(steady_ns() - began) / 1e9,
        )


def _take_all(journal: JournalReplay, run: PastRun, on_progress: Callable[[Progress], None] | None) -> Mismatch | None:
    next_ns = 0
    for number, row in enumerate(run.rows()):
        mismatch = journal.take(row)
        if mismatch is not None:
            return mismatch
        if on_progress is not None and not number % _PROGRESS_ROWS and steady_ns() >= next_ns:
            next_ns = steady_ns() + _PROGRESS_NS
            engine, facts = journal.engine, journal.engine.facts
            on_progress(Progress(engine.bars, engine.now_ns, facts.trips, float(facts.equity)))
    return None


def replay_object(outcome: ReplayOutcome) -> dict[str, Any]:
    """The outcome as JSON knows it."""
    tally = outcome.tally
    return {
        "schema": SCHEMA,
        "run": outcome.label,
        "journal": outcome.source,
        "identical": outcome.is_identical,
        "starts": tally.starts,
        "events": tally.events,
        "bars": tally.bars,
        "records": tally.records,
        "decisions": tally.decisions,
        "decision_hash": outcome.decision_hash,
        "difference": _difference(outcome),
        "causes": list(outcome.causes),
        "wall_seconds": round(outcome.wall_seconds, 6),
    }


def replay_rows(outcome: ReplayOutcome) -> Iterator[tuple[str, str]]:
    """What a person reads: names and texts, the verdict first."""
    tally, mismatch = outcome.tally, outcome.mismatch
    yield "replay", "identical" if outcome.is_identical else "DIFFERENT"
    yield "run", outcome.label
    yield "journal", outcome.source
    until = "" if outcome.is_identical else " before the first difference"
    counts = f"{tally.records:,} records, {tally.decisions:,} decisions, {tally.events:,} events, {tally.bars:,} bars"
    yield "equal", f"{counts}, {tally.starts:,} start{'s' if tally.starts > 1 else ''}{until}"
    if outcome.is_identical:
        yield "decision hash", outcome.decision_hash
    elif mismatch is None:
        yield "difference", _WHAT["hash"]
    else:
        yield "difference", _WHAT[mismatch.kind]
        yield "at", f"sequence {mismatch.sequence}, ordinal {_ordinal(mismatch)}, {time_text(mismatch.ts)}"
        for name, then, now in _fields(mismatch):
            yield name, f"{then} in the journal, {now} now"
    if not outcome.is_identical:
        for cause in outcome.causes or ("nothing that the journal names has changed: the journal itself, or the code",):
            yield "likely cause", cause


def _difference(outcome: ReplayOutcome) -> dict[str, Any] | None:
    mismatch = outcome.mismatch
    if mismatch is None:
        return {"kind": "hash", "what": _WHAT["hash"]} if outcome.hash_differs else None
    return {
        "kind": mismatch.kind,
        "what": _WHAT[mismatch.kind],
        "sequence": mismatch.sequence,
        "ordinal": mismatch.ordinal,
        "time": time_text(mismatch.ts),
        "journal": _entry(mismatch.journal),
        "now": _entry(mismatch.now),
        "fields": [name for name, _, _ in _fields(mismatch)],
    }


def _entry(text: str) -> Any:
    """An entry as its object, words as they are, nothing as null."""
    return json.loads(text) if text.startswith("{") else text or None


def _fields(mismatch: Mismatch) -> Iterator[tuple[str, str, str]]:
    """What differs, field by field where both are entries of one kind."""
    then, now = _entry(mismatch.journal), _entry(mismatch.now)
    if isinstance(then, dict) and isinstance(now, dict) and then.get("type") == now.get("type"):
        for name in {**then, **now}:
            if then.get(name) != now.get(name):
                yield name, _shown(then.get(name)), _shown(now.get(name))
    else:
        yield "entry", _shown(then), _shown(now)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _ordinal(mismatch: Mismatch) -> str:
    return "of the segment" if mismatch.ordinal == SEGMENT_ORDINAL else str(mismatch.ordinal)
