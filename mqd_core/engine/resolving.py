"""Asking about orders whose fate is not certain, until it is: when, how often, and what "not found" proves.

An unknown order is resolved by asking, never by sending again; "not found" counts only when it was said often enough
and long enough after the last send (failure model, 4.4). May not move an order: the order manager does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from mqd_core.domain.order_state import Life, Request
from mqd_core.domain.records import Severity
from mqd_core.engine.effects import QueryOrder, SubmitOrder
from mqd_core.engine.order import Order
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import ResolveSettings

#: What "not found" has proven, by the code that the order moves with.
NOT_FOUND_TEXTS: Final = {
    "not_found": "the broker does not know the order",
    "vanished": "an acknowledged order is gone",
}


class OrderResolver:
    """Asks the broker about orders, and counts what it answered."""

    def __init__(self, scribe: Scribe, settings: ResolveSettings, on_doubt: Callable[[str, str, bool], None]) -> None:
        self._scribe = scribe
        self._settings = settings
        self._on_doubt = on_doubt  # takes (code, text, halts): the desk may not simply go on

    # Asking

    def query(self, order: Order) -> None:
        """Ask the broker what it knows of the order."""
        order.queries += 1
        self._scribe.effects.append(QueryOrder(order.approved.client_order_id))

    def ask(self, order: Order) -> None:
        """Ask at once, unless that has been done too often without moving the order; then, and later on, by timer."""
        order.asked += 1
        if order.asked <= self._settings.asked_max:
            self.query(order)
        self.ask_later(order)

    def ask_later(self, order: Order) -> None:
        """Ask by timer, at growing intervals."""
        if order.machine.is_open:
            backoff = self._settings.backoff_ns
            order.next_query_ns = self._scribe.now_ns + backoff[min(order.queries, len(backoff) - 1)]

    def miss(self, order: Order, text: str) -> None:
        """An execution exists and is not known: ask for it, and tell a person when asking did not help."""
        self.ask(order)
        if order.asked == self._settings.asked_max + 1:
            text = f"an execution of order {order.approved.client_order_id} cannot be found: {text}"
            self._scribe.alert(Severity.CRITICAL, "execution_lost", order.approved.client_order_id, text)
            self._on_doubt("execution_lost", text, False)

    @staticmethod
    def next_check_ns(orders: Iterable[Order]) -> int | None:
        """When one of the orders has to be asked about; None while none has to."""
        due = None
        for order in orders:
            if order.next_query_ns and (due is None or order.next_query_ns < due):
                due = order.next_query_ns
        return due

    def check_due(self, orders: Iterable[Order]) -> None:
        """Ask about every order whose time has come."""
        now = self._scribe.now_ns
        for order in orders:
            if order.next_query_ns and order.next_query_ns <= now:
                self.query(order)
                self.ask_later(order)

    # Counting

    def count_not_found(self, order: Order, *, is_final: bool) -> str:
        """Count an answer of "not found"; the code of what it proves by now, "" while that is nothing."""
        order.not_found += 1
        if order.machine.life > Life.UNKNOWN:
            return "vanished" if order.not_found == self._settings.queries_min else ""
        quiet = self._scribe.now_ns - order.sent_ns >= self._settings.quarantine_ns
        return "not_found" if is_final or (order.not_found >= self._settings.queries_min and quiet) else ""

    def send_again(self, order: Order) -> None:
        """Send what was never sent, as proven by the venue's own state that was committed with the journal."""
        order.attempt += 1
        order.sent_ns, order.next_query_ns = self._scribe.now_ns, 0
        self._scribe.effects.append(SubmitOrder(order.approved, order.attempt))

    def may_cancel_again(self, order: Order) -> bool:
        """Whether to send another cancel to an open order whose last one may not have arrived: it does no harm."""
        machine = order.machine
        if not machine.is_open or machine.request is not Request.CANCEL or not machine.request_unknown:
            return False
        if order.cancels < self._settings.cancels_max:
            return True
        if order.cancels == self._settings.cancels_max:
            order.cancels += 1
            text, key = "what became of the requests to cancel it is not known; it may fill", order.ref.client_order_id
            self._scribe.alert(Severity.CRITICAL, "cancel_unanswered", key, text)
        return False
