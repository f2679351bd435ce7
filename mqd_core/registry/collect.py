"""Ask a plugin's hooks for its records, through pluggy, one plugin at a time.

pluggy checks that hooks exist and have the right arguments; asking one plugin at a time attributes every record and
every exception to its plugin. May not be used per event: a hook call costs thirty method calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pluggy import PluginManager

from mqd_core.api.hookspec import PROJECT, HookSpecs
from mqd_core.api.records import (
    BrokerRecord,
    CommandRecord,
    DataProviderRecord,
    ExecutorRecord,
    NamedRecord,
    ObserverRecord,
    RiskRuleRecord,
    SizerRecord,
    StoreRecord,
    StrategyRecord,
)
from mqd_core.registry.kinds import Kind

if TYPE_CHECKING:
    from pluggy import HookImpl

#: What each hook may yield.
RECORD_TYPES: Final[Mapping[Kind, type[NamedRecord]]] = {
    Kind.BROKER: BrokerRecord,
    Kind.DATA_PROVIDER: DataProviderRecord,
    Kind.STRATEGY: StrategyRecord,
    Kind.SIZER: SizerRecord,
    Kind.STORE: StoreRecord,
    Kind.RISK_RULE: RiskRuleRecord,
    Kind.OBSERVER: ObserverRecord,
    Kind.COMMAND: CommandRecord,
    Kind.EXECUTOR: ExecutorRecord,
}


class WrongRecords(Exception):
    """Raised when a plugin's hooks do not yield what their kind asks for; the text continues "plugin x: ..."."""


class RecordCollector:
    """Registers plugins with pluggy and drains their records."""

    def __init__(self, trace: Callable[[str], object] | None = None) -> None:
        self._manager = PluginManager(PROJECT)
        self._manager.add_hookspecs(HookSpecs)
        if trace is not None:
            self._manager.trace.root.setwriter(trace)
            self._manager.enable_tracing()

    def knows(self, plugin: object) -> bool:
        """Whether the plugin is registered."""
        return self._manager.is_registered(plugin)

    def admit(self, plugin: object) -> None:
        """Register a plugin, once however often it is asked for.

        Raises pluggy's PluginValidationError for a hook that does not exist or has an argument that its
        specification lacks; the plugin is not registered then, and others are unharmed.
        """
        if self.knows(plugin):
            return
        name = str(self._manager.get_canonical_name(plugin))
        taken = self._manager.has_plugin(name)
        try:
            self._manager.register(plugin, f"{name} {id(plugin)}" if taken else name)
            self._manager.check_pending()
        except BaseException:
            self.dismiss(plugin)
            raise

    def dismiss(self, plugin: object) -> None:
        """Forget a plugin; nothing happens if it is not registered."""
        if self.knows(plugin):
            self._manager.unregister(plugin)

    def everything(self, plugin: object) -> list[tuple[Kind, NamedRecord]]:
        """Return every record of every kind that one admitted plugin offers; raises as `collect` does."""
        kinds = [kind for kind in Kind if self._implements(kind, plugin)]
        records = [(kind, record) for kind in kinds for record in self.collect(kind, plugin)]
        if not records:
            raise WrongRecords("it yields no record: it needs @hookimpl functions such as mqd_strategies")
        return records

    def collect(self, kind: Kind, plugin: object) -> tuple[NamedRecord, ...]:
        """Return all records of one kind that one admitted plugin yields.

        Raises WrongRecords, or whatever the plugin's hook raises, even half way: then no record is kept.
        """
        if not self._implements(kind, plugin):
            raise WrongRecords(_no_hook(kind, plugin))
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        answers = self._manager.subset_hook_caller(kind.hook, remove_plugins=others)()
        return tuple(_checked(kind, item) for answer in answers for item in _items(kind, answer))

    def only(self, kind: Kind, name: str, plugin: object) -> NamedRecord:
        """Return the one record of this kind and name that the plugin yields; raises as `collect` does."""
        records = self.collect(kind, plugin)
        named = [record for record in records if record.name == name]
        if len(named) == 1:
            return named[0]
        if named:
            raise WrongRecords(f"{kind.hook} yields {len(named)} records named {name!r}; it must yield exactly one")
        offered = ", ".join(repr(other) for other in sorted({record.name for record in records})) or "none"
        raise WrongRecords(f"{kind.hook} yields no record named {name!r} (it yields: {offered})")

    def _implements(self, kind: Kind, plugin: object) -> bool:
        implementations: list[HookImpl] = getattr(self._manager.hook, kind.hook).get_hookimpls()
        return any(implementation.plugin is plugin for implementation in implementations)


def _no_hook(kind: Kind, plugin: object) -> str:
    if callable(getattr(plugin, kind.hook, None)):
        return f"its function {kind.hook} is not marked with @hookimpl"
    return f"it has no @hookimpl function {kind.hook}, which its entry point in {kind.group} promises"


def _items(kind: Kind, answer: Any) -> list[object]:
    if not isinstance(answer, Iterable):
        raise WrongRecords(f"{kind.hook} must yield its records, or return a list of them; it returned {_said(answer)}")
    # A generator raises here and not when the hook is called; nothing is kept of one that raises half way.
    return list(answer)


def _checked(kind: Kind, item: object) -> NamedRecord:
    expected = RECORD_TYPES[kind]
    if not isinstance(item, expected):
        raise WrongRecords(f"{kind.hook} may yield {expected.__name__} only, it yielded {_said(item)}")
    return item


def _said(thing: object) -> str:
    return str(thing) if isinstance(thing, NamedRecord) else f"{type(thing).__name__} {thing!r}"
