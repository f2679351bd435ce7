"""Stages 3 to 5a: the configuration's names become records, and each plugin's section is checked by its own model.

All errors of a stage come together. May not call a factory: that is `assembly`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class ChosenPlugins:
    """Everything that the configuration names, by slot."""

    store: Chosen
    data: Chosen
    broker: Chosen
    sizer: Chosen
    strategies: tuple[Chosen, ...]
    rules: tuple[Chosen, ...]
    observers: tuple[Chosen, ...]

    def versions(self) -> tuple[tuple[str, str], ...]:
        """Which distribution and version, or which file with which digest, each plugin came from."""
        chosen = (self.store, self.data, self.broker, self.sizer, *self.strategies, *self.rules, *self.observers)
        return tuple((one.label, _origin(one.loaded)) for one in chosen)


def choose_plugins(config: Config, registry: Registry, *, for_backtest: bool) -> ChosenPlugins:
    """Resolve and load what the configuration names, and check its settings; raises ConfigError for all of a stage."""
    uses = list(config.plugin_uses())
    extra = list(config.backtest_uses()) if for_backtest else []
    wanted = [Wanted(use.kind, use.name, config.source.locate(use.where)) for use in (*uses, *extra)]
    loaded = registry.load(wanted)
    pairs = list(zip((*uses, *extra), loaded))
    checked = _check_settings(config, pairs)
    mine, theirs = checked[: len(uses)], checked[len(uses) :]
    by_kind: dict[Kind, list[Chosen]] = {}
    for one in mine:
        by_kind.setdefault(one.use.kind, []).append(one)
    data, broker = by_kind[Kind.DATA_PROVIDER][0], by_kind[Kind.BROKER][0]
    if for_backtest:
        data = _for_backtest(config, data, theirs, Kind.DATA_PROVIDER)
        broker = _for_backtest(config, broker, theirs, Kind.BROKER)
    return ChosenPlugins(
        store=by_kind[Kind.STORE][0],
        data=data,
        broker=broker,
        sizer=by_kind[Kind.SIZER][0],
        strategies=tuple(by_kind.get(Kind.STRATEGY, ())),
        rules=tuple(by_kind.get(Kind.RISK_RULE, ())),
        observers=tuple(by_kind.get(Kind.OBSERVER, ())),
    )


def _check_settings(config: Config, pairs: Sequence[tuple[PluginUse, Loaded]]) -> list[Chosen]:
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
        raise ConfigError(sorted(problems))
    return chosen


def _for_backtest(config: Config, own: Chosen, others: Sequence[Chosen], kind: Kind) -> Chosen:
    """The desk's own plugin where it can serve a backtest, else the one that `backtest:` names."""
    if can_backtest(own.record):
        return own
    other = next((one for one in others if one.use.kind is kind), None)
    if other is not None and can_backtest(other.record):
        return other
    slot, example = ("broker", "mock") if kind is Kind.BROKER else ("data", "synthetic")
    chosen = own if other is None else other
    need = "is no simulated broker" if kind is Kind.BROKER else "has no history"
    place = config.source.locate(chosen.use.where)
    lines = _BACKTEST_LINES.format(slot=slot, example=example)
    raise ConfigError(f"{place}: {chosen.use.name} {need}, which a backtest needs; add for this command only:\n{lines}")


def can_backtest(record: PluginRecord[Any, Any, Any]) -> bool:
    """Whether a broker is simulated, or a data source has history."""
    if isinstance(record, BrokerRecord):
        return record.capabilities.simulated
    return isinstance(record, DataProviderRecord) and record.has_history


def _origin(loaded: Loaded) -> str:
    if loaded.sha256:
        return f"{loaded.found.target} sha256:{loaded.sha256}"
    return f"{loaded.found.distribution} {loaded.found.version}"
