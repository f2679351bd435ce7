"""An order as the venue keeps it, its executions, and how both are reported.

The venue's own words on purpose: it shares none of the desk's order logic, so that neither can hide the other's error.
May not decide anything.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Protocol

import msgspec

from mqd_core.api import (
    ZERO,
    Fill,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    average_price,
)

#: The venue's id of an order is a function of the client's, so that no count of calls can show in it.
_OWN: Final = "mock-"


class OrderTerms(Protocol):
    """What the venue has to know of an order: all of an approved one but its strategy and its seal."""

    @property
    def client_order_id(self) -> str:
        """The client's name for it, taken once."""
        ...

    @property
    def symbol(self) -> str:
        """What is traded."""
        ...

    @property
    def side(self) -> Side:
        """Bought or sold."""
        ...

    @property
    def order_type(self) -> OrderType:
        """How it is priced."""
        ...

    @property
    def time_in_force(self) -> TimeInForce:
        """How long it works."""
        ...

    @property
    def quantity(self) -> Decimal | None:
        """Shares, or None for an amount of money."""
        ...

    @property
    def notional(self) -> Decimal | None:
        """USD, or None for shares."""
        ...

    @property
    def limit_price(self) -> Decimal | None:
        """The worst price of a limit order."""
        ...

    @property
    def stop_price(self) -> Decimal | None:
        """The price that triggers a stop order."""
        ...

    @property
    def reference_price(self) -> Decimal:
        """The price known when it was sent."""
        ...

    @property
    def submitted_ns(self) -> int:
        """When it was sent, by the client's clock."""
        ...


# array_like: state is taken after every change, and names of fields would be most of it. gc=False: atoms only.
class Execution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One execution. `number` counts the account's movements; `cumulative` is the order's, this execution included."""

    number: int
    ts: int
    quantity: Decimal
    price: Decimal
    cumulative: Decimal
    fee: Decimal


class Ticket(msgspec.Struct, array_like=True, gc=False):
    """One order at the venue.

    It can fill on bars that start from `active_ns` on, and ends at `expires_ns`. `bound` is the price, as a float and
    a hair to the safe side, that a bar has to reach before a priced order need be looked at: with its low if the order
    `awaits_fall`, else with its high. `spent` is the sum of price times quantity over the executions.
    """

    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    reference_price: Decimal
    submitted_ns: int
    active_ns: int
    expires_ns: int
    status: OrderStatus
    bound: float = 0.0
    awaits_fall: bool = False
    triggered: bool = False
    filled: Decimal = ZERO
    spent: Decimal = ZERO
    executions: tuple[Execution, ...] = ()
    changed_ns: int = 0
    code: str = ""
    text: str = ""

    @property
    def own_end_ns(self) -> int:
        """From when on the order may end without a fill or a cancel."""
        return self.active_ns if self.time_in_force is TimeInForce.IOC else self.expires_ns


def new_ticket(order: OrderTerms, open_ns: int, ready_ns: int, expires_ns: int) -> Ticket:
    """The ticket of an order that works in a session from `open_ns` on, when it is `ready_ns`, to `expires_ns`."""
    submitted_ns = order.submitted_ns
    is_open = open_ns <= submitted_ns
    return Ticket(
        order.client_order_id,
        order.symbol,
        order.side,
        order.order_type,
        order.time_in_force,
        order.quantity,
        order.notional,
        order.limit_price,
        order.stop_price,
        order.reference_price,
        submitted_ns,
        ready_ns if is_open else max(ready_ns, open_ns),
        expires_ns,
        OrderStatus.NEW if is_open else OrderStatus.ACKNOWLEDGED,
        changed_ns=submitted_ns,
    )


def execution_id(client_order_id: str, ordinal: int) -> str:
    """The id of the order's execution number `ordinal`, counted from 1."""
    return f"{client_order_id}-x{ordinal}"


def report(ticket: Ticket, ts: int) -> OrderReport:
    """What the venue says of an order now."""
    return OrderReport(
        ts=ts,
        client_order_id=ticket.client_order_id,
        broker_order_id=f"{_OWN}{ticket.client_order_id}",
        symbol=ticket.symbol,
        side=ticket.side,
        status=ticket.status,
        filled_quantity=ticket.filled,
        quantity=ticket.quantity,
        notional=ticket.notional,
        average_fill_price=average_price(ticket.spent, ticket.filled) if ticket.filled else None,
        code=ticket.code,
        text=ticket.text,
    )


def fill(ticket: Ticket, ordinal: int) -> Fill:
    """The event of the order's execution number `ordinal`, counted from 1."""
    execution = ticket.executions[ordinal - 1]
    return Fill(
        ts=execution.ts,
        client_order_id=ticket.client_order_id,
        broker_order_id=f"{_OWN}{ticket.client_order_id}",
        symbol=ticket.symbol,
        side=ticket.side,
        quantity=execution.quantity,
        price=execution.price,
        cumulative_quantity=execution.cumulative,
        fee=execution.fee,
        execution_id=execution_id(ticket.client_order_id, ordinal),
    )
