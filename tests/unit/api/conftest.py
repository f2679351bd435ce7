"""Contexts made by hand, as the desk would make them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mqd_core.api import BrokerContext, DataContext, ExecutorContext, ObserverContext, StoreContext


class StillClock:
    """A clock that stands at one second."""

    def now_ns(self) -> int:
        return 1_000_000_000


@pytest.fixture
def broker_context(tmp_path: Path) -> BrokerContext:
    """What a broker is built with."""
    return BrokerContext(clock=StillClock(), log=logging.getLogger("test"), directory=tmp_path, secrets={})


@pytest.fixture
def data_context(tmp_path: Path) -> DataContext:
    """What a data provider is built with."""
    return DataContext(clock=StillClock(), log=logging.getLogger("test"), directory=tmp_path, secrets={})


@pytest.fixture
def store_context(tmp_path: Path) -> StoreContext:
    """What a store is built with."""
    return StoreContext(log=logging.getLogger("test"), directory=tmp_path)


@pytest.fixture
def observer_context(tmp_path: Path) -> ObserverContext:
    """What an observer is built with."""
    return ObserverContext(log=logging.getLogger("test"), directory=tmp_path)


@pytest.fixture
def executor_context(tmp_path: Path) -> ExecutorContext:
    """What an executor is built with."""
    return ExecutorContext(log=logging.getLogger("test"), directory=tmp_path)
