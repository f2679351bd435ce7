"""What the engine asks the runtime to do once the step is durable. Performed outside; outcomes come back as events.

There is no replace: a desk cancels and submits anew. May not hold behaviour.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from mqd_core.domain.market import Bar
from mqd_core.domain.orders import OrderRef
from mqd_core.domain.records import Alert, Record
from mqd_core.risk.approved import ApprovedOrder

#: How the runtime speaks of a broker that does not tell the account, and of an inbox that had to drop events.
ACCOUNT: Final = "account"
INBOX: Final = "inbox"


class SubmitOrder(msgspec.Struct, frozen=True, gc=False):
    """Send this order once; `attempt` is above 1 only when it is proven that no earlier one was sent."""

    order: ApprovedOrder
    attempt: int


class CancelOrder(msgspec.Struct, frozen=True, gc=False):
    """Ask the broker to cancel."""

    order: OrderRef


class QueryOrder(msgspec.Struct, frozen=True, gc=False):
    """Ask the broker what it knows of an order."""

    client_order_id: str


class TakeSnapshot(msgspec.Struct, frozen=True):
    """Ask the broker for the account; with `orders_since_ns` also for orders from then on, activities and positions.

    `after` is the id of the last activity known, None for none. One that fails comes back as a StreamStatus of the
    stream `account` that is down: no information, and no account.
    """

    orders_since_ns: int | None = None
    after: str | None = None


class RaiseAlert(msgspec.Struct, frozen=True, gc=False):
    """Tell a person."""

    alert: Alert


Effect: TypeAlias = SubmitOrder | CancelOrder | QueryOrder | TakeSnapshot | RaiseAlert


class Step(msgspec.Struct, frozen=True, gc=False):
    """What one event, or a run of bars, led to.

    `sequence` is that of the last event taken; `bars` how many bars were; `unread` a bar given back unchanged.
    """

    sequence: int
    now_ns: int
    records: tuple[Record, ...]
    effects: tuple[Effect, ...]
    next_timer_ns: int | None
    bars: int = 0
    unread: Bar | None = None
