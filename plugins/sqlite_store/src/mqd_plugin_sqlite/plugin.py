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
    from mqd_plugin_sqlite.store import SqliteStore

    return SqliteStore(context.directory / settings.path)


def _reader(settings: SqliteSettings, context: StoreContext) -> SqliteReader:
    from mqd_plugin_sqlite.reader import SqliteReader

    return SqliteReader(context.directory / settings.path)
