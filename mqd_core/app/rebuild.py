"""Builds a desk's engine again as one of its starts had it, and says what is not as it was then.

With the run's own configuration, or with another one in its stead. Builds no broker, store or observer: what they said
stands in the journal. May not run what it builds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from mqd_core import __version__
from mqd_core.app.engine_settings import BASE, engine_settings, traded_symbols
from mqd_core.app.factories import DecidingBuilder, build_data, desk_places
from mqd_core.app.identity import settings_digest, window_of
from mqd_core.app.plugins import Chosen, DecidingPlugins, choose_data, choose_deciding
from mqd_core.app.warm_up import finite_warm_up
from mqd_core.config import Config
from mqd_core.domain.events import RunStarted
from mqd_core.domain.journal import FeedCursor
from mqd_core.domain.market import Bar
from mqd_core.domain.sessions import xnys
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import StrategySlot
from mqd_core.ports import MarketDataProvider
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clocks import EngineClock
from mqd_core.runtime.feed import BarFeed, FeedChunk
from mqd_core.runtime.validator import DataValidator


class RebuiltDesk:
    """One start of a desk, built again; its data source is opened when it is first asked for."""

    def __init__(self, engine: Engine, slots: tuple[StrategySlot, ...], data: RebuiltData) -> None:
        self.engine = engine
        self._slots = slots
        self._data = data

    def chunks(self) -> Iterator[FeedChunk]:
        """The finite feed from its beginning. Raises DataMissing and DataFault."""
        return self._data.chunks()

    def warm_up(self, cursor: FeedCursor | None) -> tuple[Bar, ...]:
        """The history before the feed, or before the bar behind which it goes on."""
        return finite_warm_up(self._data.provider, self._slots, self._data.symbols, self._data.window[0], cursor)


class RebuiltData:
    """The data source of one start, opened late: a live journal has its bars by value and needs none."""

    def __init__(self, config: Config, registry: Registry, started: RunStarted, opened: ExitStack) -> None:
        self._config = config
        self._registry = registry
        self._mode = started.mode
        self._opened = opened
        self._chosen: Chosen | None = None
        self._provider: MarketDataProvider | None = None
        self.window = window_of(started.feed)
        self.symbols = traded_symbols(config)

    @property
    def chosen(self) -> Chosen:
        """Its plugin. Raises ConfigError."""
        if self._chosen is None:
            self._chosen = choose_data(self._config, self._registry, for_backtest=self._mode == "backtest")
        return self._chosen

    @property
    def provider(self) -> MarketDataProvider:
        """The source, open. Raises ConfigError."""
        if self._provider is None:
            self._provider = build_data(self._config, self.chosen, desk_places(self._config), EngineClock())
            self._opened.callback(self._provider.close)
        return self._provider

    def chunks(self) -> Iterator[FeedChunk]:
        """The whole feed, read and checked anew."""
        feed = BarFeed(
            self.provider,
            self.chosen.use.name,
            settings_digest(self.chosen),
            self.symbols,
            BASE,
            start_ns=self.window[0],
            end_ns=self.window[1],
            validator=DataValidator(BASE, xnys()),
        )
        return feed.chunks()


class Rebuilder:
    """Builds one start after the other. `differences` says, of all starts, what is not as it was then."""

    def __init__(self, config_of: Callable[[str], Config], using: Config | None, opened: ExitStack) -> None:
        self._config_of = config_of
        self._using = using
        self._opened = opened
        self.differences: dict[str, None] = {}

    def __call__(self, started: RunStarted) -> RebuiltDesk:
        """Build what this start had. Raises ConfigError where that is not possible here."""
        config = self._config(started)
        registry = Registry(allow=config.plugins.allow)
        deciding = choose_deciding(config, registry)
        data = RebuiltData(config, registry, started, self._opened)
        self._note_versions(started, deciding, data)
        builder = DecidingBuilder(config, deciding)
        slots = builder.strategies()
        settings = engine_settings(
            config,
            account=started.account,
            assets=started.assets,
            slots=slots,
            sizer=builder.sizer(),
            rules=builder.rules(),
            reconciles=started.reconciles,
            can_stop=started.can_stop,
        )
        return RebuiltDesk(Engine(settings), slots, data)

    def _config(self, started: RunStarted) -> Config:
        config = self._using or self._config_of(started.run_id)
        if config.digest() != started.configuration:
            self._note(f"the configuration is not that of run {started.run_id} (digest {started.configuration[:16]})")
            if self._using is not None:
                for change in changed_keys(self._config_of(started.run_id).masked(), config.masked()):
                    self._note(f"configuration: {change}")
        return config

    def _note_versions(self, started: RunStarted, deciding: DecidingPlugins, data: RebuiltData) -> None:
        then = dict(started.versions)
        now = {"mqd-core": __version__}
        now |= {one.label: one.origin for one in (deciding.sizer, *deciding.strategies, *deciding.rules)}
        if any(label.startswith("data_provider:") for label in then) and not started.feed.startswith("live "):
            now[data.chosen.label] = data.chosen.origin
        for label, version in now.items():
            if then.get(label) != version:
                self._note(f"{label}: {then.get(label, 'nothing')} then, {version} now")

    def _note(self, text: str) -> None:
        self.differences.setdefault(text)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The keys of a configuration that differ, each as `risk.max_open_positions: 1 then, 2 now`."""
    for key in sorted({*before, *after}):
        name = f"{path}.{key}" if path else key
        yield from _changed(before.get(key), after.get(key), name)


def _changed(one: Any, other: Any, name: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        yield from changed_keys(one, other, name)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _changed(left, right, f"{name}[{index}]")
    elif one != other:
        yield f"{name}: {_shown(one)} then, {_shown(other)} now"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
