"""The finite half of the composition root: what a run on history has, and one on a live feed has not.

source -> merged and checked chunks -> loop -> broker, called inline

May not run what it builds.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import chain

from mqd_core.app.engine_settings import BASE, traded_symbols
from mqd_core.app.hooks import Hooks
from mqd_core.app.identity import feed_identity, settings_digest
from mqd_core.app.plugins import Chosen
from mqd_core.app.preflight import first_prices
from mqd_core.app.run_core import RunCore
from mqd_core.app.warm_up import finite_warm_up
from mqd_core.config import Config
from mqd_core.domain.events import BrokerEvent
from mqd_core.domain.sessions import xnys
from mqd_core.errors import DataMissing
from mqd_core.ports import BrokerConnector, MarketDataProvider
from mqd_core.runtime.clocks import steady_ns
from mqd_core.runtime.feed import BarFeed
from mqd_core.runtime.performer import EffectPerformer
from mqd_core.runtime.send_guard import Guard
from mqd_core.runtime.simulated_run import RunParts, SimulatedRun
from mqd_core.runtime.validator import DataValidator


class FiniteSource:
    """History in a window of time, whose first chunk is read: that there is data, and when it begins, is known."""

    def __init__(
        self,
        config: Config,
        data: Chosen,
        provider: MarketDataProvider,
        hooks: Hooks,
        window: tuple[int | None, int | None],
    ) -> None:
        """Raises DataMissing that says which line of the configuration asked for data that are not there."""
        self._config = config
        self._provider = provider
        self._hooks = hooks
        self._start_ns, end_ns = window
        self.identity = feed_identity(config, data, self._start_ns, end_ns)
        self.validator = DataValidator(BASE, xnys())
        before = steady_ns()
        chunks = BarFeed(
            provider,
            data.use.name,
            settings_digest(data),
            traded_symbols(config),
            BASE,
            start_ns=self._start_ns,
            end_ns=end_ns,
            validator=self.validator,
        ).chunks()
        try:
            self._first = next(chunks)
        except DataMissing as error:
            place = config.source.locate(data.use.where)
            raise DataMissing([f"{place}: {problem}" for problem in error.problems]) from error
        self._chunks = chain((self._first,), chunks)
        self._first_load_ns = steady_ns() - before

    def prices(self) -> dict[str, Decimal]:
        """The first close of each symbol, as far as the first chunk has one."""
        return first_prices(self._first)

    @property
    def starts_ns(self) -> int:
        """When the run begins: with the first bar."""
        return int(self._first.start_ns[0])

    def effects(self, broker: BrokerConnector, guard: Guard) -> tuple[EffectPerformer, Callable[[BrokerEvent], None]]:
        """Who calls the broker, which is the loop itself, and where it reports."""
        performer = EffectPerformer(broker, self._hooks.probe, guard)
        return performer, performer.sink

    def run(self, core: RunCore, effects: EffectPerformer) -> SimulatedRun:
        """The loop, ready to run."""
        config, hooks = self._config, self._hooks
        symbols = traded_symbols(config)
        pace = config.data.pace if core.started.mode == "run" else None
        parts = RunParts(
            engine=core.engine,
            broker=core.broker,
            performer=effects,
            store=core.store,
            chunks=self._chunks,
            validator=self.validator,
            curve=core.curve,
            stop=hooks.stop,
            started=core.started,
            warm_up=finite_warm_up(self._provider, core.slots, symbols, self._start_ns, core.cursor),
            resume=core.cursor,
            identity=self.identity,
            control=core.control,
            pace=None if pace is None else float(pace),
            first_load_ns=self._first_load_ns,
            probe=hooks.probe,
            on_committed=hooks.on_committed,
            on_rejected=hooks.on_rejected,
            on_progress=hooks.on_progress,
            on_timing=hooks.on_timing,
        )
        return SimulatedRun(parts, core.marks)
