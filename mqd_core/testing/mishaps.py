"""What happens to an account without its desk: people, the broker and the exchange act on it by themselves.

Every act moves the book of the broker first and is told second, by the stream, which may lose it. An act that would
leave what no broker allows (shares sold twice, money that is not there) does not happen. May not fail a call.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Final

from mqd_core.api import (
    EXACT,
    MINUTE_NS,
    SECOND_NS,
    ZERO,
    Activity,
    Fill,
    FillBusted,
    OrderReport,
    OrderStatus,
    Side,
    cents,
    divide_down,
    floor9,
    percent_of,
)
from mqd_core.domain.identity import PREFIX, client_order_id
from mqd_core.testing.broker_book import BrokerBook
from mqd_core.testing.faults import FaultKind
from mqd_core.testing.faulty_stream import Agenda, FaultyStream

#: How long after its last price a symbol is taken to be traded.
_FRESH_NS: Final = 5 * MINUTE_NS
#: Of the buying power, the most that a person spends at once, in per cent.
_PERSON_PCT: Final = Decimal(20)
#: Old shares for one new share.
_SPLITS: Final = (2, 4, 5, 10)
_BY_A_PERSON: Final = (
    (FaultKind.USER_CANCELS, OrderStatus.CANCELED),
    (FaultKind.USER_REPLACES, OrderStatus.REPLACED),
)
#: Far behind any sequence number of a real journal.
_ORPHAN_SEQUENCE: Final = 36**6


class Mishaps:
    """What happens each minute, and to orders and executions."""

    def __init__(self, book: BrokerBook, stream: FaultyStream, agenda: Agenda, fired: Counter[FaultKind]) -> None:
        self.plan = stream.plan
        self._book = book
        self._stream = stream
        self._agenda = agenda
        self._now_ns = book.now_ns
        self._fired = fired
        self._minute = -1
        self._halted_until_ns: dict[str, int] = {}
        #: Orders whose cancel inside is nobody's news yet.
        self._hushed: set[str] = set()
        self._busted: set[str] = set()

    def is_halted(self, symbol: str, now_ns: int) -> bool:
        """Whether trading in a symbol is halted."""
        return now_ns < self._halted_until_ns.get(symbol, 0)

    def is_hushed(self, identifier: str) -> bool:
        """Whether what the inner broker reports of an order is not to be told."""
        return identifier in self._hushed

    # Each minute

    def turn(self, now_ns: int) -> None:
        """Let happen what happens in this minute, once."""
        minute = now_ns // MINUTE_NS
        if minute == self._minute:
            return
        self._minute = minute
        key = str(minute)
        if self._strikes(FaultKind.STREAM_MUTE, key):
            self._stream.mute(now_ns + self.plan.delay_ns(FaultKind.STREAM_MUTE, key, 5, 120))
        if self._strikes(FaultKind.STREAM_DOWN, key):
            self._stream.break_off(now_ns + self.plan.delay_ns(FaultKind.STREAM_DOWN, key, 5, 120))
        if self._strikes(FaultKind.ACCOUNT_BLOCKED, key):
            self._block(now_ns + self.plan.delay_ns(FaultKind.ACCOUNT_BLOCKED, key, 60, 1_800))
        if self._strikes(FaultKind.FEE, key):
            cost = Decimal(-self.plan.number(FaultKind.FEE, key, 1, 50)).scaleb(-2)
            self._act(FaultKind.FEE, key, "FEE", cost)
        if self._strikes(FaultKind.TRANSFER, key):
            self._transfer(key)
        for symbol, (price, seen_ns) in sorted(self._book.prices.items()):
            if now_ns - seen_ns <= _FRESH_NS:
                self._turn_symbol(symbol, price, f"{key}/{symbol}", now_ns)

    def _turn_symbol(self, symbol: str, price: Decimal, key: str, now_ns: int) -> None:
        plan = self.plan
        if self._strikes(FaultKind.TRADING_HALT, key):
            self._halted_until_ns[symbol] = now_ns + plan.delay_ns(FaultKind.TRADING_HALT, key, 300, 600)
        if self._strikes(FaultKind.ASSET_UNTRADABLE, key):
            until_ns = now_ns + plan.delay_ns(FaultKind.ASSET_UNTRADABLE, key, 300, 3_600)
            self._book.untradable_until_ns[symbol] = until_ns
        if plan.fires(FaultKind.SPLIT, key):
            self._split(symbol, key)
        if plan.fires(FaultKind.DIVIDEND, key):
            self._pay_dividend(symbol, price, key)
        if plan.fires(FaultKind.EXTERNAL_TRADE, key):
            self._trade_by_hand(symbol, price, key)
        if plan.fires(FaultKind.LIQUIDATION, key):
            self._liquidate(symbol, price, key)
        if plan.fires(FaultKind.ORPHAN_ORDER, key):
            self._send_orphan(symbol, price, key)

    # Money and shares

    def _transfer(self, key: str) -> None:
        amount = Decimal(self.plan.number(FaultKind.TRANSFER, key, -10_000, 20_000)).scaleb(-2)
        free = self._book.account().buying_power
        if EXACT.add(amount, free) < ZERO:
            amount = cents(percent_of(free, Decimal(50))).copy_negate()
        self._act(FaultKind.TRANSFER, key, "CSD" if amount > ZERO else "CSW", amount)

    def _pay_dividend(self, symbol: str, price: Decimal, key: str) -> None:
        amount = cents(percent_of(EXACT.multiply(self._book.held(symbol), price), Decimal(1)))
        if amount > ZERO:
            self._fired[FaultKind.DIVIDEND] += 1
            self._act(FaultKind.DIVIDEND, key, "DIV", amount, symbol)

    def _split(self, symbol: str, key: str) -> None:
        """Fewer shares; what would be less than 1e-9 of one is paid out, at nothing, as brokers round it down."""
        held = self._book.held(symbol)
        if held <= ZERO:
            return
        self._fired[FaultKind.SPLIT] += 1
        self._clear(symbol)
        ratio = _SPLITS[self.plan.number(FaultKind.SPLIT, key, 0, len(_SPLITS) - 1)]
        after = divide_down(held, Decimal(ratio))
        text = f"1 for {ratio}"
        self._act(FaultKind.SPLIT, key, "SPLIT", ZERO, symbol, EXACT.subtract(after, held), text)

    def _act(  # noqa: PLR0917  the parts of an activity
        self,
        fault: FaultKind,
        key: str,
        kind: str,
        amount: Decimal,
        symbol: str = "",
        quantity: Decimal = ZERO,
        text: str = "",
    ) -> None:
        activity = Activity(
            ts=self._now_ns(),
            activity_id=f"{kind.lower()}-{key.replace('/', '-')}",
            kind=kind,
            amount=amount,
            symbol=symbol,
            quantity=quantity,
            text=text,
        )
        self._book.act(activity)
        # Most brokers tell of it by the list of activities alone.
        if self.plan.number(fault, f"{key}:told", 0, 1):
            self._stream.put(activity)

    # Other people's trades

    def _trade_by_hand(self, symbol: str, price: Decimal, key: str) -> None:
        plan, kind, held = self.plan, FaultKind.EXTERNAL_TRADE, self._book.held(symbol)
        part = Decimal(plan.number(kind, f"{key}:part", 1, 100))
        if held > ZERO and plan.number(kind, f"{key}:side", 0, 1):
            # Shares that an open sell may take cannot be sold twice.
            if self._book.on_offer(symbol):
                return
            side, quantity = Side.SELL, floor9(percent_of(held, part))
        else:
            worth = percent_of(percent_of(self._book.account().buying_power, _PERSON_PCT), part)
            side, quantity = Side.BUY, divide_down(worth, price)
        if quantity > ZERO:
            self._fired[kind] += 1
            self._trade(f"manual-{key.replace('/', '-')}", symbol, side, quantity, price)

    def _send_orphan(self, symbol: str, price: Decimal, key: str) -> None:
        """Buy under the prefix of the desk whose orders were taken here."""
        taken = (order.client_order_id.split("-") for order in self._book.taken)
        desk = next((parts[1] for parts in taken if parts[0] == PREFIX and len(parts) == 5), None)
        worth = percent_of(self._book.account().buying_power, Decimal(5))
        quantity = divide_down(worth, price)
        if desk is not None and quantity > ZERO:
            self._fired[FaultKind.ORPHAN_ORDER] += 1
            sequence = _ORPHAN_SEQUENCE + self.plan.number(FaultKind.ORPHAN_ORDER, key, 0, 10**6)
            self._trade(client_order_id(desk, sequence, 0), symbol, Side.BUY, quantity, price)

    def _liquidate(self, symbol: str, price: Decimal, key: str) -> None:
        """Sell all there is, and let the desk trade no more for an hour."""
        held = self._book.held(symbol)
        if held > ZERO:
            self._fired[FaultKind.LIQUIDATION] += 1
            self._clear(symbol)
            self._trade(f"liquidation-{key.replace('/', '-')}", symbol, Side.SELL, held, price)
            self._block(self._now_ns() + 60 * MINUTE_NS)

    def _trade(self, identifier: str, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> None:
        now = self._now_ns()
        broker_id = f"faulty-{identifier}"
        report = OrderReport(
            ts=now,
            client_order_id=identifier,
            broker_order_id=broker_id,
            symbol=symbol,
            side=side,
            status=OrderStatus.FILLED,
            filled_quantity=quantity,
            quantity=quantity,
            average_fill_price=price,
        )
        fill = Fill(
            ts=now,
            client_order_id=identifier,
            broker_order_id=broker_id,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            cumulative_quantity=quantity,
            execution_id=f"{identifier}-x1",
        )
        self._book.trade(report, fill)
        self._stream.put(fill)
        self._stream.put(report)

    def _block(self, until_ns: int) -> None:
        self._book.blocked_until_ns = max(self._book.blocked_until_ns, until_ns)
        self._book.note()

    def _clear(self, symbol: str) -> None:
        """Cancel the desk's orders in a symbol, as a broker does before it touches the shares."""
        for report in tuple(self._book.open_orders(symbol)):
            self._book.cancel(report)

    # To orders and executions

    def landed(self, report: OrderReport) -> None:
        """An order was taken: say so, and let happen what is to happen to it."""
        identifier, plan, now = report.client_order_id, self.plan, self._now_ns()
        self._stream.put(report)
        if self._strikes(FaultKind.REJECTED_LATER, identifier):
            self._reject(report)
            return
        if self._strikes(FaultKind.STATUS_UNKNOWN, identifier):
            until_ns = now + plan.delay_ns(FaultKind.STATUS_UNKNOWN, identifier, 5, 60)
            self._book.paused_until_ns[identifier] = until_ns
            self._agenda.add(now + SECOND_NS, lambda: self._tell(identifier))
            self._agenda.add(until_ns, lambda: self._tell(identifier))
        for kind, end in _BY_A_PERSON:
            if plan.fires(kind, identifier):
                due_ns = now + plan.delay_ns(kind, identifier, 1, 300)
                self._agenda.add(due_ns, partial(self._end, kind, report, end))

    def filled(self, fill: Fill) -> None:
        """An order of the desk has filled: let happen what is to happen to it and to the execution."""
        key, plan = fill.execution_id, self.plan
        if plan.fires(FaultKind.PARTIAL_THEN_CANCEL, key):
            report = self._book.find(fill.client_order_id)
            if report is not None and report.status is OrderStatus.PARTIALLY_FILLED and self._book.cancel(report):
                self._fired[FaultKind.PARTIAL_THEN_CANCEL] += 1
        if plan.fires(FaultKind.FILL_BUSTED, key):
            due_ns = self._now_ns() + plan.delay_ns(FaultKind.FILL_BUSTED, key, 1, 600)
            self._agenda.add(due_ns, lambda: self._bust(fill))

    def _reject(self, report: OrderReport) -> None:
        """Take the order from the venue at once, and say some seconds later that it was rejected."""
        identifier = report.client_order_id
        self._hushed.add(identifier)
        self._book.ends[identifier] = OrderStatus.REJECTED
        self._book.cancel(report)
        due_ns = self._now_ns() + self.plan.delay_ns(FaultKind.REJECTED_LATER, identifier, 1, 5)
        self._agenda.add(due_ns, lambda: self._tell(identifier))

    def _end(self, kind: FaultKind, report: OrderReport, end: OrderStatus) -> None:
        self._book.ends[report.client_order_id] = end
        if self._book.cancel(report):
            self._fired[kind] += 1
        else:
            del self._book.ends[report.client_order_id]

    def _bust(self, fill: Fill) -> None:
        """Take an execution back, where the account still has what it brought."""
        if fill.execution_id in self._busted:
            return
        value = EXACT.multiply(fill.quantity, fill.price)
        if fill.side is Side.BUY:
            self._clear(fill.symbol)
            if self._book.held(fill.symbol) < fill.quantity:
                return
        elif self._book.account().buying_power < value:
            return
        self._fired[FaultKind.FILL_BUSTED] += 1
        self._busted.add(fill.execution_id)
        bust = FillBusted(
            ts=self._now_ns(),
            client_order_id=fill.client_order_id,
            broker_order_id=fill.broker_order_id,
            symbol=fill.symbol,
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
            execution_id=fill.execution_id,
        )
        self._book.bust(bust)
        self._stream.put(bust)

    def _tell(self, identifier: str) -> None:
        """Say what an order is now."""
        report = self._book.find(identifier)
        if report is not None:
            self._stream.put(report)

    def _strikes(self, kind: FaultKind, key: str) -> bool:
        if not self.plan.fires(kind, key):
            return False
        self._fired[kind] += 1
        return True
