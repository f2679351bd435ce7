"""The desk's way to the broker: where each call can be cut off, and where what leaves is looked at.

One object a process; the broker behind it outlives them all. May not change what passes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from desk_simulation.crash import CrashPoints
from desk_simulation.timeline import Timeline
from mqd_core.api import (
    AccountReport,
    ActivityCursor,
    ApprovedOrder,
    Asset,
    BrokerClock,
    BrokerConnector,
    BrokerEvent,
    NotSent,
    OrderRef,
    OrderReport,
    PositionReport,
)

_STREAM_NS = (5_000_000, 400_000_000)


class Customs(Protocol):
    """Who looks at what leaves the desk."""

    def sends(self, order: ApprovedOrder) -> None:
        """An order is about to leave."""
        ...

    def did_not_leave(self, order: ApprovedOrder) -> None:
        """No byte of it has left after all."""
        ...

    def called(self) -> None:
        """The broker was called: it may have something to do later."""
        ...


class BrokerDoor:
    """Passes every call on, with a point before and after it, and every report of the broker after a while."""

    def __init__(
        self, broker: BrokerConnector, points: CrashPoints, timeline: Timeline, draw: random.Random, customs: Customs
    ) -> None:
        self._broker = broker
        self._points = points
        self._timeline = timeline
        self._draw = draw
        self._customs = customs
        self._arrives_ns = 0
        self.capabilities = broker.capabilities
        self.venue = broker.venue

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountReport:
        """Connect; what is reported arrives in order, each a moment later."""

        def travel(event: BrokerEvent) -> None:
            due_ns = self._timeline.now_ns + self._draw.randint(*_STREAM_NS)
            self._arrives_ns = max(self._arrives_ns + 1, due_ns)
            self._timeline.at(self._arrives_ns, lambda: sink(event))

        self._points("open:before")
        account = self._broker.open(travel)
        self._points("open:after")
        return account

    def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order."""
        self._points("post:before")
        self._customs.sends(order)
        try:
            report = self._broker.submit(order)
        except NotSent:
            self._customs.did_not_leave(order)
            raise
        finally:
            self._customs.called()
        self._points("post:after")
        return report

    def cancel(self, order: OrderRef) -> None:
        """Ask for a cancel."""
        self._points("delete:before")
        try:
            self._broker.cancel(order)
        finally:
            self._customs.called()
        self._points("delete:after")

    def find_order(self, client_order_id: str) -> OrderReport | None:
        """Look an order up."""
        self._points("get:before")
        report = self._broker.find_order(client_order_id)
        self._points("get:after")
        return report

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        """All orders since then."""
        self._points("list:before")
        reports = self._broker.orders(since_ns)
        self._points("list:after")
        return reports

    def activities(self, after: ActivityCursor | None) -> Iterable[BrokerEvent]:
        """What moved the account."""
        self._points("activities:before")
        events = tuple(self._broker.activities(after))
        self._points("activities:after")
        return events

    def account(self) -> AccountReport:
        """The account."""
        self._points("account:before")
        report = self._broker.account()
        self._points("account:after")
        return report

    def positions(self) -> Sequence[PositionReport]:
        """All positions."""
        self._points("positions:before")
        return self._broker.positions()

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        """What the broker says of symbols."""
        return self._broker.assets(symbols)

    def clock(self) -> BrokerClock:
        """The broker's clock."""
        return self._broker.clock()

    def close(self) -> None:
        """The broker goes on."""
