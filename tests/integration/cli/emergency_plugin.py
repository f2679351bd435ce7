"""Brokers of a test, installed as a distribution of their own: what they add to the simulated one is files.

`outliving` has an emergency access, to a folder of orders that the test lays down: so it is tried without a venue that
outlives the desk. `blocking` is a simulated account that is blocked in the middle of the day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mqd_core.api import (
    AccountSnapshot,
    Bar,
    BrokerContext,
    BrokerEvent,
    BrokerRecord,
    OrderReport,
    OrderStatus,
    Side,
    hookimpl,
)
from mqd_plugin_mock.capabilities import HOSTED
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.settings import MockBrokerSettings

FOLDER = Path("venue")
BLOCKED_AT_CALL = 3


class Emergency:
    """Cancels the orders of a folder: one with "stubborn" after so many requests; one with "fails" raises."""

    def cancel_all(self) -> Sequence[OrderReport]:
        reports = []
        for path in sorted(FOLDER.glob("*.json")):
            order = json.loads(path.read_text(encoding="utf-8"))
            if order["status"] == "canceled":
                continue
            if "fails" in order:
                raise ConnectionError(order["fails"])
            order["stubborn"] = order.get("stubborn", 0) - 1
            if order["stubborn"] < 0:
                order["status"] = "canceled"
            path.write_text(json.dumps(order), encoding="utf-8", newline="\n")
            reports.append(report(path.stem, order["status"]))
        return reports

    def flatten_all(self) -> Sequence[OrderReport]:
        (FOLDER / "flattened").write_text("yes", encoding="utf-8", newline="\n")
        return [report("close", "filled")]


def report(name: str, status: str) -> OrderReport:
    return OrderReport(
        ts=1,
        client_order_id=name,
        broker_order_id=name,
        symbol="SPHD",
        side=Side.BUY,
        status=OrderStatus(status),
        filled_quantity=Decimal(0),
    )


class BlockingVenue:
    """The simulated venue, which tells at some call that the account is blocked."""

    def __init__(self, venue: Any) -> None:
        self._venue = venue
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        self._calls += 1
        events: list[BrokerEvent] = [*self._venue.advance(now_ns, bars)]
        if self._calls == BLOCKED_AT_CALL:
            blocked = AccountSnapshot(
                ts=now_ns,
                account="1",
                cash=Decimal(1000),
                buying_power=Decimal(0),
                positions=(),
                blocked=True,
                text="the account is blocked",
            )
            events.append(blocked)
        return events


def blocking(settings: MockBrokerSettings, context: BrokerContext) -> MockBrokerConnector:
    connector: Any = MockBrokerConnector(settings, context)
    connector.venue = BlockingVenue(connector.venue)
    built: MockBrokerConnector = connector
    return built


@hookimpl
def mqd_brokers() -> Iterator[BrokerRecord[MockBrokerSettings]]:
    for name, factory in (("outliving", MockBrokerConnector), ("blocking", blocking)):
        yield BrokerRecord(
            name=name,
            summary="For a test",
            settings=MockBrokerSettings,
            factory=factory,
            capabilities=HOSTED,
            emergency=lambda _settings, _context: Emergency(),
        )
