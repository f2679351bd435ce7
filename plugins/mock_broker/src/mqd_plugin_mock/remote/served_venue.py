"""The recorded venue as its own process keeps it: with a number for every event, a time, and the last prices.

By the numbers a desk says what it has heard, so that an answer that got lost is told again and nothing is told twice.
The time is the latest that anybody has told: the venue reads no clock, and a person who ends things tells none. May
not decide on orders: the venue does.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mqd_core.api import (
    Bar,
    BrokerEvent,
    Fill,
    OrderReport,
    OrderType,
    SessionTable,
    Side,
    TimeInForce,
    money,
)
from mqd_plugin_mock.record import AccountRecord, Change
from mqd_plugin_mock.recorded_venue import RecordedVenue
from mqd_plugin_mock.remote.messages import SentOrder
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.ticket import Execution, OrderTerms, Ticket, fill, new_ticket, report


class ServedVenue(RecordedVenue):
    """A recorded venue that several clients may ask, one after the other."""

    def __init__(self, settings: MockBrokerSettings, sessions: SessionTable, record: AccountRecord) -> None:
        super().__init__(settings, sessions, record)
        self._news: list[BrokerEvent] = []
        self._prices: dict[str, Decimal] = {}
        #: The latest time that was told, UTC nanoseconds.
        self.time_ns = 0

    @property
    def heard(self) -> int:
        """The number of the last event."""
        return len(self._news)

    def news(self, after: int) -> tuple[BrokerEvent, ...]:
        """All events behind the one of that number."""
        return tuple(self._news[after:])

    def submit(self, order: OrderTerms) -> OrderReport:
        """Take an order and write it down; raises what the venue raises, and StoreError."""
        taken = super().submit(order)
        self._pass(order.submitted_ns)
        return taken

    def cancel(self, client_order_id: str, now_ns: int) -> OrderReport:
        """Cancel an order and write it down; raises what the venue raises, and StoreError."""
        canceled = super().cancel(client_order_id, now_ns)
        self._pass(now_ns)
        return canceled

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        """Let time pass and write down what happened; raises StoreError."""
        events = super().advance(now_ns, bars)
        self._pass(now_ns)
        for bar in bars:
            self._prices[bar.symbol] = money(bar.close)
        return events

    def cancel_all(self) -> tuple[OrderReport, ...]:
        """Cancel every working order at the venue's own time; raises StoreError."""
        return tuple(self.cancel(ticket.client_order_id, self.time_ns) for ticket in tuple(self._orders))

    def flatten_all(self) -> tuple[OrderReport, ...]:
        """Sell every position whole at the last price known, open or closed, and cancel what works in its symbol.

        Returns the sales. Raises StoreError, and Refused where the table of sessions ends.
        """
        sales: list[OrderReport] = []
        for position in self.positions():
            for ticket in tuple(self._orders.of(position.symbol)):
                self.cancel(ticket.client_order_id, self.time_ns)
            sales.append(self._sell(position.symbol, position.quantity))
        return tuple(sales)

    def _sell(self, symbol: str, quantity: Decimal) -> OrderReport:
        now_ns, price = self.time_ns, self._matcher.taken(self._prices[symbol], Side.SELL)
        order = SentOrder(
            client_order_id=f"emergency-{self._movements + 1}",
            symbol=symbol,
            side=Side.SELL,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity=quantity,
            notional=None,
            limit_price=None,
            stop_price=None,
            reference_price=price,
            submitted_ns=now_ns,
        )
        session = self._hours.session_for(now_ns)
        ticket = new_ticket(order, session.open_ns, now_ns, session.close_ns)
        # The record first has the order as it was taken in, then what became of it.
        self._admit(ticket)
        self._keep((), ticket)
        _, value, fee = self._terms(ticket, quantity, price)
        self._movements += 1
        self._book(ticket, Execution(self._movements, now_ns, quantity, price, quantity, fee), value)
        self._keep((fill(ticket, 1),))
        return report(ticket, now_ns)

    def _keep(self, events: Sequence[BrokerEvent], ticket: Ticket | None = None) -> None:
        super()._keep(events, ticket)
        self._tell(events)

    def _replay(self, change: Change) -> None:
        super()._replay(change)
        self._pass(change.advanced_ns)
        if change.ticket is not None:
            self._pass(change.ticket.submitted_ns)
        self._tell(change.events)

    def _tell(self, events: Sequence[BrokerEvent]) -> None:
        self._news += events
        for event in events:
            self._pass(event.ts)
            if isinstance(event, Fill):
                self._prices[event.symbol] = event.price

    def _pass(self, time_ns: int) -> None:
        self.time_ns = max(self.time_ns, time_ns)
