"""The way of an event from a broker to its desk, on which it may get lost, come twice, late, or behind another.

Events that have been put in are delivered at once or by `deliver_due`. May not make up an event about an order, but a
`new` that is replayed before or after its fill, as real brokers do.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec import structs

from mqd_core.api import (
    EXACT,
    SECOND_NS,
    ZERO,
    BrokerEvent,
    Fill,
    FillBusted,
    OrderReport,
    OrderStatus,
    StreamStatus,
)
from mqd_core.testing.faults import FaultKind, FaultPlan

#: How the stream of orders and fills is called.
ORDERS: Final = "orders"
#: What is held back for another event comes by itself after this long.
HELD_NS: Final = 60 * SECOND_NS
_ENDS: Final = frozenset(
    {OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.REPLACED, OrderStatus.FILLED}
)

Sink = Callable[[BrokerEvent], None]


class Agenda:
    """What is to be done at which time; at one time in the order in which it was asked for."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def __len__(self) -> int:
        """How much is left to do."""
        return len(self._entries)

    @property
    def next_ns(self) -> int | None:
        """When there is something to do; None for never."""
        return self._entries[0][0] if self._entries else None

    def add(self, due_ns: int, action: Callable[[], None]) -> None:
        """Have it done at that time."""
        self._count += 1
        heapq.heappush(self._entries, (due_ns, self._count, action))

    def work(self, now_ns: int) -> None:
        """Do all that is due."""
        while self._entries and self._entries[0][0] <= now_ns:
            heapq.heappop(self._entries)[2]()


class FaultyStream:
    """One stream, which goes on whether or not a desk listens."""

    def __init__(self, plan: FaultPlan, agenda: Agenda, now_ns: Callable[[], int], fired: Counter[FaultKind]) -> None:
        self.plan = plan
        self._agenda = agenda
        self._now_ns = now_ns
        self._fired = fired
        self._sink: Sink | None = None
        self._silent_until_ns = 0
        self._is_down = False
        #: Held until the next event, and until the end of an order.
        self._behind: list[BrokerEvent] = []
        self._awaiting: dict[str, list[Fill]] = {}
        #: Shares of held fills that the end of their order will not know of.
        self._hidden: dict[str, Decimal] = {}
        self._seen: Counter[str] = Counter()

    def connect(self, sink: Sink | None) -> None:
        """Deliver to this desk from now on; None: to nobody. What was not delivered to the one before is lost."""
        self._sink = sink
        self._is_down = False

    def put(self, event: BrokerEvent) -> None:
        """Send an event on its way."""
        name = _name(event)
        self._seen[name] += 1
        key = f"{name}/{self._seen[name]}"
        if self._strikes(FaultKind.EVENT_DROPPED, key):
            return
        if self._strikes(FaultKind.EVENT_DELAYED, key):
            self._later(FaultKind.EVENT_DELAYED, key, event, 60)
            return
        if isinstance(event, Fill) and self._is_held(event, key):
            return
        if self._strikes(FaultKind.EVENT_REORDERED, key):
            self._behind.append(event)
            self._agenda.add(self._now_ns() + HELD_NS, self._catch_up)
            return
        self._deliver(self._without_hidden(event))
        self._catch_up()
        if isinstance(event, OrderReport) and event.status in _ENDS:
            self._release(event.client_order_id)
        self._again(event, key)

    def mute(self, until_ns: int) -> None:
        """Lose everything until then, without a word."""
        self._silent_until_ns = max(self._silent_until_ns, until_ns)

    def break_off(self, until_ns: int) -> None:
        """Lose the connection, and have it again at that time."""
        if self._is_down or self._sink is None:
            return
        self._is_down = True
        self._sink(StreamStatus(ts=self._now_ns(), stream=ORDERS, state="down", text="connection reset by peer"))
        broken = self._sink
        self._agenda.add(until_ns, lambda: self._mend(broken))

    def _again(self, event: BrokerEvent, key: str) -> None:
        """What a broker sends once more."""
        if self._strikes(FaultKind.EVENT_DUPLICATED, key):
            self._later(FaultKind.EVENT_DUPLICATED, key, event, 30)
        if not isinstance(event, Fill):
            return
        if self._strikes(FaultKind.FILL_BEFORE_NEW, key):
            self._deliver(_new(event))
        if self._strikes(FaultKind.FILL_REPLAYED, key):
            self._later(FaultKind.FILL_REPLAYED, key, _new(event), 30)
            self._later(FaultKind.FILL_REPLAYED, key, event, 30)

    def _is_held(self, fill: Fill, key: str) -> bool:
        """Hold a fill until the end of its order, if one of two faults strikes."""
        is_late, identifier = self._strikes(FaultKind.LATE_FILL, key), fill.client_order_id
        if not is_late and not self._strikes(FaultKind.END_BEFORE_FILL, key):
            return False
        if is_late:
            self._hidden[identifier] = EXACT.add(self._hidden.get(identifier, ZERO), fill.quantity)
        self._awaiting.setdefault(identifier, []).append(fill)
        self._agenda.add(self._now_ns() + HELD_NS, lambda: self._release(identifier))
        return True

    def _without_hidden(self, event: BrokerEvent) -> BrokerEvent:
        """A report as one told it who does not know of the late fills."""
        if not isinstance(event, OrderReport) or event.client_order_id not in self._hidden:
            return event
        filled = max(ZERO, EXACT.subtract(event.filled_quantity, self._hidden[event.client_order_id]))
        return structs.replace(event, filled_quantity=filled, average_fill_price=None)

    def _later(self, kind: FaultKind, key: str, event: BrokerEvent, most_seconds: int) -> None:
        due_ns = self._now_ns() + self.plan.delay_ns(kind, key, 1, most_seconds)
        self._agenda.add(due_ns, lambda: self._deliver(event))

    def _strikes(self, kind: FaultKind, key: str) -> bool:
        if not self.plan.fires(kind, key):
            return False
        self._fired[kind] += 1
        return True

    def _catch_up(self) -> None:
        """Deliver what waited behind another event."""
        held, self._behind = self._behind, []
        for event in held:
            self._deliver(event)

    def _release(self, client_order_id: str) -> None:
        """Deliver the executions that waited for the end of their order."""
        self._hidden.pop(client_order_id, None)
        for event in self._awaiting.pop(client_order_id, ()):
            self._deliver(event)

    def _deliver(self, event: BrokerEvent) -> None:
        if self._sink is not None and not self._is_down and self._now_ns() >= self._silent_until_ns:
            self._sink(event)

    def _mend(self, sink: Sink) -> None:
        """Have the connection again, if it is still the same desk that lost it."""
        if self._is_down and self._sink is sink:
            self._is_down = False
            sink(StreamStatus(ts=self._now_ns(), stream=ORDERS, state="up", text=""))


def _name(event: BrokerEvent) -> str:
    """What a draw about an event is keyed by."""
    if isinstance(event, Fill | FillBusted):
        execution = event.execution_id or f"{event.client_order_id}/{event.quantity}"
        return f"{type(event).__name__}/{execution}"
    if isinstance(event, OrderReport):
        return f"report/{event.client_order_id}/{event.status.value}/{event.filled_quantity}"
    return f"{type(event).__name__}/{getattr(event, 'activity_id', event.ts)}"


def _new(event: Fill) -> OrderReport:
    """The `new` that a broker sends before, or again after, a fill."""
    return OrderReport(
        ts=event.ts,
        client_order_id=event.client_order_id,
        broker_order_id=event.broker_order_id,
        symbol=event.symbol,
        side=event.side,
        status=OrderStatus.NEW,
        filled_quantity=ZERO,
    )
