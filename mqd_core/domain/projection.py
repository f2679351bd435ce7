"""Orders, positions, limits and cash as a fold over records: what readers see, never read back as truth.

Every store uses this one fold, in memory or row by row. May not decide anything; a record it does not need passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from mqd_core.domain.events import RunEnded, RunStarted
from mqd_core.domain.journal import Entry, Mark
from mqd_core.domain.money import ZERO, add, average_price, money, multiply
from mqd_core.domain.records import (
    Approved,
    BookMoved,
    CoverState,
    DeskMoved,
    DifferenceMoved,
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
    """One loss limit as readers see it."""

    limit: str
    state: str
    loss: Decimal
    level: Decimal
    until_ns: int | None
    session: str
    updated_ns: int


class FreezeView(msgspec.Struct, kw_only=True):
    """One cause for which nothing is bought in a symbol; `state` is frozen, or free once it has ended."""

    symbol: str
    code: str
    state: str
    text: str
    updated_ns: int


class DifferenceView(msgspec.Struct, kw_only=True):
    """What books and broker differ in, as last compared; see `DifferenceMoved`."""

    symbol: str
    state: str
    books: Decimal
    broker: Decimal
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
    freezes: list[FreezeView] = msgspec.field(default_factory=list)
    differences: list[DifferenceView] = msgspec.field(default_factory=list)

    def leave_out_ended(self) -> None:
        """Show no book that is flat, no freeze and no difference that has ended."""
        self.positions = [book for book in self.positions if book.quantity]
        self.freezes = [freeze for freeze in self.freezes if freeze.state == "frozen"]
        self.differences = [one for one in self.differences if one.books != one.broker]

    @property
    def frozen_symbols(self) -> list[str]:
        """Symbols in which nothing is bought, each with its causes: `SPY (external)`."""
        causes: dict[str, list[str]] = {}
        for freeze in self.freezes:
            causes.setdefault(freeze.symbol, []).append(freeze.code)
        return [f"{symbol} ({', '.join(codes)})" for symbol, codes in causes.items()]

    @property
    def unprotected(self) -> list[str]:
        """Positions that should have a stop at the broker and have none, as alerts call them: `strategy:SPY`."""
        name = CoverState.UNPROTECTED.value
        return [f"{book.strategy_id}:{book.symbol}" for book in self.positions if book.protection == name]

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
        self.freezes = {(freeze.symbol, freeze.code): freeze for freeze in view.freezes}
        self.differences = {difference.symbol: difference for difference in view.differences}
        self.head = view
        self.changed_orders: dict[str, OrderView] = {}
        self.changed_positions: dict[tuple[str, str], PositionView] = {}
        self.changed_limits: dict[str, LimitView] = {}
        self.changed_freezes: dict[tuple[str, str], FreezeView] = {}
        self.changed_differences: dict[str, DifferenceView] = {}

    def apply(self, entry: Entry) -> None:
        """Fold one entry."""
        fold = self._FOLDS.get(type(entry.body))
        if fold is not None:
            fold(self, entry.body)

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
        self.changed_freezes, self.changed_differences = {}, {}

    def view(self) -> DeskView:
        """The view as it stands; its lists are the projection's own order of first appearance."""
        self.head.orders = list(self.orders.values())
        self.head.positions = list(self.positions.values())
        self.head.limits = list(self.limits.values())
        self.head.freezes = list(self.freezes.values())
        self.head.differences = list(self.differences.values())
        self.head.leave_out_ended()
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
        key = (record.symbol, record.code)
        self.freezes[key] = self.changed_freezes[key] = FreezeView(
            symbol=record.symbol, code=record.code, state=record.state, text=record.text, updated_ns=record.ts
        )

    def _difference_moved(self, record: DifferenceMoved) -> None:
        self.differences[record.symbol] = self.changed_differences[record.symbol] = DifferenceView(
            symbol=record.symbol,
            state=record.state,
            books=record.books,
            broker=record.broker,
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

    def _desk_moved(self, record: DeskMoved) -> None:
        self.head.desk_state, self.head.desk_reason = record.after.value, record.text or record.code

    def _run_started(self, event: RunStarted) -> None:
        self.head.run_id, self.head.mode, self.head.running = event.run_id, event.mode, True

    def _run_ended(self, _event: RunEnded) -> None:
        self.head.running = False

    #: What each body does; one that is not here passes.
    _FOLDS: Final[Mapping[type, Callable[[Projection, Any], None]]] = MappingProxyType(
        {
            OrderMoved: _order_moved,
            BookMoved: _book_moved,
            Approved: _approved,
            ProtectionMoved: _protection_moved,
            LimitMoved: _limit_moved,
            SymbolMoved: _symbol_moved,
            DifferenceMoved: _difference_moved,
            DeskMoved: _desk_moved,
            RunStarted: _run_started,
            RunEnded: _run_ended,
        }
    )
