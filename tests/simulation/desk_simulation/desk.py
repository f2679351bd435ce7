"""One process of the desk: built from what is on disk by the composition root of `mqd run`, run, and dropped.

What differs from a real process stands in `SimulatedAssembly` and `VirtualSource`. May not look into what it runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from desk_simulation.crash import CrashPoints, connection_class
from desk_simulation.door import BrokerDoor, Customs
from desk_simulation.market import Feed
from desk_simulation.parts import TICK_SECONDS, Still, VirtualBus, VirtualEffects, VirtualFeed
from desk_simulation.plan import Plan
from desk_simulation.plugins import SimulationPlugins, Surroundings
from desk_simulation.timeline import DeskClock, Timeline
from mqd_core.api import Bar, MarketDataProvider, StoreContext
from mqd_core.app.assembly import Assembly, System
from mqd_core.app.engine_settings import BASE, engine_settings, traded_symbols
from mqd_core.app.factories import Builder, desk_places
from mqd_core.app.hooks import Hooks
from mqd_core.app.live_source import LiveSource
from mqd_core.app.places import DeskPlaces
from mqd_core.app.plugins import Chosen, ChosenPlugins
from mqd_core.app.run_core import RunCore
from mqd_core.config import Config, parse_config
from mqd_core.domain.events import BrokerEvent, RunStarted
from mqd_core.domain.journal import Entry, FeedCursor
from mqd_core.domain.records import DeskState
from mqd_core.engine.engine import Engine
from mqd_core.ports import BrokerConnector
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clock_watch import ClockWatch
from mqd_core.runtime.clocks import EngineClock
from mqd_core.runtime.feed import FeedChunk
from mqd_core.runtime.live_run import LiveParts
from mqd_core.runtime.performer import EffectPerformer
from mqd_core.runtime.send_guard import Guard
from mqd_plugin_sqlite.store import SqliteStore

STORE = "simulated.db"

#: What all desks of one process of the tests share.
AROUND = Surroundings()


@cache
def _registry() -> Registry:
    registry = Registry()
    registry.register(SimulationPlugins(AROUND), distribution="mqd-plugin-simulation")
    return registry


@cache
def desk_config(folder: Path, symbols: tuple[str, ...]) -> Config:
    """A desk of the dense strategy below a folder."""
    return parse_config(
        {
            "desk": {"id": "simulated", "state_dir": str(folder)},
            "broker": {"name": "exchange"},
            "data": {"name": "market"},
            "sizer": {"name": "drawn"},
            "store": {"name": "crashing"},
            "risk": {
                "daily_loss_limit_usd": "25",
                "weekly_loss_limit_usd": "50",
                "max_orders_per_session": "60",
                "max_open_positions": "2",
                "max_position_size_pct": "60",
                "max_gross_exposure_pct": "100",
            },
            "strategies": [{"name": "dense", "symbols": list(symbols), "lookback_bars": "0"}],
        }
    )


@cache
def _chosen(folder: Path, symbols: tuple[str, ...]) -> ChosenPlugins:
    """The plugins of a configuration; they do not change while the tests run."""
    config = desk_config(folder, symbols)
    return Assembly(config, _registry(), "run", "look", folder, (None, None), Hooks()).plugins()[0]


class VirtualSource(LiveSource):
    """A live source whose inbox, feed and lanes go by virtual time."""

    def attach(self, timeline: Timeline, points: CrashPoints, feed: Feed, draw: random.Random) -> None:
        """Put virtual parts in the place of those that wait."""
        self._timeline = timeline
        self._draw = draw
        self.virtual_bus = self._bus = VirtualBus(self._hooks.clock, timeline, points)
        provider, label = self._provider, self._feed.label
        self._feed = VirtualFeed(provider, label, self._symbols, BASE, bus=self._bus, clock=self._hooks.clock)
        self._feed.attach(feed)
        self.lanes: VirtualEffects | None = None

    def effects(self, broker: BrokerConnector, guard: Guard) -> tuple[EffectPerformer, Callable[[BrokerEvent], None]]:
        """Lanes without threads."""
        hooks = self._hooks
        lanes = VirtualEffects(
            broker, self._bus, hooks.clock, hooks.probe, guard, timeline=self._timeline, draw=self._draw
        )
        self.lanes = lanes
        return lanes, self._bus.put  # type: ignore[return-value]  # they are what the live loop takes

    def parts(self, core: RunCore, effects: EffectPerformer) -> LiveParts:
        """The real parts, with virtual clocks."""
        parts = super().parts(core, effects)
        steady_ns = self._timeline.steady_ns
        parts.steady_ns = steady_ns
        parts.watch = ClockWatch(self._hooks.clock, steady_ns, steady_ns)
        parts.tick_seconds = TICK_SECONDS
        if parts.control is not None:
            parts.control.steady_ns, parts.control.clock = steady_ns, self._hooks.clock
            parts.control.heartbeat = Still()  # type: ignore[assignment]  # nobody watches, and a file a beat costs
        self.virtual_bus.set_tick = lambda seconds: setattr(parts, "tick_seconds", seconds)
        return parts


class SimulatedAssembly(Assembly):
    """The composition root, but for what waits."""

    timeline: Timeline
    points: CrashPoints
    feed: Feed
    draw: random.Random
    source: VirtualSource | None = None

    def plugins(self) -> tuple[ChosenPlugins, Builder]:
        """The plugins as they were found once."""
        plugins = _chosen(self._folder, traded_symbols(self._config))
        return plugins, Builder(self._config, plugins, desk_places(self._config), self._hooks.clock)

    def live_source(self, data: Chosen, provider: MarketDataProvider) -> LiveSource:
        """A source that goes by virtual time."""
        self.source = VirtualSource(self._config, data, provider, self._hooks)
        self.source.attach(self.timeline, self.points, self.feed, self.draw)
        return self.source


class DeskProcess:
    """One process. Build it, run it, and `end` it whatever happened."""

    def __init__(
        self,
        number: int,
        plan: Plan,
        folder: Path,
        *,
        timeline: Timeline,
        broker: BrokerConnector,
        feed: Feed,
        points: CrashPoints,
        customs: Customs,
        on_committed: Callable[[Sequence[Entry]], None],
        fired: Callable[[str], None],
        is_fast: bool,
    ) -> None:
        self.number = number
        self.points = points
        draw = random.Random(f"process {plan.seed} {number}")
        AROUND.plan, AROUND.points, AROUND.fired = plan, points, fired
        AROUND.broker = BrokerDoor(broker, points, timeline, draw, customs)
        connection = connection_class(points, fast=is_fast)

        def make_store(context: StoreContext) -> SqliteStore:
            return SqliteStore(context.directory / STORE, connection_class=connection)

        AROUND.make_store = make_store
        self.hooks = Hooks(clock=DeskClock(timeline), probe=points, on_committed=on_committed)
        config = desk_config(folder, plan.symbols)
        assembly = SimulatedAssembly(config, _registry(), "run", f"process-{number}", folder, (None, None), self.hooks)
        assembly.timeline, assembly.points, assembly.feed, assembly.draw = timeline, points, feed, draw
        self._assembly = assembly
        self.has_ended = False
        self.system: System | None = None

    def build(self) -> System:
        """Everything that `mqd run` does before its loop."""
        self.system = self._assembly.build()
        return self.system

    def run(self) -> str:
        """The loop, until it is asked to stop or the process dies."""
        assert self.system is not None
        return self.system.run.run()

    @property
    def bus(self) -> VirtualBus | None:
        """The inbox, once there is one."""
        return None if self._assembly.source is None else self._assembly.source.virtual_bus

    @property
    def state(self) -> DeskState:
        """What the desk may do, as its engine sees it."""
        return DeskState.STARTING if self.system is None else self.system.engine.facts.desk_state

    def end(self) -> None:
        """The process is gone: nothing that it left waiting is done, and its files are free."""
        self.has_ended = True
        self.points.disarm()
        source = self._assembly.source
        if source is not None:
            source.virtual_bus.close()
            if source.lanes is not None:
                source.lanes.abandon()
        self._assembly.close()


class Again:
    """One start of the desk, built again for a replay of its journal."""

    def __init__(self, folder: Path, plan: Plan, started: RunStarted) -> None:
        AROUND.plan, AROUND.points, AROUND.fired = plan, CrashPoints(), lambda _kind: None
        config = desk_config(folder, plan.symbols)
        builder = Builder(config, _chosen(folder, plan.symbols), desk_places(config), EngineClock())
        self.engine = Engine(
            engine_settings(
                config,
                account=started.account,
                assets=started.assets,
                slots=builder.strategies(),
                sizer=builder.sizer(),
                rules=builder.rules(),
                reconciles=started.reconciles,
                can_stop=started.can_stop,
            )
        )

    def chunks(self) -> Iterator[FeedChunk]:
        """No bars by reference: a live journal has them by value."""
        return iter(())

    def warm_up(self, _cursor: FeedCursor | None) -> tuple[Bar, ...]:
        """No history."""
        return ()


def places_of(folder: Path) -> DeskPlaces:
    """Where a desk below that folder keeps things."""
    return DeskPlaces(folder / "simulated")


def store_path(folder: Path) -> Path:
    """Where the store of a desk below that folder is."""
    return places_of(folder).store / STORE
