"""What others do in the account: a person in the broker's app, another program. Booked apart, never acted on.

Their executions go into a book of their own, so that the account's cash and positions stay true and every limit of
the account counts them; no strategy sees them. `desk.on_external` says what else: `freeze` (nothing is bought in that
symbol until a person has accepted it), `adopt` (a notice) or `ignore`. May not touch an order that is not the desk's.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mqd_core.domain.events import Fill, FillBusted, HeldPosition, OrderReport, OrderStatus
from mqd_core.domain.money import ZERO
from mqd_core.domain.records import Severity
from mqd_core.engine.account_books import AccountBooks
from mqd_core.engine.freezes import EXTERNAL, SymbolFreezes
from mqd_core.engine.scribe import Scribe

_OVER = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.REPLACED})


class ExternalOrder(msgspec.Struct, frozen=True):
    """One order of somebody else: when it was last heard of, and which of its executions are booked."""

    broker_order_id: str
    seen_ns: int
    #: What it had filled before the desk's books were opened.
    before: Decimal = ZERO
    #: Cumulative quantities after each: with the order's id they are what makes an execution that one.
    booked: tuple[Decimal, ...] = ()
    executions: tuple[str, ...] = ()


class ExternalTrades:
    """Others' orders, as far as they still matter."""

    def __init__(self, scribe: Scribe, books: AccountBooks, freezes: SymbolFreezes, policy: str) -> None:
        self._scribe = scribe
        self._books = books
        self._freezes = freezes
        self._policy = policy
        self._orders: dict[str, ExternalOrder] = {}

    def take(self, said: OrderReport | Fill | FillBusted) -> None:
        """Take what a broker says by itself of an order that is not the desk's."""
        if isinstance(said, OrderReport):
            self.on_report(said)
        elif isinstance(said, Fill):
            self.on_fill(said)
        else:
            self.on_bust(said)

    def on_report(self, report: OrderReport) -> None:
        """Take note of an order; what it fills comes as fills."""
        is_new = report.broker_order_id not in self._orders
        self._know(report.broker_order_id)
        if is_new and (report.filled_quantity or report.status not in _OVER):
            text = f"an order to {report.side.value} {report.symbol} that is not this desk's is {report.status.value}"
            self._notice(report.symbol, text)

    def on_history(self, report: OrderReport) -> None:
        """Know what an order had filled before the books were opened: it is in the account's positions already."""
        known = self._know(report.broker_order_id)
        self._orders[report.broker_order_id] = msgspec.structs.replace(known, before=report.filled_quantity)

    def on_fill(self, fill: Fill) -> None:
        """Book an execution once, however often it is told."""
        known, cumulative = self._know(fill.broker_order_id), fill.cumulative_quantity
        if cumulative <= known.before or cumulative in known.booked:
            return
        self._orders[fill.broker_order_id] = msgspec.structs.replace(
            known, booked=(*known.booked, cumulative), executions=(*known.executions, fill.execution_id)
        )
        self._books.external(fill)
        self._notice(fill.symbol, f"{fill.quantity} {fill.symbol} were traded ({fill.side.value}) by somebody else")

    def on_bust(self, bust: FillBusted) -> None:
        """Take back an execution that was booked, once."""
        known = self._know(bust.broker_order_id)
        if bust.execution_id not in known.executions:
            return
        left = tuple(one for one in known.executions if one != bust.execution_id)
        self._orders[bust.broker_order_id] = msgspec.structs.replace(known, executions=left)
        self._books.external(bust)
        self._notice(bust.symbol, f"a trade of {bust.quantity} {bust.symbol} by somebody else was taken back")

    def hold(self, position: HeldPosition) -> None:
        """Book what the account held before the desk was."""
        if position.quantity:
            self._books.found(position.symbol, position.quantity, position.average_price)
            self._notice(position.symbol, f"the account holds {position.quantity} that this desk did not buy")

    def forget(self, before_ns: int) -> None:
        """Forget orders that were not heard of since."""
        self._orders = {key: order for key, order in self._orders.items() if order.seen_ns >= before_ns}

    def state(self) -> tuple[ExternalOrder, ...]:
        """All of them, as plain values."""
        return tuple(self._orders.values())

    def restore(self, state: tuple[ExternalOrder, ...]) -> None:
        """Become what `state` was taken of."""
        self._orders = {order.broker_order_id: order for order in state}

    def _know(self, broker_order_id: str) -> ExternalOrder:
        known = self._orders.get(broker_order_id) or ExternalOrder(broker_order_id, 0)
        self._orders[broker_order_id] = known = msgspec.structs.replace(known, seen_ns=self._scribe.now_ns)
        return known

    def _notice(self, symbol: str, text: str) -> None:
        if self._policy == "freeze":
            self._freezes.freeze(symbol, EXTERNAL, text)
        elif self._policy == "adopt":
            self._scribe.alert(Severity.NOTICE, "external", symbol, text)
