"""Asking about orders whose fate is not certain, until it is: when, how often, and what "not found" proves.

An unknown order is resolved by asking, never by sending again; "not found" counts only when it was said often enough
and long enough after the last send (failure model, 4.4). May not move an order: the order manager does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from mqd_core.domain.events import Fill, OrderReport
from mqd_core.domain.order_state import Life, Request
from mqd_core.domain.orders import Purpose
from mqd_core.domain.records import Severity
from mqd_core.engine.effects import QueryOrder, SubmitOrder
from mqd_core.engine.gaps import gap_of, worked_out
from mqd_core.engine.order import Order
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import ResolveSettings

#: What "not found" has proven, by the code that the order moves with.
NOT_FOUND_TEXTS: Final = {
    "not_found": "the broker does not know the order",
    "vanished": "an acknowledged order is gone",
}
#: Stands for the time since when an execution is missing, once a person was told that it cannot be found.
_TOLD: Final = -1
_URGENCY: Final = {Purpose.EXIT: 0, Purpose.FLATTEN: 0, Purpose.PROTECT: 1, Purpose.ENTRY: 2}


def by_urgency(order: Order) -> int:
    """Sorts orders by how much depends on knowing: what closes a position, what protects one, what opens one."""
    return _URGENCY[order.purpose]


class OrderResolver:
    """Asks the broker about orders, and counts what it answered."""

    def __init__(
        self,
        scribe: Scribe,
        settings: ResolveSettings,
        on_doubt: Callable[[str, str, bool], None],
        *,
        needs_absence: bool = False,
    ) -> None:
        self._scribe = scribe
        self._settings = settings
        #: Whether "not found" proves something only with a list of all orders in which the order is missing too.
        self._needs_absence = needs_absence
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

    def miss(self, order: Order, text: str, report: OrderReport | None = None) -> Fill | None:
        """An execution exists and is not known: ask for it. When asking did not help, work it out of the report.

        Where that cannot be done a person is told. What a bust has made of an order is never worked out.
        """
        scribe, key = self._scribe, order.approved.client_order_id
        order.missed_ns = order.missed_ns or scribe.now_ns
        self.ask(order)
        if order.asked <= self._settings.asked_max:
            return None
        if report is not None and report.average_fill_price is not None and not order.machine.busts:
            if order.missed_ns > _TOLD and scribe.now_ns - order.missed_ns < self._settings.gap_ns:
                return None
            made = worked_out(report, order.machine.cumulative, order.spent, scribe.now_ns)
            if made is not None:
                return self._tell_of(order, *made)
        if order.missed_ns != _TOLD:
            order.missed_ns = _TOLD
            text = f"an execution of order {key} cannot be found: {text}"
            scribe.alert(Severity.CRITICAL, "execution_lost", key, text)
            self._on_doubt("execution_lost", text, False)
        return None

    def _tell_of(self, order: Order, fill: Fill, is_exact: bool) -> Fill:  # noqa: FBT001  the two that were worked out
        order.gaps = (*order.gaps, gap_of(fill))
        key, exactness = fill.client_order_id, "" if is_exact else ", rounded: the cash is corrected when they come"
        text = f"the broker counts {fill.quantity} {fill.symbol} more of {key} than it tells executions of; booked at"
        text = f"{text} {fill.price}, by its average price{exactness}"
        self._scribe.alert(Severity.WARNING, "execution_worked_out", key, text)
        return fill

    @staticmethod
    def next_check_ns(orders: Iterable[Order]) -> int | None:
        """When one of the orders has to be asked about or sent anew; None while none has to."""
        due = None
        for order in orders:
            for at_ns in (order.next_query_ns, order.resend_ns):
                if at_ns and (due is None or at_ns < due):
                    due = at_ns
        return due

    def check_due(self, orders: Iterable[Order]) -> None:
        """Ask about every order whose time has come; first about those that close a position."""
        now = self._scribe.now_ns
        due = [order for order in orders if order.next_query_ns and order.next_query_ns <= now]
        for order in sorted(due, key=by_urgency):
            self.query(order)
            self.ask_later(order)

    @staticmethod
    def is_given_up(order: Order) -> bool:
        """Whether asking for its missing executions was of no use, and a person has been told."""
        return order.missed_ns == _TOLD

    # Counting

    def count_not_found(self, order: Order, *, is_final: bool) -> str:
        """Count an answer of "not found"; the code of what it proves by now, "" while that is nothing.

        Answers in quick succession are one answer: a broker that has not caught up with itself says it at once again.
        """
        now, settings = self._scribe.now_ns, self._settings
        if is_final and order.machine.life <= Life.UNKNOWN:
            return "not_found"
        if order.not_found and now - order.not_found_ns < settings.spacing_ns:
            return ""
        order.not_found += 1
        order.not_found_ns = now
        if order.machine.life > Life.UNKNOWN:
            return "vanished" if order.not_found == settings.queries_min else ""
        quiet_ns = order.sent_ns + settings.quarantine_ns
        is_absent = order.absent_ns >= quiet_ns or not self._needs_absence
        return "not_found" if order.not_found >= settings.queries_min and now >= quiet_ns and is_absent else ""

    def may_send_later(self, order: Order) -> bool:
        """Whether what has just not been sent is sent anew in a while: exits are, an entry is another bar's affair."""
        if (
            order.purpose is Purpose.ENTRY
            or order.machine.cancel_wanted
            or order.attempt >= self._settings.attempts_max
        ):
            return False
        backoff = self._settings.backoff_ns
        order.resend_ns = self._scribe.now_ns + backoff[min(order.attempt, len(backoff)) - 1]
        return True

    def send_due(self, orders: Iterable[Order], *, may_send: bool) -> None:
        """Send anew what never left and whose time has come; while nothing may be sent it is put off."""
        for order in orders:
            if order.resend_ns and order.resend_ns <= self._scribe.now_ns:
                if may_send:
                    self.send_again(order)
                else:
                    order.resend_ns = self._scribe.now_ns + self._settings.backoff_ns[0]

    def send_again(self, order: Order) -> None:
        """Send what was never sent: no byte of it left, or the venue's own state, committed with the journal, says so.

        The attempt is counted in the journal before anything leaves.
        """
        order.attempt += 1
        order.sent_ns, order.next_query_ns, order.resend_ns = self._scribe.now_ns, 0, 0
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
