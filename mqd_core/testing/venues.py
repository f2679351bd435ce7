"""A venue that obeys: takes every order, fills it with the next bar it is shown, and can be told to misbehave.

It keeps an account of its own, exactly, so that a test can compare it with the desk's books. It shares no logic with
the engine, and may not decide anything that a test has not told it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec import structs

from mqd_core.api import (
    EXACT,
    ZERO,
    AccountSnapshot,
    Activity,
    ApprovedOrder,
    Bar,
    Event,
    Fill,
    HeldPosition,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
    divide_down,
    money,
    require_approved,
)
from mqd_core.domain.events import CancelOutcome, Outcome, QueryOutcome, StreamStatus, SubmitOutcome
from mqd_core.engine.effects import ACCOUNT, CancelOrder, Effect, QueryOrder, SubmitOrder, TakeSnapshot


@dataclass(slots=True)
class VenueOrder:
    """An order as the venue knows it."""

    order: ApprovedOrder
    broker_order_id: str
    status: OrderStatus = OrderStatus.NEW
    #: How much it is for; of a notional order known when it first fills.
    target: Decimal | None = None
    filled: Decimal = ZERO
    fills: list[Fill] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it can still fill."""
        return self.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)

    def report(self, ts_ns: int) -> OrderReport:
        """What the venue says of it."""
        order = self.order
        return OrderReport(
            ts=ts_ns,
            client_order_id=order.client_order_id,
            broker_order_id=self.broker_order_id,
            symbol=order.symbol,
            side=order.side,
            status=self.status,
            filled_quantity=self.filled,
            quantity=order.quantity,
            notional=order.notional,
        )


class ObedientVenue:
    """Fills market orders at the open of the next bar of their symbol, priced ones where a bar reaches their price.

    Sell stops fill at their price, or at an open below it; `expire` ends what is left of a day.

    `parts` cuts each order into that many executions, one a bar. A notional order is for floor9(notional / price), and
    its end is reported. The public fields make it misbehave.
    """

    def __init__(self, cash: str = "1000", *, parts: int = 1) -> None:
        self.cash = Decimal(cash)
        self.positions: dict[str, Decimal] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.parts = parts
        #: What becomes of submissions and cancels; UNKNOWN takes an order and loses the answer.
        self.outcome = Outcome.ACCEPTED
        self.cancel_outcome = Outcome.ACCEPTED
        #: The answer to every query; None for the truth.
        self.query_outcome: Outcome | None = None
        #: Whether "not found" proves that an order was never sent.
        self.is_final = True
        #: Everything that the account's own history tells, oldest first, and orders of others by their id.
        self.activities: list[Fill | Activity] = []
        self.foreign: dict[str, OrderReport] = {}
        #: Whether the account cannot be read.
        self.is_silent = False
        #: Whether orders rest unfilled.
        self.is_holding = False

    # What the desk asks for

    def perform(self, effect: Effect, now_ns: int) -> Iterator[Event]:
        """Do what an effect asks for, and say what became of it."""
        if isinstance(effect, SubmitOrder):
            yield self._submit(effect, now_ns)
        elif isinstance(effect, CancelOrder):
            yield from self._cancel(effect, now_ns)
        elif isinstance(effect, QueryOrder):
            yield self._query(effect.client_order_id, now_ns)
        elif isinstance(effect, TakeSnapshot):
            if self.is_silent:
                yield StreamStatus(ts=now_ns, stream=ACCOUNT, state="down", text="the broker did not tell the account")
            elif effect.orders_since_ns is None:
                yield self.account(now_ns)
            else:
                yield self.reading(effect, now_ns)

    def account(self, now_ns: int) -> AccountSnapshot:
        """The account as the venue counts it."""
        held = tuple(
            HeldPosition(symbol=symbol, quantity=quantity, average_price=ZERO)
            for symbol, quantity in sorted(self.positions.items())
            if quantity
        )
        return AccountSnapshot(ts=now_ns, account="test-1", cash=self.cash, buying_power=self.cash, positions=held)

    def reading(self, effect: TakeSnapshot, now_ns: int) -> AccountSnapshot:
        """The account and all that belongs to it; a cursor says how many activities were told before."""
        since_ns = effect.orders_since_ns or 0
        known = [one for one in self.orders.values() if one.order.submitted_ns >= since_ns]
        return structs.replace(
            self.account(now_ns),
            begun_ns=now_ns,
            orders=(*[one.report(now_ns) for one in known], *self.foreign.values()),
            activities=tuple(self.activities[int(effect.after or 0) :]),
            cursor=str(len(self.activities)),
        )

    def trade_by_hand(self, symbol: str, side: Side, quantity: str, price: str, ts_ns: int) -> Fill:
        """Let somebody else trade in the account, past the desk; returns the execution."""
        amount, number = Decimal(quantity), f"hand-{len(self.foreign) + 1}"
        buying, value = side is Side.BUY, EXACT.multiply(amount, Decimal(price))
        self.cash = EXACT.subtract(self.cash, value) if buying else EXACT.add(self.cash, value)
        held = self.positions.get(symbol, ZERO)
        self.positions[symbol] = EXACT.add(held, amount) if buying else EXACT.subtract(held, amount)
        self.foreign[number] = OrderReport(
            ts=ts_ns,
            client_order_id=f"by-{number}",
            broker_order_id=number,
            symbol=symbol,
            side=side,
            status=OrderStatus.FILLED,
            filled_quantity=amount,
            quantity=amount,
        )
        fill = Fill(
            ts=ts_ns,
            client_order_id=f"by-{number}",
            broker_order_id=number,
            symbol=symbol,
            side=side,
            quantity=amount,
            price=Decimal(price),
            cumulative_quantity=amount,
            execution_id=f"{number}-1",
        )
        self.activities.append(fill)
        return fill

    def move_cash(self, kind: str, amount: str, ts_ns: int, symbol: str = "", quantity: str = "0") -> Activity:
        """Let something besides a trade move the account; returns what the broker tells of it."""
        moved = Activity(
            ts=ts_ns,
            activity_id=f"activity-{len(self.activities) + 1}",
            kind=kind,
            amount=Decimal(amount),
            symbol=symbol,
            quantity=Decimal(quantity),
        )
        self.cash = EXACT.add(self.cash, moved.amount)
        if moved.quantity and symbol in self.positions and kind != "DIV":
            self.positions[symbol] = EXACT.add(self.positions[symbol], moved.quantity)
        self.activities.append(moved)
        return moved

    def _submit(self, effect: SubmitOrder, now_ns: int) -> SubmitOutcome:
        order = require_approved(effect.order)
        identifier = order.client_order_id
        report = None
        if self.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN):
            known = self.orders[identifier] = VenueOrder(order, f"venue-{len(self.orders) + 1}", target=order.quantity)
            report = known.report(now_ns) if self.outcome is Outcome.ACCEPTED else None
        return SubmitOutcome(
            ts=now_ns, client_order_id=identifier, attempt=effect.attempt, outcome=self.outcome, report=report
        )

    def _cancel(self, effect: CancelOrder, now_ns: int) -> Iterator[Event]:
        known = self.orders[effect.order.client_order_id]
        yield CancelOutcome(ts=now_ns, client_order_id=effect.order.client_order_id, outcome=self.cancel_outcome)
        if self.cancel_outcome is Outcome.ACCEPTED and known.is_open:
            known.status = OrderStatus.CANCELED
            yield known.report(now_ns)

    def _query(self, identifier: str, now_ns: int) -> QueryOutcome:
        known = self.orders.get(identifier)
        outcome = Outcome.NOT_FOUND if known is None else Outcome.FOUND
        if self.query_outcome is not None:
            outcome, known = self.query_outcome, None
        return QueryOutcome(
            ts=now_ns,
            client_order_id=identifier,
            outcome=outcome,
            report=None if known is None else known.report(now_ns),
            fills=() if known is None else tuple(known.fills),
            final=self.is_final,
        )

    # What happens by itself

    def advance(self, minute: Sequence[Bar]) -> list[Event]:
        """Fill what the bars of a minute let fill; each fill happens at its bar's start."""
        events: list[Event] = []
        if self.is_holding:
            return events
        for bar in minute:
            for known in self.orders.values():
                if known.is_open and known.order.symbol == bar.symbol and bar.start_ns >= known.order.submitted_ns:
                    price = _price(known.order, bar)
                    if price is not None:
                        events += self._fill(known, price, bar.start_ns)
        return events

    def expire(self, ts_ns: int) -> list[Event]:
        """End every order that still works, as a venue does with DAY orders at the close."""
        events: list[Event] = []
        for known in self.orders.values():
            if known.is_open:
                known.status = OrderStatus.EXPIRED
                events.append(known.report(ts_ns))
        return events

    def fill(self, client_order_id: str, quantity: str, price: str, ts_ns: int, execution_id: str = "") -> Fill:
        """Make one execution, whatever the order's state; the caller hands it to the engine."""
        known = self.orders[client_order_id]
        order, amount = known.order, Decimal(quantity)
        known.filled = EXACT.add(known.filled, amount)
        if known.is_open:
            known.status = OrderStatus.FILLED if known.filled == known.target else OrderStatus.PARTIALLY_FILLED
        value = EXACT.multiply(amount, Decimal(price))
        buying = order.side is Side.BUY
        self.cash = EXACT.subtract(self.cash, value) if buying else EXACT.add(self.cash, value)
        held = self.positions.get(order.symbol, ZERO)
        self.positions[order.symbol] = EXACT.add(held, amount) if buying else EXACT.subtract(held, amount)
        fill = Fill(
            ts=ts_ns,
            client_order_id=client_order_id,
            broker_order_id=known.broker_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=amount,
            price=Decimal(price),
            cumulative_quantity=known.filled,
            execution_id=execution_id,
        )
        known.fills.append(fill)
        self.activities.append(fill)
        return fill

    def _fill(self, known: VenueOrder, price: Decimal, ts_ns: int) -> list[Event]:
        order = known.order
        if known.target is None:
            known.target = divide_down(order.notional or ZERO, price)
        part = divide_down(known.target, Decimal(self.parts))
        if len(known.fills) + 1 >= self.parts:
            part = EXACT.subtract(known.target, known.filled)
        events: list[Event] = [self.fill(order.client_order_id, str(part), str(price), ts_ns)]
        if order.notional is not None and known.status is OrderStatus.FILLED:
            events.append(known.report(ts_ns))
        return events


def _price(order: ApprovedOrder, bar: Bar) -> Decimal | None:
    opening = money(bar.open)
    if order.order_type is OrderType.STOP and order.stop_price is not None and order.side is Side.SELL:
        return min(opening, order.stop_price) if money(bar.low) <= order.stop_price else None
    if order.limit_price is None:
        return opening
    if order.side is Side.BUY:
        return min(opening, order.limit_price) if money(bar.low) <= order.limit_price else None
    return max(opening, order.limit_price) if money(bar.high) >= order.limit_price else None
