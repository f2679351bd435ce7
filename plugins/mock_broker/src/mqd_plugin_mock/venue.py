"""A simulated exchange with one account: orders in, time and bars in, reports and fills out.

Pure: no clock, no I/O, no state but its own, which `state()` gives away whole. Chance is a function of the seed and of
what it decides. It shares no order logic with the desk. Prices are found by the rules in `matching`, orders are let
in by those in `admission`; this module keeps the orders and the account.

* An order meets bars that start at or after its submission plus the configured latency; no bar is shown to it twice.
* It works in regular sessions only; sent while the exchange is closed, it belongs to the next session.
* DAY orders expire at the session's close, stamped with it. An IOC order meets its first minute; the rest is canceled.
* In one bar, limits come after all other orders of their symbol.
* A notional order is for floor9(notional / price). Buying takes no more than the cash there is: what a gap has made
  unaffordable is canceled.
* A fill is reported by its Fill alone; any other end of an order, and the end of a notional order, by an OrderReport.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Final

from mqd_core.api import (
    EXACT,
    ZERO,
    AccountSnapshot,
    Activity,
    Asset,
    Bar,
    BrokerEvent,
    Fill,
    HeldPosition,
    OrderReport,
    OrderStatus,
    OrderType,
    Refused,
    SessionTable,
    Side,
    TimeInForce,
    divide_down,
    floor9,
    money,
    percent_of,
    whole_down,
)
from mqd_plugin_mock.account import Account
from mqd_plugin_mock.admission import Admission, shares_on_offer
from mqd_plugin_mock.draws import PartialFills
from mqd_plugin_mock.fees import Commission, FeeDay, fee_day
from mqd_plugin_mock.hours import TradingHours
from mqd_plugin_mock.matching import Matcher, watch
from mqd_plugin_mock.memory import REMEMBERED, Memory
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.state import VenueState, decode_state, encode_state
from mqd_plugin_mock.ticket import Execution, OrderTerms, Ticket, execution_id, fill, new_ticket, report
from mqd_plugin_mock.working import WorkingOrders

#: Charges that a venue without a record keeps for whoever reads activities.
_CHARGES_KEPT: Final = 32
#: The code of the report that a stop-limit order has become a limit order.
TRIGGERED: Final = "triggered"
_TIME: Final = attrgetter("ts")
_OWN_END: Final = attrgetter("own_end_ns")
_NEVER_NS: Final = 2**63 - 1
_add, _multiply = EXACT.add, EXACT.multiply


class MockVenue:
    """The exchange and the account. `working` counts the orders that can still fill."""

    working: int

    def __init__(
        self, settings: MockBrokerSettings, sessions: SessionTable, *, remembered: int | None = REMEMBERED
    ) -> None:
        """Open the account with its starting cash. `remembered` ended orders are kept; None: all."""
        self.working = 0
        self._settings = settings
        self._hours = TradingHours(sessions)
        self._commission = Commission(settings)
        self._admission = Admission(settings, self._commission)
        self._matcher = Matcher(settings)
        self._partial_fills = PartialFills(settings.seed, settings.partial_fill_pct)
        self._latency_ns = settings.latency_ms * 1_000_000
        self._is_limited = bool(settings.participation_pct or settings.partial_fill_pct)
        self._account = Account(settings.starting_cash)
        self._orders = WorkingOrders()
        self._ended = Memory(remembered)
        self._charges_kept = None if remembered is None else _CHARGES_KEPT
        self._charges: list[tuple[int, Activity]] = []
        self._fee_day: FeeDay | None = None
        # Fills and charges so far: what activities are ordered by.
        self._movements = 0
        # The end of the last minute whose bars were shown, and its start.
        self._advanced_ns = self._settled_ns = -1
        # Before this no working order ends by itself; never too late, perhaps too early.
        self._next_end_ns = _NEVER_NS

    # Orders.

    def submit(self, order: OrderTerms) -> OrderReport:
        """Take an order. Raises Refused, with a code and words of Alpaca's, and then has changed nothing."""
        name, ended = order.client_order_id, self._ended
        if order.submitted_ns <= ended.horizon_ns or name in self._orders.by_id or ended.get(name) is not None:
            raise Refused("client_order_id must be unique", "40010001")
        session = self._hours.session_for(order.submitted_ns)
        self._admission.check(order, self._account, self._orders)
        ready_ns = order.submitted_ns + self._latency_ns
        expires_ns = self._hours.expiry(order.submitted_ns, session, order.time_in_force)
        ticket = new_ticket(order, session.open_ns, ready_ns, expires_ns)
        self._admit(ticket)
        return report(ticket, order.submitted_ns)

    def cancel(self, client_order_id: str, now_ns: int) -> OrderReport:
        """Cancel a working order at once. Raises Refused if there is none of that id or it has ended."""
        ticket = self._orders.by_id.get(client_order_id)
        if ticket is None:
            ended = self._ended.get(client_order_id)
            if ended is None:
                raise Refused("order not found", "40410000")
            raise Refused(f'order is already in "{ended.status.value}" state', "42210000")
        self._end(ticket, OrderStatus.CANCELED, now_ns)
        return report(ticket, now_ns)

    def find(self, client_order_id: str) -> OrderReport | None:
        """The order of that id, working or ended, stamped with its last change; None if there is none."""
        ticket = self._orders.by_id.get(client_order_id) or self._ended.get(client_order_id)
        return None if ticket is None else report(ticket, ticket.changed_ns)

    def orders(self, since_ns: int) -> list[OrderReport]:
        """All orders submitted at or after `since_ns`, oldest first."""
        tickets = [ticket for ticket in (*self._ended, *self._orders) if ticket.submitted_ns >= since_ns]
        tickets.sort(key=lambda ticket: ticket.submitted_ns)
        return [report(ticket, ticket.changed_ns) for ticket in tickets]

    def activities(self, after: str | None) -> list[Fill | Activity]:
        """Fills and charges after the one whose id is given, oldest first; all of them if that one is not known."""
        moves: list[tuple[int, str, Fill | Activity]] = [
            (number, charge.activity_id, charge) for number, charge in self._charges
        ]
        for ticket in (*self._ended, *self._orders):
            for ordinal, execution in enumerate(ticket.executions, 1):
                identity = execution_id(ticket.client_order_id, ordinal)
                moves.append((execution.number, identity, fill(ticket, ordinal)))
        moves.sort(key=lambda move: move[0])
        seen = next((number for number, identity, _ in moves if identity == after), -1)
        return [event for number, _, event in moves if number > seen]

    # The account.

    def account(self, now_ns: int) -> AccountSnapshot:
        """The account; what working buys could cost is no buying power."""
        cash = self._account.cash
        free = EXACT.subtract(cash, self._admission.reserved(self._orders))
        return AccountSnapshot(
            ts=now_ns,
            account=self._settings.account,
            cash=cash,
            buying_power=max(free, ZERO),
            positions=self._account.positions(),
        )

    def positions(self) -> tuple[HeldPosition, ...]:
        """All positions, by symbol."""
        return self._account.positions()

    def assets(self, symbols: Sequence[str]) -> list[Asset]:
        """What the venue says of those of the symbols that it lists."""
        return [self._admission.asset(symbol) for symbol in symbols if self._admission.lists(symbol)]

    # Time.

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        """Let time pass to `now_ns`, with all bars that end there; returns what happened, in order of its time."""
        if not self.working and self._fee_day is None:
            return ()
        events: list[BrokerEvent] = []
        if bars:
            if self._fee_day is not None:
                self._charge(bars[0].start_ns, events)
            self._meet(now_ns, bars, events)
        if self.working and now_ns >= self._next_end_ns:
            self._age(now_ns, bars[0].start_ns if bars else -1, events)
        if self._fee_day is not None:
            self._charge(now_ns, events)
        if len(events) > 1:
            events.sort(key=_TIME)
        return events

    def _meet(self, now_ns: int, bars: Sequence[Bar], events: list[BrokerEvent]) -> None:
        """Show the bars to the orders of their symbols."""
        orders, hours, shown_ns = self._orders, self._hours, self._advanced_ns
        for bar in bars:
            tickets = orders.of(bar.symbol)
            if not tickets or bar.start_ns < shown_ns or not hours.is_open(bar.start_ns):
                continue
            # A copy, since a fill takes an order out. The sort is stable: of one kind the earlier order comes first.
            queue = sorted(tickets, key=_is_limit) if len(tickets) > 1 else (tickets[0],)
            for ticket in queue:
                if ticket.active_ns <= bar.start_ns < ticket.expires_ns and not _is_late(ticket, bar, now_ns):
                    self._match(ticket, bar, now_ns, events)
        if now_ns > shown_ns:
            self._advanced_ns, self._settled_ns = now_ns, bars[0].start_ns

    def _match(self, ticket: Ticket, bar: Bar, end_ns: int, events: list[BrokerEvent]) -> None:
        if ticket.status is OrderStatus.ACKNOWLEDGED:
            ticket.status = OrderStatus.NEW
            events.append(report(ticket, ticket.active_ns))
        match = self._matcher.match(ticket, bar, end_ns)
        if match is not None:
            price, ts = match
            if price is not None:
                self._execute(ticket, bar, price, ts, events)
            else:
                self._trigger(ticket)
                ticket.code, ticket.changed_ns = TRIGGERED, ts
                events.append(report(ticket, ts))
        if ticket.time_in_force is TimeInForce.IOC and ticket.client_order_id in self._orders.by_id:
            self._end(ticket, OrderStatus.CANCELED, bar.start_ns, "ioc")
            events.append(report(ticket, bar.start_ns))

    def _execute(self, ticket: Ticket, bar: Bar, price: Decimal, ts: int, events: list[BrokerEvent]) -> None:
        """Fill what of the order can be filled at this price; end it if that was all there is for it."""
        wanted = ticket.quantity
        if wanted is None or ticket.filled:
            wanted = self._wanted(ticket, price)
        offered = self._part_of(wanted, ticket, bar) if self._is_limited else wanted
        quantity, value, fee = self._terms(ticket, offered, price)
        if quantity:
            self._movements += 1
            execution = Execution(self._movements, ts, quantity, price, _add(ticket.filled, quantity), fee)
            self._book(ticket, execution, value)
            events.append(fill(ticket, len(ticket.executions)))
        if quantity < offered:
            self._end(ticket, OrderStatus.CANCELED, ts, "insufficient_buying_power", "the cash was not enough")
            events.append(report(ticket, ts))
        elif ticket.notional is not None and quantity == wanted:
            self._end(ticket, OrderStatus.FILLED if ticket.filled else OrderStatus.CANCELED, ts)
            events.append(report(ticket, ts))

    def _terms(self, ticket: Ticket, offered: Decimal, price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Quantity, value and commission of an execution; the quantity offered, or less where the cash ends."""
        value, fee = _multiply(price, offered), ZERO
        if self._commission.is_charged:
            fee = self._commission.of(offered, is_first=not ticket.executions)
        cash = self._account.cash
        if ticket.side is Side.SELL or (_add(value, fee) if fee else value) <= cash:
            return offered, value, fee
        per_order = ZERO if ticket.executions else self._commission.per_order
        free = max(EXACT.subtract(cash, per_order), ZERO)
        shares = divide_down(free, _add(price, self._commission.per_share))
        if whole_down(offered) == offered:
            shares = whole_down(shares)
        return shares, _multiply(price, shares), self._commission.of(shares, is_first=not ticket.executions)

    def _wanted(self, ticket: Ticket, price: Decimal) -> Decimal:
        """All that the order still asks for, at this price."""
        if ticket.quantity is not None:
            return EXACT.subtract(ticket.quantity, ticket.filled)
        shares = divide_down(EXACT.subtract(ticket.notional or ZERO, ticket.spent), price)
        if ticket.side is Side.BUY:
            return shares
        # At a lower price the same money is more shares: no more than are there, less what other sells hold.
        others = (other for other in self._orders.of(ticket.symbol) if other is not ticket)
        return min(shares, EXACT.subtract(self._account.held(ticket.symbol), shares_on_offer(others)))

    def _part_of(self, wanted: Decimal, ticket: Ticket, bar: Bar) -> Decimal:
        """What volume and chance leave of the wanted shares; whole shares of an order of whole shares."""
        asked = ticket.quantity
        is_whole = asked is not None and whole_down(asked) == asked
        part = self._partial_fills.part_of(wanted, ticket.client_order_id, bar.start_ns)
        if is_whole:
            part = whole_down(part) or wanted
        if not self._settings.participation_pct:
            return part
        most = floor9(percent_of(money(bar.volume), self._settings.participation_pct))
        return min(part, whole_down(most) if is_whole else most)

    def _book(self, ticket: Ticket, execution: Execution, value: Decimal) -> None:
        """Book an execution of that value; an order of a quantity that has all of it has ended."""
        ts, quantity = execution.ts, execution.quantity
        ticket.executions += (execution,)
        ticket.filled, ticket.changed_ns = execution.cumulative, ts
        ticket.spent = _add(ticket.spent, value)
        self._account.trade(ticket.symbol, ticket.side, quantity, value, execution.fee)
        if self._settings.regulatory_fees:
            # What was traded at the very close still belongs to the session that closes.
            day = self._fee_day or fee_day(self._hours.session_for(ts - 1))
            self._fee_day = day.with_trade(ticket.side, quantity, value)
        if execution.cumulative == ticket.quantity:
            self._end(ticket, OrderStatus.FILLED, ts)
            return
        ticket.status = OrderStatus.PARTIALLY_FILLED
        if ticket.stop_price is not None:
            self._trigger(ticket)

    def _age(self, now_ns: int, minute_ns: int, events: list[BrokerEvent]) -> None:
        """End what is over: at its expiry, or, for IOC, in a minute that had no bar for it."""
        for ticket in list(self._orders):
            if ticket.expires_ns <= now_ns:
                self._end(ticket, OrderStatus.EXPIRED, ticket.expires_ns)
                events.append(report(ticket, ticket.expires_ns))
            elif ticket.time_in_force is TimeInForce.IOC and ticket.active_ns <= minute_ns:
                self._end(ticket, OrderStatus.CANCELED, now_ns, "ioc")
                events.append(report(ticket, now_ns))
        self._next_end_ns = min(map(_OWN_END, self._orders), default=_NEVER_NS)

    def _charge(self, now_ns: int, events: list[BrokerEvent]) -> None:
        """Charge the fees of a session that has closed."""
        day = self._fee_day
        if day is None or now_ns < day.close_ns:
            return
        for charge in day.charges():
            self._take_charge(charge)
            events.append(charge)
        self._fee_day = None

    def _take_charge(self, charge: Activity) -> None:
        self._movements += 1
        self._account.move_cash(charge.amount)
        self._charges.append((self._movements, charge))
        if self._charges_kept is not None:
            del self._charges[: -self._charges_kept]

    # Its state.

    def state(self) -> bytes:
        """Everything the venue knows besides its configuration."""
        state = VenueState(
            advanced_ns=self._advanced_ns,
            settled_ns=self._settled_ns,
            movements=self._movements,
            horizon_ns=self._ended.horizon_ns,
            cash=self._account.cash,
            holdings=self._account.holdings,
            working=list(self._orders),
            ended=self._ended.encoded(),
            charges=self._charges,
            fee_day=self._fee_day,
        )
        return encode_state(state)

    def restore(self, state: bytes) -> None:
        """Become what `state` was taken of. Raises StoreSchemaError if another version took it."""
        decoded = decode_state(state)
        self._advanced_ns, self._settled_ns = decoded.advanced_ns, decoded.settled_ns
        self._movements = decoded.movements
        self._account.cash, self._account.holdings = decoded.cash, decoded.holdings
        self._orders = WorkingOrders(decoded.working)
        self._ended.restore(decoded.ended, decoded.horizon_ns)
        self._charges, self._fee_day = decoded.charges, decoded.fee_day
        self._next_end_ns = 0
        self.working = len(self._orders.by_id)

    # What every change of an order comes down to.

    def _admit(self, ticket: Ticket) -> None:
        watch(ticket)
        self._orders.add(ticket)
        self._next_end_ns = min(self._next_end_ns, ticket.own_end_ns)
        self.working = len(self._orders.by_id)

    @staticmethod
    def _trigger(ticket: Ticket) -> None:
        ticket.triggered = True
        watch(ticket)

    def _end(self, ticket: Ticket, status: OrderStatus, ts: int, code: str = "", text: str = "") -> None:
        ticket.status, ticket.changed_ns, ticket.code, ticket.text = status, ts, code, text
        self._orders.remove(ticket)
        self._ended.add(ticket, self._settled_ns)
        self.working = len(self._orders.by_id)


def _is_limit(ticket: Ticket) -> bool:
    return ticket.order_type is OrderType.LIMIT


def _is_late(ticket: Ticket, bar: Bar, end_ns: int) -> bool:
    """Whether a bar is not the first that an IOC order could have met: in its own minute nothing was traded."""
    if ticket.time_in_force is not TimeInForce.IOC:
        return False
    return bar.start_ns - ticket.active_ns >= end_ns - bar.start_ns
