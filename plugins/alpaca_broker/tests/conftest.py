"""A small hand-written Alpaca on this machine, and what the tests build on it: settings, contexts, approved orders."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mqd_core.api import ApprovedOrder, BrokerContext, OrderType, Secret, Side, TimeInForce
from mqd_core.risk.facts import GateSettings

# Only the gate makes approved orders, so these tests have one of their own.
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_plugin_alpaca.settings import AlpacaSettings

NOW_NS = 1_790_000_000_000_000_000
KEY, SECRET = "PKCANARYKEY0001", "canary-secret-of-the-account"

Answer = tuple[int, Any]


class StandingClock:
    time_ns = NOW_NS

    def now_ns(self) -> int:
        return self.time_ns


class KeptLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, message, /, *, extra=None):
        self.lines.append(f"{message} {extra}")

    info = warning = error = debug


class FakeAlpaca:
    """Answers by `answers[(method, path)]`: an answer, or a function of the request; the last of a list stays."""

    def __init__(self) -> None:
        self.requests: list[SimpleNamespace] = []
        self.answers: dict[tuple[str, str], Any] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def say(self, method: str, path: str, *answers: Answer | Callable[[SimpleNamespace], Answer]) -> None:
        self.answers[method, path] = list(answers)

    def asked(self, method: str, path: str) -> list[SimpleNamespace]:
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def _answer(self, request: SimpleNamespace) -> tuple[int, dict[str, str], Any]:
        waiting = self.answers.get((request.method, request.path), [(404, {"code": 40410000, "message": "not found"})])
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        said = answer(request) if callable(answer) else answer
        return said if len(said) == 3 else (said[0], {}, said[1])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                parts = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = SimpleNamespace(
                    method=self.command,
                    path=parts.path.removeprefix("/v2"),
                    query={name: values[-1] for name, values in parse_qs(parts.query).items()},
                    body=json.loads(raw) if raw else None,
                    headers=dict(self.headers),
                )
                fake.requests.append(request)
                status, headers, body = fake._answer(request)
                data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = do_PATCH = answer  # noqa: N815  the names that http.server calls

            def log_message(self, *_arguments: Any) -> None:
                pass

        return Handler


@pytest.fixture
def alpaca() -> Iterator[FakeAlpaca]:
    """A server that knows an account, and no order."""
    fake = FakeAlpaca()
    fake.say("GET", "/account", (200, account_json()))
    fake.say("GET", "/positions", (200, []))
    fake.say("GET", "/orders", (200, []))
    fake.say("GET", "/account/activities", (200, []))
    try:
        yield fake
    finally:
        fake.close()


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Builders: settings, context, order, and the JSON of an order and an account."""
    return SimpleNamespace(
        settings=make_settings,
        context=make_context,
        order=make_order,
        order_json=order_json,
        account_json=account_json,
        update=update,
        now_ns=NOW_NS,
        key=KEY,
        secret=SECRET,
        clock=StandingClock,
        log=KeptLog,
    )


def make_settings(url: str | None, **changes: Any) -> AlpacaSettings:
    """Settings for a server on this machine, with waits of a hundredth."""
    quick = {
        "connect_timeout_seconds": 0.5,
        "read_timeout_seconds": 0.5,
        "deadline_seconds": 0.5,
        "ping_seconds": 0.1,
        "silence_seconds": 0.1,
        "reconnect_first_seconds": 0.01,
        "reconnect_last_seconds": 0.05,
        "requests_per_minute": 10_000,
    }
    keys = {"api_key": Secret(KEY), "api_secret": Secret(SECRET)}
    return AlpacaSettings(**{**keys, **quick, "url": url, **changes})


def make_context(directory: Path, **changes: Any) -> BrokerContext:
    """A context whose clock stands still and whose log keeps what it is told."""
    return BrokerContext(clock=StandingClock(), log=KeptLog(), directory=directory, secrets={}, **changes)


def make_order(name: str = "m1-order-1", **changes: Any) -> ApprovedOrder:
    """An order that the gate let through."""
    wide = Decimal(10**9)
    gate = PreTradeRiskGate(
        GateSettings(
            max_open_positions=10**6,
            max_position_size_pct=wide,
            max_gross_exposure_pct=wide,
            max_order_value_usd=None,
            price_collar_pct=wide,
            max_bar_age_ns=10**18,
            max_orders_per_minute=10**6,
            max_orders_per_session=10**6,
            duplicate_window_ns=0,
        )
    )
    fields: dict[str, Any] = {
        "client_order_id": name,
        "strategy_id": "test",
        "symbol": "SPY",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal("0.3"),
        "notional": None,
        "limit_price": None,
        "stop_price": None,
        "reference_price": Decimal(450),
        "submitted_ns": NOW_NS,
    }
    return gate.reinstate({**fields, **changes})


def order_json(name: str = "m1-order-1", **changes: Any) -> dict[str, Any]:
    """An order as Alpaca shows it."""
    at = "2026-09-18T14:30:00.123456789Z"
    return {
        "id": f"id-{name}",
        "client_order_id": name,
        "created_at": at,
        "updated_at": at,
        "submitted_at": at,
        "symbol": "SPY",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "0.3",
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": "market",
        "type": "market",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": None,
        "stop_price": None,
        "status": "accepted",
        "extended_hours": False,
        "legs": None,
        **changes,
    }


def account_json(**changes: Any) -> dict[str, Any]:
    """An account as Alpaca shows it."""
    return {
        "id": "904837e3",
        "account_number": "PA3XYZ000001",
        "status": "ACTIVE",
        "currency": "USD",
        "cash": "1000.12",
        "buying_power": "1000.12",
        "trading_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        **changes,
    }


def update(event: str, order: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The data of a message of the account's stream."""
    return {"event": event, "timestamp": order["updated_at"], "order": order, **more}
