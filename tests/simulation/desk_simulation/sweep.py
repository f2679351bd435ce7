"""Many lives: seeds over two or more processes, the table of what struck how often, and failures made small.

May not run a desk itself: that is `world`.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from traceback import format_exception
from typing import TypeAlias

import msgspec

from desk_simulation.crash import AIMED, DISK_FAULTS
from desk_simulation.plan import AWAITING, FEED_FAULTS, HAPPENINGS, PLUGIN_FAULTS, Plan, draw_plan
from desk_simulation.witness import Violation
from desk_simulation.world import Life, World
from mqd_core.testing.faults import FaultKind

Living: TypeAlias = Callable[[Plan, Path], "tuple[Life | None, Failure | None]"]
#: Seeds that one worker lives through at a time.
CHUNK = 20
#: A memory disk, where there is one: a simulated crash is a process's, and pages survive it anywhere.
MEMORY_DISK = Path("/dev/shm")
#: What every sweep that is large enough has to have seen.
EXPECTED = frozenset(
    {
        *(f"broker:{kind.value}" for kind in FaultKind if kind not in AWAITING),
        *(f"feed:{kind}" for kind in FEED_FAULTS),
        *(f"plugin:{kind}" for kind in PLUGIN_FAULTS),
        *(f"once:{kind}" for kind in HAPPENINGS),
        *(f"{kind}@sql:before" for kind in DISK_FAULTS),
        *(f"crash@{point}" for point in ("sql:before", "sql:after", *AIMED)),
    }
)


class Failure(msgspec.Struct, frozen=True):
    """A seed that broke an invariant, or the desk, and in which words."""

    seed: int
    invariant: str
    text: str


class Report(msgspec.Struct):
    """What a sweep has seen."""

    seeds: int = 0
    life: Life = msgspec.field(default_factory=Life)
    failures: list[Failure] = msgspec.field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take another part's report in."""
        self.seeds += other.seeds
        self.failures += other.failures
        life, more = self.life, other.life
        for name in ("processes", "crashes", "orders", "fills", "points"):
            setattr(life, name, getattr(life, name) + getattr(more, name))
        life.fired += more.fired
        life.kinds += more.kinds

    @property
    def never_fired(self) -> list[str]:
        """What was expected to strike at least once and did not."""
        return sorted(EXPECTED - set(self.life.fired))

    def table(self) -> Iterator[str]:
        """Lines that say how often what struck."""
        life = self.life
        yield (
            f"{self.seeds} seeds: {life.processes} processes, {life.crashes} struck down at {life.points} points, "
            f"{life.orders} orders, {life.fills} fills"
        )
        for kind in sorted({*EXPECTED, *life.fired}):
            yield f"  {life.fired[kind]:>8}  {kind}"


def workspace() -> tempfile.TemporaryDirectory[str]:
    """A folder for stores, in memory where that is possible."""
    return tempfile.TemporaryDirectory(
        prefix="mqd-simulation-", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None, ignore_cleanup_errors=True
    )


def live(plan: Plan, folder: Path) -> tuple[Life | None, Failure | None]:
    """Live through one plan; what the desk itself raises is a failure too."""
    try:
        return World(plan, folder, is_fast=not MEMORY_DISK.is_dir()).live(), None
    except Violation as broken:
        return None, Failure(plan.seed, broken.invariant, str(broken))
    except Exception as error:  # noqa: BLE001  whatever the desk breaks down with is a finding
        return None, Failure(plan.seed, type(error).__name__, "".join(format_exception(error))[-3_000:])


def run_seeds(seeds: Sequence[int]) -> Report:
    """Live through these seeds, one after the other."""
    report = Report(len(seeds))
    with workspace() as folder:
        for seed in seeds:
            life, failure = live(draw_plan(seed), Path(folder))
            if life is not None:
                report.add(Report(0, life))
            if failure is not None:
                report.failures.append(failure)
    return report


def sweep(seeds: Iterable[int], workers: int) -> Report:
    """Live through all seeds, in so many processes."""
    waiting = list(seeds)
    chunks = [waiting[first : first + CHUNK] for first in range(0, len(waiting), CHUNK)]
    report = Report()
    if workers < 2:
        for chunk in chunks:
            report.add(run_seeds(chunk))
        return report
    # Spawned on every platform: a fork would share open connections.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(run_seeds, chunks):
            report.add(part)
    return report


def shrink(plan: Plan, failure: Failure, folder: Path, runs_max: int = 150, living: Living = live) -> Plan:
    """The smallest part of a plan that still fails in the same way: halves first, then one part after the other."""
    runs = 0

    def fails(parts: Collection[str]) -> bool:
        nonlocal runs
        runs += 1
        again = living(plan.keeping(parts), folder)[1]
        return again is not None and again.invariant == failure.invariant

    kept = plan.parts()
    size = max(1, len(kept) // 2)
    while size and runs < runs_max:
        place = 0
        while place < len(kept) and runs < runs_max:
            rest = kept[:place] + kept[place + size :]
            if fails(rest):
                kept = rest
            else:
                place += size
        size //= 2
    return plan.keeping(kept)


def told(failure: Failure, plan: Plan) -> str:
    """A failure for a person: what broke, what is needed for it, and how to see it again."""
    parts = ",".join(plan.parts())
    command = f"python tests/simulation/run.py --seed {failure.seed}"
    smaller = f"\n  all that is needed: {parts or 'nothing'}\n  {command} --only {parts or 'none'}"
    return f"seed {failure.seed} breaks {failure.invariant}: {failure.text}\n  {command}{smaller}"
