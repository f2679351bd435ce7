"""The venue with a durable record of its own: what it has taken on survives the desk, and can testify against it.

Every change is in the file before the caller hears of it. A desk that dies between that and its own commit finds the
order, and its fills, when it comes back and asks. May not find prices or decide on orders: the venue does.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mqd_core.api import (
    EXACT,
    Activity,
    Bar,
    BrokerEvent,
    Fill,
    OrderReport,
    OrderStatus,
    SessionTable,
    StoreCorrupt,
)
from mqd_plugin_mock.record import AccountRecord, Change
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.ticket import Execution, OrderTerms, Ticket
from mqd_plugin_mock.venue import TRIGGERED, MockVenue


class RecordedVenue(MockVenue):
    """A venue that forgets nothing. After a failed write every further call raises StoreError."""

    def __init__(self, settings: MockBrokerSettings, sessions: SessionTable, record: AccountRecord) -> None:
        super().__init__(settings, sessions, remembered=None)
        self._record = record

    def open(self) -> None:
        """Read the record, or begin it; raises StoreError or StoreCorrupt."""
        header, changes = self._record.open(self._settings.account, self._settings.starting_cash)
        self._account.cash = header.starting_cash
        try:
            for change in changes:
                self._replay(change)
        except BaseException:
            self._record.close()
            raise

    def close(self) -> None:
        """Let go of the record."""
        self._record.close()

    def submit(self, order: OrderTerms) -> OrderReport:
        """Take an order and write it down; raises what the venue raises, and StoreError."""
        self._record.check()
        report = super().submit(order)
        self._keep((), self._orders.by_id[order.client_order_id])
        return report

    def cancel(self, client_order_id: str, now_ns: int) -> OrderReport:
        """Cancel an order and write it down; raises what the venue raises, and StoreError."""
        self._record.check()
        report = super().cancel(client_order_id, now_ns)
        self._keep((report,))
        return report

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        """Let time pass and write down what happened; raises StoreError."""
        self._record.check()
        events = super().advance(now_ns, bars)
        if events:
            self._keep(events)
        return events

    def state(self) -> bytes:
        """Nothing: the record is the state, and no commit of a desk may take it back."""
        return b""

    def restore(self, state: bytes) -> None:
        """Keep what the record says, whatever a desk remembers."""

    def _keep(self, events: Sequence[BrokerEvent], ticket: Ticket | None = None) -> None:
        change = Change(
            advanced_ns=self._advanced_ns,
            settled_ns=self._settled_ns,
            ticket=ticket,
            events=tuple(events),
            fee_day=self._fee_day,
        )
        self._record.append(change)

    def _replay(self, change: Change) -> None:
        """Do again what the record says was done."""
        self._advanced_ns, self._settled_ns = change.advanced_ns, change.settled_ns
        if change.ticket is not None:
            self._admit(change.ticket)
        for event in change.events:
            if isinstance(event, Fill):
                self._replay_fill(event)
            elif isinstance(event, OrderReport):
                self._replay_report(event)
            elif isinstance(event, Activity):
                self._take_charge(event)
        self._fee_day = change.fee_day

    def _replay_fill(self, event: Fill) -> None:
        ticket = self._working_ticket(event.client_order_id)
        self._movements += 1
        execution = Execution(
            self._movements, event.ts, event.quantity, event.price, event.cumulative_quantity, event.fee
        )
        value: Decimal = EXACT.multiply(event.price, event.quantity)
        self._book(ticket, execution, value)

    def _replay_report(self, event: OrderReport) -> None:
        ticket = self._working_ticket(event.client_order_id)
        if event.status is not OrderStatus.NEW:
            self._end(ticket, event.status, event.ts, event.code, event.text)
            return
        ticket.status = event.status
        if event.code == TRIGGERED:
            self._trigger(ticket)
            ticket.code, ticket.changed_ns = event.code, event.ts

    def _working_ticket(self, client_order_id: str) -> Ticket:
        ticket = self._orders.by_id.get(client_order_id)
        if ticket is None:
            raise StoreCorrupt(f"the account record tells of order {client_order_id}, which it has not as working")
        return ticket
