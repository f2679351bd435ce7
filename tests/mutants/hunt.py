"""Live through seeds with the core that is on the path, until one breaks an invariant; say which, as a line of JSON.

    hunt.py ROOT FIRST COUNT SECONDS [FAULT ...]      with PYTHONPATH=ROOT, a folder with a copy of mqd_core

With faults of the broker, only plans in which one of them is on are lived through: the others cannot tell. Faults that
are needed together are joined by a plus.

Started by `run.py`, one process a mutant. May not load the core from anywhere else.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

#: A life takes a fraction of a second; one that takes as long as this does not end.
SECONDS_A_SEED = 60


def main(root: Path, first: int, count: int, seconds: float, under: frozenset[str]) -> dict[str, Any]:
    """Hunt; what was found."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))
    import mqd_core

    if not Path(mqd_core.__file__).is_relative_to(root):
        raise SystemExit(f"the core was loaded from {mqd_core.__file__}, not from {root}")
    from desk_simulation.plan import draw_plan
    from desk_simulation.sweep import live, workspace

    end = time.monotonic() + seconds
    with workspace() as folder:
        tried = 0
        for seed in range(first, first + count):
            plan = draw_plan(seed)
            kinds = {kind for kind, _ in plan.broker}
            if under and not any(kinds.issuperset(together.split("+")) for together in under):
                continue
            if tried and time.monotonic() >= end:
                break
            tried += 1
            watchdog = threading.Timer(SECONDS_A_SEED, partial(_hangs, seed, tried, folder))
            watchdog.daemon = True
            watchdog.start()
            _, failure = live(plan, Path(folder))
            watchdog.cancel()
            if failure is not None:
                text = failure.text[-2_000:]
                return {"tried": tried, "seed": seed, "invariant": failure.invariant, "text": text}
    return {"tried": tried}


def _hangs(seed: int, tried: int, folder: str) -> NoReturn:
    """A life that does not end ends the process: nothing else can end it."""
    shutil.rmtree(folder, ignore_errors=True)
    _say({"tried": tried, "seed": seed, "invariant": "I18", "text": f"no end within {SECONDS_A_SEED} s"})
    os._exit(0)


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    place, begin, most, patience, *faults = sys.argv[1:]
    _say(main(Path(place).resolve(), int(begin), int(most), float(patience), frozenset(faults)))
