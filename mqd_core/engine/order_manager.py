"""Orders in flight: submit, cancel. Turns what a broker says into moves of the order table.

Submission (failure model, section 5): the intent is durable before the send; an outcome that is not known is never
taken for "no"; an unknown order keeps its worst-case exposure until `resolving` has asked what became of it.
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
from mqd_core.domain.orders import Purpose, Side
from mqd_core.domain.records import OrderMoved, Severity
from mqd_core.engine.effects import CancelOrder, SubmitOrder
from mqd_core.engine.gaps import GAP_PREFIX, confirm
from mqd_core.engine.instruments import Lane
from mqd_core.engine.order import Order
from mqd_core.engine.resolving import NOT_FOUND_TEXTS, OrderResolver
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import ResolveSettings
from mqd_core.engine.watching import forgettable
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
_COLLISION = "id_collision", "and means another one: symbol, side or quantity are not what this desk has sent"
_LIFE_NAMES = tuple(life.name.lower() for life in Life)
_REQUEST_NAMES = tuple(request.name.lower() for request in Request)


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
        *,
        needs_absence: bool = False,
    ) -> None:
        self._desk = desk
        self._scribe = scribe
        #: Asks the broker about orders whose fate is not certain.
        self.resolver = OrderResolver(scribe, resolve, on_doubt, needs_absence=needs_absence)
        self._on_fill = on_fill
        self._on_bust = on_bust
        self._on_closed = on_closed
        self._on_doubt = on_doubt  # takes (code, text, halts): the desk may not simply go on
        #: Takes what is said of orders that are not this desk's; without one that is a doubt.
        self.foreign: Callable[[OrderReport | Fill | FillBusted], None] | None = None
        #: Books by how much an execution that was worked out was wrong: cash and fee.
        self.on_corrected: Callable[[Order, Decimal, Decimal], None] = lambda _order, _cash, _fee: None
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

    # Acting

    def submit(self, approved: ApprovedOrder, correlation_id: str, lane: Lane | None, purpose: Purpose) -> Order:
        """Take an approved order into flight and ask for its submission."""
        order = Order(approved, correlation_id, lane, purpose)
        self._orders[approved.client_order_id] = self.open[approved.client_order_id] = order
        self._scribe.effects.append(SubmitOrder(approved, 1))
        return order

    def cancel(self, order: Order) -> None:
        """Ask for a cancel now, or remember to as soon as the broker's id is known."""
        if order.resend_ns:
            self._apply(order, Trigger.REJECTED, code="not_sent", text="it was canceled before it was sent anew")
        elif order.machine.want_cancel():
            order.cancels += 1
            self._scribe.effects.append(CancelOrder(order.ref))
            self._moved(order, order.machine.life, code="cancel_requested")

    def forget_closed(self, abandoned_before_ns: int | None = None) -> None:
        """Stop watching orders that have been over for long enough; see `watching.forgettable`."""
        for order in forgettable(self._orders.values(), self._scribe.now_ns, abandoned_before_ns):
            del self._orders[order.approved.client_order_id]

    # Hearing

    def on_submit_outcome(self, event: SubmitOutcome) -> None:
        """Take what became of a submission."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        if event.outcome is Outcome.ACCEPTED and event.report is not None:
            self.on_report(event.report)
        elif event.outcome is Outcome.NOT_SENT and self.resolver.may_send_later(order):
            self._moved(order, order.machine.life, code="not_sent", text=event.text)
        elif event.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            self._apply(order, Trigger.REJECTED, code=event.code or event.outcome.value, text=event.text)
        else:
            # The call has ended only now: from here on the answers of "not found" have to be quiet.
            order.sent_ns = max(order.sent_ns, self._scribe.now_ns)
            self._apply(order, Trigger.AMBIGUOUS, code=event.code or "unknown", text=event.text)
            self.resolver.ask_later(order)

    def on_cancel_outcome(self, event: CancelOutcome) -> None:
        """Take what became of a cancel request; accepted means asked for, not canceled: the end is still to come."""
        order = self._known(event.client_order_id)
        if order is None:
            return
        if event.outcome is Outcome.REFUSED:
            self._apply(order, Trigger.REQUEST_REJECTED, code="cancel_refused", text=event.text)
        elif event.outcome is Outcome.ACCEPTED:
            self.resolver.ask_later(order)
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
            if self.resolver.may_cancel_again(order):
                self.cancel(order)
        elif event.outcome is Outcome.NOT_FOUND:
            self._not_found(order, is_final=event.final)
        elif not order.next_query_ns:
            self.resolver.ask_later(order)

    def _not_found(self, order: Order, *, is_final: bool) -> None:
        resolver = self.resolver
        if is_final and order.machine.life <= Life.UNKNOWN and not order.machine.cancel_wanted:
            resolver.send_again(order)
            return
        code = resolver.count_not_found(order, is_final=is_final)
        if code:
            self._apply(order, Trigger.NOT_FOUND, code=code, text=NOT_FOUND_TEXTS[code])
        if order.machine.is_open and not order.next_query_ns:
            resolver.ask_later(order)

    def on_report(self, event: OrderReport) -> None:
        """Apply a status. Executions come as fills; a status that knows of more than was applied asks for them."""
        self._report(event, was_asked=False)

    def on_listed(self, event: OrderReport) -> None:
        """Apply a status out of a list of all orders, which may be a little older than what was heard since."""
        order = self._orders[event.client_order_id]
        self._report(event, was_asked=False)
        if self.resolver.may_cancel_again(order):
            self.cancel(order)
        if order.machine.request is not Request.NONE and not order.next_query_ns:
            self.resolver.ask_later(order)

    def _report(self, event: OrderReport, *, was_asked: bool) -> None:
        order = self._known(event.client_order_id, event)
        if order is None:
            return
        order.broker_order_id = event.broker_order_id or order.broker_order_id
        order.next_query_ns = order.not_found = order.resend_ns = 0
        machine, before, trigger = order.machine, order.machine.life, _TRIGGERS.get(event.status)
        is_end = trigger is None or Trigger.CANCELED <= trigger <= Trigger.REPLACED
        if event.filled_quantity < machine.cumulative:
            # Older than what is known. An end that it tells of is asked for, not believed.
            machine.seen += 1
            if is_end and machine.is_open:
                self.resolver.ask(order)
            return
        if event.filled_quantity > machine.cumulative:
            text = f"{event.filled_quantity} have filled, {machine.cumulative} are known"
            made = self.resolver.miss(order, text, event)
            if made is not None:
                self.on_fill(made)
                before = machine.life
            elif is_end:
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
        order = self._known(event.client_order_id, event)
        if order is None:
            return
        machine, before, identity = order.machine, order.machine.life, event.execution_id
        order.broker_order_id = event.broker_order_id or order.broker_order_id
        if identity and (identity in order.executions or identity in order.busted):
            machine.seen += 1
            return
        if order.gaps and not identity.startswith(GAP_PREFIX):
            new = self._confirm(order, event)
            if new is None:
                return
            event = new
        known = machine.cumulative
        try:
            cell = machine.fill(event.quantity, event.cumulative_quantity)
        except IllegalTransition as error:
            self._scribe.alert(Severity.WARNING, "missing_execution", event.client_order_id, str(error))
            self.resolver.miss(order, str(error))
            return
        if machine.cumulative == known:
            self._react(order, cell)
            return
        order.next_query_ns = order.asked = order.not_found = order.missed_ns = order.resend_ns = 0
        order.spent = add(order.spent, multiply(event.price, event.quantity))
        if identity:
            order.executions.append(identity)
        self._moved(order, before, code="fill")
        self._on_fill(order, event)
        self._react(order, cell)
        self._close_if_over(order, before)
        self._cancel_if_wanted(order)

    def _confirm(self, order: Order, event: Fill) -> Fill | None:
        """Hold a true execution against what was worked out of its order; returns what of it is new."""
        confirmed = confirm(order.gaps, event, order.machine.cumulative)
        order.gaps = confirmed.gaps
        if confirmed.cash or confirmed.fee:
            paid = confirmed.cash.copy_negate() if event.side is Side.BUY else confirmed.cash
            order.spent = add(order.spent, paid)
            self.on_corrected(order, confirmed.cash, confirmed.fee)
        if confirmed.fill is None:
            order.machine.seen += 1
            if event.execution_id:
                order.executions.append(event.execution_id)
        return confirmed.fill

    def on_bust(self, event: FillBusted) -> None:
        """Take back an execution that never happened: a reversing row, an alert, and a person. Once."""
        order = self._known(event.client_order_id, event)
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
            order.closed_ns, order.next_query_ns, order.resend_ns = self._scribe.now_ns, 0, 0
            self._on_closed(order)
        elif before is not machine.life:
            order.closed_ns = self._scribe.now_ns

    def _react(self, order: Order, cell: Cell) -> None:
        key = order.approved.client_order_id
        if cell.alerts:
            text = f"{order.approved.side.value} {order.approved.symbol} is {_LIFE_NAMES[order.machine.life]}"
            self._scribe.alert(Severity.WARNING, "order_anomaly", key, text)
        if cell.queries:
            self.resolver.ask(order)
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

    def _cancel_if_wanted(self, order: Order) -> None:
        machine = order.machine
        if machine.cancel_wanted and machine.is_open:
            machine.cancel_wanted = False
            self.cancel(order)

    def get(self, client_order_id: str) -> Order | None:
        """The order of that id, as long as it is remembered."""
        return self._orders.get(client_order_id)

    def is_own(self, client_order_id: str) -> bool:
        """Whether this desk, or one of its name, made the id."""
        return is_own(client_order_id, self._desk)

    def _known(self, client_order_id: str, said: OrderReport | Fill | FillBusted | None = None) -> Order | None:
        order = self._orders.get(client_order_id)
        if order is not None and (said is None or order.is_meant_by(said)):
            return order
        if order is None and said is not None and self.foreign is not None and not self.is_own(client_order_id):
            self.foreign(said)
            return None
        code, what = ("unknown_order", "which this desk does not know") if order is None else _COLLISION
        text = f"the broker speaks of order {client_order_id}, {what}"
        self._scribe.alert(Severity.CRITICAL, code, client_order_id, text)
        # By this desk's own name: a second desk, or a store from a backup.
        self._on_doubt(code, text, self.is_own(client_order_id))
        return None

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
