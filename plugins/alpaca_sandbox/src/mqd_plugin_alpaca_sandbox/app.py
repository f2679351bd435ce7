"""The sandbox as an ASGI application. Puts the parts together; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from mqd_plugin_alpaca_sandbox.admin import AdminEndpoints
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError
from mqd_plugin_alpaca_sandbox.rest.account import AccountEndpoints
from mqd_plugin_alpaca_sandbox.rest.gate import Application, Gate
from mqd_plugin_alpaca_sandbox.rest.orders import OrderEndpoints
from mqd_plugin_alpaca_sandbox.rest.positions import PositionEndpoints
from mqd_plugin_alpaca_sandbox.service import Service
from mqd_plugin_alpaca_sandbox.streams.trade_updates import TradeUpdates


def build_app(service: Service, market_routes: Sequence[BaseRoute] = ()) -> Application:
    """The whole service: trading REST, `/stream`, the admin endpoints, and the routes of market data."""
    routes: list[BaseRoute] = [
        *OrderEndpoints(service).routes(),
        *PositionEndpoints(service).routes(),
        *AccountEndpoints(service).routes(),
        *AdminEndpoints(service).routes(),
        WebSocketRoute("/stream", TradeUpdates(service).serve),
        *market_routes,
        Route("/{path:path}", _nothing, methods=["GET", "POST", "PATCH", "PUT", "DELETE"]),
    ]
    return Gate(Starlette(routes=routes, exception_handlers={ApiError: _refuse}), service)


async def _refuse(_request: Request, error: Exception) -> Response:
    """The answer to whatever the exchange refuses."""
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse(error.body(), status_code=error.http_status)


async def _nothing(_request: Request) -> Response:
    """The answer on paths that this sandbox does not serve."""
    return JSONResponse({"code": 40410000, "message": "endpoint not found in this sandbox"}, status_code=404)
