"""An order and everything that is kept of it. Holds no rule of the market: only what follows from its own fields."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mqd_core.api import EXACT, ZERO, average_price, divide_down

#: May still execute.
WORKING: Final = frozenset({"new", "partially_filled", "pending_cancel", "pending_replace"})
#: Over for good.
TERMINAL: Final = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


@dataclass(slots=True, kw_only=True)
class Order:
    """One order. Times are UTC nanoseconds; `qty` or `notional` is set, never both.

    What wakes it up: `due_ns` is when the venue acknowledges it, `opens_ns` when its session begins, `cancel_due_ns`
    when a requested cancel takes effect, `expires_ns` when it ends by itself. A `doomed` order is rejected where it
    would be acknowledged.
    """

    id: str
    number: int
    client_order_id: str
    symbol: str
    asset_id: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    extended_hours: bool
    status: str
    created_ns: int
    updated_ns: int
    expires_ns: int
    opens_ns: int | None = None
    due_ns: int | None = None
    cancel_due_ns: int | None = None
    status_before: str = "new"
    filled_ns: int | None = None
    expired_ns: int | None = None
    cancel_requested_ns: int | None = None
    canceled_ns: int | None = None
    failed_ns: int | None = None
    replaced_ns: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    executions: int = 0
    triggered: bool = False
    doomed: bool = False

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.side == "buy"

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.status not in TERMINAL

    @property
    def filled_average(self) -> Decimal | None:
        """The average price of all executions; None before the first."""
        return average_price(self.filled_value, self.filled_qty) if self.filled_qty else None

    def remaining(self, price: Decimal) -> Decimal:
        """Shares that are still to be traded; of an amount of money, what the rest of it buys at this price."""
        if self.qty is not None:
            return EXACT.subtract(self.qty, self.filled_qty)
        left = EXACT.subtract(self.notional or ZERO, self.filled_value)
        return divide_down(left, price)

    @property
    def wake_ns(self) -> int | None:
        """When something happens to it by itself; None once it is over."""
        if not self.is_open:
            # A cancel that came too late is still answered.
            return self.cancel_due_ns
        times = (self.opens_ns, self.due_ns, self.cancel_due_ns, self.expires_ns)
        return min(time for time in times if time is not None)

    def snapshot(self) -> Order:
        """What it is now, which later changes leave alone."""
        return copy.copy(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill: quantity and price of this execution alone. `position_qty` is the position after it."""

    id: str
    ts_ns: int
    qty: Decimal
    price: Decimal
    position_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """News of an order. `event` is the service's word; `execution_id` comes with `new` as well as with fills."""

    event: str
    event_id: str
    ts_ns: int
    order: Order
    execution: Execution | None = None
    execution_id: str | None = None
