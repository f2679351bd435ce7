"""`mqd store`: back up, verify and restore a desk's store. May not trade, nor touch a store that a desk has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from mqd_core.api import AlreadyRunning, CommandHost, Head, StoreError, StorePlace
from mqd_plugin_sqlite.backups import Backups
from mqd_plugin_sqlite.opening import require_whole
from mqd_plugin_sqlite.plugin import SqliteSettings
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.restoring import checked_backup, restore

_CONFIG: Final = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("config/config.yaml"),
    show_default=True,
    metavar="FILE",
    help="The configuration.",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
_FILE: Final = click.Path(path_type=Path)


class _Store:
    """The store that a configuration names, with the way to keep desks away from it."""

    def __init__(self, ctx: click.Context, config_path: Path) -> None:
        host: CommandHost = ctx.obj
        self.place: StorePlace = host.store(config_path)
        settings = self.place.settings
        if not isinstance(settings, SqliteSettings):
            raise StoreError(
                f"desk {self.place.desk} keeps its journal in the store {self.place.plugin}, not in sqlite"
            )
        directory = self.place.context.directory
        self.path = directory / settings.path
        self.backups = Backups(self.path, directory / settings.backups, settings.keep_backups)


@click.group("store", help="Back up, verify or restore the desk's store.")
def group() -> None:
    """Hold the three commands."""


@group.command("backup")
@_CONFIG
@click.option("--to", "target", type=_FILE, metavar="FILE", help="A new file for the copy; else the folder of backups.")
@_JSON
@click.pass_context
def backup_command(ctx: click.Context, config_path: Path, target: Path | None, *, as_json: bool) -> None:
    """Make a consistent copy, while the desk runs or not."""
    store = _Store(ctx, config_path)
    if target is None:
        target = store.backups.make()
    else:
        SqliteReader(store.path).backup(target)
    head = checked_backup(target)
    _tell(as_json, f"backed up to {target}: {_words(head)}", file=str(target), **_facts(head))


@group.command("verify")
@click.argument("file", type=_FILE, required=False)
@_CONFIG
@_JSON
@click.pass_context
def verify_command(ctx: click.Context, file: Path | None, config_path: Path, *, as_json: bool) -> None:
    """Check every page and every row of the store, or of FILE: a backup, or a store that was set aside."""
    if file is None:
        store = _Store(ctx, config_path)
        file = store.path
        try:
            with store.place.hold():
                require_whole(file)
        except AlreadyRunning:
            pass  # A log that is being written cannot be judged from outside; SQLite sees its whole commits.
        head = SqliteReader(file).verify()
    else:
        head = checked_backup(file)
    _tell(as_json, f"{file} is what was written: {_words(head)}", file=str(file), **_facts(head))


@group.command("restore")
@click.argument("file", type=_FILE)
@_CONFIG
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
@click.pass_context
def restore_command(ctx: click.Context, file: Path, config_path: Path, *, yes: bool, as_json: bool) -> None:
    """Put FILE into the store's place; what is there now is set aside. The desk then starts frozen."""
    store = _Store(ctx, config_path)
    with store.place.hold():
        head = checked_backup(file)
        if not yes:
            question = f"{store.path}: {_present(store.path)}. Put {file} in its place, {_words(head)}?"
            click.confirm(question, abort=True, err=True)
        done = restore(file, store.path)
    aside = [str(one) for one in done.set_aside]
    text = f"{store.path} is now {file}: {_words(done.head)}"
    if aside:
        text += f"\nwhat it was is kept: {', '.join(aside)}"
    text += "\nthe next `mqd run` compares it with the broker and stays frozen until `mqd resume`"
    _tell(as_json, text, file=str(store.path), restored_from=str(file), set_aside=aside, **_facts(done.head))


def _present(path: Path) -> str:
    """What is in the store's place now, in words, whatever state it is in."""
    try:
        view = SqliteReader(path).view()
    except StoreError:
        return "it cannot be read" if path.exists() else "it is gone"
    return f"it has the journal up to sequence {view.as_of_sequence}"


def _words(head: Head) -> str:
    return f"{head.rows:,} rows up to sequence {head.sequence}"


def _facts(head: Head) -> dict[str, Any]:
    return {"sequence": head.sequence, "rows": head.rows, "hash": head.hash}


def _tell(as_json: bool, text: str, **facts: Any) -> None:  # noqa: FBT001  from click's flag
    click.echo(json.dumps({"schema": 1, **facts}) if as_json else text)
