"""The sandbox on a port of its own with the connector before it; what was told to the desk is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.api import SECOND_NS, BrokerContext, Fill, OrderReport, Secret, StreamStatus, xnys
from mqd_core.runtime.clocks import WallClock
from mqd_core.testing.engines import approved_order
from mqd_plugin_alpaca.connector import AlpacaConnector
from mqd_plugin_alpaca.settings import AlpacaSettings
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.quotes import Print
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings
from mqd_plugin_alpaca_sandbox.server import SandboxServer
from mqd_plugin_alpaca_sandbox.service import Service


class SilentLog:
    def debug(self, message, /, *, extra=None):
        pass

    info = warning = error = debug


class PassingTime:
    """Market time passes as the wall's does; prices stand where the test puts them."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns, self._wall_ns = start_ns, time.monotonic_ns()
        self.prices: list[tuple[str, Decimal]] = []

    def step(self) -> tuple[int, list[Print]]:
        now_ns = self._start_ns + time.monotonic_ns() - self._wall_ns
        prices, self.prices = self.prices, []
        return now_ns, [Print(ts_ns=now_ns, symbol=symbol, price=price) for symbol, price in prices]


class Heard:
    """The sink."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._news = threading.Condition()

    def __call__(self, event: Any) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def wait(self, holds: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(holds, timeout=15), self.events

    @property
    def fills(self) -> list[Fill]:
        return [one for one in self.events if isinstance(one, Fill)]

    @property
    def statuses(self) -> list[str]:
        return [one.status.value for one in self.events if isinstance(one, OrderReport)]

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.events if isinstance(one, StreamStatus)]


class Venue:
    """A sandbox on a Friday morning with SPY at 100, and connectors to it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        session = xnys().session_of_date("2026-09-18")
        assert session is not None
        start_ns = session.open_ns + 3600 * SECOND_NS
        usual = {"cash_usd": Decimal(1000), "spread_bps": Decimal(0), "partial_fill_pct": 0, **settings}
        self.exchange = Exchange(ExchangeSettings(**usual), (ListedAsset(symbol="SPY"),), xnys(), start_ns)
        self.exchange.advance(start_ns, [Print(ts_ns=start_ns, symbol="SPY", price=Decimal(100))])
        self.service = Service(exchange=self.exchange, requests_per_minute=100_000)
        self.feed = PassingTime(start_ns)
        self._server = SandboxServer(self.service, self.feed)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._folder = folder
        self._open: list[AlpacaConnector] = []
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def context(self) -> BrokerContext:
        return BrokerContext(clock=WallClock(), log=SilentLog(), directory=self._folder, secrets={})

    def settings(self, **changes: Any) -> AlpacaSettings:
        quick = {
            "connect_timeout_seconds": 5,
            "read_timeout_seconds": 5,
            "reconnect_first_seconds": 0.05,
            "reconnect_last_seconds": 0.2,
            "requests_per_minute": 10_000,
            "url": self.url,
        }
        keys = {"api_key": Secret("sandbox-key"), "api_secret": Secret("sandbox-secret")}
        return AlpacaSettings(**{**keys, **quick, **changes})

    def connect(self, **changes: Any) -> tuple[AlpacaConnector, Heard]:
        """A connector that is open."""
        connector, heard = AlpacaConnector(self.settings(**changes), self.context()), Heard()
        self._open.append(connector)
        connector.open(heard)
        return connector, heard

    def fault(self, kind: str, **details: Any) -> None:
        """Have the sandbox misbehave."""
        self.service.faults.add({"kind": kind, **details})

    def order(self, name: str = "m1-a", **changes: Any) -> Any:
        """An order that the gate let through: to buy 0.3 SPY at the market."""
        return approved_order(name, **{"symbol": "SPY", "quantity": Decimal("0.3"), **changes})

    def close(self) -> None:
        for connector in self._open:
            connector.close()
        self._server.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def make_venue(tmp_path: Path) -> Iterator[Callable[..., Venue]]:
    """Make a sandbox; keywords are the exchange's settings."""
    made: list[Venue] = []

    def make(**settings: Any) -> Venue:
        made.append(Venue(tmp_path, **settings))
        return made[-1]

    yield make
    for venue in made:
        venue.close()


@pytest.fixture
def venue(make_venue: Callable[..., Venue]) -> Venue:
    """A sandbox without latency and partial fills."""
    return make_venue()
