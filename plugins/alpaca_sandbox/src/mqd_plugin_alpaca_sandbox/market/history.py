"""The history of market data: bars that are over. Shows nothing of what is still to come."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mqd_core.api import Bar
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError
from mqd_plugin_alpaca_sandbox.exchange.notation import time_text
from mqd_plugin_alpaca_sandbox.market.bar_bodies import bar_body
from mqd_plugin_alpaca_sandbox.rest.reading import read_instant

_LIMIT_USUAL: Final = 1_000
_LIMIT_MAX: Final = 10_000


class HistoryEndpoints:
    """`/v2/stocks`: bars of one minute, and each symbol's last one."""

    __slots__ = ("_history", "_page_rows")

    def __init__(self, history: Mapping[str, list[Bar]], page_rows: int = _LIMIT_MAX) -> None:
        """`page_rows`: a page is cut there though its limit allows more, as the service was seen to do."""
        self._history = history
        self._page_rows = page_rows

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v2/stocks/bars", self.bars, methods=["GET"]),
            Route("/v2/stocks/bars/latest", self.latest, methods=["GET"]),
        ]

    async def bars(self, request: Request) -> Response:
        """Bars by symbol, then time; both ends of the range are included, an unknown symbol is left out."""
        query = request.query_params
        timeframe = query.get("timeframe", "")
        if timeframe not in {"1Min", "1T"}:
            raise _bad(f"invalid timeframe: {timeframe}: this sandbox has 1Min")
        wanted = self._selected(query)
        first = _place(query.get("page_token"), wanted)
        rows = list(islice(wanted, first, first + min(_limit(query), self._page_rows)))
        shown: dict[str, list[dict[str, object]]] = {}
        for bar in rows:
            shown.setdefault(bar.symbol, []).append(_timed(bar))
        more = first + len(rows) < len(wanted)
        return JSONResponse({"bars": shown, "next_page_token": _token(rows[-1]) if more else None})

    async def latest(self, request: Request) -> Response:
        """The last bar of each symbol that has one."""
        found = {symbol: self._history.get(symbol) for symbol in _symbols(request.query_params)}
        return JSONResponse({"bars": {symbol: _timed(bars[-1]) for symbol, bars in found.items() if bars}})

    def _selected(self, query: Mapping[str, str]) -> list[Bar]:
        start_ns, end_ns = read_instant(query, "start"), read_instant(query, "end")
        rows: list[Bar] = []
        for symbol in sorted(_symbols(query)):
            bars = [
                bar
                for bar in self._history.get(symbol, ())
                if (start_ns is None or bar.start_ns >= start_ns) and (end_ns is None or bar.start_ns <= end_ns)
            ]
            rows += reversed(bars) if query.get("sort") == "desc" else bars
        return rows


def _timed(bar: Bar) -> dict[str, object]:
    return {"t": time_text(bar.start_ns), **bar_body(bar)}


def _symbols(query: Mapping[str, str]) -> list[str]:
    names = [name for name in query.get("symbols", "").split(",") if name]
    if not names:
        raise _bad("symbols is required")
    return list(dict.fromkeys(names))


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(_LIMIT_USUAL))
    if not text.isdecimal() or int(text) < 1:
        raise _bad(f"invalid limit: {text}")
    if int(text) > _LIMIT_MAX:
        raise _bad(f"invalid limit: larger than the allowed maximum of {_LIMIT_MAX}")
    return int(text)


def _token(bar: Bar) -> str:
    """What names a bar for good: rows that come in between two pages move nothing."""
    return f"{bar.symbol}|{bar.start_ns}"


def _place(token: str | None, wanted: list[Bar]) -> int:
    if token is None:
        return 0
    for place, bar in enumerate(wanted, start=1):
        if _token(bar) == token:
            return place
    raise _bad(f"invalid page_token: {token}")


def _bad(message: str) -> ApiError:
    """The data API's refusals have no code."""
    return ApiError(400, None, message)
