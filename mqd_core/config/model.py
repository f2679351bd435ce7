"""The whole configuration as one frozen model, and what its readers ask of it.

`loading.load_config` makes it from a file. May not read files or the environment, and may not import a plugin: it
knows plugins by the names that are written, and hands their settings on as they were written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from mqd_core.config.document import Document, KeyPath
from mqd_core.config.limits import RiskSection
from mqd_core.config.redaction import masked_section
from mqd_core.config.scalars import MOST_LISTED
from mqd_core.config.secrets import Secrets, resolved
from mqd_core.config.sections import (
    DeskSection,
    LoggingSection,
    NothingIsDefaults,
    PluginsSection,
    Protection,
    Section,
    SessionSection,
    inconsistent,
)
from mqd_core.config.slots import (
    KINDS,
    BacktestSection,
    BrokerSlot,
    DataSlot,
    ObserverSlot,
    PluginUse,
    RuleSlot,
    SizerSlot,
    Slot,
    StoreSlot,
    StrategySlot,
)
from mqd_core.domain.ledger import EXTERNAL_BOOK
from mqd_core.errors import ConfigError
from mqd_core.registry.kinds import Kind


def _distinct_ids(entries: tuple[StrategySlot, ...]) -> tuple[StrategySlot, ...]:
    # The length is checked here: pydantic's own check counts valid items only and would complain twice.
    if not 1 <= len(entries) <= MOST_LISTED:
        raise inconsistent([((), f"must hold one strategy at least and {MOST_LISTED} at most")])
    problems: list[tuple[KeyPath, str]] = []
    first_with: dict[str, int] = {}
    for index, entry in enumerate(entries):
        first = first_with.setdefault(entry.id, index)
        if entry.id == EXTERNAL_BOOK:
            text = f"{entry.id!r} is the book of what others trade in the account; give the strategy another `id`"
            problems.append(((index, "id"), text))
        elif first != index:
            text = f"{entry.id!r} is also the id of strategies[{first}]; give each entry an `id` of its own"
            problems.append(((index, "id"), text))
    if problems:
        raise inconsistent(problems)
    return entries


#: A list whose items are all commented out reads as null.
_NOTHING_IS_NONE_LISTED = BeforeValidator(lambda value: () if value is None else value)


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a configuration is made from, on its way through pydantic."""

    document: Document
    secrets: Secrets


class Config(Section):
    """The configuration of one desk: checked in shape, frozen, with the place of every key at hand."""

    desk: Annotated[DeskSection, NothingIsDefaults] = Field(
        default_factory=DeskSection, description="Who this desk is and where it keeps its records."
    )
    broker: BrokerSlot = Field(description="The broker plugin: where orders go.")
    data: DataSlot = Field(description="The data plugin: where bars come from.")
    sizer: SizerSlot = Field(description="The sizer plugin: how much of an entry signal becomes an order.")
    store: StoreSlot = Field(description="The store plugin: where the journal is kept, for the life of the desk.")
    strategies: Annotated[tuple[StrategySlot, ...], AfterValidator(_distinct_ids)] = Field(
        json_schema_extra={"minItems": 1, "maxItems": MOST_LISTED},
        description="The strategies, in the order in which they see each bar.",
    )
    risk: Annotated[RiskSection, NothingIsDefaults] = Field(
        default_factory=RiskSection, description="Limits on positions, orders, cash and losses."
    )
    protection: Protection = Field(
        default=Protection.BROKER,
        description="Who closes a losing position: `broker` (a stop order rests at the broker for each position whose "
        "entry asked for a stop_loss) or `strategy` (the strategy exits by itself; a desk that is down does nothing).",
    )
    session: Annotated[SessionSection, NothingIsDefaults] = Field(
        default_factory=SessionSection, description="When entries are allowed."
    )
    logging: Annotated[LoggingSection, NothingIsDefaults] = Field(
        default_factory=LoggingSection, description="Where log streams go and how much they say."
    )
    risk_rules: Annotated[tuple[RuleSlot, ...], _NOTHING_IS_NONE_LISTED] = Field(
        default=(),
        max_length=MOST_LISTED,
        description="Plugins that may deny orders, asked after the core's own limits.",
    )
    observers: Annotated[tuple[ObserverSlot, ...], _NOTHING_IS_NONE_LISTED] = Field(
        default=(), max_length=MOST_LISTED, description="Plugins that are told what was decided and cannot change it."
    )
    backtest: Annotated[BacktestSection, NothingIsDefaults] = Field(
        default_factory=BacktestSection,
        description="Broker and data that `mqd backtest` uses where the desk's own cannot serve it.",
    )
    plugins: Annotated[PluginsSection, NothingIsDefaults] = Field(
        default_factory=PluginsSection, description="Which of the installed plugins may be imported."
    )

    _source: Document = PrivateAttr(default_factory=lambda: Document({}))
    _secrets: Secrets = PrivateAttr(default_factory=Secrets)

    @classmethod
    def of(cls, document: Document, secrets: Secrets) -> Config:
        """Make a configuration of a document. Raises pydantic's ValidationError: `loading` puts it into words."""
        return cls.model_validate(document.content, context=_Origin(document, secrets))

    def model_post_init(self, context: Any, /) -> None:
        """Keep where the values came from."""
        if isinstance(context, _Origin):
            self._source = context.document
            self._secrets = context.secrets

    @property
    def source(self) -> Document:
        """The file this was read from: its path, and the place of every key."""
        return self._source

    @property
    def secrets(self) -> Secrets:
        """The secrets of environment and .env.local, masked wherever they are printed."""
        return self._secrets

    def plugin_uses(self) -> tuple[PluginUse, ...]:
        """Every plugin that `mqd run` needs, in the order in which they are built; disabled strategies are left out."""
        return tuple(
            _use(slot, kind, (section, *index))
            for section, kind in KINDS.items()
            for index, slot in _slots(getattr(self, section))
            if not isinstance(slot, StrategySlot) or slot.enabled
        )

    def backtest_uses(self) -> tuple[PluginUse, ...]:
        """The plugins that `backtest:` names: data first, then broker, as far as they are there."""
        named = (("data", Kind.DATA_PROVIDER, self.backtest.data), ("broker", Kind.BROKER, self.backtest.broker))
        return tuple(_use(slot, kind, ("backtest", key)) for key, kind, slot in named if slot is not None)

    def resolved_settings(self, use: PluginUse) -> dict[str, Any]:
        """A plugin's settings with secrets, as SecretStr, where placeholders are written.

        Raises ConfigError that names every secret which is not set, with the place that asks for it.
        """
        settings, missing = resolved(use.settings, use.settings_at, self._secrets)
        if missing:
            raise ConfigError([f"{self._source.locate(path)}: {text}" for path, text in missing])
        return settings

    def masked(self) -> dict[str, Any]:
        """Everything that is in effect, defaults included, as JSON knows it, without anything that may be secret."""
        return masked_section(_plain(self.model_dump()))

    def digest(self) -> str:
        """SHA-256 over `masked()`: equal for configurations that mean the same, however they are laid out."""
        text = json.dumps(self.masked(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _slots(value: object) -> Iterator[tuple[tuple[int, ...], Slot | StrategySlot]]:
    if isinstance(value, tuple):
        for index, slot in enumerate(value):
            yield (index,), slot
    elif isinstance(value, Slot):
        yield (), value


def _use(slot: Slot | StrategySlot, kind: Kind, where: tuple[str | int, ...]) -> PluginUse:
    settings_at = (*where, "parameters") if isinstance(slot, StrategySlot) else where
    return PluginUse(kind, slot.name, where, settings_at, slot.settings)


def _plain(value: object) -> Any:
    """A value as JSON knows it; decimals without trailing zeros, so that equal values print alike."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
