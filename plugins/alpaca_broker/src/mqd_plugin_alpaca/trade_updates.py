"""Messages of the account's stream as events of the desk: each execution once, no order back from its end.

The stream repeats itself, mixes up the order and loses messages, so what is doubtful is said to be: whoever reads then
asks Alpaca for all of it. May not connect, and may not decide what an event means for an order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from msgspec import structs

from mqd_core.api import ZERO, BrokerEvent, Clock, Fill, OrderReport, OrderStatus
from mqd_plugin_alpaca.faults import Unreadable
from mqd_plugin_alpaca.parsing import Body, OnUnknown, as_body, decimal_of, report_of
from mqd_plugin_alpaca.statuses import TERMINAL

_FILLS: Final = frozenset({"fill", "partial_fill"})
#: A request was refused; the order goes on as it was.
_REQUEST_REJECTED: Final = frozenset({"order_cancel_rejected", "order_replace_rejected"})
_STATUS_ONLY: Final = frozenset(
    {
        "accepted",
        "pending_new",
        "new",
        "held",
        "canceled",
        "expired",
        "done_for_day",
        "rejected",
        "replaced",
        "pending_cancel",
        "pending_replace",
        "stopped",
        "suspended",
        "calculated",
        "pending_review",
        "accepted_for_bidding",
    }
)
#: So many orders are known at once; of more, those that are over and longest known are forgotten.
_ORDERS_MAX: Final = 20_000


@dataclass(slots=True)
class _Known:
    """What was heard of one order."""

    filled: Decimal = ZERO
    is_over: bool = False
    executions: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Heard:
    """What one message says; `doubt` is why the account has to be read anew, empty where it has not."""

    order_id: str = ""
    events: tuple[BrokerEvent, ...] = ()
    doubt: str = ""


class TradeUpdates:
    """Remembers what was heard of each order. For one thread."""

    def __init__(self, clock: Clock, learn: Callable[[Body], None], on_unknown: OnUnknown) -> None:
        self._clock = clock
        self._learn = learn
        self._on_unknown = on_unknown
        self._known: dict[str, _Known] = {}

    def take(self, data: object) -> Heard:
        """Take the `data` of one message; never raises for what stands in it."""
        try:
            body = as_body(data, "a trade update")
            order = as_body(body.get("order"), "the order of a trade update")
            self._learn(order)
            report = report_of(order, self._clock.now_ns(), self._on_unknown)
            return self._heard(str(body.get("event"))[:40], body, report)
        except Unreadable as error:
            return Heard(doubt=f"a message of the stream cannot be read: {error}")

    def _heard(self, event: str, body: Body, report: OrderReport) -> Heard:
        identifier = report.broker_order_id
        known = self._known.get(identifier)
        if known is None:
            self._make_room()
            known = self._known[identifier] = _Known()
        if event in _FILLS:
            return self._filled(known, body, report)
        if event in _REQUEST_REJECTED:
            return Heard(identifier, (structs.replace(report, status=OrderStatus.CANCEL_REJECTED),))
        events = self._status(known, report)
        if event in _STATUS_ONLY:
            return Heard(identifier, events)
        # trade_bust, trade_correct, restated, and whatever Alpaca thinks of next.
        return Heard(identifier, events, f"the stream says {event!r} of order {identifier}")

    def _filled(self, known: _Known, body: Body, report: OrderReport) -> Heard:
        identifier, execution = report.broker_order_id, str(body.get("execution_id") or "")
        if execution and execution in known.executions:
            return Heard(identifier)
        quantity, price = decimal_of(body, "qty"), decimal_of(body, "price")
        if not ZERO < quantity <= report.filled_quantity or price <= ZERO:
            return Heard(identifier, doubt=f"the stream tells an execution of order {identifier} that cannot be")
        if execution:
            known.executions.add(execution)
        fill = Fill(
            ts=report.ts,
            client_order_id=report.client_order_id,
            broker_order_id=identifier,
            symbol=report.symbol,
            side=report.side,
            quantity=quantity,
            price=price,
            cumulative_quantity=report.filled_quantity,
            execution_id=execution,
        )
        return Heard(identifier, (fill, *self._status(known, report)))

    @staticmethod
    def _status(known: _Known, report: OrderReport) -> tuple[OrderReport, ...]:
        """The report, unless it is older than what was heard: less filled, or working after its end."""
        is_over = report.status in TERMINAL
        if report.filled_quantity < known.filled or (known.is_over and not is_over):
            return ()
        known.filled, known.is_over = report.filled_quantity, is_over
        return (report,)

    def _make_room(self) -> None:
        if len(self._known) < _ORDERS_MAX:
            return
        over = [key for key, known in self._known.items() if known.is_over][: _ORDERS_MAX // 10]
        for key in over:
            del self._known[key]
