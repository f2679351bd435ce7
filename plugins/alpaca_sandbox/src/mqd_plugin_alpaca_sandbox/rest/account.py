"""The endpoints of the account, its history, the assets and the hours. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mqd_core.api import EXACT, SECOND_NS, Session, ratio
from mqd_plugin_alpaca_sandbox.bodies import account_body, account_id, activity_body, asset_body
from mqd_plugin_alpaca_sandbox.exchange.activities import EquityPoint, FillActivity
from mqd_plugin_alpaca_sandbox.exchange.errors import malformed
from mqd_plugin_alpaca_sandbox.exchange.notation import new_york_text
from mqd_plugin_alpaca_sandbox.rest.reading import read_choice, read_count, read_instant
from mqd_plugin_alpaca_sandbox.service import Service

_CONFIGURATIONS: Final = {
    "disable_overnight_trading": True,
    "fractional_trading": True,
    "max_margin_multiplier": "1",
    "no_shorting": True,
    "ptp_no_exception_entry": False,
    "suspend_trade": False,
    "trade_confirm_email": "none",
}


class AccountEndpoints:
    """`/v2/account`, `/v2/assets`, `/v2/clock`, `/v2/calendar`."""

    __slots__ = ("_exchange", "_id")

    def __init__(self, service: Service) -> None:
        self._exchange = service.exchange
        self._id = account_id(service.key_id)

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v2/account", self.show, methods=["GET"]),
            Route("/v2/account/configurations", self.configurations, methods=["GET"]),
            Route("/v2/account/activities", self.activities, methods=["GET"]),
            Route("/v2/account/activities/{activity_type}", self.activities, methods=["GET"]),
            Route("/v2/account/portfolio/history", self.history, methods=["GET"]),
            Route("/v2/assets", self.assets, methods=["GET"]),
            Route("/v2/assets/{symbol:path}", self.asset, methods=["GET"]),
            Route("/v2/clock", self.clock, methods=["GET"]),
            Route("/v2/calendar", self.calendar, methods=["GET"]),
        ]

    async def show(self, _request: Request) -> Response:
        """Show the account."""
        return JSONResponse(account_body(self._exchange, self._id))

    async def configurations(self, _request: Request) -> Response:
        """Show what the account is allowed to, which cannot be changed here."""
        return JSONResponse(_CONFIGURATIONS)

    async def activities(self, request: Request) -> Response:
        """List fills, newest first unless asked otherwise; there are no other activities here."""
        kinds = request.path_params.get("activity_type") or request.query_params.get("activity_types", "FILL")
        if "FILL" not in kinds.split(","):
            return JSONResponse([])
        return JSONResponse([activity_body(row) for row in self._selected(request.query_params)])

    async def history(self, request: Request) -> Response:
        """Show what the account was worth at each close, and now."""
        if request.query_params.get("timeframe", "1D") != "1D":
            raise malformed("invalid timeframe: this sandbox keeps 1D")
        base = self._exchange.settings.cash_usd
        points = [*self._exchange.equity_curve, EquityPoint(self._exchange.now_ns, self._exchange.equity())]
        before = [base, *(point.equity_usd for point in points)]
        gains = [EXACT.subtract(after, first) for first, after in pairwise(before)]
        return JSONResponse(
            {
                "timestamp": [point.ts_ns // SECOND_NS for point in points],
                # The one place where the service sends numbers: float is the wire's own.
                "equity": [float(point.equity_usd) for point in points],
                "profit_loss": [float(gain) for gain in gains],
                "profit_loss_pct": [float(ratio(gain, first)) for gain, first in zip(gains, before, strict=False)],
                "base_value": float(base),
                "timeframe": "1D",
            }
        )

    async def assets(self, request: Request) -> Response:
        """List assets."""
        query = request.query_params
        listed = query.get("status", "active") == "active" and query.get("asset_class", "us_equity") == "us_equity"
        return JSONResponse([asset_body(asset) for asset in self._exchange.assets if listed])

    async def asset(self, request: Request) -> Response:
        """Show one asset."""
        return JSONResponse(asset_body(self._exchange.assets.named(request.path_params["symbol"])))

    async def clock(self, _request: Request) -> Response:
        """Show the time of the exchange, as New York writes it."""
        now_ns, hours = self._exchange.now_ns, self._exchange.hours
        opens_ns, closes_ns = hours.span_for(now_ns, extended=False)
        is_open = hours.is_open(now_ns)
        if is_open:
            opens_ns, _ = hours.span_for(closes_ns, extended=False)
        shown = {"timestamp": now_ns, "next_open": opens_ns, "next_close": closes_ns}
        texts = {name: new_york_text(ts_ns, hours.offset_hours(ts_ns)) for name, ts_ns in shown.items()}
        return JSONResponse({**texts, "is_open": is_open})

    async def calendar(self, request: Request) -> Response:
        """List sessions between two dates, both included."""
        start, end = (_date(request.query_params, name) for name in ("start", "end"))
        sessions = list(self._exchange.hours.table)
        rows = [
            _calendar_day(session, following)
            for session, following in pairwise(sessions)
            if (start or session.date) <= session.date <= (end or session.date)
        ]
        return JSONResponse(rows)

    def _selected(self, query: Mapping[str, str]) -> list[FillActivity]:
        size = read_count(query, "page_size", 100, 100)
        after, until = read_instant(query, "after"), read_instant(query, "until")
        date = _date(query, "date")
        rows = [
            row
            for row in self._exchange.activities
            if (after is None or row.ts_ns > after)
            and (until is None or row.ts_ns < until)
            and query.get("order_id") in {None, row.order_id}
            and date in {None, _day(row.ts_ns)}
        ]
        if read_choice(query, "direction", ("desc", "asc")) == "desc":
            rows.reverse()
        token = query.get("page_token")
        if token:
            places = [place for place, row in enumerate(rows) if row.id == token]
            if not places:
                raise malformed(f"invalid page_token: {token}")
            rows = rows[places[0] + 1 :]
        return rows[:size]


def _date(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise malformed(f"invalid {name}: {text} is not a date") from error


def _day(ts_ns: int) -> str:
    # Sessions do not cross midnight in UTC, so New York's date is that of UTC.
    return dt.datetime.fromtimestamp(ts_ns // SECOND_NS, tz=dt.timezone.utc).date().isoformat()


def _calendar_day(session: Session, following: Session) -> dict[str, str]:
    close = "13:00" if session.early_close else "16:00"
    return {
        "date": session.date,
        "open": "09:30",
        "close": close,
        "session_open": "0400",
        "session_close": "1700" if session.early_close else "2000",
        "settlement_date": following.date,
    }
