"""The first bar that two runs did not both have alike, as far as they had come by some time.

Bars by value are in the journal; bars by reference are read anew, checked by digest as far as they are needed. Where
both runs name the same segments nothing is read at all. May not hold more than a chunk of either in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import groupby

from mqd_core.app.comparing import BarDifference
from mqd_core.app.past_runs import PastRun
from mqd_core.app.rebuild import RebuiltData
from mqd_core.app.trail import Trail
from mqd_core.domain.journal import Segment, decode_body, kind_of
from mqd_core.domain.market import MINUTE_NS, Bar
from mqd_core.errors import DataFault
from mqd_core.registry.loader import Registry


class BarPairs:
    """Bars of two runs, read side by side."""

    def __init__(self, a: tuple[PastRun, Trail], b: tuple[PastRun, Trail]) -> None:
        self._sides = a, b

    def first_difference(self, until_ns: int) -> BarDifference | None:
        """The first of the bars that had ended by that time. Raises ConfigError and DataFault."""
        (_, one), (_, other) = self._sides
        if not (one.bars_by_value or other.bars_by_value) and _is_prefix(one.segments, other.segments):
            return None
        with ExitStack() as opened:
            streams = [_sided(side, run, trail, opened) for side, (run, trail) in enumerate(self._sides)]
            pairs = groupby(merge(*streams), key=lambda item: item[:2])
            for (start_ns, symbol), items in pairs:
                if start_ns + MINUTE_NS > until_ns:
                    return None
                sides: dict[int, Bar] = {side: bar for *_, side, bar in items}
                if sides.get(0) != sides.get(1):
                    return BarDifference(start_ns, symbol, _text(sides.get(0)), _text(sides.get(1)))
        return None


def _is_prefix(one: list[Segment], other: list[Segment]) -> bool:
    return all(left == right for left, right in zip(one, other, strict=False))


def _sided(side: int, run: PastRun, trail: Trail, opened: ExitStack) -> Iterator[tuple[int, str, int, Bar]]:
    """Bars by start and symbol; each side's are in that order already, a minute at a time."""
    minutes = groupby(_bars(run, trail, opened), key=lambda bar: bar.start_ns)
    for start_ns, bars in minutes:
        for bar in sorted(bars, key=lambda bar: bar.symbol):
            yield start_ns, bar.symbol, side, bar


def _bars(run: PastRun, trail: Trail, opened: ExitStack) -> Iterator[Bar]:
    if trail.bars_by_value:
        for row in run.rows():
            if row.kind == Bar.__name__:
                body = decode_body(row.body)
                if isinstance(body, Bar):
                    yield body
        return
    started = trail.starts[0]
    config = run.config_of(started.run_id)
    data = RebuiltData(config, Registry(allow=config.plugins.allow), started, opened)
    for segment, chunk in zip(trail.segments, data.chunks(), strict=False):
        if chunk.segment != segment:
            text = f"its {kind_of(segment)} from {segment.first_ns} on has another digest now; `mqd replay` says more"
            raise DataFault(f"the bars of run {run.label} cannot be compared, they are not those of then: {text}")
        yield from chunk.bars()


def _text(bar: Bar | None) -> str:
    if bar is None:
        return "no bar"
    return f"open {bar.open!r}, high {bar.high!r}, low {bar.low!r}, close {bar.close!r}, volume {bar.volume!r}"
