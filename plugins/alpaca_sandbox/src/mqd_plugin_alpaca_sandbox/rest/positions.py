"""The endpoints of positions: what is held, and selling it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mqd_core.api import SECOND_NS, floor9, percent_of
from mqd_plugin_alpaca_sandbox.bodies import order_body, position_body
from mqd_plugin_alpaca_sandbox.exchange.account import Holding
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError, malformed, not_found
from mqd_plugin_alpaca_sandbox.exchange.notation import read_number
from mqd_plugin_alpaca_sandbox.exchange.order import Order
from mqd_plugin_alpaca_sandbox.exchange.order_request import OrderRequest, read_quantity
from mqd_plugin_alpaca_sandbox.service import Service

_HUNDRED: Final = Decimal(100)


class PositionEndpoints:
    """`/v2/positions` and what is below it."""

    __slots__ = ("_exchange", "_faults", "_shown", "_stale_until_ns")

    def __init__(self, service: Service) -> None:
        self._exchange = service.exchange
        self._faults = service.faults
        self._shown: list[dict[str, object]] = []
        self._stale_until_ns = 0

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v2/positions", self.show_all, methods=["GET"]),
            Route("/v2/positions", self.close_all, methods=["DELETE"]),
            Route("/v2/positions/{symbol}", self.show, methods=["GET"]),
            Route("/v2/positions/{symbol}", self.close, methods=["DELETE"]),
        ]

    async def show_all(self, _request: Request) -> Response:
        """List positions; where a fault asks for it, as they were when last asked for, for some seconds."""
        now_ns = self._exchange.now_ns
        fault = None if now_ns < self._stale_until_ns else self._faults.take("stale_positions")
        if fault is not None:
            self._stale_until_ns = now_ns + int(fault.number("seconds", 10.0) * SECOND_NS)
        if now_ns >= self._stale_until_ns:
            holdings = self._exchange.account.holdings.values()
            self._shown = [position_body(self._exchange, holding) for holding in holdings]
        return JSONResponse(self._shown)

    async def show(self, request: Request) -> Response:
        """Show one position."""
        return JSONResponse(position_body(self._exchange, self._held(request.path_params["symbol"])))

    async def close(self, request: Request) -> Response:
        """Sell a position, or the part of it that the query names, at the market."""
        holding, query = self._held(request.path_params["symbol"]), request.query_params
        qty = holding.qty
        if "qty" in query and "percentage" in query:
            raise malformed("only one of qty or percentage is accepted")
        if "qty" in query:
            qty = read_quantity(query["qty"]) or qty
        elif "percentage" in query:
            percentage = read_number(query["percentage"])
            if percentage is None or not 0 < percentage <= _HUNDRED:
                raise malformed("percentage must be between 0 and 100")
            qty = floor9(percent_of(qty, percentage))
        return JSONResponse(order_body(self._sell(holding, qty)))

    async def close_all(self, request: Request) -> Response:
        """Sell everything, on request after canceling all open orders; with an answer for each position."""
        if request.query_params.get("cancel_orders", "").lower() == "true":
            for order in self._exchange.book.open_orders():
                if order.status not in {"pending_cancel", "pending_replace"}:
                    self._exchange.cancel_now(order.id)
        return JSONResponse(
            [self._close_one(holding) for holding in list(self._exchange.account.holdings.values())], status_code=207
        )

    def _close_one(self, holding: Holding) -> dict[str, object]:
        try:
            order = self._sell(holding, holding.qty)
        except ApiError as error:
            return {"symbol": holding.symbol, "status": error.http_status, "body": error.body()}
        return {"symbol": holding.symbol, "status": 200, "body": order_body(order)}

    def _sell(self, holding: Holding, qty: Decimal) -> Order:
        request = OrderRequest(symbol=holding.symbol, side="sell", type="market", time_in_force="day", qty=qty)
        return self._exchange.submit(request)

    def _held(self, symbol_or_id: str) -> Holding:
        asset = self._exchange.assets.find(symbol_or_id)
        holding = None if asset is None else self._exchange.account.holdings.get(asset.symbol)
        if holding is None:
            raise not_found("position does not exist")
        return holding
