"""A desk beside a venue, in a process that a test may kill at an exact moment.

Called with the moments that have to come one after the other, each so many times, before the process says so and waits
for its end: `submit:after=5,commit:before=2`. The configuration is that of the working folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mqd_core.app.assembly import Assembly
from mqd_core.app.hooks import Hooks
from mqd_core.config import load_config
from mqd_core.registry.loader import Registry


def run(moments: list[tuple[str, int]]) -> None:
    """Run the desk up to there."""

    def probe(point: str) -> None:
        if moments and point == moments[0][0]:
            moments[0] = (point, moments[0][1] - 1)
            if not moments[0][1]:
                moments.pop(0)
            if not moments:
                sys.stdout.write(f"{point}\n")
                sys.stdout.flush()
                sys.stdin.read()

    folder = Path("exact")
    folder.mkdir()
    config = load_config(Path("config.yaml"))
    assembly = Assembly(config, Registry(), "run", "exact", folder, (None, None), Hooks(probe=probe))
    try:
        assembly.build().run.run()
    finally:
        assembly.close()


if __name__ == "__main__":
    run([(point, int(times)) for point, _, times in (one.partition("=") for one in sys.argv[1].split(","))])
