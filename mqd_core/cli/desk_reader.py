"""A desk as its store shows it to any process, while it runs or not, and how old that picture is.

Loads the store's plugin and no other: a desk can be looked at whatever is wrong with its strategies. May not write.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from mqd_core.api.records import StoreRecord
from mqd_core.app.factories import desk_places, reader_of
from mqd_core.app.notation import decimal_text, time_text
from mqd_core.app.places import DeskPlaces
from mqd_core.app.plugins import Chosen, choose_store
from mqd_core.cli.guarded_config import guarded_config
from mqd_core.cli.printing import foreign_code
from mqd_core.config import Config
from mqd_core.domain.projection import DeskView
from mqd_core.errors import ConfigError
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clocks import WallClock
from mqd_core.runtime.halt_file import HaltFile, HaltNote

_SECOND_NS = 1_000_000_000
#: Where a unit of age ends, in seconds, and what it is divided by.
_AGES = ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h"))


@dataclass(frozen=True, slots=True)
class DeskReading:
    """A desk as of one commit. `view` is None where nothing was ever committed."""

    desk: str
    view: DeskView | None
    #: A process holds the desk now.
    running: bool
    now_ns: int
    #: When its store was last written, by the wall clock; None where there is none. The view's own time is the data's.
    written_ns: int | None = None
    #: What its HALT file says, if there is one.
    halt: HaltNote | None = None

    @property
    def is_halted(self) -> bool:
        """Whether only a person's resume lets it trade again."""
        return self.halt is not None or (self.view is not None and self.view.desk_state == "halted")

    @property
    def crashed(self) -> bool:
        """Whether its last run never said that it ended, and no process is left to say so."""
        return self.view is not None and self.view.running and not self.running

    @property
    def age_seconds(self) -> int | None:
        """Seconds since the view was committed; None where that is not known."""
        if self.view is None or self.written_ns is None:
            return None
        return max(0, self.now_ns - self.written_ns) // _SECOND_NS

    def header(self) -> dict[str, Any]:
        """What every JSON object about a desk begins with."""
        view = self.view
        as_of: dict[str, Any] | None = None
        if view is not None:
            time = time_text(view.as_of_ns)
            committed = None if self.written_ns is None else time_text(self.written_ns)
            as_of = {"sequence": view.as_of_sequence, "time": time, "committed": committed}
            as_of["age_seconds"] = self.age_seconds
        return {"schema": 1, "desk": self.desk, "running": self.running, "as_of": as_of}

    def as_of(self) -> str:
        """Such as `as of data time 2025-01-19 18:30:45 UTC, sequence 1955, committed 12 s ago`."""
        if self.view is None:
            return f"desk {self.desk} has no records yet; `mqd run` makes them"
        age = self.age_seconds
        ago = "" if age is None else f", committed {age_text(age)} ago"
        return f"as of data time {moment(self.view.as_of_ns)}, sequence {self.view.as_of_sequence}{ago}"


def read_desk(config_path: Path) -> DeskReading:
    """Read the desk of a configuration. Raises MqdError."""
    config = guarded_config(config_path)
    places = desk_places(config)
    written_ns, halt = _written_ns(places.store), HaltFile(places.root).read()
    with foreign_code():
        reader = reader_of(config, _store(config), places)
        view = None if reader is None else reader.view()
    if view is not None and not view.as_of_sequence:
        view = None  # A store that a start made before something else refused it.
    running = view is not None and view.running and _is_held(places)
    return DeskReading(config.desk.id, view, running, WallClock().now_ns(), written_ns, halt)


def _store(config: Config) -> Chosen:
    """The store's plugin with its checked settings."""
    chosen = choose_store(config, Registry(allow=config.plugins.allow))
    if chosen.loaded.record_as(StoreRecord).reader is None:
        where, name = config.source.locate(chosen.use.named_at), chosen.use.name
        raise ConfigError(f"{where}: the store {name} cannot be read while a desk has it; use another store")
    return chosen


def _is_held(places: DeskPlaces) -> bool:
    """Whether a process has the desk. Asked only where one seems to, so that no desk that starts is in the way."""
    if not places.holder.is_file():
        return False
    lock = FileLock(places.lock)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _written_ns(folder: Path) -> int | None:
    """When the store was last written. What readers share with it says nothing: they write there, too."""
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.endswith("-shm")]
        return max((entry.stat().st_mtime_ns for entry in entries if entry.is_file()), default=None)
    except OSError:
        return None


def view_extras(view: DeskView) -> dict[str, list[str]]:
    """What else a person has to look at, by name; empty lists where there is nothing."""
    return {"frozen_symbols": view.frozen_symbols, "unprotected": view.unprotected}


def age_text(seconds: int) -> str:
    """Seconds in the unit that a person would use."""
    for end, unit_seconds, unit in _AGES:
        if seconds < end:
            return f"{seconds // unit_seconds} {unit}"
    return f"{seconds // 86_400} days"


def moment(time_ns: int) -> str:
    """UTC nanoseconds as `2025-01-19 18:30:45 UTC`."""
    return f"{time_text(time_ns)[:19].replace('T', ' ')} UTC"


def plain_object(record: msgspec.Struct) -> dict[str, Any]:
    """A record as JSON has it: decimals as plain text, times as UTC text under a name without `_ns`."""
    return dict(_plain(name, getattr(record, name)) for name in record.__struct_fields__)


def _plain(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_ns"):
        return name.removesuffix("_ns"), None if value is None else time_text(value)
    return name, decimal_text(value) if isinstance(value, Decimal) else value
