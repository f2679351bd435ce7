"""What a configuration file mentions, read without checking it: which plugins, and which of them it allows.

For listings, which must answer at once, whatever is wrong with the file; `mqd_core.config` does the checking. May not
be used to run anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqd_core.registry.kinds import Kind

#: Sections that name plugins; a test compares them with those of the configuration's model.
SECTIONS: Final = {
    "store": Kind.STORE,
    "data": Kind.DATA_PROVIDER,
    "broker": Kind.BROKER,
    "sizer": Kind.SIZER,
    "strategies": Kind.STRATEGY,
    "risk_rules": Kind.RISK_RULE,
    "observers": Kind.OBSERVER,
}
_MAXIMUM_BYTES: Final = 256 * 1024
#: What may be the name of a folder; `mqd_core.config` is stricter.
_DESK_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Kinds and names that a file mentions, its `plugins.allow` (None: whatever is installed), and why not if not."""

    plugins: frozenset[tuple[Kind, str]] = frozenset()
    allow: tuple[str, ...] | None = None
    problem: str = ""


def mentioned_in(path: Path) -> Mentioned:
    """Read a file; one that is absent mentions nothing, one that cannot be read comes with the problem."""
    if not path.is_file():
        return Mentioned()
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            content = YAML(typ="safe", pure=True).load(file.read(_MAXIMUM_BYTES))
    except (OSError, ValueError, RecursionError, YAMLError) as error:
        return Mentioned(problem=f"{path} could not be read ({type(error).__name__}); `mqd config check` says why")
    return Mentioned(frozenset(_plugins(content)), _allow(content))


def desk_folder(path: Path) -> Path | None:
    """Where the desk of a configuration that is not usable keeps things, if it names its id; None where it does not."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            content = YAML(typ="safe", pure=True).load(file.read(_MAXIMUM_BYTES))
    except (OSError, ValueError, RecursionError, YAMLError):
        return None
    if not isinstance(content, dict):
        return None
    desk = _child(content, "desk")
    name, root = _child(desk, "id") or "desk", _child(desk, "state_dir") or "var"
    if not isinstance(root, str) or not isinstance(name, str) or not _DESK_ID.fullmatch(name):
        return None
    return Path(root) / name


def _plugins(content: object) -> Iterator[tuple[Kind, str]]:
    for section, kind in SECTIONS.items():
        for slot in (_child(content, section), _child(_child(content, "backtest"), section)):
            for item in slot if isinstance(slot, list) else [slot]:
                name = _child(item, "name")
                if isinstance(name, str):
                    yield kind, name


def _allow(content: object) -> tuple[str, ...] | None:
    allow = _child(_child(content, "plugins"), "allow")
    return tuple(str(one) for one in allow) if isinstance(allow, list) else None


def _child(node: object, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None
