"""The exchange with one account: takes requests, lets time pass, tells what happened. Pure: no clock, no thread.

Time comes by `advance`; what is asked in between happens at the last instant it was told of. An order is acknowledged
and meets the market only in `advance`, so an answer to a request is never older than its news by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from mqd_core.api import EXACT, ZERO, SessionTable
from mqd_plugin_alpaca_sandbox.exchange.account import Account
from mqd_plugin_alpaca_sandbox.exchange.activities import EquityPoint, FillActivity
from mqd_plugin_alpaca_sandbox.exchange.admission import Admission
from mqd_plugin_alpaca_sandbox.exchange.assets import AssetList, ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.book import OrderBook
from mqd_plugin_alpaca_sandbox.exchange.draws import PartialFills
from mqd_plugin_alpaca_sandbox.exchange.errors import rule
from mqd_plugin_alpaca_sandbox.exchange.hours import Hours
from mqd_plugin_alpaca_sandbox.exchange.matching import meet
from mqd_plugin_alpaca_sandbox.exchange.notation import activity_id, made_ulid, made_uuid
from mqd_plugin_alpaca_sandbox.exchange.order import WORKING, Execution, Order, Update
from mqd_plugin_alpaca_sandbox.exchange.order_request import OrderRequest
from mqd_plugin_alpaca_sandbox.exchange.quotes import Print, Quotes
from mqd_plugin_alpaca_sandbox.exchange.replacement import Change, changed_request
from mqd_plugin_alpaca_sandbox.exchange.settings import ExchangeSettings

#: Later than any time there is.
_NEVER_NS: Final = 2**63 - 1


class Exchange:
    """One venue, one account. Methods that take requests raise ApiError and then have changed nothing."""

    def __init__(
        self, settings: ExchangeSettings, assets: Iterable[ListedAsset], sessions: SessionTable, start_ns: int
    ) -> None:
        self.settings = settings
        self.assets = AssetList(assets)
        self.hours = Hours(sessions)
        self.quotes = Quotes(settings.spread_bps)
        self.account = Account(settings.cash_usd)
        self.book = OrderBook()
        self.admission = Admission(self.account, self.book, self.assets, self.quotes, settings.collar_pct)
        self.activities: list[FillActivity] = []
        self.equity_curve: list[EquityPoint] = []
        self.now_ns = start_ns
        self.started_ns = start_ns
        self._partial = PartialFills(settings.seed, settings.partial_fill_pct)
        self._listeners: list[Callable[[Update], None]] = []
        self._updates = 0
        self._next_close_ns = self._close_after(start_ns)

    def subscribe(self, callback: Callable[[Update], None]) -> Callable[[], None]:
        """Tell `callback` of all news from now on, as it happens; returns what ends that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    # Requests

    def submit(self, request: OrderRequest) -> Order:
        """Take an order on; raises ApiError. `accepted` or `pending_new` is told before this returns."""
        self.book.refuse_duplicate(request.client_order_id)
        self.admission.admit(request)
        order = self._new_order(request)
        self.book.add(order)
        self._tell(order.status, order)
        return order.snapshot()

    def cancel(self, order_id: str, longer_ns: int = 0) -> None:
        """Ask for an order's end, which comes with a later `advance`; raises ApiError where it is over.

        A second cancel of a canceled order succeeds, as it was seen to. `longer_ns` comes on top of the usual latency.
        """
        order = self.book.of_id(order_id)
        if order.status in {"canceled", "pending_cancel"}:
            return
        if not order.is_open or order.status == "pending_replace":
            raise rule(f'order is already in "{order.status}" state')
        order.status_before, order.status = order.status, "pending_cancel"
        order.cancel_requested_ns = order.updated_ns = self.now_ns
        order.cancel_due_ns = self.now_ns + self.settings.cancel_ns + longer_ns

    def cancel_now(self, order_id: str) -> None:
        """Cancel without delay; raises ApiError where the order is over."""
        self.cancel(order_id)
        self._finish_cancel(self.book.of_id(order_id))

    def replace(self, order_id: str, change: Change) -> Order:
        """Ask for a new order in place of one that works; raises ApiError. The old one goes on until that is done."""
        old = self.book.of_id(order_id)
        request = changed_request(old, change)
        self.book.refuse_duplicate(request.client_order_id)
        # An order does not stand in its own way, but it does hold its money until it is replaced.
        self.admission.admit(request, replaced=old)
        old.status_before, old.status = old.status, "pending_replace"
        old.updated_ns = self.now_ns
        new = self._new_order(request)
        new.status, new.replaces, new.opens_ns = "pending_new", old.id, None
        new.due_ns = self.now_ns + self.settings.acknowledge_ns
        self.book.add(new)
        return new.snapshot()

    def doom(self, order_id: str) -> None:
        """Let the venue reject an order, which was taken on, where it would acknowledge it."""
        self.book.of_id(order_id).doomed = True

    # Time

    def advance(self, now_ns: int, prints: Iterable[Print] = ()) -> None:
        """Let time pass up to `now_ns`, with the trades that the market shows on the way, in order of time."""
        for shown in prints:
            self._pass_time(shown.ts_ns)
            self.quotes.show(shown.symbol, shown.price)
            for order in self.book.open_orders(shown.symbol):
                self._meet(order)
        self._pass_time(now_ns)

    def _pass_time(self, until_ns: int) -> None:
        while True:
            due = min(
                ((order.wake_ns, order.number, order) for order in self.book.waking() if order.wake_ns is not None),
                key=lambda row: row[:2],
                default=None,
            )
            if due is None or due[0] > until_ns or self._next_close_ns < due[0]:
                if self._next_close_ns > until_ns:
                    break
                self._close_day()
                continue
            self.now_ns = max(self.now_ns, due[0])
            self._wake(due[2])
        self.now_ns = max(self.now_ns, until_ns)

    def _wake(self, order: Order) -> None:
        """Do what is due about an order, the earliest thing alone."""
        if order.cancel_due_ns is not None and order.cancel_due_ns <= self.now_ns:
            self._finish_cancel(order)
        elif order.expires_ns <= self.now_ns:
            order.expired_ns = self.now_ns
            self._end(order, "expired")
        elif order.opens_ns is not None:
            order.opens_ns, order.due_ns = None, self.now_ns + self.settings.acknowledge_ns
            if order.status == "accepted":
                self._change(order, "pending_new")
        else:
            self._acknowledge(order)

    def _acknowledge(self, order: Order) -> None:
        order.due_ns = None
        if order.doomed:
            order.failed_ns = self.now_ns
            self._end(order, "rejected")
            return
        old = self.book.of_id(order.replaces) if order.replaces is not None else None
        if old is not None and not self._give_way(old, order):
            return
        if order.status == "pending_new":
            order.status, order.updated_ns = "new", self.now_ns
        else:
            order.status_before = "new"
        self._tell("new", order, execution_id=made_uuid("new", order.id))
        self._meet(order)
        if order.is_open and order.time_in_force in {"ioc", "fok"}:
            order.canceled_ns = self.now_ns
            self._end(order, "canceled")

    def _give_way(self, old: Order, new: Order) -> bool:
        """End an order that is replaced; if it was over before that, the new one is rejected."""
        if old.status == "pending_replace":
            old.replaced_ns, old.replaced_by = self.now_ns, new.id
            self._end(old, "replaced")
            return True
        self._tell("order_replace_rejected", old)
        new.failed_ns = self.now_ns
        self._end(new, "rejected")
        return False

    def _finish_cancel(self, order: Order) -> None:
        order.cancel_due_ns = None
        if not order.is_open:
            self._tell("order_cancel_rejected", order)
            self.book.settle(order)
            return
        order.canceled_ns = self.now_ns
        self._end(order, "canceled")

    def _close_day(self) -> None:
        self.now_ns = max(self.now_ns, self._next_close_ns)
        self.quotes.close_day()
        self.account.close_day(self.quotes.previous_close)
        self.equity_curve.append(EquityPoint(self.now_ns, self.equity()))
        self._next_close_ns = self._close_after(self.now_ns)

    def _close_after(self, ts_ns: int) -> int:
        session = self.hours.table.next_session(ts_ns)
        return _NEVER_NS if session is None else session.close_ns

    # Executions

    def _meet(self, order: Order) -> None:
        if order.status not in WORKING or order.due_ns is not None or order.opens_ns is not None:
            return
        if order.symbol in self.quotes.halted or not self.hours.is_open_for(self.now_ns, extended=order.extended_hours):
            return
        quote = self.quotes.quote(order.symbol)
        price = None if quote is None else meet(order, quote)
        if price is None:
            return
        whole = order.remaining(price)
        part = whole
        if order.time_in_force != "fok":
            part = self._partial.part_of(whole, order.id, order.executions)
        self._execute(order, part, price, is_last=part == whole)

    def _execute(self, order: Order, qty: Decimal, price: Decimal, *, is_last: bool) -> None:
        order.executions += 1
        order.filled_qty = EXACT.add(order.filled_qty, qty)
        order.filled_value = EXACT.add(order.filled_value, EXACT.multiply(qty, price))
        position = self.account.trade(order.symbol, qty, price, is_buy=order.is_buy)
        order.filled_ns = order.updated_ns = self.now_ns
        if is_last:
            order.status = "filled"
        elif order.status == "new":
            order.status = "partially_filled"
        order.status_before = "partially_filled"
        execution_id = made_uuid("execution", self.settings.seed, order.id, order.executions)
        execution = Execution(id=execution_id, ts_ns=self.now_ns, qty=qty, price=price, position_qty=position)
        self._record(order, execution, is_last=is_last)
        self._tell("fill" if is_last else "partial_fill", order, execution, execution_id)
        self.book.settle(order)

    def _record(self, order: Order, execution: Execution, *, is_last: bool) -> None:
        leaves = ZERO if is_last else order.remaining(execution.price)
        self.activities.append(
            FillActivity(
                id=activity_id(execution.ts_ns, execution.id),
                ts_ns=execution.ts_ns,
                order_id=order.id,
                symbol=order.symbol,
                side=order.side,
                type="fill" if is_last else "partial_fill",
                order_status=order.status,
                qty=execution.qty,
                price=execution.price,
                cum_qty=order.filled_qty,
                leaves_qty=leaves,
            )
        )

    # Sums

    def market_value(self) -> Decimal:
        """What the positions would bring at last prices."""
        total = ZERO
        for holding in self.account.holdings.values():
            quote = self.quotes.quote(holding.symbol)
            total = EXACT.add(total, ZERO if quote is None else EXACT.multiply(holding.qty, quote.last))
        return total

    def equity(self) -> Decimal:
        """Cash and positions."""
        return EXACT.add(self.account.cash, self.market_value())

    # Parts

    def _new_order(self, request: OrderRequest) -> Order:
        number = len(self.book) + 1
        order_id = made_uuid("order", self.settings.seed, self.started_ns, number)
        opens_ns, _ = self.hours.span_for(self.now_ns, extended=request.extended_hours)
        waits = opens_ns > self.now_ns
        expires_ns = self.hours.expiry(self.now_ns, request.time_in_force, extended=request.extended_hours)
        return Order(
            id=order_id,
            number=number,
            client_order_id=request.client_order_id or made_uuid("client", order_id),
            symbol=request.symbol,
            asset_id=self.assets.named(request.symbol).id,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            qty=request.qty,
            notional=request.notional,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            extended_hours=request.extended_hours,
            status="accepted" if waits else "pending_new",
            created_ns=self.now_ns,
            updated_ns=self.now_ns,
            expires_ns=expires_ns,
            opens_ns=opens_ns if waits else None,
            due_ns=None if waits else self.now_ns + self.settings.acknowledge_ns,
        )

    def _change(self, order: Order, status: str) -> None:
        order.status, order.updated_ns = status, self.now_ns
        self._tell(status, order)

    def _end(self, order: Order, status: str) -> None:
        """Put an order into a final state, forget what was due, and tell."""
        order.cancel_due_ns = None
        self._change(order, status)
        self.book.settle(order)

    def _tell(
        self, event: str, order: Order, execution: Execution | None = None, execution_id: str | None = None
    ) -> None:
        self._updates += 1
        update = Update(
            event=event,
            event_id=made_ulid(self.now_ns, self._updates),
            ts_ns=self.now_ns,
            order=order.snapshot(),
            execution=execution,
            execution_id=execution_id,
        )
        for listener in list(self._listeners):
            listener(update)
