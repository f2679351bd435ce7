"""Orders, positions, limits and cash as a fold over records: what readers see, never read back as truth.

Every store uses this one fold, in memory or row by row. May not decide anything; a record it does not need passes.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from mqd_core.domain.events import RunEnded, RunStarted
from mqd_core.domain.journal import Body, Entry, Mark
from mqd_core.domain.money import ZERO, add, average_price, money, multiply
from mqd_core.domain.records import (
    Approved,
    BookMoved,
    DeskMoved,
    LimitMoved,
    OrderMoved,
    ProtectionMoved,
    SymbolMoved,
)


class OrderView(msgspec.Struct, kw_only=True):
    """One order as readers see it."""

    client_order_id: str
    broker_order_id: str
    correlation_id: str
    strategy_id: str
    symbol: str
    purpose: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    reference_price: Decimal
    state: str
    filled_quantity: Decimal
    created_ns: int
    updated_ns: int
    code: str = ""
    text: str = ""


class PositionView(msgspec.Struct, kw_only=True):
    """One book as readers see it; `mark` is the last close the desk knew, None before any."""

    strategy_id: str
    symbol: str
    quantity: Decimal
    cost: Decimal
    average_price: Decimal
    realized: Decimal
    updated_ns: int
    mark: Decimal | None = None
    #: What stands between the position and a fall: a word of `CoverState`, empty where the strategy alone does.
    protection: str = ""

    @property
    def market_value(self) -> Decimal:
        """Quantity times mark; cost where no mark is known."""
        return self.cost if self.mark is None else multiply(self.quantity, self.mark)


class LimitView(msgspec.Struct, kw_only=True):
    """One loss limit, or one cause for which a symbol is frozen ("SPY external"), as readers see it."""

    limit: str
    state: str
    loss: Decimal
    level: Decimal
    until_ns: int | None
    session: str
    updated_ns: int


class DeskView(msgspec.Struct, kw_only=True):
    """A whole desk as of one commit: `as_of_sequence` and `as_of_ns` say how old the view is."""

    as_of_sequence: int = 0
    as_of_ns: int = 0
    desk_state: str = "starting"
    desk_reason: str = ""
    run_id: str = ""
    mode: str = ""
    running: bool = False
    cash: Decimal = ZERO
    orders: list[OrderView] = msgspec.field(default_factory=list)
    positions: list[PositionView] = msgspec.field(default_factory=list)
    limits: list[LimitView] = msgspec.field(default_factory=list)

    @property
    def equity(self) -> Decimal:
        """Cash plus the positions' market value."""
        total = self.cash
        for position in self.positions:
            total = add(total, position.market_value)
        return total


class Projection:
    """Folds entries, in order, into the parts of a DeskView; `changed_*` name what moved since `settle`."""

    def __init__(self, view: DeskView | None = None) -> None:
        view = view or DeskView()
        self.orders = {order.client_order_id: order for order in view.orders}
        self.positions = {(book.strategy_id, book.symbol): book for book in view.positions}
        self.limits = {limit.limit: limit for limit in view.limits}
        self.head = view
        self.changed_orders: dict[str, OrderView] = {}
        self.changed_positions: dict[tuple[str, str], PositionView] = {}
        self.changed_limits: dict[str, LimitView] = {}

    def apply(self, entry: Entry) -> None:
        """Fold one entry."""
        body: Body = entry.body
        if isinstance(body, OrderMoved):
            self._order_moved(body)
        elif isinstance(body, BookMoved):
            self._book_moved(body)
        elif isinstance(body, Approved):
            self._approved(body)
        elif isinstance(body, ProtectionMoved):
            self._protection_moved(body)
        elif isinstance(body, LimitMoved):
            self._limit_moved(body)
        elif isinstance(body, SymbolMoved):
            self._symbol_moved(body)
        elif isinstance(body, DeskMoved):
            self.head.desk_state, self.head.desk_reason = body.after.value, body.text or body.code
        elif isinstance(body, RunStarted):
            self.head.run_id, self.head.mode, self.head.running = body.run_id, body.mode, True
        elif isinstance(body, RunEnded):
            self.head.running = False

    def mark(self, marks: tuple[Mark, ...]) -> None:
        """Take the last closes into the positions."""
        closes = {mark.symbol: money(mark.close) for mark in marks}
        for key, book in self.positions.items():
            if book.symbol in closes:
                book.mark = closes[book.symbol]
                self.changed_positions[key] = book

    def settle(self, sequence: int, ts: int) -> None:
        """End a batch: the view is now as of this sequence and time, and nothing counts as changed."""
        self.head.as_of_sequence, self.head.as_of_ns = sequence, ts
        self.changed_orders, self.changed_positions, self.changed_limits = {}, {}, {}

    def view(self) -> DeskView:
        """The view as it stands; its lists are the projection's own order of first appearance."""
        self.head.orders = list(self.orders.values())
        self.head.positions = [book for book in self.positions.values() if book.quantity]
        self.head.limits = list(self.limits.values())
        return self.head

    def _approved(self, record: Approved) -> None:
        order = OrderView(
            client_order_id=record.client_order_id,
            broker_order_id="",
            correlation_id=record.correlation_id,
            strategy_id=record.strategy_id,
            symbol=record.symbol,
            purpose=record.purpose.value,
            side=record.side.value,
            order_type=record.order_type.value,
            time_in_force=record.time_in_force.value,
            quantity=record.quantity,
            notional=record.notional,
            limit_price=record.limit_price,
            stop_price=record.stop_price,
            reference_price=record.reference_price,
            state="submitting",
            filled_quantity=ZERO,
            created_ns=record.ts,
            updated_ns=record.ts,
        )
        self.orders[record.client_order_id] = self.changed_orders[record.client_order_id] = order

    def _order_moved(self, record: OrderMoved) -> None:
        order = self.orders.get(record.client_order_id)
        if order is None:
            return
        order.state, order.filled_quantity, order.updated_ns = record.after, record.cumulative, record.ts
        order.broker_order_id = record.broker_order_id or order.broker_order_id
        order.code, order.text = record.code, record.text
        self.changed_orders[record.client_order_id] = order

    def _book_moved(self, record: BookMoved) -> None:
        self.head.cash = record.cash
        if not record.symbol:
            return
        key = (record.strategy_id, record.symbol)
        old = self.positions.get(key)
        self.positions[key] = self.changed_positions[key] = PositionView(
            strategy_id=record.strategy_id,
            symbol=record.symbol,
            quantity=record.quantity,
            cost=record.cost,
            average_price=average_price(record.cost, record.quantity),
            realized=record.realized,
            updated_ns=record.ts,
            mark=old.mark if old else None,
            protection=old.protection if old and record.quantity else "",
        )

    def _protection_moved(self, record: ProtectionMoved) -> None:
        book = self.positions.get((record.strategy_id, record.symbol))
        if book is not None:
            book.protection, book.updated_ns = record.state.value, record.ts
            self.changed_positions[record.strategy_id, record.symbol] = book

    def _symbol_moved(self, record: SymbolMoved) -> None:
        """A frozen symbol stands among the limits: it too is what keeps the desk from entering."""
        name = f"{record.symbol} {record.code}"
        self.limits[name] = self.changed_limits[name] = LimitView(
            limit=name,
            state=record.state,
            loss=ZERO,
            level=ZERO,
            until_ns=None,
            session="",
            updated_ns=record.ts,
        )

    def _limit_moved(self, record: LimitMoved) -> None:
        self.limits[record.limit] = self.changed_limits[record.limit] = LimitView(
            limit=record.limit,
            state=record.state,
            loss=record.loss,
            level=record.level,
            until_ns=record.until_ns,
            session=record.session,
            updated_ns=record.ts,
        )
