"""An exchange on a Friday morning with one stock at 100, and what tests ask of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from mqd_core.api import SECOND_NS, xnys
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.order import Order, Update
from mqd_plugin_alpaca_sandbox.exchange.order_request import read_order
from mqd_plugin_alpaca_sandbox.exchange.quotes import Print
from mqd_plugin_alpaca_sandbox.exchange.replacement import read_change
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings

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
