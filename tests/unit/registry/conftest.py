"""Fake distributions on disk, so that the registry is tested as users meet it, without pip."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mqd_core.testing.distributions import make_distribution

SIZER = """
from mqd_core.api import NoSettings, Size, SizerRecord, hookimpl


class Fixed:
    def __init__(self, settings, context):
        self.settings = settings

    def size(self, signal, view):
        return Size(reason="nothing")


@hookimpl
def mqd_sizers():
    for name in {names!r}:
        yield SizerRecord(name=name, summary="Says nothing", settings=NoSettings, factory=Fixed)
"""

Install = Callable[..., Path]
RunPython = Callable[[str], str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions, first on the path; what was imported from it is forgotten at the end."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)) or name.startswith("mqd_local_"):
            del sys.modules[name]


@pytest.fixture
def only_site(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, and nothing else to be found: what is installed on this machine does not count."""
    import packaging.requirements  # noqa: F401 - is imported late by the registry, and would not be found then
    import packaging.utils  # noqa: F401

    # The standard library stays: it imports parts of itself late, too.
    empty = [entry for entry in sys.path if not _holds_distributions(Path(entry or "."))]
    monkeypatch.setattr(sys, "path", [str(site), *empty])
    return site


def _holds_distributions(folder: Path) -> bool:
    return folder.is_dir() and any(entry.suffix in {".dist-info", ".egg-info"} for entry in folder.iterdir())


@pytest.fixture
def sizer_source() -> Callable[..., str]:
    """Source of a good plugin module that yields sizers of the given names."""
    return lambda *names: SIZER.format(names=names)


@pytest.fixture
def install(site: Path) -> Install:
    """Install a distribution with one plugin module, `<distribution>/plugin.py`, and entry points for its names."""

    def write(
        distribution: str,
        *names: str,
        source: str | None = None,
        group: str = "mqd.sizers",
        version: str = "1.0",
        requires: Sequence[str] = (),
        folder: Path | None = None,
    ) -> Path:
        package = distribution.replace("-", "_")
        return make_distribution(
            folder or site,
            distribution,
            version,
            entry_points={group: dict.fromkeys(names, f"{package}.plugin")},
            modules={f"{package}/plugin.py": SIZER.format(names=names) if source is None else source},
            requires=requires,
        )

    return write


@pytest.fixture
def run_python(site: Path, tmp_path: Path) -> RunPython:
    """Run code in a fresh interpreter that sees the fake distributions; returns what it printed."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(site)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
