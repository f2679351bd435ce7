"""What a plugin yields: one frozen record that says what it is called, how it is set up and how it is built.

May not import an SDK, nor build anything: a record is made to be looked at. Everything in it is checked when it is
made, so that a wrong one is found at start-up and named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args

from mqd_core.api.context import (
    BrokerContext,
    DataContext,
    ExecutorContext,
    ObserverContext,
    PluginContext,
    RiskRuleContext,
    SizerContext,
    StoreContext,
    StrategyContext,
)
from mqd_core.api.settings import PluginSettings
from mqd_core.domain.orders import OrderType, TimeInForce
from mqd_core.ports import (
    BrokerCapabilities,
    BrokerConnector,
    EmergencyBroker,
    MarketDataProvider,
    Observer,
    PositionStore,
    RiskRule,
    Sizer,
    Store,
    Strategy,
    Support,
)

if TYPE_CHECKING:
    import click

#: Names of plugins, as they stand in the configuration and as entry points.
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

S = TypeVar("S", bound=PluginSettings)
C = TypeVar("C", bound=PluginContext)
T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")

Scope: TypeAlias = Literal["symbol", "portfolio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRecord:
    """What all records share: a name that equals the entry point's, and a summary of one line for listings.

    Raises TypeError or ValueError, naming the record, the field and what is allowed.
    """

    name: str
    summary: str

    def __post_init__(self) -> None:
        kind = type(self).__name__
        _expect(isinstance(self.name, str), f"{kind}.name must be a string, was {type(self.name).__name__}")
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{kind}.name was {self.name!r}: letters, digits and underscores, beginning with a letter")
        _expect(isinstance(self.summary, str), f"{self}.summary must be a string")
        if not self.summary.strip() or len(self.summary.splitlines()) != 1:
            raise ValueError(f"{self}.summary must be one line of text, was {self.summary!r}")

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.name!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRecord(NamedRecord, Generic[S, C, T]):
    """A plugin that the configuration sets up: its settings model, and the factory that builds it.

    `factory(settings, context)` is called after every section of the configuration has been checked. Import the SDK
    inside it: the module that holds the record must stay light.
    """

    settings: type[S]
    factory: Callable[[S, C], T]

    def __post_init__(self) -> None:
        NamedRecord.__post_init__(self)
        derived = isinstance(self.settings, type) and issubclass(self.settings, PluginSettings)
        _expect(derived, f"{self}.settings must be a class derived from PluginSettings, was {self.settings!r}")
        _expect(callable(self.factory), f"{self}.factory must be callable: factory(settings, context)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRecord(PluginRecord[S, BrokerContext, BrokerConnector], Generic[S]):
    """A broker. `emergency` builds the little that `mqd kill` needs, with the same settings; None if there is none."""

    capabilities: BrokerCapabilities
    emergency: Callable[[S, BrokerContext], EmergencyBroker] | None = None

    def __post_init__(self) -> None:
        PluginRecord.__post_init__(self)
        _check_capabilities(f"{self}.capabilities", self.capabilities)
        _expect(self.emergency is None or callable(self.emergency), f"{self}.emergency must be a factory or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProviderRecord(PluginRecord[S, DataContext, MarketDataProvider], Generic[S]):
    """A data source: whether it has history, whether it is live, whether its bars are made up (synthetic)."""

    has_history: bool
    has_live: bool
    synthetic: bool = False

    def __post_init__(self) -> None:
        PluginRecord.__post_init__(self)
        for name in ("has_history", "has_live", "synthetic"):
            _expect(isinstance(getattr(self, name), bool), f"{self}.{name} must be True or False")
        if not (self.has_history or self.has_live):
            raise ValueError(f"{self} has neither history nor live data: one of has_history, has_live must be True")


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRecord(PluginRecord[S, StrategyContext, Strategy], Generic[S]):
    """A strategy: one object per entry and symbol (scope "symbol"), or one with all symbols (scope "portfolio")."""

    scope: Scope = "symbol"

    def __post_init__(self) -> None:
        PluginRecord.__post_init__(self)
        _expect(self.scope in get_args(Scope), f'{self}.scope must be "symbol" or "portfolio", was {self.scope!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class SizerRecord(PluginRecord[S, SizerContext, Sizer], Generic[S]):
    """A sizer: turns an entry into a quantity or an amount of money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecord(PluginRecord[S, StoreContext, Store], Generic[S]):
    """A store: the journal and the views that other processes read.

    `reader` builds the read-only half for another process, with the same settings, while a desk writes or not; None if
    the store has none.
    """

    reader: Callable[[S, StoreContext], PositionStore] | None = None

    def __post_init__(self) -> None:
        PluginRecord.__post_init__(self)
        _expect(self.reader is None or callable(self.reader), f"{self}.reader must be a factory or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRuleRecord(PluginRecord[S, RiskRuleContext, RiskRule], Generic[S]):
    """A risk rule: may deny an order, never allow one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverRecord(PluginRecord[S, ObserverContext, Observer], Generic[S]):
    """An observer: is told of committed records, and can change nothing."""


class Executor(Protocol):
    """Runs the jobs of a sweep, in other processes or on other machines."""

    def run(self, job: Callable[[A], R], inputs: Sequence[A]) -> Iterator[R]:
        """Yield `job(input)` for each input, in the order of the inputs; what a job raises is raised here.

        `job`, its inputs and its results can be pickled.
        """
        ...

    def close(self) -> None:
        """Stop the workers; called once, after an error and an interrupt too."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorRecord(PluginRecord[S, ExecutorContext, Executor], Generic[S]):
    """An executor: who runs a sweep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord(NamedRecord):
    """An extra `mqd` subcommand. `load` returns the click command, and is called only when the command is called."""

    load: Callable[[], click.Command]

    def __post_init__(self) -> None:
        NamedRecord.__post_init__(self)
        _expect(callable(self.load), f"{self}.load must be callable: it returns the click command")


def _check_capabilities(where: str, stated: BrokerCapabilities) -> None:
    """Raise TypeError or ValueError for capabilities that are of the wrong type or contradict themselves."""
    _expect(isinstance(stated, BrokerCapabilities), f"{where} must be a BrokerCapabilities, was {stated!r}")
    for name in ("simulated", "not_found_is_final", "own_record"):
        _expect(isinstance(getattr(stated, name), bool), f"{where}.{name} must be True or False")
    for name in ("fractional", "notional", "extended_hours", "replace", "streaming"):
        _expect(isinstance(getattr(stated, name), Support), f"{where}.{name} must be a Support")
    for name, member in (("order_types", OrderType), ("times_in_force", TimeInForce)):
        values = getattr(stated, name)
        _expect(isinstance(values, tuple) and values, f"{where}.{name} must be a tuple with members")
        _expect(all(isinstance(value, member) for value in values), f"{where}.{name} must hold {member.__name__} only")
    if stated.client_id_unique not in {"open", "forever", "unknown"}:
        raise ValueError(f'{where}.client_id_unique must be "open", "forever" or "unknown"')
    # The desk may give an order up on a final "not found"; a real venue's answer can be overtaken by the order.
    if stated.not_found_is_final and not stated.simulated:
        raise ValueError(f"{where}.not_found_is_final may be True only of a simulated venue")


def _expect(holds: object, otherwise: str) -> None:
    """Raise TypeError with the text unless the condition holds."""
    if not holds:
        raise TypeError(otherwise)
