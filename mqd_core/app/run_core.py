"""What every run is put together from, and what its data have to offer the composition root. May not build anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from mqd_core.domain.events import BrokerEvent, RunStarted
from mqd_core.domain.journal import FeedCursor
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import StrategySlot
from mqd_core.ports import BrokerConnector
from mqd_core.ports.store import TransactionLog
from mqd_core.runtime.control import DeskControl
from mqd_core.runtime.equity_curve import EquityCurve
from mqd_core.runtime.live_run import LiveRun
from mqd_core.runtime.live_validator import LiveValidator
from mqd_core.runtime.send_guard import Guard
from mqd_core.runtime.simulated_run import RunMarks, SimulatedRun
from mqd_core.runtime.validator import DataValidator

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCore:
    """Built and restored; `cursor` and `marks` are those of the book that goes on, None for a new one."""

    engine: Engine
    broker: BrokerConnector
    store: TransactionLog
    curve: EquityCurve
    slots: tuple[StrategySlot, ...]
    started: RunStarted
    cursor: FeedCursor | None
    marks: RunMarks | None
    control: DeskControl | None


class Source(Protocol[E]):
    """Where bars come from, opened. `E` is who calls the broker of a run on such data."""

    @property
    def identity(self) -> str:
        """What the feed is, to tell whether a book may go on with it."""
        ...

    @property
    def starts_ns(self) -> int:
        """When the run begins."""
        ...

    @property
    def validator(self) -> DataValidator | LiveValidator:
        """Who counts the bars that are kept out."""
        ...

    def prices(self) -> Mapping[str, Decimal]:
        """Prices to check the account by, in USD, as far as they are known."""
        ...

    def effects(self, broker: BrokerConnector, guard: Guard) -> tuple[E, Callable[[BrokerEvent], None]]:
        """Who calls the broker, after asking the guard before each order, and where it reports."""
        ...

    def run(self, core: RunCore, effects: E) -> SimulatedRun | LiveRun:
        """The loop, ready to run."""
        ...
