"""How far a run is, on a terminal only: bars, the date reached, trades, equity, and the time left where it is known.

On stderr. May not be seen in a pipe or a log file, nor slow a run down: it is called ten times a second at the most.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from mqd_core.cli.printing import is_terminal

if TYPE_CHECKING:
    from mqd_core.runtime.simulated_run import Progress

#: Steps of the bar: engine time is mapped onto these, since rich counts in floats.
_STEPS = 10_000


@contextmanager
def shown_progress(window_ns: tuple[int | None, int | None]) -> Iterator[Callable[[Progress], None] | None]:
    """Show progress while the block runs, and hand out what to call with it; None where nobody is looking.

    `window_ns` is the range of engine time that was asked for; with an end, the time left is shown.
    """
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    start_ns, end_ns = window_ns
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
    if end_ns is not None:
        columns += [BarColumn(bar_width=20), TextColumn("left"), TimeRemainingColumn()]
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=_STEPS if end_ns is not None else None)

        def on_progress(progress: Progress) -> None:
            nonlocal start_ns
            if start_ns is None:
                start_ns = progress.now_ns
            done = 0
            if end_ns is not None and end_ns > start_ns:
                done = _STEPS * (progress.now_ns - start_ns) // (end_ns - start_ns)
            bars.update(task, description=_words(progress), completed=done)

        yield on_progress


def _words(progress: Progress) -> str:
    date = datetime.fromtimestamp(progress.now_ns // 1_000_000_000, tz=timezone.utc).strftime("%Y-%m-%d %H:%M")
    return f"{progress.bars:,} bars, {date} UTC, {progress.trips:,} trades, equity ${progress.equity:,.2f}"
