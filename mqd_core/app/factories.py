"""Stage 5b: calls the plugins' factories. What one raises becomes an error that names the plugin.

May not wire what it builds: that is `assembly`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mqd_core.api.context import (
    BrokerContext,
    DataContext,
    ObserverContext,
    PluginContext,
    RiskRuleContext,
    SizerContext,
    StoreContext,
    StrategyContext,
)
from mqd_core.api.records import BrokerRecord, StoreRecord, StrategyRecord
from mqd_core.app.places import DeskPlaces, make_folder
from mqd_core.app.plugins import Chosen, ChosenPlugins, DecidingPlugins
from mqd_core.config import Config
from mqd_core.engine.settings import StrategySlot
from mqd_core.errors import MqdError, PluginBuildError
from mqd_core.ports import (
    BrokerConnector,
    MarketDataProvider,
    Observer,
    PositionStore,
    RiskRule,
    Sizer,
    Store,
    Strategy,
)
from mqd_core.registry.failure import raised_text
from mqd_core.runtime.clocks import Clock

T = TypeVar("T")


class DecidingBuilder:
    """Builds the plugins that take part in decisions; each call makes new objects."""

    def __init__(self, config: Config, deciding: DecidingPlugins) -> None:
        self._config = config
        self._deciding = deciding

    def sizer(self) -> Sizer:
        """The sizer."""
        sizer: Sizer = self._build(self._deciding.sizer, SizerContext())
        return sizer

    def rules(self) -> tuple[tuple[str, RiskRule], ...]:
        """Risk rules of plugins, by name, in the configuration's order."""
        return tuple((one.use.name, self._build(one, RiskRuleContext())) for one in self._deciding.rules)

    def strategies(self) -> tuple[StrategySlot, ...]:
        """One slot for each entry and symbol, or one for each entry whose record has the scope of a portfolio."""
        slots: list[StrategySlot] = []
        entries = [entry for entry in self._config.strategies if entry.enabled]
        for entry, chosen in zip(entries, self._deciding.strategies, strict=True):
            record = chosen.loaded.record_as(StrategyRecord)
            whole = record.scope == "portfolio"
            for symbols in (entry.symbols,) if whole else tuple((symbol,) for symbol in entry.symbols):
                context = StrategyContext(id=entry.id, symbols=tuple(symbols), timeframe=entry.timeframe)
                strategy: Strategy = self._build(chosen, context)
                slots.append(
                    StrategySlot(
                        strategy_id=entry.id,
                        plugin=chosen.use.name,
                        symbols=tuple(symbols),
                        timeframe=entry.timeframe,
                        lookback_bars=entry.lookback_bars,
                        strategy=strategy,
                    )
                )
        return tuple(slots)

    def _build(self, chosen: Chosen, context: PluginContext) -> Any:
        return build(chosen, chosen.record.factory, context, self._config)


class Builder(DecidingBuilder):
    """Builds all plugins of one system."""

    def __init__(
        self,
        config: Config,
        plugins: ChosenPlugins,
        places: DeskPlaces,
        clock: Clock,
        broker_clock: Clock | None = None,
        *,
        live_account: str | None = None,
    ) -> None:
        """`broker_clock` is the broker's where that is another one than the data's.

        `live_account` is the number of the account of real money that a person has typed.
        """
        super().__init__(config, plugins)
        self._plugins = plugins
        #: Where this desk keeps things.
        self.places = places
        self._clock = clock
        self._broker_clock = broker_clock or clock
        self._live_account = live_account

    def store(self) -> Store:
        """The store, for writing."""
        context = StoreContext(log=plugin_log("store"), directory=make_folder(self.places.store, "the store"))
        store: Store = self._build(self._plugins.store, context)
        return store

    def data(self) -> MarketDataProvider:
        """The data source."""
        return build_data(self._config, self._plugins.data, self.places, self._clock)

    def broker(self) -> BrokerConnector:
        """The broker."""
        context = BrokerContext(
            clock=self._broker_clock,
            log=plugin_log("broker"),
            directory=self.places.of_plugin("broker"),
            secrets=self._config.secrets,
            paper_trading=self._config.broker.paper_trading,
            live_account=self._live_account,
        )
        connector: BrokerConnector = self._build(self._plugins.broker, context)
        return connector

    def observers(self) -> tuple[tuple[str, Observer], ...]:
        """Observers by kind and name, in the configuration's order."""
        observers: list[tuple[str, Observer]] = []
        for one in self._plugins.observers:
            context = ObserverContext(
                log=plugin_log("observer"), directory=self.places.of_plugin(f"observer-{one.use.name}")
            )
            observers.append((one.label, self._build(one, context)))
        return tuple(observers)


def build(chosen: Chosen, factory: Callable[[Any, Any], T], context: PluginContext, config: Config) -> T:
    """Call one factory. Raises PluginBuildError that names plugin, distribution, version and cause."""
    # A boundary: a factory may raise anything, or call sys.exit; errors of the desk's own tree are already in words.
    try:
        return factory(chosen.settings, context)
    except MqdError:
        raise
    except (Exception, SystemExit) as error:
        package = str(getattr(factory, "__module__", "")).partition(".")[0]
        text = f"{chosen.loaded.found.label} could not be built: it {raised_text(error, package)}"
        raise PluginBuildError(f"{config.source.locate(chosen.use.named_at)}: {text}") from error


def build_data(config: Config, chosen: Chosen, places: DeskPlaces, clock: Clock) -> MarketDataProvider:
    """A data source."""
    context = DataContext(
        clock=clock, log=plugin_log("data"), directory=places.of_plugin("data"), secrets=config.secrets
    )
    provider: MarketDataProvider = build(chosen, chosen.record.factory, context, config)
    return provider


def reader_of(config: Config, chosen: Chosen, places: DeskPlaces) -> PositionStore | None:
    """The read-only half of a desk's store; None where the store offers none, or nothing was ever written."""
    record = chosen.loaded.record_as(StoreRecord)
    if record.reader is None or not places.store.is_dir():
        return None
    context = StoreContext(log=plugin_log("store"), directory=places.store)
    return build(chosen, record.reader, context, config)


def is_simulated(chosen: Chosen) -> bool:
    """Whether the broker is a simulated one."""
    return chosen.loaded.record_as(BrokerRecord).capabilities.simulated


def desk_places(config: Config, root: Path | None = None) -> DeskPlaces:
    """Where this desk keeps things."""
    return DeskPlaces((root or config.desk.state_dir) / config.desk.id)


def plugin_log(slot: str) -> logging.Logger:
    """Where a plugin of that slot writes what a person should know."""
    return logging.getLogger(f"miniquantdesk.system.{slot}")
