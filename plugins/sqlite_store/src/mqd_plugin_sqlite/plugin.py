"""What this distribution offers: the record of the store `sqlite` and its settings.

Imported to be listed, so neither sqlite3 nor the store itself is imported before a factory is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from mqd_core.api import CommandRecord, PluginSettings, StoreContext, StoreRecord, hookimpl

if TYPE_CHECKING:
    import click

    from mqd_plugin_sqlite.reader import SqliteReader
    from mqd_plugin_sqlite.store import SqliteStore


class SqliteSettings(PluginSettings):
    """Settings of the store `sqlite`."""

    path: Path = Field(
        default=Path("desk.db"),
        description="The file of the store, relative to the desk's own folder in its state directory; on a local disk.",
    )

    ballast_mib: int = Field(
        default=64,
        ge=0,
        le=4_096,
        description="Disk space in MiB that is held while the desk runs and given up when the disk is full; 0: none.",
    )
    backups: Path = Field(
        default=Path("backups"),
        description="The folder of backups, relative to the desk's own folder in its state directory.",
    )
    keep_backups: int = Field(
        default=14, ge=1, le=10_000, description="How many backups are kept; older ones are removed after a new one."
    )

    @field_validator("path")
    @classmethod
    def _names_a_file(cls, path: Path) -> Path:
        if not path.name or path.name == "..":
            raise ValueError("must name a file, for example demo.db")
        return path


@hookimpl
def mqd_stores() -> Iterable[StoreRecord[SqliteSettings]]:
    """Yield the one store."""
    yield StoreRecord(
        name="sqlite",
        summary="Journal and positions of a desk in one SQLite file.",
        settings=SqliteSettings,
        factory=_store,
        reader=_reader,
    )


@hookimpl
def mqd_commands() -> Iterable[CommandRecord]:
    """Yield the group `mqd store`."""
    yield CommandRecord(name="store", summary="Back up, verify or restore the desk's store.", load=_commands)


def _commands() -> click.Command:
    from mqd_plugin_sqlite.commands import group

    return group


def _store(settings: SqliteSettings, context: StoreContext) -> SqliteStore:
    from mqd_plugin_sqlite.backups import Backups, SessionBackups
    from mqd_plugin_sqlite.store import Keeping, SqliteStore

    path = context.directory / settings.path
    backups = Backups(path, context.directory / settings.backups, settings.keep_backups)
    keeping = Keeping(
        ballast_bytes=settings.ballast_mib * 1024**2, backups=SessionBackups(backups, context.log), log=context.log
    )
    return SqliteStore(path, keeping=keeping)


def _reader(settings: SqliteSettings, context: StoreContext) -> SqliteReader:
    from mqd_plugin_sqlite.reader import SqliteReader

    return SqliteReader(context.directory / settings.path)
