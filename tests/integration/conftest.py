"""A desk in a folder of its own, and `mqd` in processes of its own, as a careless person would use it there."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mqd_core.testing.distributions import make_distribution

#: No process of these tests needs a tenth of it; one that does hangs.
TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.02
#: Variables of the machine that would change what `mqd` does.
FOREIGN = ("BROKER_API_KEY", "BROKER_API_SECRET", "PAPER_TRADING", "MQD_DEBUG", "NO_COLOR", "PYTHONPATH")
#: What a start that fails may leave or change: a lock that nobody holds, and log files.
LEFTOVERS = ("desk.lock", "logs")


@dataclass(frozen=True)
class Ended:
    """What a process said and left with."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)

    @property
    def message(self) -> str:
        """What `mqd` said of itself, usually one line; there may be no traceback anywhere."""
        assert "Traceback" not in self.out + self.err, self.err
        lines = [line.removeprefix("mqd: ") for line in self.err.splitlines() if line.startswith("mqd: ")]
        return "\n".join(lines)

    @property
    def warnings(self) -> list[str]:
        """The lines that warn."""
        return [line.removeprefix("warning: ") for line in self.err.splitlines() if line.startswith("warning: ")]


@dataclass
class Running:
    """A process under way; what it says on stderr is in a file that can be read meanwhile."""

    process: subprocess.Popen[str]
    err_path: Path

    @property
    def err(self) -> str:
        """What it has said on stderr so far."""
        return self.err_path.read_text(encoding="utf-8")

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds; fails where the process ends before, or the time is over."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            assert self.process.poll() is None, f"ended too early with {self.process.returncode}: {self.err}"
            assert time.monotonic() < deadline, f"waited in vain: {self.err}"
            time.sleep(POLL_SECONDS)

    def wait_for_text(self, text: str, times: int = 1) -> None:
        """Wait until it has said this on stderr so many times."""
        self.wait_for(lambda: self.err.count(text) >= times)

    def interrupt(self) -> None:
        """Press Ctrl-C; on Windows Ctrl-Break, the one that reaches another group of processes."""
        self.process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)

    def end(self) -> Ended:
        """Wait for its end."""
        out, _ = self.process.communicate(timeout=TIMEOUT_SECONDS)
        return Ended(self.process.returncode, out, self.err)


@dataclass
class Desk:
    """A working folder whose config.yaml somebody edits, and calls of `mqd` in it."""

    folder: Path
    text: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The configuration; mqd is told of it by its bare name."""
        return self.folder / "config.yaml"

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.folder / "var" / "demo" / "store" / "demo.db"

    def copy(self, folder: Path) -> Desk:
        """The same desk in another folder."""
        shutil.copytree(self.folder, folder)
        return Desk(folder, self.text, dict(self.environment))

    def write(self, text: str) -> None:
        """Make this the configuration."""
        self.text = text
        self.config.write_text(text, encoding="utf-8", newline="\n")

    def change(self, *changes: tuple[str, str]) -> None:
        """Replace pieces of the configuration, each of which stands there once."""
        text = self.text
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} stands there {text.count(old)} times"
            text = text.replace(old, new)
        self.write(text)

    def place(self, piece: str) -> str:
        """`config.yaml:LINE:COLUMN` of a piece of the configuration that stands there once."""
        assert self.text.count(piece) == 1, f"{piece!r} stands there {self.text.count(piece)} times"
        before = self.text[: self.text.index(piece)]
        return f"config.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"

    def file(self, name: str, text: str) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        return path

    def install(self, name: str, entry_points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]) -> None:
        """Install a distribution, made of files, for the processes of this desk."""
        site = self.folder.with_name(f"{self.folder.name}-site")
        make_distribution(site, name, entry_points=entry_points, modules=modules)
        self.environment["PYTHONPATH"] = str(site)

    def mqd(self, *arguments: str, launcher: Sequence[str] = ("-m", "mqd_core")) -> Ended:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, *launcher, *arguments],
            cwd=self.folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str) -> Ended:
        """`mqd run` to its end."""
        return self.mqd("run", "--config", "config.yaml", *arguments)

    def finish(self) -> Any:
        """`mqd run` to the end of its data, which must do; returns the result object."""
        ended = self.run("--json")
        assert ended.code == 0, ended.err
        return ended.result

    def refused(self, code: int, launcher: Sequence[str] = ("-m", "mqd_core")) -> str:
        """What `mqd run` says when it refuses to start, with that exit code, and leaves everything as it was."""
        before = self.contents()
        ended = self.mqd("run", "--config", "config.yaml", launcher=launcher)
        assert (ended.code, ended.out) == (code, ""), ended.err
        assert self.contents() == before
        assert ended.message
        return ended.message

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Running]:
        """`mqd run` under way; it is killed where the block leaves it alive."""
        err_path = self.folder / "stderr.txt"
        with err_path.open("w", encoding="utf-8", newline="\n") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "mqd_core", "run", "--config", "config.yaml", *arguments],
                cwd=self.folder,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                encoding="utf-8",
                creationflags=subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0,
            )
        try:
            yield Running(process, err_path)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=TIMEOUT_SECONDS)

    def runs(self) -> list[str]:
        """Names of the run folders."""
        root = self.folder / "runs"
        return sorted(path.name for path in root.iterdir()) if root.is_dir() else []

    def contents(self) -> dict[str, str]:
        """Every file below the folder by its digest, the store by its journal, but for what a start may leave."""
        files = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        kept = [file for file in files if not set(file.parts).intersection(LEFTOVERS) and "demo.db" not in file.name]
        digests = {file.as_posix(): _digest((self.folder / file).read_bytes()) for file in kept}
        stores = [file for file in files if file.name == "demo.db"]
        return digests | {file.as_posix(): _digest(repr(journal(self.folder / file)).encode()) for file in stores}

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {**kept, "PYTHONUTF8": "1", **self.environment}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def journal(database: Path) -> list[Any]:
    """All rows of a store's journal, read from a copy: a reader, too, leaves files beside the original."""
    with tempfile.TemporaryDirectory() as folder:
        for file in database.parent.glob(f"{database.name}*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / database.name)) as connection:
            return connection.execute("SELECT * FROM journal ORDER BY 1, 2").fetchall()


@pytest.fixture(scope="session")
def demonstration(project_root: Path) -> str:
    """The configuration of the demonstration, cut to two days, with nothing on the console but what went wrong."""
    text = (project_root / "config" / "config.yaml").read_text(encoding="utf-8")
    changed = text.replace("  days: 5\n", "  days: 2\n").replace("log_level: INFO", "log_level: ERROR")
    assert changed.count("days: 2") == changed.count("log_level: ERROR") == 1
    return changed


@pytest.fixture(scope="session")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Desk]:
    """Make a folder with a configuration in it and nothing else."""

    def make(text: str) -> Desk:
        desk = Desk(tmp_path_factory.mktemp("desk"), text)
        desk.write(text)
        return desk

    return make


@pytest.fixture
def desk(demonstration: str, make_desk: Callable[[str], Desk]) -> Desk:
    """A desk of this test's own."""
    return make_desk(demonstration)


@pytest.fixture(scope="session")
def undisturbed(demonstration: str, make_desk: Callable[[str], Desk]) -> tuple[Desk, Any]:
    """A desk that nobody disturbed and its result object. Copy it, do not change it."""
    desk = make_desk(demonstration)
    return desk, desk.finish()


@pytest.fixture
def finished(undisturbed: tuple[Desk, Any], tmp_path: Path) -> Desk:
    """A desk with a book that is over: the next start moves its store away, if it is a start at all."""
    return undisturbed[0].copy(tmp_path / "desk")


# Desks beside a venue in a process of its own


@functools.cache
def loaded(name: str) -> ModuleType:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_outsider() -> Any:
    """What reads a store and an account's record, and says what does not hold: `checker.Check`."""
    return loaded("checker").Check


@pytest.fixture
def make_venue_desk(make_desk: Callable[[str], Any]) -> Iterator[Callable[..., Any]]:
    """Make desks with venues; what still runs at the end of the test is ended."""
    desks: list[Any] = []

    def make_one(not_found: str = "final") -> Any:
        desks.append(loaded("venue_desks").made(make_desk, loaded("checker").Check, not_found))
        return desks[-1]

    yield make_one
    for desk in desks:
        desk.stop_venue()


@pytest.fixture(scope="session")
def undisturbed_venue(make_desk: Callable[[str], Any]) -> Any:
    """The result of a desk that nobody disturbs, and what it decided."""
    desk = loaded("venue_desks").made(make_desk, loaded("checker").Check)
    try:
        result = desk.desk.finish()
        assert result["orders"] > 100
        check = desk.check(is_over=True)
        assert len(check.account.tickets) == result["orders"]
    finally:
        desk.stop_venue()
    return result, check.decisions()
