"""What every request of the trading API passes: keys, budget, faults. Knows no endpoint."""

from __future__ import annotations

import asyncio  # noqa: TID251  a server's own loop; nothing of the desk runs in it
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from mqd_plugin_alpaca_sandbox.faults import Fault
from mqd_plugin_alpaca_sandbox.rest.rate_limit import RateLimit
from mqd_plugin_alpaca_sandbox.service import Service

# The shapes of ASGI, whose messages are free-form by its specification.
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_PREFIX: Final = "/v2/"
_HANG_SECONDS: Final = 3_600.0


class Gate:
    """An ASGI application in front of another one."""

    __slots__ = ("_application", "_rate", "_service")

    def __init__(self, application: Application, service: Service) -> None:
        self._application = application
        self._service = service
        self._rate = RateLimit(service.requests_per_minute, _monotonic_ns())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
            await self._application(scope, receive, send)
            return

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._rate.headers(_wall_ns())]
            await send(message)

        headers = dict(scope["headers"])
        within = self._rate.take(_monotonic_ns())
        if not self._service.knows(_text(headers, b"apca-api-key-id"), _text(headers, b"apca-api-secret-key")):
            await _answer(send_counted, 401, {"message": "unauthorized"})
        elif not within:
            await _answer(send_counted, 429, {"code": 42910000, "message": "rate limit exceeded"})
        else:
            await self._handle(scope, receive, send_counted)

    async def _handle(self, scope: Message, receive: Receive, send: Send) -> None:
        facts = {"method": scope["method"], "path": scope["path"]}
        fault = self._service.faults.take("answer", **facts)
        if fault is not None:
            if fault.flag("taken"):
                await self._application(scope, receive, _swallow)
            await _answer_fault(send, fault)
            return
        delay = self._service.faults.take("delay", **facts)
        if delay is None:
            await self._application(scope, receive, send)
            return
        seconds = delay.number("seconds", _HANG_SECONDS)
        if not delay.flag("taken"):
            await asyncio.sleep(seconds)
            await self._application(scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._application(scope, receive, keep)
        await asyncio.sleep(seconds)
        for message in answer:
            await send(message)


async def _answer_fault(send: Send, fault: Fault) -> None:
    status = int(fault.number("status", 500))
    usual: object = {"code": status * 100_000, "message": "fault of the sandbox"}
    if status == 401:
        usual = {"message": "unauthorized"}
    elif status == 429:
        usual = {"code": 42910000, "message": "rate limit exceeded"}
    body = fault.details.get("body", usual)
    await _answer(send, status, body, str(fault.details.get("content_type", "application/json")))


async def _answer(send: Send, status: int, body: object, content_type: str = "application/json") -> None:
    """Send a body: text as it is, anything else as JSON."""
    payload = (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})


async def _swallow(message: Message) -> None:
    """Let an answer get lost."""


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _monotonic_ns() -> int:
    return time.monotonic_ns()  # noqa: TID251  a budget of real requests in real time


def _wall_ns() -> int:
    return time.time_ns()  # noqa: TID251  the header states a wall-clock time
