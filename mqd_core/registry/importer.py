"""Stage 4, first half: import the module that one entry point names, through stevedore.

stevedore's own search is not used: its cache on disk goes stale after a reinstallation, loses the distribution, and
takes one of two entry points of the same name without a word. It is handed the one entry point that stage 3 chose.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from stevedore import NamedExtensionManager

from mqd_core.registry.collect import WrongRecords
from mqd_core.registry.discovery import Found
from mqd_core.registry.failure import raised_text
from mqd_core.registry.requirements import missing_requirements
from mqd_core.registry.shipped import install_command

if TYPE_CHECKING:
    _Manager: TypeAlias = NamedExtensionManager[ModuleType]
else:  # older versions of stevedore are not generic
    _Manager = NamedExtensionManager


class _One(_Manager):
    """Loads exactly one entry point; whatever its import raises comes out of the constructor."""

    def __init__(self, found: Found) -> None:
        self._entry_points = [EntryPoint(name=found.name, value=found.target, group=found.kind.group)]
        # One manager a plugin: an AssertionError or SystemExit at import would leave out the rest of a shared one.
        super().__init__(
            found.kind.group,
            [found.name],
            on_load_failure_callback=_raise_again,
            on_missing_entrypoints_callback=None,
        )

    def list_entry_points(self) -> list[EntryPoint]:
        return self._entry_points


def _raise_again(_: object, __: EntryPoint, error: BaseException) -> NoReturn:
    raise error


def import_target(found: Found) -> ModuleType:
    """Import the plugin's module. Raises WrongRecords if it is none, else whatever the module raises."""
    plugin: object = _One(found).extensions[0].plugin
    if not isinstance(plugin, ModuleType):
        raise WrongRecords(f"its entry point {found.target!r} must name a module, with no object after a colon")
    return plugin


def explain(found: Found, error: BaseException) -> str:
    """Return one line that says which plugin could not be imported, why, and what to do."""
    if isinstance(error, WrongRecords):
        return f"{found.label}: {error}"
    command = install_command(found.kind, found.name)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    lead = f"{found.label} could not be imported"
    if missing and f"{_module(found)}.".startswith(f"{missing}."):
        return f"{lead}: its own module {missing!r} is missing; {command or 'install it again'}"
    told = f"{lead}: {raised_text(error, _module(found).partition('.')[0])}"
    return f"{told}; {_dependency(found, missing, command)}" if missing else told


def _module(found: Found) -> str:
    return found.target.partition(":")[0].strip()


def _dependency(found: Found, module: str, command: str) -> str:
    """Say whose fault a missing dependency is: the installation's, or the author's who did not declare it."""
    missing = missing_requirements(found)
    if not missing:
        return f"{found.distribution} does not declare what provides {module!r}: tell its author"
    remedy = f"it requires {', '.join(missing)}, not installed here in such a version"
    return f"{remedy}; {command or f'install {found.distribution} again'}"
