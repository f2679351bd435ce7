"""Market data over real sockets: history in pages, bars as they end, in JSON and for the genuine client."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import threading
import time
import warnings
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.sync.client import ClientConnection, connect

from mqd_core.api import MINUTE_NS, Bar, xnys
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings
from mqd_plugin_alpaca_sandbox.market.bar_feed import BarFeed
from mqd_plugin_alpaca_sandbox.market.routes import market_routes
from mqd_plugin_alpaca_sandbox.server import SandboxServer
from mqd_plugin_alpaca_sandbox.service import Service

START = dt.datetime(2026, 9, 18, 14, 30, tzinfo=dt.timezone.utc)
START_NS = int(START.timestamp()) * 1_000_000_000
AUTH = {"action": "auth", "key": "sandbox-key", "secret": "sandbox-secret"}


def bars(symbol: str, count: int) -> Iterator[Bar]:
    """Minutes, one after the other."""
    for minute in range(count):
        yield Bar(symbol, START_NS + minute * MINUTE_NS, 10.0, 12.0, 9.0, 11.25, 100.0)


@pytest.fixture
def service() -> Iterator[tuple[Service, int]]:
    """Two symbols with three minutes of history each, and a minute of market for each tenth of a second."""
    feed = BarFeed(
        {"SPY": bars("SPY", 300), "AAPL": bars("AAPL", 300)}, 600.0, time.monotonic_ns, START_NS + 3 * MINUTE_NS
    )
    assets = [ListedAsset(symbol="SPY"), ListedAsset(symbol="AAPL")]
    exchange = Exchange(ExchangeSettings(cash_usd=Decimal(1000)), assets, xnys(), feed.start_ns)
    made = Service(exchange=exchange)
    server = SandboxServer(made, feed, 0, market_routes(made, feed))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield made, server.port
    server.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()


def get(port: int, path: str, **query: object) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    keys = {"APCA-API-KEY-ID": "sandbox-key", "APCA-API-SECRET-KEY": "sandbox-secret"}
    try:
        connection.request("GET", f"{path}?{urlencode(query)}", headers=keys)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def ask(socket: ClientConnection, message: object) -> Any:
    """Send a message and take the next one."""
    socket.send(json.dumps(message))
    return json.loads(socket.recv(timeout=5))


def test_history_comes_in_pages(service: tuple[Service, int]) -> None:
    """By symbol, then time; the range includes both ends; an unknown symbol is left out."""
    _, port = service
    query = {
        "symbols": "SPY,AAPL,ZZZ",
        "timeframe": "1Min",
        "start": "2026-09-18T14:30:00Z",
        "end": "2026-09-18T14:32:00Z",
    }
    status, first = get(port, "/v2/stocks/bars", **query, limit=4)
    assert (status, {symbol: len(rows) for symbol, rows in first["bars"].items()}) == (200, {"AAPL": 3, "SPY": 1})
    _, second = get(port, "/v2/stocks/bars", **query, limit=4, page_token=first["next_page_token"])
    assert [row["t"] for row in second["bars"]["SPY"]] == ["2026-09-18T14:31:00Z", "2026-09-18T14:32:00Z"]
    assert second["next_page_token"] is None
    assert second["bars"]["SPY"][0] == {
        "t": "2026-09-18T14:31:00Z",
        "o": 10.0,
        "h": 12.0,
        "l": 9.0,
        "c": 11.25,
        "v": 100,
        "n": 4,
        "vw": 10.5625,
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"symbols": "SPY", "timeframe": "1Hour"}, "invalid timeframe: 1Hour: this sandbox has 1Min"),
        (
            {"symbols": "SPY", "timeframe": "1Min", "limit": 10_001},
            "invalid limit: larger than the allowed maximum of 10000",
        ),
        ({"timeframe": "1Min"}, "symbols is required"),
        ({"symbols": "SPY", "timeframe": "1Min", "page_token": "x"}, "invalid page_token: x"),
    ],
)
def test_history_refuses_without_a_code(service: tuple[Service, int], query: dict[str, object], message: str) -> None:
    """As the data API does: 400 with words alone."""
    assert get(service[1], "/v2/stocks/bars", **query) == (400, {"message": message})


def test_nothing_of_the_future_is_shown(service: tuple[Service, int]) -> None:
    """The last bar is over at the exchange's own time."""
    made, port = service
    _, latest = get(port, "/v2/stocks/bars/latest", symbols="SPY")
    start_ns = int(dt.datetime.fromisoformat(latest["bars"]["SPY"]["t"].replace("Z", "+00:00")).timestamp()) * 10**9
    assert start_ns + MINUTE_NS <= made.exchange.now_ns


def test_bars_are_told_as_they_end(service: tuple[Service, int]) -> None:
    """Subscriptions add up, and each bar is told once, in order."""
    with connect(f"ws://127.0.0.1:{service[1]}/v2/iex") as socket:
        assert json.loads(socket.recv(timeout=5)) == [{"T": "success", "msg": "connected"}]
        assert ask(socket, {"action": "subscribe", "bars": ["SPY"]})[0]["code"] == 401
        assert ask(socket, {**AUTH, "key": "x"}) == [{"T": "error", "code": 402, "msg": "auth failed"}]
        assert ask(socket, AUTH) == [{"T": "success", "msg": "authenticated"}]
        assert ask(socket, {"action": "subscribe", "statuses": ["*"]})[0]["statuses"] == ["*"]
        assert ask(socket, {"action": "subscribe", "bars": ["SPY"]})[0]["statuses"] == ["*"]
        told = [json.loads(socket.recv(timeout=5))[0] for _ in range(3)]
    assert {(row["T"], row["S"], row["c"]) for row in told} == {("b", "SPY", 11.25)}
    times = [dt.datetime.fromisoformat(row["t"].replace("Z", "+00:00")) for row in told]
    assert [after - before for before, after in pairwise(times)] == [dt.timedelta(minutes=1)] * 2


def test_a_second_data_connection_may_not_authenticate(service: tuple[Service, int]) -> None:
    """It is told so by an error message, not in its handshake."""
    address = f"ws://127.0.0.1:{service[1]}/v2/iex"
    with connect(address) as first, connect(address) as second:
        for socket in (first, second):
            socket.recv(timeout=5)
        assert ask(second, AUTH) == [{"T": "error", "code": 406, "msg": "connection limit exceeded"}]
        assert ask(first, AUTH)[0]["msg"] == "authenticated"
        assert ask(first, AUTH)[0]["code"] == 403
        assert ask(first, [])[0]["code"] == 400


def test_a_bar_can_be_lost(service: tuple[Service, int]) -> None:
    """One minute is missing between two others."""
    service[0].faults.add({"kind": "lose", "event": "bar", "skip": 1})
    with connect(f"ws://127.0.0.1:{service[1]}/v2/iex") as socket:
        socket.recv(timeout=5)
        ask(socket, AUTH)
        ask(socket, {"action": "subscribe", "bars": ["SPY"]})
        first, second = (json.loads(socket.recv(timeout=5))[0]["t"] for _ in range(2))
    gap = dt.datetime.fromisoformat(second.replace("Z", "+00:00")) - dt.datetime.fromisoformat(
        first.replace("Z", "+00:00")
    )
    assert gap == dt.timedelta(minutes=2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_genuine_clients_take_both(service: tuple[Service, int]) -> None:
    """History by its models over several pages; live bars by MessagePack with its time extension."""
    pytest.importorskip("alpaca", reason="Alpaca's own client (alpaca-py) is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from alpaca.data.historical import StockHistoricalDataClient
        from alpaca.data.live import StockDataStream
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame
    keys, port = ("sandbox-key", "sandbox-secret"), service[1]
    client = StockHistoricalDataClient(*keys, url_override=f"http://127.0.0.1:{port}")
    found = client.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=["SPY", "AAPL"],
            timeframe=TimeFrame.Minute,
            start=START,
            end=START + dt.timedelta(minutes=2),
        )
    )
    client._session.close()
    assert {symbol: len(rows) for symbol, rows in found.data.items()} == {"AAPL": 3, "SPY": 3}
    heard: list[Any] = []
    enough = threading.Event()

    async def hear(bar: Any) -> None:
        heard.append(bar)
        if len(heard) >= 2:
            enough.set()

    stream = StockDataStream(*keys, url_override=f"ws://127.0.0.1:{port}/v2/iex")
    stream.subscribe_bars(hear, "SPY")
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    assert enough.wait(10)
    stream.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert heard[1].timestamp - heard[0].timestamp == dt.timedelta(minutes=1)
    assert (heard[0].symbol, heard[0].close, heard[0].trade_count) == ("SPY", 11.25, 4)
