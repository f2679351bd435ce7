"""Stages 3 and 4 together: from names in the configuration to checked records. Imports the named plugins only.

All errors of a stage come in one; an error of stage 3 is raised before anything is imported. What a plugin raises is
caught here, of whatever class, and becomes an error that names the plugin; only Ctrl-C passes. May not call a
factory: building is the composition root's work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias, TypeVar, final

from pluggy import PluginValidationError

from mqd_core import __version__
from mqd_core.api.records import NamedRecord
from mqd_core.errors import ConfigError, PluginLoadError
from mqd_core.registry.collect import RecordCollector, WrongRecords
from mqd_core.registry.discovery import Found, discover
from mqd_core.registry.failure import attributed, cause_text, raised_text
from mqd_core.registry.importer import explain, import_target
from mqd_core.registry.kinds import Kind
from mqd_core.registry.local_file import LocalFile, is_local_file, load_local, read_local
from mqd_core.registry.requirements import AllowList
from mqd_core.registry.resolve import Problem, Wanted, look_up, raise_together
from mqd_core.registry.standing import Standing, judge

R = TypeVar("R", bound=NamedRecord)

_Target: TypeAlias = Found | LocalFile


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plugin that is ready to be built: its record, and where that came from, for the journal's first event.

    `sha256` is that of the file for a local strategy, "" for what a distribution brought.
    """

    kind: Kind
    name: str
    record: NamedRecord
    found: Found
    sha256: str = ""

    def record_as(self, record_type: type[R]) -> R:
        """Return the record as the type that its kind has, for type checkers. Raises TypeError if it is another."""
        if not isinstance(self.record, record_type):
            raise TypeError(f"{self.found.label} has a {type(self.record).__name__}, no {record_type.__name__}")
        return self.record


@final
class Registration:
    """A plugin registered in process; `undo`, or the end of a `with` block, takes it out again."""

    def __init__(self, found: tuple[Found, ...], undo: Callable[[], None]) -> None:
        self.found = found
        self._undo: Callable[[], None] | None = undo

    def undo(self) -> None:
        """Take the plugin out; nothing happens the second time."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def __enter__(self) -> Registration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


class Registry:
    """What is installed, and the way from a name to its record.

    Args:
        allow: the configuration's `plugins.allow`; None allows every installed distribution.
        core_version: what the plugins' requirements are measured by.
        trace: is called with a line of text for each hook call, to debug plugins.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] | None = None,
        core_version: str = __version__,
        trace: Callable[[str], object] | None = None,
    ) -> None:
        self._allow = AllowList(allow)
        self._core_version = core_version
        self._collector = RecordCollector(trace)
        self._in_process: dict[Found, object] = {}

    def installed(self) -> tuple[Found, ...]:
        """Return everything installed or registered in process, sorted; imports nothing."""
        return tuple(sorted({*discover(), *self._in_process}))

    def standings(self, configured: Collection[tuple[Kind, str]] = ()) -> tuple[Standing, ...]:
        """Return what may be done with each installed plugin; imports nothing."""
        return judge(self.installed(), configured=configured, allow=self._allow, core_version=self._core_version)

    def resolve(self, wanted: Iterable[Wanted]) -> tuple[Found, ...]:
        """Stage 3: return what the names stand for, each once; imports nothing.

        Raises PluginNotFound, PluginConflict, PluginBlocked or PluginIncompatible, or a ConfigError that holds the
        problems of several classes.
        """
        targets = self._resolve(tuple(wanted))
        return tuple(dict.fromkeys(_found(target) for _, target in targets))

    def load(self, wanted: Iterable[Wanted]) -> tuple[Loaded, ...]:
        """Stages 3 and 4: return the records of the wanted plugins, in their order, each once.

        Raises as `resolve` does, before any import; then PluginLoadError with one line for each plugin that fails.
        """
        loaded: dict[Found, Loaded] = {}
        problems: list[Problem] = []
        for one, target in self._resolve(tuple(wanted)):
            if _found(target) in loaded:
                continue
            try:
                loaded[_found(target)] = self._load(target)
            except PluginLoadError as error:
                problems.append(Problem(PluginLoadError, one.problem(str(error)), error.__cause__))
        raise_together(problems)
        return tuple(loaded.values())

    def register(
        self, plugin: object, *, distribution: str, version: str = "0", requires: Sequence[str] = ()
    ) -> Registration:
        """Make a plugin known without installing it, as if the distribution held it; for tests and notebooks.

        `plugin` is a module, or any object with hook functions. Raises PluginLoadError as loading would.
        """
        target = str(getattr(plugin, "__name__", type(plugin).__name__))
        newly = not self._collector.knows(plugin)
        try:
            with attributed(lambda error: f"{target} ({distribution} {version}): {_fault(error, target)}"):
                self._collector.admit(plugin)
                records = self._collector.everything(plugin)
        except BaseException:
            self._forget(plugin, (), dismiss=newly)
            raise
        found = [Found(kind, one.name, target, distribution, version, tuple(requires)) for kind, one in records]
        self._in_process.update(dict.fromkeys(found, plugin))
        return Registration(tuple(sorted(found)), lambda: self._forget(plugin, found, dismiss=newly))

    def _forget(self, plugin: object, found: Iterable[Found], *, dismiss: bool) -> None:
        for one in found:
            self._in_process.pop(one, None)
        if dismiss:
            self._collector.dismiss(plugin)

    def _resolve(self, wanted: tuple[Wanted, ...]) -> list[tuple[Wanted, _Target]]:
        standings = self.standings()
        targets: list[tuple[Wanted, _Target]] = []
        problems: list[Problem] = []
        for one in wanted:
            outcome = _look_up(one, standings)
            if isinstance(outcome, Problem):
                problems.append(outcome)
            else:
                targets.append((one, outcome))
        raise_together(problems)
        return targets

    def _load(self, target: _Target) -> Loaded:
        """Load one plugin. Raises PluginLoadError, whatever its code raises, but KeyboardInterrupt."""
        found = _found(target)
        if isinstance(target, LocalFile):
            return Loaded(found.kind, found.name, load_local(target), found, target.sha256)
        plugin = self._in_process.get(found)
        if plugin is None:
            with attributed(lambda error: explain(found, error)):
                plugin = import_target(found)
        with attributed(lambda error: f"{found.label}: {_fault(error, found.target)}"):
            self._collector.admit(plugin)
            record = self._collector.only(found.kind, found.name, plugin)
        return Loaded(found.kind, found.name, record, found)


def _look_up(one: Wanted, standings: Sequence[Standing]) -> _Target | Problem:
    if one.kind is not Kind.STRATEGY or not is_local_file(one.name):
        return look_up(one, standings)
    try:
        return read_local(one.name)
    except ConfigError as error:
        return Problem(type(error), one.problem(str(error)), error.__cause__)


def _found(target: _Target) -> Found:
    return target.found if isinstance(target, LocalFile) else target


def _fault(error: BaseException, target: str) -> str:
    """Say what is wrong with a plugin's hooks: what it yields, what pluggy says of them, or what they raise."""
    if isinstance(error, WrongRecords):
        return str(error)
    if isinstance(error, PluginValidationError):
        return f"its hooks do not fit: {cause_text(error)}"
    return f"its hook {raised_text(error, target.partition('.')[0])}"
