"""The slots that plugins fill: each names its plugin, keeps the core's own keys, and carries the rest untouched.

The rest is the plugin's: raw text, checked later by the plugin's own model. May not import a plugin or look for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from mqd_core.config.document import KeyPath
from mqd_core.config.scalars import (
    MOST_LISTED,
    Flag,
    Number,
    PluginName,
    StrategyId,
    StrategyName,
    Symbols,
    WholeNumber,
    split_local_file,
)
from mqd_core.config.sections import NothingIsDefaults, Section
from mqd_core.domain.market import Timeframe
from mqd_core.registry.kinds import Kind

#: The kind of plugin that each section names, in the order in which plugins are built.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "store": Kind.STORE,
        "data": Kind.DATA_PROVIDER,
        "broker": Kind.BROKER,
        "sizer": Kind.SIZER,
        "strategies": Kind.STRATEGY,
        "risk_rules": Kind.RISK_RULE,
        "observers": Kind.OBSERVER,
    }
)


class Slot(Section):
    """A section that names a plugin; keys that are not the core's own belong to that plugin."""

    model_config = ConfigDict(extra="allow")

    name: PluginName = Field(description="Name of the installed plugin, as `mqd plugins list` shows it.")

    @property
    def settings(self) -> dict[str, Any]:
        """The plugin's own keys as they were written: a fresh copy, for its settings model."""
        return _copied_section(self.model_extra or {})


class BrokerSlot(Slot):
    """Where orders go."""

    paper_trading: Flag = Field(
        default=True,
        description="CRITICAL. true trades simulated money; false trades REAL MONEY, and then only if "
        "PAPER_TRADING=false stands in .env.local or the environment and `mqd run --live ACCOUNT_NUMBER` is typed.",
    )


class DataSlot(Slot):
    """Where bars come from."""

    pace: Annotated[Number, Field(gt=0, le=1_000_000)] | None = Field(
        default=None,
        description="Slows a finite feed down to so many bars a second of wall time, to watch or interrupt it. "
        "Without it bars come as fast as the desk takes them. Live feeds have a pace of their own.",
    )


class SizerSlot(Slot):
    """How much of an entry signal becomes an order."""


class StoreSlot(Slot):
    """Where the journal is kept, for the life of the desk."""


class RuleSlot(Slot):
    """One more risk rule. It can deny an order and nothing else."""


class ObserverSlot(Slot):
    """One more listener to what was decided. It cannot change anything."""


class StrategySlot(Section):
    """One strategy with its symbols; its own settings stand under `parameters`."""

    name: StrategyName = Field(
        description="Name of the installed plugin, or a local file and its class: `./my_strategy.py:MyStrategy`.",
    )
    id: StrategyId = Field(
        default_factory=lambda seen: default_id(seen.get("name", "")),
        description="Name that the books of this entry are kept under, for life. Without it the `name` (of a local "
        "file the class); required where that would repeat.",
    )
    enabled: Flag = Field(default=True, description="false leaves the entry out, as if it were not written.")
    symbols: Symbols = Field(
        json_schema_extra={"minItems": 1, "maxItems": MOST_LISTED},
        description="What it trades, in capitals: `[SPY, BRK.B]`.",
    )
    timeframe: Timeframe = Field(
        default=Timeframe.MINUTE_1,
        description="Length of the bars it is shown; the core makes longer ones from the provider's.",
    )
    lookback_bars: WholeNumber = Field(
        default=50, ge=0, le=100_000, description="Bars of history that it is shown before it may trade."
    )
    parameters: Annotated[dict[str, Any], NothingIsDefaults] = Field(
        default_factory=dict, description="The strategy's own settings; `mqd plugins show` lists them."
    )

    @property
    def settings(self) -> dict[str, Any]:
        """The plugin's own keys as they were written: a fresh copy, for its settings model."""
        return _copied_section(self.parameters)


class BacktestSection(Section):
    """What `mqd backtest` uses in the stead of a broker or data source that cannot look back."""

    broker: BrokerSlot | None = Field(
        default=None, description="Simulated broker for `mqd backtest`, where `broker:` is a real one."
    )
    data: DataSlot | None = Field(
        default=None, description="Source with history for `mqd backtest`, where `data:` has none."
    )


@dataclass(frozen=True, slots=True)
class PluginUse:
    """One use of a plugin: its kind and name, where it is named, where its settings stand, and these as written.

    `settings` may hold placeholders; `Config.resolved_settings` puts the secrets in.
    """

    kind: Kind
    name: str
    where: KeyPath
    settings_at: KeyPath
    settings: Mapping[str, Any] = field(repr=False)

    @property
    def named_at(self) -> KeyPath:
        """Where its name is written: the place for messages about the plugin."""
        return (*self.where, "name")

    @property
    def local_file(self) -> tuple[str, str] | None:
        """File and class of a strategy that is no installed plugin."""
        return split_local_file(self.name) if self.kind is Kind.STRATEGY else None


def default_id(name: str) -> str:
    """The id of a strategy that gives none: its name, of a local file the class."""
    local = split_local_file(name)
    return name if local is None else local[1]


def _copied_section(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) for key, value in section.items()}


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return _copied_section(value)
    if isinstance(value, list | tuple):
        return [_copied(inner) for inner in value]
    return value
