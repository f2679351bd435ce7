"""The five levels of log lines, by name and by the standard library's numbers. May import only errors of the core."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mqd_core.errors import ConfigError

DEBUG: Final = 10
INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50
#: Above every level: a handler at this level shows nothing.
OFF: Final = 100

LEVELS: Final[Mapping[str, int]] = MappingProxyType(
    {"DEBUG": DEBUG, "INFO": INFO, "WARNING": WARNING, "ERROR": ERROR, "CRITICAL": CRITICAL}
)
_NAMES: Final = {number: name for name, number in LEVELS.items()}


def level_number(name: str, setting: str) -> int:
    """The number of a level's name, in any case. Raises ConfigError that names the setting and the five levels."""
    number = LEVELS.get(name.upper()) if isinstance(name, str) else None
    if number is None:
        raise ConfigError(f"{setting}: must be one of {', '.join(LEVELS)}, was {name!r}")
    return number


def level_name(number: int) -> str:
    """The name for any number: that of the highest of the five levels that is not above it, DEBUG at the least."""
    name = _NAMES.get(number)
    if name is None:
        name = _NAMES[max((known for known in _NAMES if known <= number), default=DEBUG)]
    return name
