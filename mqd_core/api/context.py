"""What the desk hands to a plugin's factory: one frozen object for each kind, holding narrow ports and nothing else.

No context holds the engine, the configuration or another plugin. A field added later is no breaking change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mqd_core.api.settings import PluginSettings, Secret
from mqd_core.domain.market import Timeframe


class Clock(Protocol):
    """The desk's time: the wall clock of a live desk, event time of a backtest."""

    def now_ns(self) -> int:
        """UTC nanoseconds since 1970."""
        ...


class Log(Protocol):
    """Where a plugin writes what a person should know. A standard `logging.Logger` has this shape.

    `extra` is for values; decimals are written as strings and secrets are scrubbed.
    """

    def debug(self, message: str, /, *, extra: Mapping[str, object] | None = None) -> None:
        """Say what only the author of the plugin wants to know."""
        ...

    def info(self, message: str, /, *, extra: Mapping[str, object] | None = None) -> None:
        """Say what happened."""
        ...

    def warning(self, message: str, /, *, extra: Mapping[str, object] | None = None) -> None:
        """Say what a person should look at, when there is time."""
        ...

    def error(self, message: str, /, *, extra: Mapping[str, object] | None = None) -> None:
        """Say what failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What all contexts are; holds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerContext(PluginContext):
    """What a broker is built with. `directory` is its own, inside the desk's state; `secrets` never print.

    `paper_trading` False: the account is one of real money. A desk trades it only where `live_account`, the number
    that a person has typed, names it; the emergency exit, which only lowers the risk, is built without one.
    """

    clock: Clock
    log: Log
    directory: Path
    secrets: Mapping[str, Secret] = field(repr=False)
    paper_trading: bool = True
    live_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataContext(PluginContext):
    """What a data provider is built with. `directory` is its own, inside the desk's state; `secrets` never print."""

    clock: Clock
    log: Log
    directory: Path
    secrets: Mapping[str, Secret] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContext(PluginContext):
    """What a store is built with: relative paths in its settings are relative to `directory`, the desk's own."""

    log: Log
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlace:
    """A desk's store as its configuration names it, for a command that looks after it while no desk has it.

    `hold()` keeps the desk away for the length of a block; it raises AlreadyRunning, naming the process that has it.
    """

    desk: str
    plugin: str
    settings: PluginSettings
    context: StoreContext
    hold: Callable[[], AbstractContextManager[object]]


class CommandHost(Protocol):
    """What a contributed command finds as the `obj` of click's context."""

    def store(self, config_path: Path) -> StorePlace:
        """The store that a configuration names, with its settings checked; raises ConfigError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverContext(PluginContext):
    """What an observer is built with: a directory of its own for what it writes."""

    log: Log
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorContext(PluginContext):
    """What the executor of a sweep is built with: a directory of its own for what it must hand to workers."""

    log: Log
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyContext(PluginContext):
    """What a strategy is built with: its entry's id, the one symbol it trades (or all, scope "portfolio"), bar length.

    No clock and no log: a strategy sees bars and fills, and says signals with their reasons.
    """

    id: str
    symbols: tuple[str, ...]
    timeframe: Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class SizerContext(PluginContext):
    """Nothing: a sizer is arithmetic on its settings and the view of each call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRuleContext(PluginContext):
    """Nothing: a risk rule is arithmetic on its settings and the view of each call."""
