"""A sandbox that runs: its port, its loop, and time that passes at the exchange. Listens on loopback alone."""

from __future__ import annotations

import asyncio  # noqa: TID251  a server's own loop; nothing of the desk runs in it
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import uvicorn
from starlette.routing import BaseRoute

from mqd_plugin_alpaca_sandbox.app import build_app
from mqd_plugin_alpaca_sandbox.market.feed import Feed
from mqd_plugin_alpaca_sandbox.service import Service

_HOST: Final = "127.0.0.1"
_STEP_SECONDS: Final = 0.01
_LEAVE_SECONDS: Final = 1


class SandboxServer:
    """One sandbox on one port, which is taken when this is made (0: any); raises OSError where it is not free."""

    __slots__ = ("_feed", "_server", "_service", "_socket", "port")

    def __init__(self, service: Service, feed: Feed, port: int = 0, market_routes: Sequence[BaseRoute] = ()) -> None:
        self._service = service
        self._feed = feed
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind((_HOST, port))
            # From here on clients wait in line, so whoever is told the port may connect at once.
            self._socket.listen()
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                build_app(service, market_routes),
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=_LEAVE_SECONDS,
                # The service pings too; a client that does not answer for three minutes is gone.
                ws_ping_interval=10.0,
                ws_ping_timeout=180.0,
            )
        )

    def run(self) -> None:
        """Serve until `stop`, or a signal where this is the main thread."""
        asyncio.run(self._serve())

    def stop(self) -> None:
        """End `run`; may be called from any thread."""
        self._server.should_exit = True

    async def _serve(self) -> None:
        pump = asyncio.create_task(self._pump())
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        # A market that fails must end the sandbox: one that stands still looks like a quiet day.
        await asyncio.wait({pump, serving}, return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        await serving
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump

    async def _pump(self) -> None:
        while True:
            now_ns, prints = self._feed.step()
            self._service.exchange.advance(now_ns, prints)
            await asyncio.sleep(_STEP_SECONDS)
