"""A broker of a test, installed as a distribution of its own: a simulated account that differs from the books.

Files that the test lays down say how: `venue/extra` holds shares that no order explains, and where `venue/no_stops`
exists, stop orders are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from mqd_core.api import (
    ApprovedOrder,
    BrokerContext,
    BrokerRecord,
    HeldPosition,
    OrderReport,
    OrderType,
    PositionReport,
    Refused,
    hookimpl,
    require_approved,
)
from mqd_plugin_mock.capabilities import HOSTED
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.settings import MockBrokerSettings

EXTRA, NO_STOPS = Path("venue", "extra"), Path("venue", "no_stops")
#: Nothing here is proven by "not found": so the desk holds its books against the account.
DOUBTFUL = msgspec.structs.replace(HOSTED, not_found_is_final=False)


class DoubtfulBroker(MockBrokerConnector):
    def __init__(self, settings: MockBrokerSettings, context: BrokerContext) -> None:
        super().__init__(settings, context)
        self.capabilities = DOUBTFUL

    def submit(self, order: ApprovedOrder) -> OrderReport:
        if NO_STOPS.exists() and require_approved(order).order_type is OrderType.STOP:
            raise Refused("this account takes no stop orders")
        return super().submit(order)

    def positions(self) -> Sequence[PositionReport]:
        held = list(super().positions())
        if not EXTRA.exists():
            return held
        symbol, quantity = EXTRA.read_text(encoding="utf-8").split()
        held_here = next((one.quantity for one in held if one.symbol == symbol), Decimal(0))
        shown = HeldPosition(symbol=symbol, quantity=held_here + Decimal(quantity), average_price=Decimal(40))
        return [*(one for one in held if one.symbol != symbol), shown]


@hookimpl
def mqd_brokers() -> Iterator[BrokerRecord[MockBrokerSettings]]:
    yield BrokerRecord(
        name="doubtful",
        summary="For a test",
        settings=MockBrokerSettings,
        factory=DoubtfulBroker,
        capabilities=DOUBTFUL,
    )
