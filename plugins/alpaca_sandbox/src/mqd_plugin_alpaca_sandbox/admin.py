"""What only a sandbox has: faults asked for and counted while it runs. Open to whoever reaches its loopback port."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mqd_plugin_alpaca_sandbox.faults import FaultError
from mqd_plugin_alpaca_sandbox.service import Service


class AdminEndpoints:
    """`/sandbox/faults` and `/sandbox/halts`."""

    __slots__ = ("_service",)

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/sandbox/faults", self.show_faults, methods=["GET"]),
            Route("/sandbox/faults", self.add_faults, methods=["POST"]),
            Route("/sandbox/faults", self.forget_faults, methods=["DELETE"]),
            Route("/sandbox/halts/{symbol}", self.halt, methods=["PUT"]),
            Route("/sandbox/halts/{symbol}", self.resume, methods=["DELETE"]),
        ]

    async def show_faults(self, _request: Request) -> Response:
        """List the faults and how often each has fired."""
        return JSONResponse([fault.body() for fault in self._service.faults.faults])

    async def add_faults(self, request: Request) -> Response:
        """Take faults on."""
        try:
            self._service.faults.add(json.loads(await request.body()))
        except FaultError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        except ValueError as error:
            return JSONResponse({"message": f"not JSON: {error}"}, status_code=400)
        return await self.show_faults(request)

    async def forget_faults(self, _request: Request) -> Response:
        """Forget all faults."""
        self._service.faults.faults.clear()
        return Response(status_code=204)

    async def halt(self, request: Request) -> Response:
        """Halt a symbol: it executes nothing."""
        self._service.exchange.quotes.halted.add(request.path_params["symbol"])
        return Response(status_code=204)

    async def resume(self, request: Request) -> Response:
        """End a symbol's halt."""
        self._service.exchange.quotes.halted.discard(request.path_params["symbol"])
        return Response(status_code=204)
