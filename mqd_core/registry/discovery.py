"""Find what is installed, from metadata alone. May not import a plugin, nor stevedore, pluggy or pydantic.

Reads every distribution by itself instead of `importlib.metadata.entry_points()`: that raises for all when one
unrelated distribution has a malformed file, and it does not say which distribution an entry point came from on every
Python. No cache on disk: a plugin installed a second ago is seen.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mqd_core.registry.kinds import Kind

#: What stands for a name or version that the metadata does not have.
UNKNOWN: Final = "unknown"

_NAME_FIELD: Final = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE)
_GROUPS: Final = {kind.group: kind for kind in Kind}


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """One entry point of one distribution, as its metadata has it.

    Attributes:
        kind: which group it stands in.
        name: what the configuration calls it.
        target: the module that holds the hooks.
        distribution: the name of what was installed, as its author wrote it.
        version: the distribution's version.
        requires: the distribution's requirements, unparsed.
    """

    kind: Kind
    name: str
    target: str
    distribution: str
    version: str
    requires: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Return `distribution version`, for messages."""
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """Return such as `broker plugin 'mock' (mqd-plugin-mock 0.1.0)`, for messages."""
        return f"{self.kind.label} plugin {self.name!r} ({self.origin})"


def discover() -> tuple[Found, ...]:
    """Return every mqd entry point of every installed distribution, sorted; conflicts are all in it.

    A distribution found twice on the path counts once, first come, as for imports. One whose metadata cannot be read
    is passed over if it holds nothing of mqd, and stands with an unknown name or version if it does.
    """
    found: set[Found] = set()
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        name = _canonical(_text(distribution, "METADATA") or _text(distribution, "PKG-INFO"))
        if name and name in seen:
            continue
        seen.add(name)
        text = _text(distribution, "entry_points.txt")
        if "mqd." in text:
            found.update(_entries(distribution, text))
    return tuple(sorted(found))


def _text(distribution: importlib.metadata.Distribution, filename: str) -> str:
    try:
        return distribution.read_text(filename) or ""
    except Exception:  # noqa: BLE001 - readers are foreign code, and one unreadable distribution must not hide the rest
        return ""


def _canonical(metadata: str) -> str:
    match = _NAME_FIELD.search(metadata)
    return re.sub(r"[-_.]+", "-", match.group(1)).lower() if match else ""


def _entries(distribution: importlib.metadata.Distribution, text: str) -> Iterator[Found]:
    name, version, requires = _identity(distribution)
    for group, entry, target in _parse(text.splitlines()):
        kind = _GROUPS.get(group)
        if kind is not None:
            yield Found(kind, entry, target, name, version, requires)


def _identity(distribution: importlib.metadata.Distribution) -> tuple[str, str, tuple[str, ...]]:
    try:
        requires = tuple(distribution.requires or ())
        return _field(distribution, "Name"), _field(distribution, "Version"), requires
    except Exception:  # noqa: BLE001 - as above: it is listed as unknown, and never loaded
        return UNKNOWN, UNKNOWN, ()


def _field(distribution: importlib.metadata.Distribution, field: str) -> str:
    metadata = distribution.metadata
    if field not in metadata:
        return UNKNOWN
    return metadata[field] or UNKNOWN


def _parse(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (group, name, target) of an entry_points.txt; a line without a target has an empty one."""
    group = ""
    for raw in lines:
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield group, name.strip(), target.strip()
