"""What the tests of the configuration share: the smallest valid one, and files to read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqd_core.config import Config, load_config
from mqd_core.errors import ConfigError

SMALLEST: dict[str, Any] = {
    "broker": {"name": "mock"},
    "data": {"name": "synthetic"},
    "sizer": {"name": "notional"},
    "store": {"name": "sqlite"},
    "strategies": [{"name": "Vwap", "symbols": ["SPY"]}],
}
SMALLEST_TEXT = """\
broker: {name: mock}
data: {name: synthetic}
sizer: {name: notional}
store: {name: sqlite}
strategies:
  - name: Vwap
    symbols: [SPY]
"""


@pytest.fixture
def smallest() -> dict[str, Any]:
    """The content of the smallest valid configuration; a test may change it."""
    return copy.deepcopy(SMALLEST)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Config]:
    """Load the smallest valid configuration with lines added to it, under an environment of the test's own."""

    def loaded(added: str = "", environment: dict[str, str] | None = None, whole: str | None = None) -> Config:
        file = tmp_path / "config.yaml"
        file.write_text(SMALLEST_TEXT + added if whole is None else whole, encoding="utf-8", newline="\n")
        return load_config(file, environment=environment or {})

    return loaded


@pytest.fixture
def faults(load: Callable[..., Config], tmp_path: Path) -> Callable[..., list[str]]:
    """Load what must be refused and give the lines of the error, the file's folder left out."""

    def found(added: str = "", environment: dict[str, str] | None = None, whole: str | None = None) -> list[str]:
        with pytest.raises(ConfigError) as refused:
            load(added, environment, whole)
        assert refused.value.exit_code == 3
        # Nothing hangs on the error that could print what was read.
        assert refused.value.__cause__ is None
        return [line.replace(f"{tmp_path}/", "").replace(f"{tmp_path}\\", "") for line in refused.value.problems]

    return found
