"""The live half of the composition root: what a run on a live feed has, and one on finite data has not.

source in its thread -> inbox -> bars checked -> loop -> broker, called inline or by threads

May not run what it builds.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from mqd_core.api.records import DataProviderRecord
from mqd_core.app.engine_settings import BASE, gate_settings, traded_symbols
from mqd_core.app.hooks import Hooks
from mqd_core.app.identity import live_identity
from mqd_core.app.plugins import Chosen
from mqd_core.app.run_core import RunCore
from mqd_core.app.warm_up import bars_complete_by, live_warm_up
from mqd_core.config import Config
from mqd_core.domain.events import BrokerEvent
from mqd_core.domain.money import money
from mqd_core.domain.sessions import xnys
from mqd_core.ports import BrokerConnector, MarketDataProvider
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.effect_threads import EffectThreads
from mqd_core.runtime.live_curve import LiveCurve
from mqd_core.runtime.live_feed import LiveFeed
from mqd_core.runtime.live_run import LiveParts, LiveRun
from mqd_core.runtime.live_validator import LiveValidator
from mqd_core.runtime.performer import EffectPerformer
from mqd_core.runtime.send_guard import Guard


def offers_live(data: Chosen) -> bool:
    """Whether a data source has live bars: `mqd run` then takes those."""
    return data.loaded.record_as(DataProviderRecord).has_live


class LiveSource:
    """A live data source with its inbox, from before the broker is there until the run is put together."""

    def __init__(self, config: Config, data: Chosen, provider: MarketDataProvider, hooks: Hooks) -> None:
        self._hooks = hooks
        self._provider = provider
        self._has_history = data.loaded.record_as(DataProviderRecord).has_history
        self._symbols = traded_symbols(config)
        self.identity = live_identity(config, data)
        self._bus = OrderEventBus(hooks.clock)
        self._feed = LiveFeed(provider, data.label, self._symbols, BASE, bus=self._bus, clock=hooks.clock)
        self.validator = LiveValidator(
            self._symbols,
            BASE,
            xnys(),
            stale_after_ns=gate_settings(config).max_bar_age_ns,
            on_rejected=hooks.on_rejected,
            on_gaps=hooks.on_gaps,
        )

    def close(self) -> None:
        """Close the source, and wait for its thread; safe to call twice."""
        self._feed.close()

    @property
    def starts_ns(self) -> int:
        """When the run begins: now."""
        return self._hooks.clock.now_ns()

    def prices(self) -> dict[str, Decimal]:
        """The last close of each symbol in the source's history, as far as it has one. Raises DataFault."""
        if not self._has_history:
            return {}
        bars = bars_complete_by(self._provider, self._symbols, self.starts_ns, 1)
        return {bar.symbol: money(bar.close) for bar in bars}

    def effects(
        self, broker: BrokerConnector, guard: Guard
    ) -> tuple[EffectPerformer | EffectThreads, Callable[[BrokerEvent], None]]:
        """Who calls the broker, and where it reports: a venue in this process answers at once, any other one blocks."""
        hooks = self._hooks
        if broker.venue is not None:
            performer = EffectPerformer(broker, hooks.probe, guard)
            return performer, performer.sink
        return EffectThreads(broker, self._bus, hooks.clock, hooks.probe, guard=guard), self._bus.put

    def run(self, core: RunCore, effects: EffectPerformer | EffectThreads) -> LiveRun:
        """The loop, ready to run."""
        return LiveRun(self.parts(core, effects), core.marks)

    def parts(self, core: RunCore, effects: EffectPerformer | EffectThreads) -> LiveParts:
        """What the loop is put together from."""
        hooks = self._hooks
        return LiveParts(
            engine=core.engine,
            broker=core.broker,
            effects=effects,
            bus=self._bus,
            feed=self._feed,
            store=core.store,
            validator=self.validator,
            curve=LiveCurve(core.curve, self._symbols, BASE),
            stop=hooks.stop,
            started=core.started,
            warm_up=live_warm_up(self._provider, core.slots, self._symbols) if self._has_history else None,
            identity=self.identity,
            control=core.control,
            clock=hooks.clock,
            probe=hooks.probe,
            on_committed=hooks.on_committed,
            on_progress=hooks.on_progress,
            on_timing=hooks.on_timing or _untimed,
        )


def _untimed(_kind: str, _order_id: str, _duration_ns: int) -> None:
    """Nobody wants to know how long things take."""
