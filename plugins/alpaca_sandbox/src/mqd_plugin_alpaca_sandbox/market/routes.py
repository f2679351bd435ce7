"""Market data of a feed of bars: its history and its stream. Puts the parts together."""

from __future__ import annotations

from starlette.routing import BaseRoute, WebSocketRoute

from mqd_plugin_alpaca_sandbox.market.bar_feed import BarFeed
from mqd_plugin_alpaca_sandbox.market.history import HistoryEndpoints
from mqd_plugin_alpaca_sandbox.service import Service
from mqd_plugin_alpaca_sandbox.streams.market_data import MarketData


def market_routes(service: Service, feed: BarFeed) -> list[BaseRoute]:
    """`/v2/stocks/...` and the stream `/v2/{feed}`, the same whichever feed is named."""
    return [*HistoryEndpoints(feed.history).routes(), WebSocketRoute("/v2/{feed}", MarketData(service, feed).serve)]
