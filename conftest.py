"""Fixtures for the tests of the core and of every plugin in this folder; nothing here is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent

# No deadline: a machine that is busy is not a fault. `--hypothesis-profile` chooses another one.
settings.register_profile("usual", deadline=None, print_blob=True)
settings.register_profile("quick", deadline=None, print_blob=True, max_examples=20)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile("usual")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a person ask for more than a quick run has time for."""
    parser.addoption("--kills", type=int, default=10, help="how often tests/integration/test_kill.py kills a desk")


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder of pyproject.toml, plugins/ and config/."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real market data beside a checkout, for tests only; where it is absent the test is skipped."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real market data (../shared/data) is not beside this checkout")
    return folder
