"""Reading of query parameters and bodies. Refuses with ApiError; knows no endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from starlette.requests import Request

from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError, malformed
from mqd_plugin_alpaca_sandbox.exchange.notation import read_time


async def read_object(request: Request) -> Mapping[str, object]:
    """The JSON object of a body, its numbers exact; raises ApiError."""
    raw: bytes = await request.body()
    try:
        value = json.loads(raw or b"{}", parse_float=Decimal)
    except ValueError as error:
        raise ApiError(400, 40010000, "request body format is invalid") from error
    if not isinstance(value, dict):
        raise ApiError(400, 40010000, "request body format is invalid")
    return value


def read_count(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    """A whole number of a query; raises ApiError."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise malformed(f"invalid {name}: must be between 1 and {largest}")
    return int(text)


def read_instant(query: Mapping[str, str], name: str) -> int | None:
    """A time of a query, UTC nanoseconds; raises ApiError."""
    text = query.get(name)
    if text is None:
        return None
    # A plus sign in a query is a blank, unless the client escaped it.
    ts_ns = read_time(text.replace(" ", "+") if "T" in text else text)
    if ts_ns is None:
        raise malformed(f"invalid {name}: {text} is not a time")
    return ts_ns


def read_choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """One of some words, the first of them if none is given; raises ApiError."""
    text = query.get(name, allowed[0])
    if text not in allowed:
        raise malformed(f"invalid {name}: {text}")
    return text
