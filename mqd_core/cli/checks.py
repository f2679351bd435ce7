"""What `mqd doctor` looks at, one row for each thing; logging has a module of its own (`logging_checks`).

A check says what it found and, where that is not good, what to do. May not change anything but temporary files.
"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mqd_core.app.plugins import choose_plugins
from mqd_core.cli.desk_reader import moment, read_desk
from mqd_core.cli.guarded_config import guarded_config
from mqd_core.cli.printing import foreign_code
from mqd_core.config import Config
from mqd_core.config.advice import config_warnings
from mqd_core.config.secret_file import read_secret_file
from mqd_core.domain.sessions import xnys
from mqd_core.errors import ConfigError, MqdError
from mqd_core.registry.loader import Registry
from mqd_core.runtime.clocks import WallClock

Status = Literal["ok", "warning", "failed", "skipped"]

_OLDEST_PYTHON: Final = (3, 10)
_MEGABYTE: Final = 1_000_000
_DISK_FAILS_MB: Final = 100
_DISK_WARNS_MB: Final = 1_000
_DAY_NS: Final = 86_400 * 1_000_000_000
_TABLE_FAILS_DAYS: Final = 30
_TABLE_WARNS_DAYS: Final = 180


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One thing that was looked at. Only `failed` makes the command fail."""

    check: str
    status: Status
    detail: str


def python_row() -> CheckRow:
    """Whether this Python is new enough."""
    detail = f"{platform.python_version()} on {platform.system()}"
    if sys.version_info >= _OLDEST_PYTHON:
        return CheckRow("python", "ok", detail)
    return CheckRow("python", "failed", f"{detail}; mqd needs {'.'.join(map(str, _OLDEST_PYTHON))} or newer")


def configuration_rows(path: Path) -> tuple[Config | None, list[CheckRow]]:
    """The configuration if it can be used, and a row for each thing that is wrong or unwise in it."""
    try:
        config = guarded_config(path)
    except ConfigError as error:
        return None, [CheckRow("configuration", "failed", problem) for problem in error.problems]
    warnings = [CheckRow("configuration", "warning", str(problem)) for problem in config_warnings(config)]
    return config, [CheckRow("configuration", "ok", f"{path} is valid"), *warnings]


def secrets_row(path: Path) -> CheckRow:
    """Whether the file of secrets is kept from others and from git."""
    file = path.parent / ".env.local"
    if not file.is_symlink() and not file.exists():
        return CheckRow("secrets", "ok", f"there is no {file}; secrets come from the environment, if any are needed")
    _, problems = read_secret_file(file)
    if problems:
        return CheckRow("secrets", "failed", "; ".join(map(str, problems)))
    return CheckRow("secrets", "ok", f"{file} is not tracked by git, and nobody else can read it")


def plugin_rows(config: Config) -> list[CheckRow]:
    """Whether every plugin that is named can be imported and takes its settings."""
    try:
        with foreign_code():
            chosen = choose_plugins(config, Registry(allow=config.plugins.allow), for_backtest=False)
    except ConfigError as error:
        return [CheckRow("plugins", "failed", problem) for problem in error.problems]
    return [CheckRow("plugins", "ok", ", ".join(label for label, _ in chosen.versions()))]


def state_rows(config: Config) -> Iterator[CheckRow]:
    """Whether the folders of the configuration can be written, and have room."""
    yield _writable("state folder", config.desk.state_dir)
    yield _writable("log folder", config.logging.log_dir)
    folder = _existing(config.desk.state_dir)
    try:
        free_mb = shutil.disk_usage(folder).free // _MEGABYTE
    except OSError as error:
        yield CheckRow("disk space", "failed", f"{folder}: {error.strerror}")
        return
    detail = f"{free_mb:,} MB free at {folder}"
    if free_mb < _DISK_FAILS_MB:
        yield CheckRow("disk space", "failed", f"{detail}; a full disk stops the desk: make room")
    elif free_mb < _DISK_WARNS_MB:
        yield CheckRow("disk space", "warning", f"{detail}; make room soon")
    else:
        yield CheckRow("disk space", "ok", detail)


def store_row(path: Path) -> CheckRow:
    """Whether the desk's store can be read."""
    try:
        reading = read_desk(path)
    except MqdError as error:
        return CheckRow("store", "failed", str(error))
    if reading.crashed:
        return CheckRow("store", "warning", f"{reading.as_of()}; the last run was cut off, the next one recovers it")
    return CheckRow("store", "ok", reading.as_of())


def session_table_row(now_ns: int | None = None) -> CheckRow:
    """Whether the shipped calendar reaches far enough; where it ends, trading stops."""
    last_ns = xnys().last_ns
    days = (last_ns - (WallClock().now_ns() if now_ns is None else now_ns)) // _DAY_NS
    detail = f"the calendar's last session is {moment(last_ns)[:10]}"
    if days < _TABLE_FAILS_DAYS:
        return CheckRow("session table", "failed", f"{detail}, where trading stops; install a newer mqd-core")
    if days < _TABLE_WARNS_DAYS:
        return CheckRow("session table", "warning", f"{detail}, in {days} days; install a newer mqd-core by then")
    return CheckRow("session table", "ok", detail)


def _writable(check: str, folder: Path) -> CheckRow:
    """Try it with a temporary file, in the folder or, where it is yet to be made, in the nearest one above it."""
    existing = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            return CheckRow(check, "ok", f"{folder} can be written")
    except OSError as error:
        remedy = "make it writable, or name another one in the configuration"
        return CheckRow(check, "failed", f"{existing} cannot be written: {error.strerror}; {remedy}")


def _existing(folder: Path) -> Path:
    absolute = folder.absolute()
    return next((one for one in (absolute, *absolute.parents) if one.exists()), absolute)
