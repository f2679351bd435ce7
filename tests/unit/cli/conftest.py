"""Calls of `mqd` in this process, each test in a folder of its own, without a developer's secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mqd_core.cli.program import program
from mqd_core.testing.distributions import make_distribution

VARIABLES = ("BROKER_API_KEY", "BROKER_API_SECRET", "PAPER_TRADING", "MQD_DEBUG")


@dataclass(frozen=True)
class Answer:
    """What one call of `mqd` came to."""

    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """What stands on stdout, which must be one JSON object and nothing else."""
        return json.loads(self.stdout)


Call = Callable[..., Answer]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test: empty."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "desk"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def mqd(folder: Path) -> Call:
    """Call `mqd`, or another program, with arguments."""

    def call(*arguments: str, answers: str | None = None, command: click.Command = program) -> Answer:
        result = CliRunner().invoke(command, list(arguments), input=answers, prog_name="mqd")
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions, found first; what was imported from it is forgotten at the end."""
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    before = set(sys.modules)
    yield place
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Callable[..., Path]:
    """Install a distribution with one plugin module and an entry point for each name."""

    def write(distribution: str, group: str, *names: str, source: str = "", requires: tuple[str, ...] = ()) -> Path:
        package = distribution.replace("-", "_")
        return make_distribution(
            site,
            distribution,
            entry_points={group: dict.fromkeys(names, f"{package}.plugin")},
            modules={f"{package}/plugin.py": source},
            requires=requires,
        )

    return write
