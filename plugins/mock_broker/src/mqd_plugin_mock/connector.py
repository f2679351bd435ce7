"""The broker connector of the simulated account: a thin door to the venue, which answers at once.

Cancels are reported to the sink before `cancel` returns; all other news comes as the answer of `venue.advance`. May
not decide anything about an order: the venue does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mqd_core.api import (
    AccountReport,
    ActivityCursor,
    ApprovedOrder,
    Asset,
    BrokerCapabilities,
    BrokerClock,
    BrokerContext,
    BrokerEvent,
    NotSent,
    OrderRef,
    OrderReport,
    PositionReport,
    SessionTable,
    SimulatedVenue,
    require_approved,
    xnys,
)
from mqd_plugin_mock.capabilities import HOSTED, RECORDED
from mqd_plugin_mock.hours import broker_clock
from mqd_plugin_mock.record import AccountRecord
from mqd_plugin_mock.recorded_venue import RecordedVenue
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.venue import MockVenue


class MockBrokerConnector:
    """A simulated broker. `sessions` defaults to those of the New York Stock Exchange."""

    capabilities: BrokerCapabilities
    venue: SimulatedVenue | None

    def __init__(
        self, settings: MockBrokerSettings, context: BrokerContext, sessions: SessionTable | None = None
    ) -> None:
        self._clock = context.clock
        self._sessions = xnys() if sessions is None else sessions
        self._sink: Callable[[BrokerEvent], None] | None = None
        self._recorded: RecordedVenue | None = None
        if settings.record is None:
            self.capabilities = HOSTED
            self._venue = MockVenue(settings, self._sessions)
        else:
            self.capabilities = RECORDED
            self._recorded = RecordedVenue(settings, self._sessions, AccountRecord(Path(settings.record)))
            self._venue = self._recorded
        self.venue = self._venue

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountReport:
        """Open the account; with a record, read it. Raises StoreError or StoreCorrupt for one that cannot be used."""
        if self._recorded is not None:
            self._recorded.open()
        self._sink = sink
        return self.account()

    def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order. Raises SealedType unless the gate made it, Refused for the venue's no, NotSent if closed."""
        approved = require_approved(order)
        self._opened()
        return self._venue.submit(approved)

    def cancel(self, order: OrderRef) -> None:
        """Cancel an order; the report goes to the sink before this returns. Raises Refused if it is not working."""
        sink = self._opened()
        sink(self._venue.cancel(order.client_order_id, self._clock.now_ns()))

    def find_order(self, client_order_id: str) -> OrderReport | None:
        """The order of that id as it is now, or None."""
        self._opened()
        return self._venue.find(client_order_id)

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        """All orders that the account remembers, submitted at or after `since_ns`."""
        self._opened()
        return self._venue.orders(since_ns)

    def activities(self, after: ActivityCursor | None) -> Iterable[BrokerEvent]:
        """Fills and fees after the one named by its execution or activity id, oldest first."""
        self._opened()
        return self._venue.activities(after)

    def account(self) -> AccountReport:
        """The account now."""
        self._opened()
        return self._venue.account(self._clock.now_ns())

    def positions(self) -> Sequence[PositionReport]:
        """All positions now."""
        self._opened()
        return self._venue.positions()

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        """What the venue says of the symbols that it lists."""
        return self._venue.assets(symbols)

    def clock(self) -> BrokerClock:
        """The desk's own time, and the exchange's hours around it."""
        return broker_clock(self._sessions, self._clock.now_ns())

    def close(self) -> None:
        """Close the account; its record, if it has one, can then be opened by another desk."""
        self._sink = None
        if self._recorded is not None:
            self._recorded.close()

    def _opened(self) -> Callable[[BrokerEvent], None]:
        if self._sink is None:
            raise NotSent("the simulated account is not open: open() comes first, and nothing after close()")
        return self._sink
