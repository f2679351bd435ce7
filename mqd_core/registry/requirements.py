"""What distributions demand of each other: does a plugin fit this core, is it on the allow list, what does it miss.

Reads metadata only. `packaging` is imported when a plugin needs it: a desk without plugins does not pay for it.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mqd_core.errors import ConfigError
from mqd_core.registry.discovery import Found

if TYPE_CHECKING:
    from packaging.requirements import Requirement

#: The distribution whose version every plugin states its needs of.
CORE: Final = "mqd-core"

_NAMES_CORE: Final = re.compile(r"\s*mqd[-_.]+core(?![A-Za-z0-9._-])", re.IGNORECASE)


def core_mismatch(found: Found, core_version: str) -> str:
    """Return in words why the plugin does not fit this version of the core, or "" if it does.

    Checked here although pip checks it too: pip does so once, at installation, and can be told not to.
    """
    for text in found.requires:
        if not _NAMES_CORE.match(text):
            continue
        requirement = _parsed(text)
        if requirement is None:
            return f"its requirement {text!r} cannot be read"
        if _applies(requirement) and not _contains(requirement, core_version):
            return f"needs {CORE}{requirement.specifier}, {CORE} {core_version} is installed"
    return ""


def missing_requirements(found: Found) -> tuple[str, ...]:
    """Return the plugin's requirements that no installed distribution meets, sorted."""
    missing = []
    for text in found.requires:
        requirement = _parsed(text)
        if requirement is None or not _applies(requirement):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        if not version or not _contains(requirement, version):
            missing.append(f"{requirement.name}{requirement.specifier}")
    return tuple(sorted(missing))


class AllowList:
    """The configuration's `plugins.allow`: distributions, each with or without versions (`mqd-plugin-alpaca==1.2.*`).

    By distribution and not by plugin name: anybody can claim a name, a distribution is what was installed.
    None allows everything that is installed; an empty list allows nothing.
    Raises ConfigError with one line for each entry that cannot be read.
    """

    def __init__(self, entries: Sequence[str] | None) -> None:
        self._allowed: list[Requirement] | None = None
        if entries is None:
            return
        parsed = [(entry, _parsed(entry)) for entry in entries]
        problems = [
            f"plugins.allow: {entry!r} is not a distribution, with or without a version: name, or name==1.2.*"
            for entry, requirement in parsed
            if requirement is None or requirement.url or requirement.marker or requirement.extras
        ]
        if problems:
            raise ConfigError(problems)
        self._allowed = [requirement for _, requirement in parsed if requirement is not None]

    def refusal(self, found: Found) -> str:
        """Return in words why the plugin may not be used, or "" if it may."""
        if self._allowed is None:
            return ""
        from packaging.utils import canonicalize_name

        name = canonicalize_name(found.distribution)
        named = [requirement for requirement in self._allowed if canonicalize_name(requirement.name) == name]
        if not named:
            return f"{found.distribution} is not on the list plugins.allow"
        if any(_contains(requirement, found.version) for requirement in named):
            return ""
        allowed = " or ".join(str(requirement) for requirement in named)
        return f"plugins.allow has {allowed}, {found.version} is installed"


def _contains(requirement: Requirement, version: str) -> bool:
    from packaging.version import InvalidVersion

    if not requirement.specifier:
        return True
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:  # an unknown or unreadable version satisfies no condition on versions
        return False


def _parsed(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _applies(requirement: Requirement) -> bool:
    """Whether the requirement holds here: its marker is true without any extra."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})
