"""The stream of order news: authentication, listening, frames, faults. Decides nothing about orders."""

from __future__ import annotations

import asyncio  # noqa: TID251  a server's own loop; nothing of the desk runs in it
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from mqd_plugin_alpaca_sandbox.bodies import Body, update_body
from mqd_plugin_alpaca_sandbox.exchange.order import TERMINAL, Update
from mqd_plugin_alpaca_sandbox.service import Service

_STREAM: Final = "trade_updates"
_GOODBYES: Final = (1000, 1001)
_CUT_CODE: Final = 1011
_DEPRECATED: Final = (
    "this authentication format is being deprecated, please use the new format "
    '{"action":"auth","key":"...","secret":"..."}'
)


class TradeUpdates:
    """The endpoint `/stream`: one connection at a time, as the service allows."""

    __slots__ = ("_blocked_until", "_open", "_service")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open = 0
        self._blocked_until = 0.0

    async def serve(self, socket: WebSocket) -> None:
        """Talk with one client until it leaves."""
        refusal = self._service.faults.take("refuse")
        taken = self._service.one_connection and (self._open or _monotonic() < self._blocked_until)
        if refusal is not None or taken:
            status = 429 if refusal is None else int(refusal.number("status", 429))
            await socket.send_denial_response(
                JSONResponse({"message": "connection limit exceeded"}, status_code=status)
            )
            return
        await socket.accept()
        self._open += 1
        code: int | None = None
        try:
            code = await Connection(self._service, socket).run()
        finally:
            self._open -= 1
            if code not in _GOODBYES:
                self._blocked_until = _monotonic() + self._service.linger_seconds


class Connection:
    """One client: what it may hear, and the frames that are on their way to it."""

    __slots__ = ("_end_news", "_frames", "_is_authorized", "_is_mute", "_service", "_socket", "_told")

    def __init__(self, service: Service, socket: WebSocket) -> None:
        self._service = service
        self._socket = socket
        # None ends the connection from this side.
        self._frames: asyncio.Queue[Body | None] = asyncio.Queue()
        self._is_authorized = False
        # Ends what listening began; None: it does not listen.
        self._end_news: Callable[[], None] | None = None
        self._is_mute = False
        # What was told of each order, to be told again where a fault asks for it.
        self._told: dict[str, list[Body]] = {}

    async def run(self) -> int | None:
        """Serve until either side leaves; returns the client's code of closing, None if it said none."""
        writer = asyncio.create_task(self._write())
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    code = message.get("code")
                    return code if isinstance(code, int) else None
                self._answer(message.get("text") or message.get("bytes") or "")
        finally:
            self._stop_listening()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    def hear(self, update: Update) -> None:
        """Take news of the exchange."""
        if self._is_mute:
            return
        body = update_body(update)
        facts = {"event": update.event, "symbol": update.order.symbol}
        take = self._service.faults.take
        if take("cut", **facts) is not None:
            self._frames.put_nowait(None)
            self._is_mute = True
        elif take("mute", **facts) is not None:
            self._is_mute = True
        elif take("lose", **facts) is None:
            if take("null", **facts) is not None:
                self._say(_STREAM, None)
                return
            self._say(_STREAM, self._altered(body, facts))
            told = self._told.setdefault(update.order.id, [])
            told.append(body)
            if update.order.status in TERMINAL:
                if take("repeat", **facts) is not None:
                    for again in told[1:]:
                        self._say(_STREAM, again)
                del self._told[update.order.id]

    def _altered(self, body: Body, facts: dict[str, str]) -> Body:
        """The news with whatever members a fault puts into it."""
        fault = self._service.faults.take("alter", **facts)
        if fault is None:
            return body
        data, order = fault.details.get("data"), fault.details.get("order")
        body = {**body, **data} if isinstance(data, dict) else body
        shown = body["order"]
        if isinstance(order, dict) and isinstance(shown, dict):
            body = {**body, "order": {**shown, **order}}
        return body

    def _answer(self, raw: str | bytes) -> None:
        try:
            message = json.loads(raw)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        action, data = message.get("action"), message.get("data")
        data = data if isinstance(data, dict) else {}
        if action == "authenticate":
            self._authorize(data.get("key_id"), data.get("secret_key"), {"message": _DEPRECATED})
        elif action == "auth":
            self._authorize(message.get("key"), message.get("secret"), {})
        elif action == "listen":
            self._listen(data.get("streams"))

    def _authorize(self, key_id: object, secret_key: object, remark: Body) -> None:
        self._is_authorized = self._service.knows(key_id, secret_key)
        status = "authorized" if self._is_authorized else "unauthorized"
        self._say("authorization", {"status": status, "action": "authenticate", **remark})

    def _listen(self, streams: object) -> None:
        if not self._is_authorized:
            self._say("authorization", {"status": "unauthorized", "action": "listen"})
            return
        # The list replaces the one before it; an empty one stops the news.
        self._stop_listening()
        wanted = [_STREAM] if isinstance(streams, list) and _STREAM in streams else []
        if wanted:
            self._end_news = self._service.exchange.subscribe(self.hear)
        self._say("listening", {"streams": wanted})

    def _stop_listening(self) -> None:
        if self._end_news is not None:
            self._end_news()
            self._end_news = None

    def _say(self, stream: str, data: Body | None) -> None:
        self._frames.put_nowait({"stream": stream, "data": data})

    async def _write(self) -> None:
        while (frame := await self._frames.get()) is not None:
            text = json.dumps(frame, separators=(",", ":"))
            try:
                if self._service.binary_frames:
                    await self._socket.send_bytes(text.encode())
                else:
                    await self._socket.send_text(text)
            except (WebSocketDisconnect, RuntimeError):
                # The client is gone; the reader hears of it too.
                return
        await self._socket.close(_CUT_CODE)


def _monotonic() -> float:
    return time.monotonic()  # noqa: TID251  how long a connection blocks the next one is real time
