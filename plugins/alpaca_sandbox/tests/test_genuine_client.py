"""Alpaca's own Python client against the sandbox: typed and raw, REST and stream, over real sockets."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("alpaca", reason="Alpaca's own client (alpaca-py) is not installed")
with warnings.catch_warnings():
    # It imports the old client of websockets.
    warnings.simplefilter("ignore")
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        ClosePositionRequest,
        GetCalendarRequest,
        GetOrdersRequest,
        GetPortfolioHistoryRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopOrderRequest,
    )
    from alpaca.trading.stream import TradingStream

KEYS = ("sandbox-key", "sandbox-secret")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Listener:
    """The genuine stream in a thread of its own, as it has to run."""

    def __init__(self, sandbox: Any, *, raw: bool) -> None:
        self.heard: list[Any] = []
        self._sandbox = sandbox
        address = f"ws://127.0.0.1:{sandbox.port}/stream"
        self._stream = TradingStream(*KEYS, paper=True, raw_data=raw, url_override=address)
        self._stream.subscribe_trade_updates(self._hear)
        self._thread = threading.Thread(target=self._stream.run, daemon=True)
        self._thread.start()
        sandbox.until(lambda: sandbox.listeners == 1)

    async def _hear(self, update: Any) -> None:
        self.heard.append(update)

    def wait(self, count: int) -> list[Any]:
        """The first messages, once there are that many."""
        self._sandbox.until(lambda: len(self.heard) >= count)
        return self.heard

    def stop(self) -> None:
        """End it; it looks up from its socket when something arrives there."""
        self._stream.stop()
        self._sandbox.order(qty="1", type="limit", limit_price="2")
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


@pytest.fixture
def sandbox(make_sandbox: Any) -> Any:
    """A sandbox with usual settings."""
    return make_sandbox()


@pytest.fixture
def client(sandbox: Any) -> Iterator[TradingClient]:
    """The genuine client, whose sessions are closed at the end."""
    made = TradingClient(*KEYS, paper=True, url_override=f"http://127.0.0.1:{sandbox.port}")
    yield made
    made._session.close()


def test_a_round_trip_by_its_own_types(sandbox: Any, client: TradingClient) -> None:
    """Buy an amount of money, hold it, close it: every model of the client takes the answers."""
    account = client.get_account()
    assert (account.cash, account.status.value) == ("1000", "ACTIVE")
    order = client.submit_order(
        MarketOrderRequest(symbol="SPY", notional=150, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    assert order.qty is None
    sandbox.until(lambda: client.get_order_by_id(order.id).status is OrderStatus.FILLED)
    position = client.get_open_position("SPY")
    assert (position.qty, position.avg_entry_price) == ("1.5", "100")
    closing = client.close_position("SPY", ClosePositionRequest(percentage="100"))
    sandbox.until(lambda: client.get_order_by_id(closing.id).status is OrderStatus.FILLED)
    assert client.get_all_positions() == []
    fills = client.get("/account/activities/FILL", {"direction": "asc"})
    assert [row["side"] for row in fills] == ["buy", "sell"]


def test_resting_orders_by_its_own_types(sandbox: Any, client: TradingClient) -> None:
    """Limit and stop orders, found by the client's id, replaced, canceled one by one and all at once."""
    limit = client.submit_order(
        LimitOrderRequest(
            symbol="SPY",
            qty=1,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.GTC,
            limit_price=90.5,
            client_order_id="a",
        )
    )
    sandbox.until(lambda: client.get_order_by_client_id("a").status is OrderStatus.NEW)
    new = client.replace_order_by_id(limit.id, ReplaceOrderRequest(limit_price=91.25))
    assert (new.replaces, new.limit_price) == (limit.id, "91.25")
    sandbox.until(lambda: client.get_order_by_id(new.id).status is OrderStatus.NEW)
    assert client.get_order_by_id(limit.id).replaced_by == new.id
    client.cancel_order_by_id(new.id)
    sandbox.until(lambda: client.get_orders() == [])
    client.submit_order(
        StopOrderRequest(symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, stop_price=120)
    )
    assert [row.status for row in client.cancel_orders()] == [200]
    everything = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, symbols=["SPY"]))
    assert {row.id for row in everything} >= {limit.id, new.id}


def test_what_it_reads_has_its_types(client: TradingClient) -> None:
    """Clock, calendar, assets and history parse into the client's models."""
    assert client.get_clock().is_open
    days = client.get_calendar(GetCalendarRequest(start="2026-11-26", end="2026-11-27"))
    assert [(str(day.date), day.close.hour) for day in days] == [("2026-11-27", 13)]
    assert isinstance(client.get_asset("SPY").id, UUID)
    assert len(client.get_all_assets()) == 5
    assert client.get_portfolio_history(GetPortfolioHistoryRequest(timeframe="1D")).equity == [1000.0]
    assert client.get_account_configurations().no_shorting


def test_its_errors_carry_status_code_and_words(client: TradingClient) -> None:
    """A refusal becomes the client's own error."""
    with pytest.raises(APIError) as caught:
        client.submit_order(
            MarketOrderRequest(symbol="SPY", qty=0.5, side=OrderSide.SELL, time_in_force=TimeInForce.DAY)
        )
    assert (caught.value.status_code, caught.value.code) == (422, 42210000)
    assert caught.value.message == "fractional orders cannot be sold short"


def test_its_stream_hears_typed_news(sandbox: Any, client: TradingClient) -> None:
    """The genuine stream takes binary frames and makes its own models of them."""
    listener = Listener(sandbox, raw=False)
    try:
        order = client.submit_order(
            MarketOrderRequest(symbol="SPY", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
        )
        heard = listener.wait(3)
        assert [str(getattr(row.event, "value", row.event)) for row in heard[:3]] == ["pending_new", "new", "fill"]
        assert (heard[2].order.id, heard[2].qty, heard[2].order.filled_avg_price) == (order.id, 2.0, "100")
    finally:
        listener.stop()


def test_its_stream_hears_raw_news(sandbox: Any) -> None:
    """Raw, the decimals arrive as the strings they were sent as."""
    raw = TradingClient(*KEYS, paper=True, raw_data=True, url_override=f"http://127.0.0.1:{sandbox.port}")
    listener = Listener(sandbox, raw=True)
    try:
        order = raw.post("/orders", sandbox.usual(qty="0.123456789"))
        heard = listener.wait(3)
        assert heard[2]["data"]["order"]["id"] == order["id"]
        assert Decimal(heard[2]["data"]["qty"]) == Decimal("0.123456789")
    finally:
        listener.stop()
        raw._session.close()
