"""Live through seeds with the core that is on the path, until one breaks an invariant; say which, as a line of JSON.

    hunt.py ROOT FIRST COUNT SECONDS      with PYTHONPATH=ROOT, a folder with a copy of mqd_core

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


def main(root: Path, first: int, count: int, seconds: float) -> dict[str, Any]:
    """Hunt; what was found."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))
    import mqd_core

    if not Path(mqd_core.__file__).is_relative_to(root):
        raise SystemExit(f"the core was loaded from {mqd_core.__file__}, not from {root}")
    from desk_simulation.plan import draw_plan
    from desk_simulation.sweep import live, workspace

    end = time.monotonic() + seconds
    with workspace() as folder:
        for seed in range(first, first + count):
            tried = seed - first + 1
            if tried > 1 and time.monotonic() >= end:
                return {"tried": tried - 1}
            watchdog = threading.Timer(SECONDS_A_SEED, partial(_hangs, seed, tried, folder))
            watchdog.daemon = True
            watchdog.start()
            _, failure = live(draw_plan(seed), Path(folder))
            watchdog.cancel()
            if failure is not None:
                text = failure.text[-2_000:]
                return {"tried": tried, "seed": seed, "invariant": failure.invariant, "text": text}
    return {"tried": count}


def _hangs(seed: int, tried: int, folder: str) -> NoReturn:
    """A life that does not end ends the process: nothing else can end it."""
    shutil.rmtree(folder, ignore_errors=True)
    _say({"tried": tried, "seed": seed, "invariant": "I18", "text": f"no end within {SECONDS_A_SEED} s"})
    os._exit(0)


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _say(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
