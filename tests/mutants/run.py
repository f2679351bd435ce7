"""Test the tests: every mutant of the desk has to be caught by the simulation, each by at most 2,000 seeds.

    python tests/mutants/run.py [NAME ...] [--seeds 2000] [--seconds 900] [--jobs 2]

Prints one row a mutant: the first seed that catches it, the invariant that it breaks, and how many seeds were tried.
A seed is tried only if it has a fault under which the mutant can show, and it counts only if the desk as it is shipped
passes it. Exit 1 if a mutant survives, or no longer fits the source.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mutant import Mutant, StaleMutant, all_mutants, copy_core

ROOT = Path(__file__).parents[2]
HUNT = Path(__file__).with_name("hunt.py")


@dataclass(frozen=True)
class Hunt:
    """What a hunt has found; no seed where nothing."""

    tried: int
    seed: int | None = None
    invariant: str = ""
    text: str = ""


def hunt(core: Path, first: int, count: int, seconds: float, under: Sequence[str] = ()) -> Hunt:
    """Live through seeds with the core below a folder. Raises RuntimeError if the hunt itself breaks down."""
    environment = {**os.environ, "PYTHONPATH": str(core), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [sys.executable, str(HUNT), str(core), str(first), str(count), str(seconds), *under]
    done = subprocess.run(
        arguments, capture_output=True, encoding="utf-8", env=environment, timeout=seconds + 300, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the hunt ended with {done.returncode}: {done.stderr[-2_000:]}")
    return Hunt(**json.loads(done.stdout.splitlines()[-1]))


def catch(mutant: Mutant, sound: Path, seeds: int, seconds: float) -> Hunt:
    """Hunt one mutant over seeds from 0 on; a seed that the sound core fails too proves nothing and is skipped."""
    with tempfile.TemporaryDirectory(prefix="mqd-mutant-") as folder:
        core = Path(folder).resolve()
        mutant.apply(ROOT, core)
        first = tried = 0
        while first < seeds:
            found = hunt(core, first, seeds - first, seconds, mutant.under)
            tried += found.tried
            if found.seed is None:
                break
            if hunt(sound, found.seed, 1, seconds).seed is None:
                return Hunt(tried, found.seed, found.invariant, found.text)
            first = found.seed + 1
    return Hunt(tried)


def row(mutant: Mutant, found: Hunt) -> str:
    """One row of the table."""
    seed = "**survives**" if found.seed is None else str(found.seed)
    return f"| `{mutant.name}` | {mutant.wrong} | {found.invariant or '-'} | {seed} | {found.tried} |"


def main(arguments: Sequence[str]) -> int:
    """Hunt them all, and say what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="mutants; all of them by default")
    parser.add_argument("--seeds", type=int, default=2_000, help="seeds a mutant at most")
    parser.add_argument("--seconds", type=float, default=900.0, help="seconds a mutant at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--verbose", action="store_true", help="say in which words each was caught")
    options = parser.parse_args(arguments)
    try:
        known = all_mutants()
        for mutant in known:
            mutant.sources(ROOT)
    except StaleMutant as error:
        print(error)
        return 1
    unknown = sorted(set(options.names) - {mutant.name for mutant in known})
    if unknown:
        parser.error(f"no mutant is called {', '.join(unknown)}")
    chosen = [mutant for mutant in known if not options.names or mutant.name in options.names]
    survivors = 0
    print("| mutant | what is wrong | caught by | first seed | seeds tried |\n|---|---|---|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="mqd-sound-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        sound = Path(folder).resolve()
        copy_core(ROOT, sound)
        job = partial(catch, sound=sound, seeds=options.seeds, seconds=options.seconds)
        for mutant, found in zip(chosen, pool.map(job, chosen), strict=True):
            survivors += found.seed is None
            print(row(mutant, found), flush=True)
            if options.verbose and found.text:
                print(found.text.strip().splitlines()[-1][:300], flush=True)
    print(f"{len(chosen)} mutants, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
