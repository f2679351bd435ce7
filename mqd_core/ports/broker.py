"""Ports of a broker: the connector, its emergency exit, and the pure venue behind a simulated one.

May not hold behaviour. Which error says what is in `mqd_core.errors`: a connector raises Refused (the venue said no),
NotSent (no byte left), and anything else is ambiguous: the order may exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from mqd_core.domain.events import AccountSnapshot, Activity, BrokerEvent, Fill, HeldPosition, OrderReport
from mqd_core.domain.market import Asset, Bar
from mqd_core.domain.orders import OrderRef, OrderType, TimeInForce
from mqd_core.risk.approved import ApprovedOrder

#: The account as one answer of the broker; the same shape enters the engine.
AccountReport: TypeAlias = AccountSnapshot
PositionReport: TypeAlias = HeldPosition
#: Where reading of activities goes on: the id of the last one seen.
ActivityCursor: TypeAlias = str


class Support(str, Enum):
    """How far a connector supports something; tells "the venue cannot" from "nobody wrote it"."""

    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"
    NOT_IMPLEMENTED = "not_implemented"
    FULL = "full"


class BrokerCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector can do, as data; conformance tests and the preflight read it.

    `not_found_is_final`: "not found" alone proves that an order was never sent. True only for a venue hosted in
    process, whose state is committed together with the journal.
    `client_id_unique`: how long the broker refuses a client order id again: `open`, `forever`, or `unknown`.
    """

    simulated: bool
    order_types: tuple[OrderType, ...] = (OrderType.MARKET,)
    times_in_force: tuple[TimeInForce, ...] = (TimeInForce.DAY,)
    fractional: Support = Support.UNKNOWN
    notional: Support = Support.UNKNOWN
    extended_hours: Support = Support.UNKNOWN
    replace: Support = Support.UNKNOWN
    streaming: Support = Support.UNKNOWN
    not_found_is_final: bool = False
    client_id_unique: str = "unknown"
    #: The account has a record of its own that goes on when the desk's store is replaced.
    own_record: bool = False


class BrokerClock(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's time and whether its market is open."""

    now_ns: int
    is_open: bool
    next_open_ns: int | None = None
    next_close_ns: int | None = None


class SimulatedVenue(Protocol):
    """A pure exchange: no clock, no I/O, none of the engine's order logic; draws are functions of (seed, key)."""

    #: How many orders work; `advance` may be left out while it is 0.
    working: int

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        """Let time pass to `now_ns` with all bars of one minute; also called with none at a close and at the end."""
        ...

    def state(self) -> bytes:
        """The whole state as one opaque value."""
        ...

    def restore(self, state: bytes) -> None:
        """Become what `state` was taken of."""
        ...


class BrokerConnector(Protocol):
    """A broker. Calls block; nothing but `open`'s sink may bring news to the desk."""

    capabilities: BrokerCapabilities
    #: None for a real broker; what wraps a connector passes it on.
    venue: SimulatedVenue | None

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountReport:
        """Connect; from now on `sink`, which is thread-safe, takes what the broker reports by itself."""
        ...

    def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order once. Raises Refused or NotSent; any other error leaves the outcome unknown."""
        ...

    def cancel(self, order: OrderRef) -> None:
        """Ask for a cancel; returning means the request was taken, not that the order is gone."""
        ...

    def find_order(self, client_order_id: str) -> OrderReport | None:
        """Look an order up; None means that the broker answered "not found"; no answer raises."""
        ...

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        """All orders, open and closed, submitted at or after `since_ns`, paged to the end."""
        ...

    def activities(self, after: ActivityCursor | None) -> Iterable[BrokerEvent]:
        """Fills, fees, dividends and transfers after a cursor (None: all), oldest first.

        A cursor is the `activity_id` of an Activity, the `execution_id` of a Fill or FillBusted: reading goes on behind
        the last one that was seen, so each has to be unique in the account and to mean the same for ever.
        """
        ...

    def account(self) -> AccountReport:
        """The account now."""
        ...

    def positions(self) -> Sequence[PositionReport]:
        """All positions now."""
        ...

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        """What the broker says of these symbols; one it does not know is left out."""
        ...

    def clock(self) -> BrokerClock:
        """The broker's clock."""
        ...

    def close(self) -> None:
        """Disconnect and join every thread; no sink call afterwards."""
        ...


@runtime_checkable
class ExecutionTeller(Protocol):
    """A connector that can be asked for one order's executions, where all activities would be many pages."""

    def executions(self, order: OrderRef) -> Sequence[Fill]:
        """The executions of an order whose broker id is known, oldest first."""
        ...


class EmergencyBroker(Protocol):
    """All that `mqd kill` needs: made without engine, store or strategies."""

    def cancel_all(self) -> Sequence[OrderReport]:
        """Ask for a cancel of every open order; returns what is known of each, () where none is open any more.

        Called again until it returns nothing that is open: asking twice for a cancel does no harm.
        """
        ...

    def flatten_all(self) -> Sequence[OrderReport]:
        """Close every position at the market; called once. Returns what became of each request."""
        ...


__all__ = [
    "AccountReport",
    "Activity",
    "ActivityCursor",
    "BrokerCapabilities",
    "BrokerClock",
    "BrokerConnector",
    "EmergencyBroker",
    "ExecutionTeller",
    "PositionReport",
    "SimulatedVenue",
    "Support",
]
