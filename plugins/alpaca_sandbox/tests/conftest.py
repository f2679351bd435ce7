"""An exchange on a Friday morning with one stock at 100, and what tests ask of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from ruamel.yaml import YAML

from mqd_core.api import SECOND_NS, xnys
from mqd_plugin_alpaca_sandbox.app import build_app
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.order import Order, Update
from mqd_plugin_alpaca_sandbox.exchange.order_request import read_order
from mqd_plugin_alpaca_sandbox.exchange.quotes import Print
from mqd_plugin_alpaca_sandbox.exchange.replacement import read_change
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings
from mqd_plugin_alpaca_sandbox.server import SandboxServer
from mqd_plugin_alpaca_sandbox.service import Service

if TYPE_CHECKING:
    from typing_extensions import Self

ASSETS = (
    ListedAsset(symbol="SPY"),
    ListedAsset(symbol="AAPL", exchange="NASDAQ"),
    ListedAsset(symbol="WHOL", fractionable=False),
    ListedAsset(symbol="DEAD", tradable=False),
    ListedAsset(symbol="NONE"),
)


def instant(text: str) -> int:
    """UTC nanoseconds of `2026-09-18 14:30`."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND_NS


@dataclass
class Market:
    """The exchange, what it told, and short ways to ask it."""

    exchange: Exchange
    updates: list[Update] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange.subscribe(self.updates.append)

    def send(self, **body: object) -> Order:
        """Submit; the defaults are a market buy of SPY for the day."""
        whole = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", **body}
        return self.exchange.submit(read_order(whole))

    def refusal(self, **body: object) -> tuple[int, int | None, str]:
        """Status, code and words with which an order is refused."""
        with pytest.raises(ApiError) as caught:
            self.send(**body)
        return caught.value.http_status, caught.value.code, caught.value.message

    def change(self, order: Order, **body: object) -> Order:
        """Replace."""
        return self.exchange.replace(order.id, read_change(body))

    def after(self, seconds: float, price: str | None = None, symbol: str = "SPY") -> None:
        """Let time pass, with a trade at its end."""
        until = self.exchange.now_ns + int(seconds * SECOND_NS)
        self.exchange.advance(until, [] if price is None else [Print(ts_ns=until, symbol=symbol, price=Decimal(price))])

    def until(self, text: str) -> None:
        """Let time pass up to an instant."""
        self.exchange.advance(instant(text))

    def status(self, order: Order) -> str:
        """An order's state now."""
        return self.exchange.book.of_id(order.id).status

    def events(self, order: Order) -> list[str]:
        """The news of an order so far."""
        return [update.event for update in self.updates if update.order.id == order.id]

    def bought(self, qty: str) -> None:
        """Own shares of SPY."""
        order = self.send(qty=qty)
        self.after(1)
        assert self.status(order) == "filled"


MakeMarket = Callable[..., Market]


@pytest.fixture
def make_market() -> MakeMarket:
    """Make a market: settings of the exchange as keywords, `start` as text."""

    def make(start: str = "2026-09-18 14:30", **settings: object) -> Market:
        usual = {"cash_usd": Decimal(1000), "spread_bps": Decimal(0), "partial_fill_pct": 0, **settings}
        exchange = Exchange(ExchangeSettings(**usual), ASSETS, xnys(), instant(start))  # type: ignore[arg-type]
        shown = [Print(ts_ns=exchange.now_ns, symbol=name, price=Decimal(100)) for name in ("SPY", "AAPL", "WHOL")]
        exchange.advance(exchange.now_ns, shown)
        return Market(exchange)

    return make


@pytest.fixture
def market(make_market: MakeMarket) -> Market:
    """Friday, half past ten in New York, $1,000, no spread, no partial fills."""
    return make_market()


@dataclass
class Answer:
    """An answer of the REST interface."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Rest:
    """The application called as a server calls it, without a socket; `check` is told of each success."""

    market: Market
    service: Service
    application: Any
    check: Callable[[str, str, Answer], None] | None = None
    keys: tuple[str, str] = ("sandbox-key", "sandbox-secret")

    def call(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """Send a request and take the answer."""
        sent: list[Any] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(query).encode(),
            "headers": [
                (b"apca-api-key-id", self.keys[0].encode()),
                (b"apca-api-secret-key", self.keys[1].encode()),
            ],
        }

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        asyncio.run(self.application(scope, receive, send))
        start = sent[0]
        raw = b"".join(message.get("body", b"") for message in sent[1:])
        answer = Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, raw)
        if self.check is not None and answer.status < 300 and path.startswith("/v2/"):
            self.check(method, path, answer)
        return answer

    def order(self, **body: object) -> Any:
        """Submit; the defaults are a market buy of SPY for the day."""
        whole = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", **body}
        answer = self.call("POST", "/v2/orders", whole)
        assert answer.status == 200, answer.raw
        return answer.json


@pytest.fixture
def make_rest(market: Market) -> Callable[..., Rest]:
    """Make the REST side of the market; keywords are the service's."""

    def make(**settings: Any) -> Rest:
        service = Service(exchange=market.exchange, **settings)
        return Rest(market, service, build_app(service))

    return make


@pytest.fixture
def rest(make_rest: Callable[..., Rest]) -> Rest:
    """The REST side of the market."""
    return make_rest()


@pytest.fixture(scope="session")
def specification(project_root: Path) -> Any:
    """The trading API's published description; where it is absent the test is skipped."""
    path = project_root.parent / "shared" / "alpaca" / "trading-openapi.yaml"
    if not path.is_file():
        pytest.skip("the published description of the API (../shared/alpaca) is not beside this checkout")
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@pytest.fixture
def checked_rest(rest: Rest, specification: Any) -> Rest:
    """The REST side, each success of which is held against the description."""
    rest.check = Description(specification).check
    return rest


class Description:
    """The published description, asked by method, path and status."""

    def __init__(self, specification: Any) -> None:
        self._specification = specification

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fail where the answer's status is not described, or its body breaks the schema."""
        jsonschema = pytest.importorskip("jsonschema")
        responses = self._operation(method, path)["responses"]
        assert str(answer.status) in responses, f"{method} {path} answers {answer.status}, described: {[*responses]}"
        content = responses[str(answer.status)].get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is not None:
            whole = {**schema, "components": self._specification["components"]}
            jsonschema.Draft202012Validator(whole).validate(answer.json)

    def _operation(self, method: str, path: str) -> Any:
        plain = self._specification["paths"]
        if path in plain:
            return plain[path][method.lower()]
        for template, operations in plain.items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in operations:
                return operations[method.lower()]
        raise AssertionError(f"{method} {path} is not in the description")


class ScriptedFeed:
    """A market whose time passes as the wall's does, one day long enough for any test, and whose prices stand still."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._wall_ns = time.monotonic_ns()

    def step(self) -> tuple[int, list[Print]]:
        return self._start_ns + time.monotonic_ns() - self._wall_ns, []


class Sandbox:
    """A sandbox on a port of its own, in a thread; asked by plain HTTP."""

    def __init__(self, market: Market, **settings: Any) -> None:
        self._market = market
        service = Service(exchange=market.exchange, requests_per_minute=100_000, **settings)
        self._server = SandboxServer(service, ScriptedFeed(market.exchange.now_ns))
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        self.until(self._answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    @property
    def listeners(self) -> int:
        """How many connections the exchange tells its news, beside the test."""
        return len(self._market.exchange._listeners) - 1

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request and take the JSON of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"APCA-API-KEY-ID": "sandbox-key", "APCA-API-SECRET-KEY": "sandbox-secret"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
            assert answer.status < 300, raw
            return json.loads(raw) if raw else None
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """What a path shows."""
        return self.ask("GET", path)

    def usual(self, **body: object) -> dict[str, object]:
        """A market buy of SPY for the day, and what differs."""
        return {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", **body}

    def order(self, **body: object) -> Any:
        """Submit."""
        return self.ask("POST", "/v2/orders", self.usual(**body))

    def order_in_thread(self, **body: object) -> threading.Event:
        """Submit beside the test; the event is set when the answer is there."""
        answered = threading.Event()

        def send() -> None:
            self.order(**body)
            answered.set()

        threading.Thread(target=send, daemon=True).start()
        return answered

    def fault(self, described: object) -> None:
        """Ask for a fault."""
        self.ask("POST", "/sandbox/faults", described)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something, for ten seconds at most."""
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end, "it did not happen within ten seconds"
            threading.Event().wait(0.01)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/v2/clock"))
        except OSError:
            return False


@pytest.fixture
def make_sandbox(market: Market) -> Iterator[Callable[..., Sandbox]]:
    """Make a running sandbox around the market; keywords are the service's."""
    with ExitStack() as running:

        def make(**settings: Any) -> Sandbox:
            return running.enter_context(Sandbox(market, **settings))

        yield make
