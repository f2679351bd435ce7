"""What a broker that is beset by faults really has: the inner broker's orders and account, and what happened besides.

Every execution and activity stands in one log, in the order in which it happened, whatever was told to whom. May not
decide what happens: it books what it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from msgspec import structs

from mqd_core.api import (
    EXACT,
    ZERO,
    AccountSnapshot,
    Activity,
    ApprovedOrder,
    Bar,
    BrokerConnector,
    Fill,
    FillBusted,
    OrderRef,
    OrderReport,
    OrderStatus,
    Refused,
    Side,
    average_price,
    money,
)
from mqd_core.testing.account_overlay import AccountOverlay

Movement = Fill | FillBusted | Activity

_OPEN: Final = frozenset({OrderStatus.ACKNOWLEDGED, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PAUSED})
#: States of the account that are kept, for answers that lag.
_KEPT: Final = 512


@dataclass(frozen=True)
class Truth:
    """What a checker may ask: nothing here was ever delayed, lost or made up."""

    #: Every order that was taken, each time it was: an id that stands here twice was taken twice.
    taken: tuple[ApprovedOrder, ...]
    #: All orders ever, those of other people included, by client order id.
    orders: dict[str, OrderReport]
    #: Ids of orders that the desk never sent.
    foreign: frozenset[str]
    #: All movements of the account, oldest first.
    movements: tuple[Movement, ...]
    positions: dict[str, Decimal]
    cash: Decimal
    blocked: bool

    @property
    def fills(self) -> tuple[Fill, ...]:
        """All executions, those that were busted later included."""
        return tuple(move for move in self.movements if isinstance(move, Fill))

    @property
    def busts(self) -> tuple[FillBusted, ...]:
        """All executions that were taken back."""
        return tuple(move for move in self.movements if isinstance(move, FillBusted))


class BrokerBook:
    """Orders, account and log of one broker."""

    def __init__(self, inner: BrokerConnector, now_ns: Callable[[], int]) -> None:
        self._inner = inner
        self.now_ns = now_ns
        self.overlay = AccountOverlay()
        self.taken: list[ApprovedOrder] = []
        #: When each order was taken.
        self.landed_ns: dict[str, int] = {}
        #: Orders of other people.
        self.foreign: dict[str, OrderReport] = {}
        #: How an order ended that the inner broker has canceled for another reason.
        self.ends: dict[str, OrderStatus] = {}
        #: Until when an order is shown in a state that nobody knows.
        self.paused_until_ns: dict[str, int] = {}
        self.blocked_until_ns = 0
        self.untradable_until_ns: dict[str, int] = {}
        #: The last price of each symbol, and when it was one.
        self.prices: dict[str, tuple[Decimal, int]] = {}
        #: Orders that may still fill.
        self._alive: dict[str, None] = {}
        self._busted: dict[str, Decimal] = {}
        #: Price times quantity of each order's executions, without those that were taken back.
        self._spent: dict[str, Decimal] = {}
        self._log: list[tuple[int, Movement]] = []
        self._cursor: str | None = None
        self._history: deque[tuple[int, AccountSnapshot]] = deque(maxlen=_KEPT)

    # Looking

    def account(self) -> AccountSnapshot:
        """The account now."""
        account = self.overlay.laid_over(self._inner.account())
        if self.now_ns() < self.blocked_until_ns:
            return structs.replace(account, blocked=True, text="trading is blocked by the broker")
        return account

    def account_before(self, lag_ns: int) -> AccountSnapshot:
        """The account as it was that long ago, or as early as is known, dated now."""
        now = self.now_ns()
        self.note()
        found = self._history[0][1]
        for noted_ns, account in self._history:
            if noted_ns > now - lag_ns:
                break
            found = account
        return structs.replace(found, ts=now)

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol that are really there."""
        return next((held.quantity for held in self.account().positions if held.symbol == symbol), ZERO)

    def open_orders(self, symbol: str | None = None) -> Iterator[OrderReport]:
        """The desk's orders that can still fill."""
        for identifier in tuple(self._alive):
            report = self.find(identifier)
            if report is None or report.status not in _OPEN:
                del self._alive[identifier]
            elif symbol in (None, report.symbol):
                yield report

    def on_offer(self, symbol: str) -> Decimal:
        """Shares that open sells may still take."""
        total = ZERO
        for report in self.open_orders(symbol):
            if report.side is Side.SELL:
                total = EXACT.add(
                    total, EXACT.subtract(report.quantity or report.filled_quantity, report.filled_quantity)
                )
        return total

    def find(self, identifier: str) -> OrderReport | None:
        """An order as it is now."""
        if identifier in self.foreign:
            return self.foreign[identifier]
        report = self._inner.find_order(identifier)
        return None if report is None else self.shown(report)

    def shown(self, report: OrderReport) -> OrderReport:
        """What the inner broker says of an order, with what it does not know."""
        identifier, status, filled = report.client_order_id, report.status, report.filled_quantity
        if status is OrderStatus.CANCELED:
            status = self.ends.get(identifier, status)
        average, taken_back = report.average_fill_price, self._busted.get(identifier)
        if taken_back is not None:
            filled = EXACT.subtract(filled, taken_back)
            average = average_price(self._spent[identifier], filled) if filled else None
            if status is OrderStatus.FILLED:
                # It will not fill again: an order that lost an execution is over with less.
                status = OrderStatus.CANCELED
        if status in _OPEN and self.now_ns() < self.paused_until_ns.get(identifier, 0):
            status = OrderStatus.PAUSED
        return structs.replace(report, status=status, filled_quantity=filled, average_fill_price=average)

    def shown_fill(self, fill: Fill) -> Fill:
        """An execution, counted without what was taken back of its order before."""
        taken_back = self._busted.get(fill.client_order_id)
        if taken_back is None:
            return fill
        return structs.replace(fill, cumulative_quantity=EXACT.subtract(fill.cumulative_quantity, taken_back))

    def orders(self, since_ns: int) -> list[OrderReport]:
        """All orders since a time, those of other people included."""
        own = [self.shown(report) for report in self._inner.orders(since_ns)]
        return [*own, *(report for report in self.foreign.values() if report.ts >= since_ns)]

    def movements(self, after: str | None, until_ns: int) -> list[Movement]:
        """What was known by a time of the log behind the movement of an id; all of it if the id is not known."""
        self.sync()
        known = [event for known_ns, event in self._log if known_ns <= until_ns]
        # A bust goes by the id of its fill. The first of the two is meant: told twice is better than never.
        place = next((number for number, event in enumerate(known, 1) if _identity(event) == after), 0)
        return known[place:]

    def truth(self) -> Truth:
        """Everything as it really is."""
        self.sync()
        account = self.account()
        return Truth(
            taken=tuple(self.taken),
            orders={report.client_order_id: report for report in self.orders(0)},
            foreign=frozenset(self.foreign),
            movements=tuple(event for _, event in self._log),
            positions={held.symbol: held.quantity for held in account.positions},
            cash=account.cash,
            blocked=account.blocked,
        )

    # Booking

    def see(self, bar: Bar) -> None:
        """Take a price of the market."""
        self.prices[bar.symbol] = (money(bar.close), self.now_ns())

    def land(self, order: ApprovedOrder) -> OrderReport:
        """Have an order taken. Raises Refused for the broker's no."""
        self._check(order)
        report = self._inner.submit(order)
        self.taken.append(order)
        self.landed_ns[order.client_order_id] = self.now_ns()
        self._alive[order.client_order_id] = None
        self.note()
        return self.shown(report)

    def cancel(self, report: OrderReport) -> bool:
        """Have an order canceled by somebody else than the desk; False if it is over already."""
        ref = OrderRef(
            client_order_id=report.client_order_id, symbol=report.symbol, broker_order_id=report.broker_order_id
        )
        try:
            self._inner.cancel(ref)
        except Refused:
            return False
        self.note()
        return True

    def sync(self) -> list[Fill]:
        """Log what moved the inner account since the last time; returns the executions among it."""
        fills: list[Fill] = []
        for event in self._inner.activities(self._cursor):
            if isinstance(event, Fill):
                shown = self.shown_fill(event)
                fills.append(shown)
                self._spend(shown, EXACT.multiply(shown.price, shown.quantity))
                self._append(shown)
                self._cursor = event.execution_id
            elif isinstance(event, Activity):
                self._append(event)
                self._cursor = event.activity_id
        if fills:
            self.note()
        return fills

    def trade(self, report: OrderReport, fill: Fill) -> None:
        """Book a whole order of somebody else."""
        self.sync()
        self.foreign[report.client_order_id] = report
        self.overlay.trade(fill.symbol, fill.side, fill.quantity, fill.price)
        self._append(fill)
        self.note()

    def bust(self, bust: FillBusted) -> None:
        """Take an execution back."""
        self.sync()
        identifier = bust.client_order_id
        self._busted[identifier] = EXACT.add(self._busted.get(identifier, ZERO), bust.quantity)
        self._spend(bust, EXACT.multiply(bust.price, bust.quantity).copy_negate())
        self.overlay.take_back(bust.symbol, bust.side, bust.quantity, bust.price)
        self._append(bust)
        self.note()

    def act(self, activity: Activity) -> None:
        """Book what is no trade."""
        self.sync()
        self.overlay.move_cash(activity.amount)
        if activity.quantity:
            self.overlay.move_shares(activity.symbol, activity.quantity)
        self._append(activity)
        self.note()

    def note(self) -> None:
        """Remember the account as it is, for answers that lag."""
        self._history.append((self.now_ns(), self.account()))

    def _spend(self, said: Fill | FillBusted, value: Decimal) -> None:
        self._spent[said.client_order_id] = EXACT.add(self._spent.get(said.client_order_id, ZERO), value)

    def _append(self, event: Movement) -> None:
        self._log.append((self.now_ns(), event))

    def _check(self, order: ApprovedOrder) -> None:
        """What the inner broker cannot refuse, since it does not know of it."""
        now, symbol = self.now_ns(), order.symbol
        if now < self.blocked_until_ns:
            raise Refused("new orders are rejected by the broker: the account is blocked", "40310000")
        if now < self.untradable_until_ns.get(symbol, 0):
            raise Refused(f'asset "{symbol}" is not tradable', "42210000")
        if order.side is Side.SELL and self.overlay.shares.get(symbol, ZERO) < ZERO:
            available = EXACT.subtract(self.held(symbol), self.on_offer(symbol))
            if order.quantity is not None and order.quantity > available:
                raise Refused("insufficient qty available for order", "40310000")
        if order.side is Side.BUY and self.overlay.cash < ZERO:
            price = order.limit_price or order.reference_price
            cost = order.notional or EXACT.multiply(order.quantity or ZERO, price)
            if cost > self.account().buying_power:
                raise Refused("insufficient buying power", "40310000")


def _identity(event: Movement) -> str:
    return event.activity_id if isinstance(event, Activity) else event.execution_id
