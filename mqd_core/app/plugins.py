"""Stages 3 to 5a: the configuration's names become records, and each plugin's section is checked by its own model.

All errors of a stage come together. May not call a factory: that is `assembly`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from mqd_core.api.records import BrokerRecord, DataProviderRecord, PluginRecord
from mqd_core.api.settings import PluginSettings
from mqd_core.config import Config, PluginUse, settings_errors
from mqd_core.errors import ConfigError
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Loaded, Registry
from mqd_core.registry.resolve import Wanted

_BACKTEST_LINES = """  backtest:
    {slot}: {{name: {example}}}"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One use of a plugin, ready to be built: its record and its checked settings."""

    use: PluginUse
    loaded: Loaded
    settings: PluginSettings

    @property
    def record(self) -> PluginRecord[Any, Any, Any]:
        """The plugin's record."""
        return self.loaded.record_as(PluginRecord)

    @property
    def label(self) -> str:
        """Kind and name, as records and logs say it."""
        return f"{self.use.kind.value}:{self.use.name}"

    @property
    def origin(self) -> str:
        """The distribution and version that it came from, or the file with its digest."""
        if self.loaded.sha256:
            return f"{self.loaded.found.target} sha256:{self.loaded.sha256}"
        return f"{self.loaded.found.distribution} {self.loaded.found.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingPlugins:
    """What takes part in decisions: with these and a journal a replay makes them again."""

    sizer: Chosen
    strategies: tuple[Chosen, ...]
    rules: tuple[Chosen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPlugins(DecidingPlugins):
    """Everything that the configuration names, by slot."""

    store: Chosen
    data: Chosen
    broker: Chosen
    observers: tuple[Chosen, ...]

    def all(self) -> tuple[Chosen, ...]:
        """Every use of a plugin, in the order in which they are built."""
        return (self.store, self.data, self.broker, self.sizer, *self.strategies, *self.rules, *self.observers)

    def versions(self) -> tuple[tuple[str, str], ...]:
        """Which distribution and version, or which file with which digest, each plugin came from."""
        return tuple((one.label, one.origin) for one in self.all())


def choose_plugins(config: Config, registry: Registry, *, for_backtest: bool) -> ChosenPlugins:
    """Resolve and load what the configuration names, and check its settings; raises ConfigError for all of a stage."""
    uses = [*config.plugin_uses(), *(config.backtest_uses() if for_backtest else ())]
    pairs = _load(config, registry, uses)
    if for_backtest:
        pairs = [*_serving(config, pairs, Kind.DATA_PROVIDER), *_serving(config, pairs, Kind.BROKER), *_others(pairs)]
    # What does not take part is not checked: its secrets need not be there.
    by_kind: dict[Kind, list[Chosen]] = {}
    for one in _check_settings(config, pairs):
        by_kind.setdefault(one.use.kind, []).append(one)
    return ChosenPlugins(
        store=by_kind[Kind.STORE][0],
        data=by_kind[Kind.DATA_PROVIDER][0],
        broker=by_kind[Kind.BROKER][0],
        sizer=by_kind[Kind.SIZER][0],
        strategies=tuple(by_kind.get(Kind.STRATEGY, ())),
        rules=tuple(by_kind.get(Kind.RISK_RULE, ())),
        observers=tuple(by_kind.get(Kind.OBSERVER, ())),
    )


def choose_deciding(config: Config, registry: Registry) -> DecidingPlugins:
    """What takes part in decisions, and nothing else: no broker's secret has to be there. Raises ConfigError."""
    kinds = (Kind.SIZER, Kind.STRATEGY, Kind.RISK_RULE)
    pairs = _load(config, registry, [use for use in config.plugin_uses() if use.kind in kinds])
    chosen = _check_settings(config, pairs)
    return DecidingPlugins(
        sizer=next(one for one in chosen if one.use.kind is Kind.SIZER),
        strategies=tuple(one for one in chosen if one.use.kind is Kind.STRATEGY),
        rules=tuple(one for one in chosen if one.use.kind is Kind.RISK_RULE),
    )


def choose_data(config: Config, registry: Registry, *, for_backtest: bool) -> Chosen:
    """The data source of a run or of a backtest. Raises ConfigError."""
    uses = [*config.plugin_uses(), *(config.backtest_uses() if for_backtest else ())]
    pairs = _load(config, registry, [use for use in uses if use.kind is Kind.DATA_PROVIDER])
    return _check_settings(config, _serving(config, pairs, Kind.DATA_PROVIDER) if for_backtest else pairs)[0]


def choose_store(config: Config, registry: Registry) -> Chosen:
    """The store, for reading it: a desk can be looked at whatever is wrong with its strategies. Raises ConfigError."""
    pairs = _load(config, registry, [use for use in config.plugin_uses() if use.kind is Kind.STORE])
    return _check_settings(config, pairs)[0]


def choose_broker(config: Config, registry: Registry) -> Chosen:
    """The broker of a run, and nothing else: for whoever has to act at it without a desk. Raises ConfigError."""
    pairs = _load(config, registry, [use for use in config.plugin_uses() if use.kind is Kind.BROKER])
    return _check_settings(config, pairs)[0]


_Pair: TypeAlias = tuple[PluginUse, Loaded]


def _load(config: Config, registry: Registry, uses: Sequence[PluginUse]) -> list[_Pair]:
    wanted = [Wanted(use.kind, use.name, config.source.locate(use.named_at)) for use in uses]
    # The registry gives each plugin once, however many entries use it.
    loaded = {(one.kind, one.name): one for one in registry.load(wanted)}
    return [(use, loaded[use.kind, use.name]) for use in uses]


def _check_settings(config: Config, pairs: Sequence[_Pair]) -> list[Chosen]:
    chosen: list[Chosen] = []
    problems: list[str] = []
    for use, loaded in pairs:
        record = loaded.record_as(PluginRecord)
        try:
            settings = record.settings.model_validate(config.resolved_settings(use))
        except ValidationError as error:
            problems += settings_errors(config, use.settings_at, error, record.settings)
        except ConfigError as error:
            problems += error.problems
        else:
            chosen.append(Chosen(use, loaded, settings))
    if problems:
        raise ConfigError(problems)
    return chosen


def _others(pairs: Sequence[_Pair]) -> list[_Pair]:
    return [pair for pair in pairs if pair[0].kind not in (Kind.DATA_PROVIDER, Kind.BROKER)]


def _serving(config: Config, pairs: Sequence[_Pair], kind: Kind) -> list[_Pair]:
    """The desk's own plugin where it can serve a backtest, else the one that `backtest:` names."""
    candidates = [pair for pair in pairs if pair[0].kind is kind]
    serving = [pair for pair in candidates if can_backtest(pair[1].record_as(PluginRecord))]
    if serving:
        return serving[:1]
    use = candidates[-1][0]
    slot, example = ("broker", "mock") if kind is Kind.BROKER else ("data", "synthetic")
    need = "is no simulated broker" if kind is Kind.BROKER else "has no history"
    lines = _BACKTEST_LINES.format(slot=slot, example=example)
    place = config.source.locate(use.named_at)
    raise ConfigError(f"{place}: {use.name} {need}, which a backtest needs; add for this command only:\n{lines}")


def can_backtest(record: PluginRecord[Any, Any, Any]) -> bool:
    """Whether a broker is simulated, or a data source has history."""
    if isinstance(record, BrokerRecord):
        return record.capabilities.simulated
    return isinstance(record, DataProviderRecord) and record.has_history
