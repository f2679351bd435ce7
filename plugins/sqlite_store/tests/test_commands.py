"""`mqd store`: what each command does, says and refuses, on a desk that runs and one that does not."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mqd_core.api import AlreadyRunning, NoSettings, PluginSettings, StoreContext, StoreCorrupt, StoreError, StorePlace
from mqd_plugin_sqlite.commands import group
from mqd_plugin_sqlite.plugin import SqliteSettings, mqd_commands
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import SqliteStore

Open = Callable[..., SqliteStore]


class Host:
    """What `mqd` hands to a command: one desk, which runs or not."""

    def __init__(self, directory: Path, settings: PluginSettings | None = None) -> None:
        self.directory = directory
        self.settings = settings or SqliteSettings(keep_backups=2)
        self.is_running = False

    def store(self, config_path: Path) -> StorePlace:
        context = StoreContext(log=logging.getLogger("store"), directory=self.directory)
        return StorePlace(desk="demo", plugin="other", settings=self.settings, context=context, hold=self.hold)

    def hold(self) -> AbstractContextManager[object]:
        if self.is_running:
            raise AlreadyRunning("desk demo is already running in process 7")
        return nullcontext()


@pytest.fixture
def host(path: Path, opened: Open, trading: ModuleType) -> Host:
    """A desk whose store has three trades."""
    store = opened()
    for _ in range(3):
        store.commit(trading.next_trade(store))
    store.close()
    return Host(path.parent)


def run(host: Host, *arguments: object, answer: str | None = None) -> Result:
    """Run `mqd store` with these arguments."""
    return CliRunner().invoke(group, [str(one) for one in arguments], obj=host, input=answer)


def printed(host: Host, *arguments: object) -> dict[str, Any]:
    """What a command prints with --json."""
    result = run(host, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_record_loads_the_group() -> None:
    """The plugin offers one command, and its object is imported when it is called."""
    (record,) = mqd_commands()
    assert (record.name, record.load()) == ("store", group)
    assert sorted(group.commands) == ["backup", "restore", "verify"]


def test_a_backup_goes_into_its_folder_and_old_ones_go(host: Host) -> None:
    """Without a target the copy gets a name of its own, is checked, and only as many as the setting says stay."""
    made = [Path(printed(host, "backup")["file"]) for _ in range(3)]
    assert sorted((host.directory / "backups").iterdir()) == made[1:]
    facts = printed(host, "verify", made[2])
    assert (facts["schema"], facts["rows"], facts["sequence"]) == (1, 15, 6)


def test_a_backup_to_a_file_while_the_desk_runs(host: Host, tmp_path: Path) -> None:
    """A named target takes the copy; one that exists is refused."""
    host.is_running = True
    target = tmp_path / "usb" / "mine.backup"
    result = run(host, "backup", "--to", target)
    assert result.output == f"backed up to {target}: 15 rows up to sequence 6\n"
    assert isinstance(run(host, "backup", "--to", target).exception, StoreError)


@pytest.mark.parametrize("is_running", [False, True])
def test_verify_says_that_the_store_is_whole(host: Host, path: Path, is_running: bool) -> None:
    """The desk's own store is looked at whether or not the desk runs."""
    host.is_running = is_running
    assert run(host, "verify").output == f"{path} is what was written: 15 rows up to sequence 6\n"
    assert printed(host, "verify")["hash"] == SqliteReader(path).verify().hash


def test_verify_looks_at_the_log_of_a_desk_that_does_not_run(host: Host, path: Path) -> None:
    """A log that lost commits, of which SQLite says nothing, is found before SQLite drops it."""
    path.with_name("desk.db-wal").write_bytes(bytes(9_000))
    error = run(host, "verify").exception
    assert isinstance(error, StoreCorrupt)
    assert "its header is damaged" in str(error)


def test_restore_asks_first(host: Host, path: Path, opened: Open) -> None:
    """It says what is there and what would be; no is no."""
    backup = printed(host, "backup")["file"]
    before = path.read_bytes()
    result = run(host, "restore", backup, answer="n\n")
    assert result.exit_code == 1
    expected = f"{path}: it has the journal up to sequence 6. Put {backup} in its place, 15 rows up to sequence 6?"
    assert expected in result.output
    assert path.read_bytes() == before
    assert run(host, "restore", backup, answer="y\n").exit_code == 0
    assert opened().restored != ""


@pytest.mark.parametrize(("content", "words"), [(None, "it is gone"), (b"x" * 200, "it cannot be read")])
def test_restore_replaces_whatever_is_there(
    host: Host, path: Path, opened: Open, content: bytes | None, words: str
) -> None:
    """Of a store that cannot be read, or is gone, the question says that."""
    backup = printed(host, "backup")["file"]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert words in run(host, "restore", backup, answer="n\n").output
    facts = printed(host, "restore", backup, "--yes")
    assert len(facts["set_aside"]) == (content is not None)
    assert facts["restored_from"] == backup
    assert opened().verify().rows == 15


def test_restore_says_what_comes_next(host: Host, path: Path, opened: Open) -> None:
    """A person reads where the replaced store is, and that the desk will wait for a word of theirs."""
    backup = printed(host, "backup")["file"]
    output = run(host, "restore", backup, "--yes").output
    assert "what it was is kept: " in output
    assert "stays frozen until `mqd resume`" in output


def test_restore_is_refused_while_the_desk_runs(host: Host, path: Path) -> None:
    """Nothing is touched; the error is the lock's own, which names the process and exits 4."""
    backup = printed(host, "backup")["file"]
    host.is_running = True
    before = path.read_bytes()
    error = run(host, "restore", backup, "--yes").exception
    assert isinstance(error, AlreadyRunning)
    assert path.read_bytes() == before


def test_another_store_is_named(host: Host) -> None:
    """A configuration with another store is told so."""
    host.settings = NoSettings()
    error = run(host, "backup").exception
    assert isinstance(error, StoreError)
    assert str(error) == "desk demo keeps its journal in the store other, not in sqlite"
