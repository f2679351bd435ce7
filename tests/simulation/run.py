"""Runs simulated desks: one seed again, a range of seeds, or all crashes of the scenarios.

python tests/simulation/run.py --seed 17 [--only blow:0,feed:late]
python tests/simulation/run.py --seeds 0 10000 --workers 2 --all-faults
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# Tests are no packages: what they share is found beside them.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from desk_simulation.exhaustive import Dead, Death, die, die_all, double, single
from desk_simulation.plan import draw_plan
from desk_simulation.scenarios import CANONICAL, NAMED, TWICE
from desk_simulation.sweep import live, shrink, sweep, told, workspace

SHOWN_MAX = 5
#: Of the first of two crashes every so many is taken: most points lie inside a transaction that leaves nothing behind.
FIRSTS_ONE_IN = 37


def again(seed: int, only: str | None) -> int:
    """Live through one seed again, or through a part of its plan."""
    plan = draw_plan(seed)
    if only is not None:
        plan = plan.keeping(only.split(","))
    print(plan)
    with workspace() as folder:
        life, failure = live(plan, Path(folder))
        if failure is None:
            print(f"seed {seed} holds: {life}")
            return 0
        print(told(failure, plan if only is not None else shrink(plan, failure, Path(folder))))
    return 1


def many(first: int, count: int, workers: int, *, all_faults: bool) -> int:
    """Live through many seeds; print what struck, and each failure made small."""
    begun = time.perf_counter()
    report = sweep(range(first, first + count), workers)
    seconds = time.perf_counter() - begun
    print("\n".join(report.table()))
    print(f"{seconds:.0f} s, {report.seeds / seconds:.1f} seeds/s, {len(report.failures)} failures")
    with workspace() as folder:
        for failure in report.failures[:SHOWN_MAX]:
            print(told(failure, shrink(draw_plan(failure.seed), failure, Path(folder))))
    print("".join(f"seed {one.seed}: {one.invariant}\n" for one in report.failures[SHOWN_MAX:]), end="")
    if all_faults and report.never_fired:
        print(f"never struck: {', '.join(report.never_fired)}")
        return 1
    return 1 if report.failures else 0


def act_out(name: str, points: tuple[int, ...]) -> int:
    """Live through one scenario, dying at these points of its processes."""
    dead = die([Death(name, points)])
    for death, lengths in dead.lengths:
        print(f"{death} holds; its processes passed {' '.join(map(str, lengths))} points")
    for death, failure in dead.failures:
        print(f"{death} breaks {failure.invariant}: {failure.text}")
    return len(dead.failures)


def everywhere(every: int, workers: int) -> int:
    """A crash at every point of every scenario, and of some a second one at every point of the recovery."""
    begun = time.perf_counter()
    once = die_all(list(single([*CANONICAL, *NAMED], every)), workers)
    print(f"{len(once.lengths)} lives with one crash, {len(once.failures)} failures")
    firsts = Dead([pair for pair in once.lengths if pair[0].scenario in TWICE])
    twice = die_all(list(double(firsts, FIRSTS_ONE_IN, every)), workers)
    print(f"{len(twice.lengths)} lives with two crashes, {len(twice.failures)} failures")
    print(f"{time.perf_counter() - begun:.0f} s")
    for death, failure in [*once.failures, *twice.failures][:SHOWN_MAX]:
        print(f"{death} breaks {failure.invariant}: {failure.text}\n  {death.command}")
    return 1 if once.failures or twice.failures else 0


def main() -> int:
    """Read the arguments, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="live through this seed again")
    parser.add_argument("--only", help="with --seed: only these parts of its plan")
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "COUNT"), help="live through many")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--all-faults", action="store_true", help="fail if any kind of fault never struck")
    parser.add_argument("--scenario", help="live through this scenario")
    parser.add_argument("--crash", type=int, nargs="+", default=(), help="with --scenario: the points of its deaths")
    parser.add_argument("--exhaustive", action="store_true", help="die at every point of all scenarios")
    parser.add_argument("--every", type=int, default=1, help="with --exhaustive: at every so many of them")
    chosen = parser.parse_args()
    if chosen.scenario is not None:
        return act_out(chosen.scenario, tuple(chosen.crash))
    if chosen.exhaustive:
        return everywhere(chosen.every, chosen.workers)
    if chosen.seed is not None:
        return again(chosen.seed, chosen.only)
    if chosen.seeds is None:
        parser.error("one of --seed, --seeds, --scenario, --exhaustive is needed")
    return many(*chosen.seeds, chosen.workers, all_faults=chosen.all_faults)


if __name__ == "__main__":
    sys.exit(main())
