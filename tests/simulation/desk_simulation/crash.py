"""Where a process can die: numbered points, an exception that nothing catches, and a database connection full of them.

May not end a process: whoever runs the desk drops it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec


class Crash(BaseException):
    """The process dies here; every object of the desk is dropped."""


class Blow(msgspec.Struct, frozen=True):
    """What strikes a process, and at which of its points, counted from 1: a crash, or a fault of its disk.

    `at` names the kind of point that is counted; "" counts them all.
    """

    kind: str
    point: int
    at: str = ""


#: Where a crash is aimed at, since of all points but few are of these kinds.
AIMED = (
    "commit:before", "commit:after", "step:after", "take", "on_bar", "on_fill", "size",
    "post:before", "post:after", "submit:before", "submit:after", "delete:before", "delete:after", "get:before",
    "get:after", "activities:after", "account:before", "account:after", "open:before", "open:after",
)  # fmt: skip
#: Faults of a disk, by what SQLite says of them.
DISK_FAULTS = {
    "disk_full": "database or disk is full",
    "disk_error": "disk I/O error",
    "database_locked": "database is locked",
}


class CrashPoints:
    """Counts the moments of one process, and strikes at the one it is told to."""

    def __init__(self, blow: Blow | None = None) -> None:
        self._blow = blow
        self.count = 0
        #: How often each kind of point was passed.
        self.kinds: Counter[str] = Counter()
        #: Where it struck; "" if it did not.
        self.struck = ""
        #: How many points could be struck at; those after that are passed when the faults are over.
        self.reach = 0

    def disarm(self) -> None:
        """Strike no more: the process is dead or has left, or the faults are over."""
        self._blow = None
        self.reach = self.reach or self.count

    def __call__(self, point: str) -> None:
        """Pass a point; may raise Crash, or sqlite3.OperationalError at a point of the database."""
        self.count += 1
        self.kinds[point] += 1
        blow = self._blow
        if blow is None or (blow.at and blow.at != point):
            return
        if (self.kinds[point] if blow.at else self.count) < blow.point:
            return
        if blow.kind == "crash":
            self._strike(f"crash@{point}")
            raise Crash(point)
        if point == "sql:before":
            self._strike(f"{blow.kind}@{point}")
            raise sqlite3.OperationalError(DISK_FAULTS[blow.kind])

    def _strike(self, what: str) -> None:
        self.struck = what
        self._blow = None


class CrashingConnection(sqlite3.Connection):
    """SQLite with a point before and after each statement. `points` is set on a class made for one process."""

    points: CrashPoints
    #: Whether pages need not reach a disk: what dies here is a process, never the machine.
    is_fast = False

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement between two points."""
        points = type(self).points
        points("sql:before")
        cursor = super().execute(self._quickened(sql), parameters)
        points("sql:after")
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Run a statement for many rows between two points."""
        points = type(self).points
        points("sql:before")
        cursor = super().executemany(sql, parameters)
        points("sql:after")
        return cursor

    def _quickened(self, sql: str) -> str:
        if self.is_fast and sql.startswith("PRAGMA synchronous"):
            # The store reads back what it has set.
            return "PRAGMA synchronous=OFF" if "=" in sql else "SELECT 2"
        return sql


def connection_class(crash_points: CrashPoints, *, fast: bool) -> type[CrashingConnection]:
    """A class of connections that pass the points of one process."""

    class OfOneProcess(CrashingConnection):
        points = crash_points
        is_fast = fast

    return OfOneProcess
