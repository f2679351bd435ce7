"""One order in flight and what the desk remembers of it. May hold no logic but its own arithmetic."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mqd_core.domain.events import Fill, FillBusted, OrderReport
from mqd_core.domain.money import ZERO, multiply, subtract
from mqd_core.domain.order_state import Life, OrderStateMachine, Request
from mqd_core.domain.orders import OrderRef, OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.signals import Signal
from mqd_core.engine.gaps import Gap
from mqd_core.engine.instruments import Lane
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.risk.rules import CASH_COLLAR


class OrderFields(msgspec.Struct, frozen=True, kw_only=True):
    """An approved order's own fields, for snapshots: all but the gate's seal."""

    client_order_id: str
    strategy_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    reference_price: Decimal
    submitted_ns: int


class PendingExit(msgspec.Struct, frozen=True):
    """An exit that waits until the entry, or the stop, that it canceled is over."""

    signal: Signal
    correlation_id: str


class OrderState(msgspec.Struct, frozen=True, kw_only=True):
    """One order as plain values, for snapshots."""

    fields: OrderFields
    correlation_id: str
    purpose: Purpose
    stop_loss: Decimal | None
    broker_order_id: str
    attempt: int
    sent_ns: int
    next_query_ns: int
    queries: int
    not_found: int
    exit_after: PendingExit | None
    closed_ns: int
    asked: int
    cancels: int
    not_found_ns: int
    absent_ns: int
    missed_ns: int
    resend_ns: int
    gaps: tuple[Gap, ...]
    spent: Decimal
    executions: tuple[str, ...]
    busted: tuple[str, ...]
    life: int
    cumulative: Decimal
    request: int
    request_unknown: bool
    cancel_wanted: bool
    busts: int


class Order:
    """An approved order with its state machine; the order manager owns it."""

    __slots__ = ("absent_ns", "approved", "asked", "attempt", "broker_order_id", "busted", "cancels", "closed_ns",
                 "correlation_id", "executions", "exit_after", "gaps", "lane", "machine", "missed_ns",
                 "next_query_ns", "not_found", "not_found_ns", "purpose", "queries", "resend_ns",
                 "sent_ns", "spent", "stop_loss")  # fmt: skip

    def __init__(self, approved: ApprovedOrder, correlation_id: str, lane: Lane | None, purpose: Purpose) -> None:
        self.approved = approved
        #: Whose order it is; None when the configuration no longer has that strategy or symbol.
        self.lane = lane
        self.correlation_id = correlation_id
        self.purpose = purpose
        #: Of an entry: the stop that its signal asked for, as a fraction of what is paid.
        self.stop_loss: Decimal | None = None
        self.machine = OrderStateMachine(approved.quantity)
        self.broker_order_id = ""
        #: How often it was handed to the broker; above 1 only after proof that no earlier one was sent.
        self.attempt = 1
        self.sent_ns = approved.submitted_ns
        #: When the broker is asked about it next; 0 for never.
        self.next_query_ns = 0
        self.queries = 0
        #: How often it was asked about at once since it last moved, and how often in a row the broker did not know it.
        self.asked = 0
        self.not_found = 0
        #: When it was last counted as not known, and when it was last missing in a list of all orders.
        self.not_found_ns = 0
        self.absent_ns = 0
        #: Since when an execution of it is missing, and when it is sent anew because it never left; 0 for neither.
        self.missed_ns = 0
        self.resend_ns = 0
        #: Executions that were worked out, as far as the true ones have not come.
        self.gaps: tuple[Gap, ...] = ()
        #: How often its cancel was sent.
        self.cancels = 0
        #: Price times quantity of what has filled: what is left of a notional.
        self.spent = ZERO
        #: Execution ids that were applied, and those that were taken back: a bust sets the cumulative quantity back.
        self.executions: list[str] = []
        self.busted: list[str] = []
        #: An entry or a stop that an exit has canceled: what the book then holds is sold once it is over.
        self.exit_after: PendingExit | None = None
        self.closed_ns = 0

    @property
    def ref(self) -> OrderRef:
        """How the order is named to a broker."""
        approved = self.approved
        return OrderRef(
            client_order_id=approved.client_order_id, symbol=approved.symbol, broker_order_id=self.broker_order_id
        )

    def is_meant_by(self, said: OrderReport | Fill | FillBusted) -> bool:
        """Whether a broker's words for this id are of this order: ids can collide, symbol, side and quantity tell."""
        approved = self.approved
        if said.symbol != approved.symbol or said.side is not approved.side:
            return False
        asked = said.quantity if isinstance(said, OrderReport) else None
        return asked is None or approved.quantity is None or asked == approved.quantity

    @property
    def is_answered(self) -> bool:
        """Whether the broker has spoken of the order since it was sent; with an exit that waits for it: of its end."""
        if self.exit_after is not None:
            return not self.machine.is_open
        return self.machine.life > Life.UNKNOWN

    @property
    def is_selling_out(self) -> bool:
        """Whether a flatten may wait for it: a sale at the market, unless nobody knows whether the broker has it."""
        if self.purpose is Purpose.FLATTEN:
            return True
        is_selling = self.purpose is not Purpose.ENTRY and self.approved.order_type is OrderType.MARKET
        return is_selling and self.machine.life is not Life.UNKNOWN

    @property
    def open_value(self) -> Decimal:
        """What is still to fill, at the reference price: the measure of pending exposure."""
        approved, leaves = self.approved, self.machine.leaves
        if leaves is not None:
            return multiply(leaves, approved.reference_price)
        return max(ZERO, subtract(approved.notional or ZERO, self.spent))

    @property
    def open_cost(self) -> Decimal:
        """The most cash that what is still to fill may take."""
        approved, leaves = self.approved, self.machine.leaves
        if leaves is None:
            return self.open_value
        if approved.limit_price is not None:
            return multiply(leaves, approved.limit_price)
        return multiply(multiply(leaves, approved.reference_price), CASH_COLLAR)

    def state(self) -> OrderState:
        """The order as plain values."""
        approved, machine = self.approved, self.machine
        names = OrderFields.__struct_fields__
        return OrderState(
            fields=OrderFields(**{name: getattr(approved, name) for name in names}),
            correlation_id=self.correlation_id,
            purpose=self.purpose,
            stop_loss=self.stop_loss,
            broker_order_id=self.broker_order_id,
            attempt=self.attempt,
            sent_ns=self.sent_ns,
            next_query_ns=self.next_query_ns,
            queries=self.queries,
            not_found=self.not_found,
            exit_after=self.exit_after,
            closed_ns=self.closed_ns,
            asked=self.asked,
            cancels=self.cancels,
            not_found_ns=self.not_found_ns,
            absent_ns=self.absent_ns,
            missed_ns=self.missed_ns,
            resend_ns=self.resend_ns,
            gaps=self.gaps,
            spent=self.spent,
            executions=tuple(self.executions),
            busted=tuple(self.busted),
            life=int(machine.life),
            cumulative=machine.cumulative,
            request=int(machine.request),
            request_unknown=machine.request_unknown,
            cancel_wanted=machine.cancel_wanted,
            busts=machine.busts,
        )

    @classmethod
    def restored(cls, state: OrderState, approved: ApprovedOrder, lane: Lane | None) -> Order:
        """An order as `state` was taken of it."""
        order = cls(approved, state.correlation_id, lane, state.purpose)
        order.stop_loss = state.stop_loss
        order.broker_order_id, order.attempt, order.sent_ns = state.broker_order_id, state.attempt, state.sent_ns
        order.next_query_ns, order.queries, order.not_found = state.next_query_ns, state.queries, state.not_found
        order.exit_after, order.closed_ns = state.exit_after, state.closed_ns
        order.asked, order.cancels, order.spent = state.asked, state.cancels, state.spent
        order.not_found_ns, order.absent_ns, order.missed_ns = state.not_found_ns, state.absent_ns, state.missed_ns
        order.resend_ns, order.gaps = state.resend_ns, state.gaps
        order.executions, order.busted = [*state.executions], [*state.busted]
        machine = order.machine
        machine.life, machine.cumulative, machine.busts = Life(state.life), state.cumulative, state.busts
        machine.request, machine.request_unknown = Request(state.request), state.request_unknown
        machine.cancel_wanted = state.cancel_wanted
        return order
