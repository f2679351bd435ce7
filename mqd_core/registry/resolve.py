"""Stage 3: from the names in the configuration to entry points. May not import a plugin.

All names are looked up before anything is said; what is wrong with any of them comes in one error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mqd_core.errors import ConfigError, PluginBlocked, PluginConflict, PluginIncompatible, PluginNotFound
from mqd_core.registry.discovery import Found
from mqd_core.registry.kinds import Kind
from mqd_core.registry.shipped import SHIPPED, install_command
from mqd_core.registry.standing import Standing, Status, claimants

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plugin that the configuration names. `where` is that place, as `file:line:col`, or "" if there is none."""

    kind: Kind
    name: str
    where: str = ""

    def problem(self, text: str) -> str:
        """Return the text as one line of an error, beginning with the place."""
        return f"{self.where}: {text}" if self.where else text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one wanted plugin; `error` is the class it belongs to."""

    error: type[ConfigError]
    text: str
    cause: BaseException | None = None


def look_up(one: Wanted, standings: Sequence[Standing]) -> Found | Problem:
    """Return the entry point of the wanted plugin, or what is wrong with it."""
    named = [standing for standing in standings if _matches(standing.found, one)]
    if not named:
        return Problem(PluginNotFound, one.problem(_absence(one, standings)))
    return named[0].found if named[0].status.usable else _refused(one, named)


def raise_together(problems: Sequence[Problem]) -> None:
    """Raise one error that holds all problems, if there are any: of their class if they share one, else ConfigError."""
    if not problems:
        return
    classes = {problem.error for problem in problems}
    error = classes.pop() if len(classes) == 1 else ConfigError
    cause = next((problem.cause for problem in problems if problem.cause is not None), None)
    raise error(list(dict.fromkeys(problem.text for problem in problems))) from cause


def _matches(found: Found, wanted: Wanted) -> bool:
    return found.kind is wanted.kind and found.name == wanted.name


def _refused(one: Wanted, named: Sequence[Standing]) -> Problem:
    first = named[0]
    if first.status is Status.CONFLICT:
        who = claimants([standing.found for standing in named])
        text = f"{one.kind.label} plugin name {one.name!r} is claimed by {who}; uninstall all but one"
        return Problem(PluginConflict, one.problem(text))
    if first.status is Status.BLOCKED:
        text = f"{first.found.label} is blocked: {first.detail}; add it there, or name another plugin"
        return Problem(PluginBlocked, one.problem(text))
    text = f"{first.found.label} is incompatible: {first.detail}"
    return Problem(PluginIncompatible, one.problem(f"{text}; install a version of it that fits"))


def _absence(one: Wanted, standings: Sequence[Standing]) -> str:
    """Say that nothing has this name, and what the person may have meant."""
    kind, name = one.kind, one.name
    if not _NAME.fullmatch(name):
        return f"{name!r} is not the name of a plugin: letters, digits and underscores, beginning with a letter"
    installed = sorted({standing.found.name for standing in standings if standing.found.kind is kind})
    said = [f"no {kind.label} plugin named {name!r} is installed (installed: {', '.join(installed) or 'none'})"]
    command = install_command(kind, name)
    if command:
        said.append(f"it comes with mqd: in a copy of its repository, {command}")
    else:
        said.extend(_suggestion(kind, name, installed))
    elsewhere = sorted({other.found.kind.label for other in standings if other.found.name == name})
    if elsewhere:
        said.append(f"{name!r} is the name of a {' and a '.join(elsewhere)} plugin")
    if len(said) == 1:
        said.append("name one that is installed, or install the distribution that has it")
    return "; ".join(said)


def _suggestion(kind: Kind, name: str, installed: Sequence[str]) -> list[str]:
    from difflib import get_close_matches

    shipped = [candidate for of_kind, candidate in SHIPPED if of_kind is kind]
    by_lower = {candidate.lower(): candidate for candidate in [*shipped, *installed]}
    close = get_close_matches(name.lower(), sorted(by_lower), n=1)
    if not close:
        return []
    meant = by_lower[close[0]]
    command = "" if meant in installed else install_command(kind, meant)
    return [f"did you mean {meant!r}?" + (f" in a copy of mqd's repository: {command}" if command else "")]
