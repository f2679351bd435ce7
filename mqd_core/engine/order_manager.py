"""Orders in flight: submit, cancel, resolve. Turns what a broker says into moves of the order table.

Submission (failure model, section 5): the intent is durable before the send; an outcome that is not known is never
taken for "no"; an unknown order keeps its worst-case exposure and is resolved by asking, never by sending again.
May not size, allow or value anything: fills go to the orchestrator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from mqd_core.domain.events import (
    CancelOutcome,
    Fill,
    FillBusted,
    OrderReport,
    OrderStatus,
    Outcome,
    QueryOutcome,
    SubmitOutcome,
)
from mqd_core.domain.money import ZERO, add
from mqd_core.domain.order_state import Cell, Life, Request, Trigger
from mqd_core.domain.orders import Side
from mqd_core.domain.records import OrderMoved, Severity
from mqd_core.engine.effects import CancelOrder, QueryOrder, SubmitOrder
from mqd_core.engine.instruments import Lane
from mqd_core.engine.order import Order
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import ResolveSettings
from mqd_core.errors import IllegalTransition
from mqd_core.risk.approved import ApprovedOrder

_TRIGGERS = {
    OrderStatus.ACKNOWLEDGED: Trigger.ACKNOWLEDGED,
    OrderStatus.NEW: Trigger.NEW,
    OrderStatus.PARTIALLY_FILLED: Trigger.NEW,
    OrderStatus.CANCELED: Trigger.CANCELED,
    OrderStatus.EXPIRED: Trigger.EXPIRED,
    OrderStatus.REJECTED: Trigger.REJECTED,
    OrderStatus.REPLACED: Trigger.REPLACED,
    OrderStatus.PAUSED: Trigger.PAUSED,
    OrderStatus.CANCEL_REJECTED: Trigger.REQUEST_REJECTED,
}
_LIFE_NAMES = tuple(life.name.lower() for life in Life)
_REQUEST_NAMES = tuple(request.name.lower() for request in Request)
#: Terminal orders are remembered this long for late fills, then forgotten at a session's open.
WATCH_NS = 24 * 3600 * 1_000_000_000


class EventDrivenOrderManager:
    """All orders that are alive or still watched, by client order id."""

    def __init__(
        self,
        scribe: Scribe,
        resolve: ResolveSettings,
        on_fill: Callable[[Order, Fill], None],
        on_bust: Callable[[Order, FillBusted], None],
        on_closed: Callable[[Order], None],
        on_doubt: Callable[[str, str, bool], None],
    ) -> None:
        self._scribe = scribe
        self._resolve = resolve
        self._on_fill = on_fill
        self._on_bust = on_bust
        self._on_closed = on_closed
        #: Called with (code, text, halts) when the table says that the desk may not simply go on.
        self._on_doubt = on_doubt
        self._orders: dict[str, Order] = {}
        #: Orders that are, or may be, alive, oldest first.
        self.open: dict[str, Order] = {}

    # Looking

    def open_orders(self) -> Iterator[Order]:
        """Orders that are, or may be, alive, oldest first."""
        return iter(self.open.values())

    def all_orders(self) -> Iterator[Order]:
        """Every order still remembered, oldest first."""
        return iter(self._orders.values())

    def working(self, strategy_id: str, symbol: str) -> Order | None:
        """The order of a book that is, or may be, alive."""
        for order in self.open.values():
            approved = order.approved
            if approved.strategy_id == strategy_id and approved.symbol == symbol:
                return order
        return None

    def has_opposite(self, strategy_id: str, symbol: str, side: Side) -> bool:
        """Whether another strategy's order on the other side of the symbol is, or may be, alive."""
        for order in self.open.values():
            approved = order.approved
            if approved.symbol == symbol and approved.side is not side and approved.strategy_id != strategy_id:
                return True
        return False

    @property
    def next_check_ns(self) -> int | None:
        """When an order has to be asked about; None while none has to."""
        due = None
        for order in self.open.values():
            if order.next_query_ns and (due is None or order.next_query_ns < due):
                due = order.next_query_ns
        return due

    # Acting

    def submit(self, approved: ApprovedOrder, correlation_id: str, lane: Lane | None, *, is_entry: bool) -> Order:
        """Take an approved order into flight and ask for its submission."""
        order = Order(approved, correlation_id, lane, is_entry=is_entry)
        self._orders[approved.client_order_id] = self.open[approved.client_order_id] = order
        self._scribe.effects.append(SubmitOrder(approved, 1))
        return order

    def cancel(self, order: Order) -> None:
        """Ask for a cancel now, or remember to as soon as the broker's id is known."""
        if order.machine.want_cancel():
            self._scribe.effects.append(CancelOrder(order.ref))
            self._moved(order, order.machine.life, code="cancel_requested")

    def query(self, order: Order) -> None:
        """Ask the broker what it knows of the order."""
        order.queries += 1
        self._scribe.effects.append(QueryOrder(order.approved.client_order_id))

    def check_due(self) -> None:
        """Ask about every order whose time has come, at growing intervals."""
        now = self._scribe.now_ns
        for order in self.open.values():
            if order.next_query_ns and order.next_query_ns <= now:
                self.query(order)
                backoff = self._resolve.backoff_ns
                order.next_query_ns = now + backoff[min(order.queries, len(backoff) - 1)]

    def forget_closed(self) -> None:
        """Stop watching orders that have been over for a day."""
        horizon = self._scribe.now_ns - WATCH_NS
        gone = [key for key, order in self._orders.items() if key not in self.open and order.closed_ns < horizon]
        for key in gone:
            del self._orders[key]

    # Hearing

    def on_submit_outcome(self, event: SubmitOutcome) -> None:
        """Take what became of a submission."""
        order = self._orders.get(event.client_order_id)
        if order is None:
            self._unknown(event.client_order_id)
            return
        if event.outcome is Outcome.ACCEPTED and event.report is not None:
            self.on_report(event.report)
        elif event.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            self._apply(order, Trigger.REJECTED, code=event.code or event.outcome.value, text=event.text)
        else:
            self._apply(order, Trigger.AMBIGUOUS, code=event.code or "unknown", text=event.text)
            order.next_query_ns = self._scribe.now_ns + self._resolve.backoff_ns[0]

    def on_cancel_outcome(self, event: CancelOutcome) -> None:
        """Take what became of a cancel request; accepted means asked for, not canceled."""
        order = self._orders.get(event.client_order_id)
        if order is None:
            self._unknown(event.client_order_id)
        elif event.outcome is Outcome.REFUSED:
            self._apply(order, Trigger.REQUEST_REJECTED, code="cancel_refused", text=event.text)
        elif event.outcome is not Outcome.ACCEPTED:
            self._apply(order, Trigger.AMBIGUOUS, code="cancel_unknown", text=event.text)
            if order.machine.is_open:
                order.next_query_ns = self._scribe.now_ns + self._resolve.backoff_ns[0]

    def on_query_outcome(self, event: QueryOutcome) -> None:
        """Take the answer to a query: adopt what was found, count what was not, keep doubting what was not answered."""
        order = self._orders.get(event.client_order_id)
        if order is None:
            self._unknown(event.client_order_id)
        elif event.outcome is Outcome.FOUND and event.report is not None:
            for fill in event.fills:
                self.on_fill(fill)
            self.on_report(event.report)
        elif event.outcome is Outcome.NOT_FOUND:
            self._not_found(order, is_final=event.final)

    def on_report(self, event: OrderReport) -> None:
        """Apply a status. Executions come as fills; a status that knows of more than was applied asks for them."""
        order = self._orders.get(event.client_order_id)
        if order is None:
            self._unknown(event.client_order_id)
            return
        if event.broker_order_id:
            order.broker_order_id = event.broker_order_id
        order.next_query_ns = 0
        machine, before = order.machine, order.machine.life
        if event.filled_quantity > machine.cumulative:
            self.query(order)
            order.next_query_ns = self._scribe.now_ns + self._resolve.backoff_ns[0]
            if event.status is OrderStatus.FILLED:
                return
        if event.status is OrderStatus.FILLED:
            cell = machine.complete(event.filled_quantity)
            self._settle(order, before, cell, event.code, event.text)
        else:
            self._apply(order, _TRIGGERS[event.status], code=event.code, text=event.text)
        if machine.is_open and machine.cancel_wanted:
            machine.cancel_wanted = False
            self.cancel(order)

    def on_fill(self, event: Fill) -> None:
        """Apply an execution once, however often it is told."""
        order = self._orders.get(event.client_order_id)
        if order is None:
            self._unknown(event.client_order_id)
            return
        machine, before = order.machine, order.machine.life
        if event.broker_order_id:
            order.broker_order_id = event.broker_order_id
        known = machine.cumulative
        try:
            cell = machine.fill(event.quantity, event.cumulative_quantity)
        except IllegalTransition as error:
            self._scribe.alert(Severity.WARNING, "missing_execution", event.client_order_id, str(error))
            self.query(order)
            return
        if machine.cumulative == known:
            self._react(order, cell)
            return
        order.next_query_ns = 0
        self._moved(order, before, code="fill")
        self._on_fill(order, event)
        self._react(order, cell)
        self._close_if_over(order, before)

    def on_bust(self, event: FillBusted) -> None:
        """Take back an execution that never happened: a reversing row, an alert, and a person."""
        order = self._orders.get(event.client_order_id)
        if order is None:
            self._unknown(event.client_order_id)
            return
        before = order.machine.life
        cell = order.machine.bust(event.quantity)
        if cell.adjusts:
            self._on_bust(order, event)
        self._moved(order, before, code="bust")
        self._react(order, cell)

    # Inside

    def _apply(self, order: Order, trigger: Trigger, code: str = "", text: str = "") -> None:
        before = order.machine.life
        self._settle(order, before, order.machine.apply(trigger), code, text)

    def _settle(self, order: Order, before: Life, cell: Cell, code: str, text: str) -> None:
        if cell.code != "=":
            self._moved(order, before, code=code, text=text)
            self._react(order, cell)
        self._close_if_over(order, before)

    def _close_if_over(self, order: Order, before: Life) -> None:
        key, machine = order.approved.client_order_id, order.machine
        if machine.is_open:
            self.open.setdefault(key, order)
        elif key in self.open:
            del self.open[key]
            order.closed_ns, order.next_query_ns = self._scribe.now_ns, 0
            self._on_closed(order)
        elif before is not machine.life:
            order.closed_ns = self._scribe.now_ns

    def _react(self, order: Order, cell: Cell) -> None:
        key = order.approved.client_order_id
        if cell.alerts:
            text = f"{order.approved.side.value} {order.approved.symbol} is {_LIFE_NAMES[order.machine.life]}"
            self._scribe.alert(Severity.WARNING, "order_anomaly", key, text)
        if cell.queries:
            self.query(order)
        if cell.resurrects:
            order.machine.cancel_wanted = True
        if cell.halts or cell.freezes:
            self._on_doubt("order_table", f"order {key} did what its state does not allow", cell.halts)

    def _moved(self, order: Order, before: Life, code: str = "", text: str = "") -> None:
        scribe, machine, approved = self._scribe, order.machine, order.approved
        scribe.records.append(
            OrderMoved(
                *scribe.stamp(),
                correlation_id=order.correlation_id,
                client_order_id=approved.client_order_id,
                broker_order_id=order.broker_order_id,
                symbol=approved.symbol,
                before=_LIFE_NAMES[before],
                after=_LIFE_NAMES[machine.life],
                cumulative=machine.cumulative,
                request=_REQUEST_NAMES[machine.request],
                code=code,
                text=text,
            )
        )

    def _not_found(self, order: Order, *, is_final: bool) -> None:
        machine = order.machine
        if is_final and machine.life in (Life.SUBMITTING, Life.UNKNOWN):
            # Proven by the venue's own state, which was committed with the journal: nothing was ever sent.
            order.attempt += 1
            order.sent_ns, order.next_query_ns = self._scribe.now_ns, 0
            self._scribe.effects.append(SubmitOrder(order.approved, order.attempt))
            return
        order.not_found += 1
        quiet = self._scribe.now_ns - order.sent_ns >= self._resolve.quarantine_ns
        if machine.life in (Life.SUBMITTING, Life.UNKNOWN):
            if order.not_found >= self._resolve.queries_min and quiet:
                self._apply(order, Trigger.NOT_FOUND, code="not_found", text="the broker does not know the order")
            elif not order.next_query_ns:
                order.next_query_ns = self._scribe.now_ns + self._resolve.backoff_ns[0]
        elif order.not_found >= self._resolve.queries_min:
            self._apply(order, Trigger.NOT_FOUND, code="vanished", text="an acknowledged order is gone")

    def _unknown(self, client_order_id: str) -> None:
        text = f"the broker speaks of order {client_order_id}, which this desk does not know"
        self._scribe.alert(Severity.CRITICAL, "unknown_order", client_order_id, text)
        self._on_doubt("unknown_order", text, False)

    # Snapshots

    def restore(self, orders: list[Order]) -> None:
        """Become a manager of these orders."""
        self._orders = {order.approved.client_order_id: order for order in orders}
        self.open = {key: order for key, order in self._orders.items() if order.machine.is_open}

    def pending_value(self, symbol: str | None = None) -> Decimal:
        """What open entries may still buy, at their reference prices; of one symbol, or of all."""
        total = ZERO
        for order in self.open.values():
            if order.approved.side is Side.BUY and (symbol is None or order.approved.symbol == symbol):
                total = add(total, order.open_value)
        return total
