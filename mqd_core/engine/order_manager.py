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
from mqd_core.domain.identity import is_own
from mqd_core.domain.money import ZERO, add, multiply, subtract
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

#: What a status does to an order; FILLED, which alone completes a notional order, has a method of its own.
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
        desk: str,
        scribe: Scribe,
        resolve: ResolveSettings,
        on_fill: Callable[[Order, Fill], None],
        on_bust: Callable[[Order, FillBusted], None],
        on_closed: Callable[[Order], None],
        on_doubt: Callable[[str, str, bool], None],
    ) -> None:
        self._desk = desk
        self._scribe = scribe
        self._resolve = resolve
        self._on_fill = on_fill
        self._on_bust = on_bust
        self._on_closed = on_closed
        self._on_doubt = on_doubt  # takes (code, text, halts): the desk may not simply go on
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
            order.cancels += 1
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
                self._ask_later(order)

    def forget_closed(self) -> None:
        """Stop watching orders that have been over for a day."""
        horizon = self._scribe.now_ns - WATCH_NS
        for key in [key for key, order in self._orders.items() if key not in self.open and order.closed_ns < horizon]:
            del self._orders[key]

    # Hearing

    def on_submit_outcome(self, event: SubmitOutcome) -> None:
        """Take what became of a submission."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        if event.outcome is Outcome.ACCEPTED and event.report is not None:
            self.on_report(event.report)
        elif event.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            self._apply(order, Trigger.REJECTED, code=event.code or event.outcome.value, text=event.text)
        else:
            self._apply(order, Trigger.AMBIGUOUS, code=event.code or "unknown", text=event.text)
            self._ask_later(order)

    def on_cancel_outcome(self, event: CancelOutcome) -> None:
        """Take what became of a cancel request; accepted means asked for, not canceled: the end is still to come."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        if event.outcome is Outcome.REFUSED:
            self._apply(order, Trigger.REQUEST_REJECTED, code="cancel_refused", text=event.text)
        elif event.outcome is Outcome.ACCEPTED:
            self._ask_later(order)
        else:
            self._apply(order, Trigger.AMBIGUOUS, code="cancel_unknown", text=event.text)

    def on_query_outcome(self, event: QueryOutcome) -> None:
        """Take the answer to a query: adopt what was found, count what was not, keep doubting what was not answered."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        if event.outcome is Outcome.FOUND and event.report is not None:
            for fill in event.fills:
                self.on_fill(fill)
            self._report(event.report, was_asked=True)
            self._cancel_again(order)
        elif event.outcome is Outcome.NOT_FOUND:
            self._not_found(order, is_final=event.final)
        elif not order.next_query_ns:
            self._ask_later(order)

    def on_report(self, event: OrderReport) -> None:
        """Apply a status. Executions come as fills; a status that knows of more than was applied asks for them."""
        self._report(event, was_asked=False)

    def _report(self, event: OrderReport, *, was_asked: bool) -> None:
        order = self._known(event.client_order_id)
        if order is None:
            return
        order.broker_order_id = event.broker_order_id or order.broker_order_id
        order.next_query_ns = order.not_found = 0
        machine, before, trigger = order.machine, order.machine.life, _TRIGGERS.get(event.status)
        is_end = trigger is None or Trigger.CANCELED <= trigger <= Trigger.REPLACED
        if event.filled_quantity < machine.cumulative:
            # Older than what is known. An end that it tells of is asked for, not believed.
            machine.seen += 1
            if is_end and machine.is_open:
                self._ask(order)
            return
        if event.filled_quantity > machine.cumulative:
            self._miss(order, f"{event.filled_quantity} have filled, {machine.cumulative} are known")
            if is_end:
                # What it filled comes first: whoever waits for its end wants to know what it left.
                return
        if trigger is None:
            cell = machine.complete(event.filled_quantity)
        else:
            cell = machine.found(trigger) if was_asked else machine.apply(trigger)
        self._settle(order, before, cell, event.code, event.text)
        self._cancel_if_wanted(order)

    def on_fill(self, event: Fill) -> None:
        """Apply an execution once, however often it is told."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        machine, before, identity = order.machine, order.machine.life, event.execution_id
        order.broker_order_id = event.broker_order_id or order.broker_order_id
        if identity and (identity in order.executions or identity in order.busted):
            machine.seen += 1
            return
        known = machine.cumulative
        try:
            cell = machine.fill(event.quantity, event.cumulative_quantity)
        except IllegalTransition as error:
            self._scribe.alert(Severity.WARNING, "missing_execution", event.client_order_id, str(error))
            self._miss(order, str(error))
            return
        if machine.cumulative == known:
            self._react(order, cell)
            return
        order.next_query_ns = order.asked = order.not_found = 0
        order.spent = add(order.spent, multiply(event.price, event.quantity))
        if identity:
            order.executions.append(identity)
        self._moved(order, before, code="fill")
        self._on_fill(order, event)
        self._react(order, cell)
        self._close_if_over(order, before)
        self._cancel_if_wanted(order)

    def on_bust(self, event: FillBusted) -> None:
        """Take back an execution that never happened: a reversing row, an alert, and a person. Once."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        machine, before, identity = order.machine, order.machine.life, event.execution_id
        if identity and identity in order.busted:
            machine.seen += 1
            return
        is_known = not identity or identity in order.executions
        order.busted.append(identity)
        try:
            # What was never booked is not taken back; being among the busted, it will not be booked either.
            cell = machine.bust(event.quantity if is_known else ZERO)
        except IllegalTransition as error:
            self._on_doubt("order_table", str(error), True)
            return
        if cell.adjusts:
            order.spent = subtract(order.spent, multiply(event.price, event.quantity))
            self._on_bust(order, event)
        self._moved(order, before, code="bust")
        self._react(order, cell)

    def _apply(self, order: Order, trigger: Trigger, code: str = "", text: str = "") -> None:
        before = order.machine.life
        self._settle(order, before, order.machine.apply(trigger), code, text)

    def _settle(self, order: Order, before: Life, cell: Cell, code: str, text: str) -> None:
        if order.machine.life is not before:
            order.asked = 0
        if cell.code != "=":
            self._moved(order, before, code=code, text=text)
            self._react(order, cell)
        self._close_if_over(order, before)

    def _close_if_over(self, order: Order, before: Life) -> None:
        key, machine = order.approved.client_order_id, order.machine
        if machine.is_open:
            if key not in self.open:
                self.open[key] = self._orders[key] = self._orders.pop(key)  # the youngest one, after a restart too
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
            self._ask(order)
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
        machine, is_doubtful = order.machine, order.machine.life <= Life.UNKNOWN
        if is_final and is_doubtful and not machine.cancel_wanted:
            # Proven by the venue's own state, which was committed with the journal: nothing was ever sent.
            order.attempt += 1
            order.sent_ns, order.next_query_ns = self._scribe.now_ns, 0
            self._scribe.effects.append(SubmitOrder(order.approved, order.attempt))
            return
        order.not_found += 1
        if is_doubtful:
            quiet = self._scribe.now_ns - order.sent_ns >= self._resolve.quarantine_ns
            if is_final or (order.not_found >= self._resolve.queries_min and quiet):
                self._apply(order, Trigger.NOT_FOUND, code="not_found", text="the broker does not know the order")
        elif order.not_found == self._resolve.queries_min:
            self._apply(order, Trigger.NOT_FOUND, code="vanished", text="an acknowledged order is gone")
        if machine.is_open and not order.next_query_ns:
            self._ask_later(order)

    def _ask(self, order: Order) -> None:
        order.asked += 1
        if order.asked <= self._resolve.asked_max:
            self.query(order)
        self._ask_later(order)

    def _ask_later(self, order: Order) -> None:
        if order.machine.is_open:
            backoff = self._resolve.backoff_ns
            order.next_query_ns = self._scribe.now_ns + backoff[min(order.queries, len(backoff) - 1)]

    def _miss(self, order: Order, text: str) -> None:
        """An execution exists and is not known: ask for it, and tell a person when asking did not help."""
        self._ask(order)
        if order.asked == self._resolve.asked_max + 1:
            text = f"an execution of order {order.approved.client_order_id} cannot be found: {text}"
            self._scribe.alert(Severity.CRITICAL, "execution_lost", order.approved.client_order_id, text)
            self._on_doubt("execution_lost", text, False)

    def _cancel_if_wanted(self, order: Order) -> None:
        machine = order.machine
        if machine.cancel_wanted and machine.is_open:
            machine.cancel_wanted = False
            self.cancel(order)

    def _cancel_again(self, order: Order) -> None:
        """The order is still open and nobody knows whether its cancel arrived: a second one does no harm."""
        machine = order.machine
        if not machine.is_open or machine.request is not Request.CANCEL or not machine.request_unknown:
            return
        if order.cancels < self._resolve.cancels_max:
            self.cancel(order)
        elif order.cancels == self._resolve.cancels_max:
            order.cancels += 1
            text, key = "what became of the requests to cancel it is not known; it may fill", order.ref.client_order_id
            self._scribe.alert(Severity.CRITICAL, "cancel_unanswered", key, text)

    def _known(self, client_order_id: str) -> Order | None:
        order = self._orders.get(client_order_id)
        if order is None:
            text = f"the broker speaks of order {client_order_id}, which this desk does not know"
            self._scribe.alert(Severity.CRITICAL, "unknown_order", client_order_id, text)
            # One by this desk's own name that is not in its journal: a second desk, or a store from a backup.
            self._on_doubt("unknown_order", text, is_own(client_order_id, self._desk))
        return order

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
