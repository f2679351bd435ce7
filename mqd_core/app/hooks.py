"""What the caller of a run wants to be told, or to interfere with under test. May not hold behaviour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mqd_core.domain.journal import Entry
from mqd_core.runtime.clocks import Clock, WallClock
from mqd_core.runtime.memory_store import InMemoryStore
from mqd_core.runtime.performer import Probe, no_probe
from mqd_core.runtime.simulated_run import Progress
from mqd_core.runtime.stopping import StopRequest
from mqd_core.runtime.validator import Gap, Rejection


@dataclass(slots=True, kw_only=True)
class Hooks:
    """Every hook has a default that does nothing."""

    stop: StopRequest = field(default_factory=StopRequest)
    on_progress: Callable[[Progress], None] | None = None
    on_committed: Callable[[tuple[Entry, ...]], None] = field(default=lambda _entries: None)
    on_rejected: Callable[[Sequence[Rejection]], None] = field(default=lambda _rejections: None)
    #: Of a live feed, as they are found; those of a finite one are in its validator.
    on_gaps: Callable[[Sequence[Gap]], None] = field(default=lambda _gaps: None)
    on_timing: Callable[[str, str, int], None] | None = None
    probe: Probe = no_probe
    #: What a run on a live feed goes by.
    clock: Clock = field(default_factory=WallClock)
    #: Keeps a backtest's journal, in the stead of a file in the run folder.
    journal: InMemoryStore | None = None
