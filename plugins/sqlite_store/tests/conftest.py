"""What the store's tests share: made-up trading, a path for a store, and processes that run `trading.py`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mqd_plugin_sqlite.store import SqliteStore

TRADING = Path(__file__).with_name("trading.py")


@pytest.fixture(scope="session")
def trading() -> ModuleType:
    """The module `trading.py` beside this file, which also runs as a process of its own."""
    specification = importlib.util.spec_from_file_location("sqlite_store_trading", TRADING)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's store goes."""
    return tmp_path / "state" / "demo" / "desk.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., SqliteStore]]:
    """Open the store at `path` (or another one), again and again; all are closed at the end."""
    stores: list[SqliteStore] = []

    def open_store(other: Path | None = None, **options: Any) -> SqliteStore:
        stores.append(SqliteStore(other or path, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `trading.py` with arguments; whatever still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(TRADING), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()
