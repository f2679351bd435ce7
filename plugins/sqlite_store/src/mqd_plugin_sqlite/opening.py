"""Before a store is opened: that it lies on a local disk, is there whole, or is made whole.

A store comes into being under another name and is renamed when it is complete, so an empty file, or none where traces
of one are, is damage and never a new book. May not repair or delete what a desk wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mqd_core.api import StoreCorrupt, StoreError
from mqd_plugin_sqlite.connection import BUSY_TIMEOUT_MS, make_private, open_writer, settle
from mqd_plugin_sqlite.faults import RESTORE
from mqd_plugin_sqlite.filesystems import mounts, refusal, resolved
from mqd_plugin_sqlite.log_file import damage_in, log_of
from mqd_plugin_sqlite.schema import Migration, migrate

#: What a store that is gone may have left beside its name; what else begins with that name was never a store's whole.
_TRACES = ("-wal", ".replaced-", ".restoring", ".version-")


def require_local(path: Path) -> None:
    """Raise StoreError where the path is on a network file system or in a cloud folder."""
    place = resolved(path)
    reason = refusal(place, mounts(place))
    if reason:
        raise StoreError(
            f"{path} cannot be a store: {reason}, where a write-ahead log is not safe. Name a folder on a disk of this "
            "machine: `desk.state_dir`, or the store's `path`"
        )


def require_whole(path: Path) -> None:
    """Raise StoreCorrupt for a store whose log lost commits; a path without a file is whole."""
    try:
        damage = damage_in(log_of(path))
    except OSError as error:
        raise StoreError(f"{log_of(path)} cannot be read: {error.strerror}. Check its rights and its disk") from error
    if damage:
        raise StoreCorrupt(f"{log_of(path)}, where the last commits of {path.name} are: {damage}. {RESTORE}")


def make_new(path: Path, connection_class: type[sqlite3.Connection], migrations: Sequence[Migration]) -> None:
    """Make an empty store where none is; raises StoreError where there was one, sqlite3.Error where it cannot be."""
    traces = traces_of(path)
    if traces:
        raise StoreCorrupt(
            f"{path} is gone, though {traces[0].name} is still there. Put the file back, or a backup in its place "
            f"(`mqd store restore`); move {path.parent} away to begin a new book"
        )
    unfinished = path.with_name(f"{path.name}.new")
    try:
        for suffix in ("", "-journal"):
            unfinished.with_name(f"{unfinished.name}{suffix}").unlink(missing_ok=True)
        make_private(unfinished)
        with closing(open_writer(unfinished, connection_class, BUSY_TIMEOUT_MS)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            migrate(connection, 0, migrations)
        unfinished.rename(path)
        settle(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be created: {error.strerror}; choose another `path` for the store") from error


def traces_of(path: Path) -> list[Path]:
    """Files that only a store leaves, beside a path where none is: its log, copies, what a restore set aside."""
    if not path.parent.is_dir():
        return []
    names = tuple(path.name + end for end in _TRACES)
    return sorted(file for file in path.parent.iterdir() if file.name.startswith(names))
