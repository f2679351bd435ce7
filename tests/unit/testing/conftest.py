"""A broker that only obeys, its clock, and the same broker behind faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import pytest

from mqd_core.api import (
    MINUTE_NS,
    SECOND_NS,
    AccountSnapshot,
    ApprovedOrder,
    Asset,
    Bar,
    BrokerCapabilities,
    BrokerClock,
    BrokerEvent,
    Fill,
    HeldPosition,
    OrderRef,
    OrderReport,
    OrderStatus,
    Refused,
    StreamStatus,
)
from mqd_core.testing.bars import session_of
from mqd_core.testing.engines import approved_order
from mqd_core.testing.faults import FaultKind, FaultPlan
from mqd_core.testing.faulty_broker import FaultyBroker
from mqd_core.testing.venues import ObedientVenue, VenueOrder

OPEN_NS = session_of().open_ns


class ObedientConnector:
    """An obedient venue behind the port of a broker."""

    def __init__(self, venue: ObedientVenue, now_ns: Callable[[], int]) -> None:
        self.capabilities = BrokerCapabilities(simulated=True, not_found_is_final=True)
        self.inner = venue
        self.now_ns = now_ns
        self.fills: list[Fill] = []
        self.working = 0
        self.venue = self

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountSnapshot:
        self.sink = sink
        return self.account()

    def submit(self, order: ApprovedOrder) -> OrderReport:
        if order.client_order_id in self.inner.orders:
            raise Refused("client_order_id must be unique", "40010001")
        number = len(self.inner.orders) + 1
        known = self.inner.orders[order.client_order_id] = VenueOrder(order, f"venue-{number}", target=order.quantity)
        return known.report(self.now_ns())

    def cancel(self, order: OrderRef) -> None:
        known = self.inner.orders.get(order.client_order_id)
        if known is None or not known.is_open:
            raise Refused("order is not open", "42210000")
        known.status = OrderStatus.CANCELED
        self.sink(known.report(self.now_ns()))

    def find_order(self, client_order_id: str) -> OrderReport | None:
        known = self.inner.orders.get(client_order_id)
        return None if known is None else known.report(self.now_ns())

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        return [known.report(known.order.submitted_ns) for known in self.inner.orders.values()]

    def activities(self, after: str | None) -> Iterable[BrokerEvent]:
        place = next((n for n, fill in enumerate(self.fills, 1) if fill.execution_id == after), 0)
        return self.fills[place:]

    def account(self) -> AccountSnapshot:
        return self.inner.account(self.now_ns())

    def positions(self) -> Sequence[HeldPosition]:
        return self.account().positions

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        return [Asset(symbol=symbol) for symbol in symbols]

    def clock(self) -> BrokerClock:
        return BrokerClock(now_ns=self.now_ns(), is_open=True)

    def close(self) -> None:
        raise AssertionError("what is inside goes on without a desk")

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        events = self.inner.advance(bars)
        return [self.note(event) if isinstance(event, Fill) else event for event in events]

    def note(self, fill: Fill) -> Fill:
        """Give a fill of the venue its id, and list it among the activities."""
        number = sum(other.client_order_id == fill.client_order_id for other in self.fills) + 1
        self.fills.append(
            Fill(
                **{name: getattr(fill, name) for name in Fill.__struct_fields__ if name != "execution_id"},
                execution_id=f"{fill.client_order_id}-x{number}",
            )
        )
        return self.fills[-1]

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes) -> None:
        raise AssertionError("nothing is restored here")


class World:
    """One faulty broker, its clock, what its desk has heard, and prices of 10 or what a test says."""

    def __init__(self, plan: FaultPlan, cash: str = "1000", parts: int = 1) -> None:
        self.now = OPEN_NS
        self.obedient = ObedientConnector(ObedientVenue(cash, parts=parts), lambda: self.now)
        self.broker = FaultyBroker(self.obedient, plan, lambda: self.now)
        self.heard: list[BrokerEvent] = []
        self.broker.open(self.heard.append)

    @property
    def fired(self) -> Counter[FaultKind]:
        return self.broker.fired

    def order(self, name: str = "m1-abcdef-1-0-aaaa", quantity: str = "2", **changes: object) -> ApprovedOrder:
        """An approved order of this moment."""
        return approved_order(name, quantity=Decimal(quantity), submitted_ns=self.now, **changes)

    def ref(self, name: str = "m1-abcdef-1-0-aaaa") -> OrderRef:
        """How an order is named."""
        return OrderRef(client_order_id=name, symbol="SPY")

    def wait(self, seconds: float) -> World:
        """Let time pass, and deliver what comes meanwhile at its own time."""
        until = self.now + round(seconds * SECOND_NS)
        while (due := self.broker.next_due_ns) is not None and due <= until:
            self.now = max(self.now, due)
            self.broker.deliver_due(self.now)
        self.now = until
        self.broker.deliver_due(until)
        return self

    def minute(self, price: float = 10.0, symbol: str = "SPY") -> World:
        """One minute of the market, all at one price."""
        start = self.now - self.now % MINUTE_NS + (MINUTE_NS if self.now % MINUTE_NS else 0)
        self.wait((start + MINUTE_NS - self.now) / SECOND_NS)
        self.broker.advance(self.now, [Bar(symbol, start, price, price, price, price, 1_000.0)])
        return self

    def trade(self, price: float = 10.0, symbol: str = "SPY") -> World:
        """The market trades at this moment, and no time passes."""
        self.broker.advance(self.now, [Bar(symbol, self.now, price, price, price, price, 1_000.0)])
        return self

    def of(self, kind: type) -> list:
        """What was heard of one type."""
        return [event for event in self.heard if isinstance(event, kind)]

    @property
    def statuses(self) -> list[str]:
        """The statuses of orders that were heard, in order."""
        return [event.status.value for event in self.of(OrderReport)]

    @property
    def streams(self) -> list[str]:
        """The states of the stream that were heard."""
        return [event.state for event in self.of(StreamStatus)]


@pytest.fixture(scope="session")
def world() -> type[World]:
    """Makes a world of a plan; a class, since hypothesis makes many in one test."""
    return World
