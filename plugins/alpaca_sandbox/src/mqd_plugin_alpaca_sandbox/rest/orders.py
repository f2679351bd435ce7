"""The endpoints of orders. Decides nothing about them: the exchange does."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mqd_core.api import SECOND_NS
from mqd_plugin_alpaca_sandbox.bodies import order_body
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError
from mqd_plugin_alpaca_sandbox.exchange.order import Order
from mqd_plugin_alpaca_sandbox.exchange.order_request import read_order
from mqd_plugin_alpaca_sandbox.exchange.replacement import read_change
from mqd_plugin_alpaca_sandbox.rest.reading import read_choice, read_count, read_instant, read_object
from mqd_plugin_alpaca_sandbox.service import Service


class OrderEndpoints:
    """`/v2/orders` and what is below it."""

    __slots__ = ("_exchange", "_faults")

    def __init__(self, service: Service) -> None:
        self._exchange = service.exchange
        self._faults = service.faults

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v2/orders", self.submit, methods=["POST"]),
            Route("/v2/orders", self.show_all, methods=["GET"]),
            Route("/v2/orders", self.cancel_all, methods=["DELETE"]),
            Route("/v2/orders:by_client_order_id", self.show_by_client_id, methods=["GET"]),
            Route("/v2/orders/{order_id}", self.show, methods=["GET"]),
            Route("/v2/orders/{order_id}", self.replace, methods=["PATCH"]),
            Route("/v2/orders/{order_id}", self.cancel, methods=["DELETE"]),
        ]

    async def submit(self, request: Request) -> Response:
        """Take an order on."""
        order = self._exchange.submit(read_order(await read_object(request)))
        if self._faults.take("reject", symbol=order.symbol) is not None:
            self._exchange.doom(order.id)
        return JSONResponse(order_body(order))

    async def show_all(self, request: Request) -> Response:
        """List orders, newest first unless asked otherwise."""
        return JSONResponse([order_body(order) for order in self._selected(request.query_params)])

    async def show(self, request: Request) -> Response:
        """Show one order."""
        return JSONResponse(order_body(self._exchange.book.of_id(request.path_params["order_id"])))

    async def show_by_client_id(self, request: Request) -> Response:
        """Show the order with the client's own id."""
        wanted = request.query_params.get("client_order_id", "")
        return JSONResponse(order_body(self._exchange.book.of_client_id(wanted)))

    async def replace(self, request: Request) -> Response:
        """Ask for a new order in place of one; a 200 does not say that the old one is gone."""
        change = read_change(await read_object(request))
        return JSONResponse(order_body(self._exchange.replace(request.path_params["order_id"], change)))

    async def cancel(self, request: Request) -> Response:
        """Ask for an order's end."""
        order = self._exchange.book.of_id(request.path_params["order_id"])
        slow = self._faults.take("slow_cancel", symbol=order.symbol)
        self._exchange.cancel(order.id, 0 if slow is None else int(slow.number("seconds", 1.0) * SECOND_NS))
        return Response(status_code=204)

    async def cancel_all(self, _request: Request) -> Response:
        """Ask for the end of all open orders, with an answer for each."""
        return JSONResponse([self._cancel_one(order) for order in self._exchange.book.open_orders()], status_code=207)

    def _cancel_one(self, order: Order) -> dict[str, object]:
        try:
            self._exchange.cancel(order.id)
        except ApiError as error:
            return {"id": order.id, "status": error.http_status, "body": error.body()}
        return {"id": order.id, "status": 200, "body": None}

    def _selected(self, query: Mapping[str, str]) -> list[Order]:
        status = read_choice(query, "status", ("open", "closed", "all"))
        limit = read_count(query, "limit", 50, 500)
        after, until = read_instant(query, "after"), read_instant(query, "until")
        symbols = {name for name in query.get("symbols", "").split(",") if name}
        chosen = [
            order
            for order in self._exchange.book
            if (status == "all" or order.is_open == (status == "open"))
            and (after is None or order.created_ns > after)
            and (until is None or order.created_ns < until)
            and (not symbols or order.symbol in symbols)
            and query.get("side") in {None, order.side}
        ]
        chosen = self._beyond(chosen, query)
        if read_choice(query, "direction", ("desc", "asc")) == "desc":
            chosen.reverse()
        return chosen[:limit]

    def _beyond(self, chosen: list[Order], query: Mapping[str, str]) -> list[Order]:
        """Keep what was submitted before or after an order that is named."""
        if (before := query.get("before_order_id")) is not None:
            number = self._exchange.book.of_id(before).number
            chosen = [order for order in chosen if order.number < number]
        if (after := query.get("after_order_id")) is not None:
            number = self._exchange.book.of_id(after).number
            chosen = [order for order in chosen if order.number > number]
        return chosen
