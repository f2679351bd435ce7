"""The stream of market data: bars as they end. JSON, or MessagePack where asked for. Decides nothing."""

from __future__ import annotations

import asyncio  # noqa: TID251  a server's own loop; nothing of the desk runs in it
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import msgpack
from starlette.websockets import WebSocket, WebSocketDisconnect

from mqd_core.api import SECOND_NS, Bar
from mqd_plugin_alpaca_sandbox.exchange.notation import time_text
from mqd_plugin_alpaca_sandbox.market.bar_bodies import bar_body
from mqd_plugin_alpaca_sandbox.service import Service

_CHANNELS: Final = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    406: "connection limit exceeded",
}
_AUTH_SECONDS: Final = 10.0
_CUT_CODE: Final = 1011


class BarNews(Protocol):
    """Whoever tells of bars that are over."""

    def subscribe(self, callback: Callable[[Bar], None]) -> Callable[[], None]:
        """Tell `callback` from now on; returns what ends that."""
        ...


class MarketData:
    """The endpoint `/v2/{feed}`: one connection at a time, as the free plan allows."""

    __slots__ = ("_news", "_open", "_service")

    def __init__(self, service: Service, news: BarNews) -> None:
        self._service = service
        self._news = news
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Talk with one client until it leaves."""
        await socket.accept()
        client = DataClient(self._service, socket, is_welcome=not (self._service.one_connection and self._open))
        end_news = self._news.subscribe(client.hear)
        self._open += 1
        try:
            await client.run()
        finally:
            self._open -= 1
            end_news()


class DataClient:
    """One client: what it subscribed to, and what is on its way to it."""

    __slots__ = (
        "_channels",
        "_frames",
        "_is_authorized",
        "_is_mute",
        "_is_packed",
        "_is_welcome",
        "_service",
        "_socket",
    )

    def __init__(self, service: Service, socket: WebSocket, *, is_welcome: bool) -> None:
        self._service = service
        self._socket = socket
        self._is_welcome = is_welcome
        self._is_packed = socket.headers.get("content-type") == "application/msgpack"
        self._is_authorized = False
        self._is_mute = False
        self._channels: dict[str, set[str]] = {name: set() for name in _CHANNELS}
        # None ends the connection from this side.
        self._frames: asyncio.Queue[list[dict[str, object]] | None] = asyncio.Queue()

    async def run(self) -> None:
        """Serve until either side leaves."""
        writer = asyncio.create_task(self._write())
        self._say({"T": "success", "msg": "connected"})
        keys = self._socket.headers
        if "apca-api-key-id" in keys:
            self._authorize(keys.get("apca-api-key-id"), keys.get("apca-api-secret-key"))
        timer = asyncio.get_running_loop().call_later(_AUTH_SECONDS, self._time_out)
        try:
            while (message := await self._socket.receive())["type"] != "websocket.disconnect":
                self._answer(message)
        finally:
            timer.cancel()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    def hear(self, bar: Bar) -> None:
        """Take a bar that is over."""
        wanted = self._channels["bars"]
        if self._is_mute or not ({bar.symbol, "*"} & wanted):
            return
        facts = {"event": "bar", "symbol": bar.symbol}
        if self._service.faults.take("cut", **facts) is not None:
            self._is_mute = True
            self._frames.put_nowait(None)
        elif self._service.faults.take("mute", **facts) is not None:
            self._is_mute = True
        elif self._service.faults.take("lose", **facts) is None:
            self._say({"T": "b", "S": bar.symbol, **bar_body(bar), "t": self._time(bar.start_ns)})

    def _time(self, ts_ns: int) -> object:
        """A time as the encoding has it: the genuine client takes nothing but the extension in MessagePack."""
        if self._is_packed:
            return msgpack.Timestamp(ts_ns // SECOND_NS, ts_ns % SECOND_NS)
        return time_text(ts_ns)

    def _answer(self, received: Mapping[str, Any]) -> None:
        message = self._read(received)
        action = message.get("action")
        if action == "auth":
            self._authorize(message.get("key"), message.get("secret"))
        elif action not in {"subscribe", "unsubscribe"}:
            self._fail(400)
        elif not self._is_authorized:
            self._fail(401)
        else:
            self._subscribe(message, is_added=action == "subscribe")

    def _read(self, received: Mapping[str, Any]) -> dict[str, object]:
        raw = received.get("bytes") or received.get("text") or ""
        try:
            message = msgpack.unpackb(raw) if self._is_packed else json.loads(raw)
        except (ValueError, TypeError, msgpack.UnpackException):
            return {}
        return message if isinstance(message, dict) else {}

    def _authorize(self, key_id: object, secret_key: object) -> None:
        if self._is_authorized:
            self._fail(403)
        elif not self._service.knows(key_id, secret_key):
            self._fail(402)
        elif not self._is_welcome:
            self._fail(406)
        else:
            self._is_authorized = True
            self._say({"T": "success", "msg": "authenticated"})

    def _subscribe(self, message: dict[str, object], *, is_added: bool) -> None:
        for name, symbols in self._channels.items():
            named = message.get(name)
            if isinstance(named, list):
                changed = {str(symbol) for symbol in named}
                self._channels[name] = symbols | changed if is_added else symbols - changed
        # The answer names everything that is subscribed to now, not what was added.
        self._say({"T": "subscription", **{name: sorted(symbols) for name, symbols in self._channels.items()}})

    def _time_out(self) -> None:
        if not self._is_authorized:
            self._fail(404)
            self._frames.put_nowait(None)

    def _fail(self, code: int) -> None:
        self._say({"T": "error", "code": code, "msg": _ERRORS[code]})

    def _say(self, body: dict[str, object]) -> None:
        self._frames.put_nowait([body])

    async def _write(self) -> None:
        while (frame := await self._frames.get()) is not None:
            try:
                if self._is_packed:
                    await self._socket.send_bytes(msgpack.packb(frame))
                else:
                    await self._socket.send_text(json.dumps(frame))
            except (WebSocketDisconnect, RuntimeError):
                # The client is gone; the reader hears of it too.
                return
        await self._socket.close(_CUT_CODE)
