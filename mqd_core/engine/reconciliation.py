"""Reads the account again and again, and makes the desk's state agree with it where that is the broker's to say.

One reading brings everything: activities (executions, fees, dividends, transfers, corporate actions), all orders since
the oldest that matters, positions, cash. What it tells of the desk's own orders goes through the order table like any
other news; what nobody here has ordered goes to `external`; what is left is a difference, and `comparison` says what
it means. A reading that failed is no information. May not call a broker: it asks by effects and is woken by timers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.domain.events import AccountSnapshot, Activity, Fill, FillBusted, OrderReport, StreamStatus
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.order_state import Life
from mqd_core.domain.records import Severity
from mqd_core.engine.account_books import AccountBooks
from mqd_core.engine.comparison import BooksComparison, ComparisonState
from mqd_core.engine.effects import ACCOUNT, INBOX, TakeSnapshot
from mqd_core.engine.external import ExternalOrder, ExternalTrades
from mqd_core.engine.freezes import CORPORATE_ACTION, Freeze, SymbolFreezes
from mqd_core.engine.order_manager import EventDrivenOrderManager
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import ReconcileSettings
from mqd_core.engine.watching import listed_from_ns

#: When a reading that failed is asked for again; the last one goes on.
RETRY_NS: Final = tuple(seconds * SECOND_NS for seconds in (1, 2, 4, 8, 16, 30))
#: So many activities are remembered by name: the cursor keeps older ones from coming again.
_ACTIVITIES_MAX: Final = 1_000


class ReconcileState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the reconciliation remembers, for snapshots."""

    account: str
    cursor: str
    activities: tuple[str, ...]
    touched: tuple[tuple[str, int], ...]
    orphans: tuple[str, ...]
    due_ns: int
    asked_ns: int
    wants_more: bool
    failures: int
    is_skewed: bool
    buying_power: Decimal | None
    power_ns: int
    starts: tuple[int, ...]
    comparison: ComparisonState
    freezes: tuple[Freeze, ...]
    external: tuple[ExternalOrder, ...]


@dataclass(slots=True)
class Surroundings:
    """What the reconciliation may move or ask, beside orders and books."""

    on_doubt: Callable[[str, str, bool], None]
    is_session: Callable[[], bool]


class AccountReconciler:
    """The schedule of readings, and what each one leads to. Without settings it reads only when it is told to."""

    def __init__(
        self,
        settings: ReconcileSettings | None,
        scribe: Scribe,
        orders: EventDrivenOrderManager,
        books: AccountBooks,
        freezes: SymbolFreezes,
        external: ExternalTrades,
        comparison: BooksComparison,
        around: Surroundings,
    ) -> None:
        self._settings = settings
        self._scribe = scribe
        self._orders = orders
        self._books = books
        self._freezes = freezes
        self._external = external
        self.comparison = comparison
        self._around = around
        #: The account that this desk has seen first: the only one it trades.
        self._account = ""
        self._cursor = ""
        self._activities: dict[str, None] = {}
        #: When each symbol last traded, by the desk's own orders.
        self._touched: dict[str, int] = {}
        #: Own ids that nobody here has given out, and that were told of.
        self._orphans: tuple[str, ...] = ()
        #: When the account is read next; 0 for never. When it was asked for, 0 while nothing is asked.
        self.due_ns = 0
        self._asked_ns = 0
        self._wants_more = False
        self._failures = 0
        self._is_skewed = False
        #: The broker's own measure of what may be bought, and when it was read.
        self.buying_power: Decimal | None = None
        self.power_ns = 0
        #: Starts that no orderly end has followed.
        self.starts: tuple[int, ...] = ()
        #: Whether the last reading could be compared in full.
        self.has_compared = False

    @property
    def is_periodic(self) -> bool:
        """Whether the account is read again and again, because it can differ from the books."""
        return self._settings is not None

    @property
    def is_settled(self) -> bool:
        """Whether the account was compared in full, and nothing has to be looked at again before it is judged."""
        return self._settings is None or (self.has_compared and not self.comparison.is_open)

    # The schedule

    def begin(self) -> None:
        """Read anew, whatever was asked before: the process that would have heard the answer is gone."""
        self._asked_ns = 0
        self.has_compared = False
        self.ask()

    def ask(self) -> None:
        """Read the account now, or once more when what was asked for has come."""
        if self._asked_ns:
            self._wants_more = True
            return
        self._asked_ns, self._wants_more, scribe = self._scribe.now_ns, False, self._scribe
        if self._settings is None:
            scribe.effects.append(TakeSnapshot())
            return
        self.due_ns = scribe.now_ns + self._settings.lost_ns
        since_ns = listed_from_ns(self._orders.all_orders(), scribe.now_ns)
        scribe.effects.append(TakeSnapshot(since_ns, self._cursor or None))

    def check_due(self) -> None:
        """Read the account if it is time; an answer that never came is waited for no longer."""
        if self.due_ns and self.due_ns <= self._scribe.now_ns:
            self.due_ns = self._asked_ns = 0
            self.ask()

    def soon(self, delay_ns: int) -> None:
        """Read the account after so long a time at the latest."""
        at_ns = self._scribe.now_ns + delay_ns
        if not self._asked_ns and (not self.due_ns or at_ns < self.due_ns):
            self.due_ns = at_ns

    def touch(self, symbol: str, *, is_over: bool) -> None:
        """An order of the desk has traded a symbol, or is over: what the broker shows of it may lag behind."""
        if self._settings is not None:
            self._touched[symbol] = self._scribe.now_ns
            self.comparison.fills += not is_over
            if is_over:
                self.soon(self._settings.after_end_ns)

    def on_stream(self, event: StreamStatus) -> None:
        """A connection has come back, an account was not told, an inbox has lost events."""
        if event.stream == INBOX:
            self.begin()
            for order in tuple(self._orders.open_orders()):
                self._orders.resolver.query(order)
        elif event.stream == ACCOUNT and event.state != "up":
            self._asked_ns = 0
            self.due_ns = self._scribe.now_ns + RETRY_NS[min(self._failures, len(RETRY_NS) - 1)]
            self._failures += 1
            if self._failures > 1:
                return
        elif event.state == "up" and self._settings is not None:
            self.ask()
        if event.state != "up":
            self._scribe.alert(Severity.WARNING, f"stream_{event.state}", event.stream, event.text)

    # Readings

    def take(self, event: AccountSnapshot, *, is_first: bool) -> bool:
        """Take what was read; returns whether it is this desk's account. `is_first`: the books were opened with it."""
        settings = self._settings
        if settings is None or event.orders is not None:
            self._asked_ns = self.due_ns = self._failures = 0
        if settings is None:
            return True
        if self._account and event.account != self._account:
            text = f"the broker speaks of account {event.account}; this desk trades {self._account} and nothing else"
            self._around.on_doubt("account_changed", text, True)
            return False
        self._account = event.account
        self._check_clock(event, settings)
        self.buying_power, self.power_ns = event.buying_power, event.begun_ns or self._scribe.now_ns
        if event.orders is not None:
            self._hear(event, event.orders, is_first=is_first)
            if is_first:
                for position in event.positions:
                    self._external.hold(position)
            self._compare(event, event.orders, settings)
            self._schedule(settings)
        return True

    def on_activity(self, event: Activity) -> None:
        """Book an activity, once."""
        if self._settings is not None:
            if event.activity_id in self._activities:
                return
            self._activities[event.activity_id] = None
            if len(self._activities) > _ACTIVITIES_MAX:
                del self._activities[next(iter(self._activities))]
        if self._books.activity(event):
            text = f"{event.kind} changed what the account holds by {event.quantity} shares"
            self._freezes.freeze(event.symbol, CORPORATE_ACTION, text, until_open=True)

    def _hear(self, event: AccountSnapshot, reports: tuple[OrderReport, ...], *, is_first: bool) -> None:
        for one in event.activities:
            if isinstance(one, Activity):
                self._know(one) if is_first else self.on_activity(one)
            elif not self._is_orphan(one) and not is_first:
                self._orders.on_fill(one) if isinstance(one, Fill) else self._orders.on_bust(one)
        self._cursor = event.cursor or self._cursor
        for report in reports:
            if self._orders.get(report.client_order_id) is not None:
                self._orders.on_listed(report)
            elif not self._is_orphan(report):
                self._external.on_history(report) if is_first else self._external.on_report(report)
        listed = {report.client_order_id for report in reports}
        for order in tuple(self._orders.open_orders()):
            if order.approved.client_order_id not in listed and not order.resend_ns:
                self._miss(order.approved.client_order_id, event.begun_ns)

    def _miss(self, client_order_id: str, begun_ns: int) -> None:
        """An open order is not in the list of all orders; so shortly after it was sent that means nothing."""
        order, settings = self._orders.get(client_order_id), self._settings
        if order is None or settings is None or begun_ns < order.approved.submitted_ns + settings.recent_ns:
            return
        if order.machine.life <= Life.UNKNOWN:
            order.absent_ns = begun_ns
        if not order.next_query_ns:
            self._orders.resolver.query(order)
            self._orders.resolver.ask_later(order)

    def _know(self, event: Activity) -> None:
        """What was before the books were opened is in the cash that they were opened with."""
        self._activities[event.activity_id] = None

    def _is_orphan(self, said: OrderReport | Fill | FillBusted) -> bool:
        """Whether it speaks of an order by this desk's name that its journal does not have; told once, and halts."""
        key = said.client_order_id
        if self._orders.get(key) is not None or not self._orders.is_own(key):
            return False
        if key not in self._orphans:
            self._orphans = (*self._orphans, key)
            text = (
                f"the broker has an order {key} by this desk's name that its journal does not know: a second desk, or"
            )
            self._around.on_doubt("orphan", f"{text} a store that is older than the account", True)
        return True

    def _compare(self, event: AccountSnapshot, reports: tuple[OrderReport, ...], settings: ReconcileSettings) -> None:
        self.has_compared = False
        if not event.is_stable:
            return
        skipped = self._unsettled(event.begun_ns, reports, settings)
        theirs = {position.symbol: position.quantity for position in event.positions if position.quantity}
        self.comparison.compare(theirs, event.cash, skipped)
        self.has_compared = not skipped

    def _unsettled(
        self, begun_ns: int, reports: tuple[OrderReport, ...], settings: ReconcileSettings
    ) -> frozenset[str]:
        """Symbols in which something is on its way: an order of unknown fate, a fill that one side does not know."""
        recent_ns = begun_ns - settings.recent_ns
        self._touched = {symbol: at_ns for symbol, at_ns in self._touched.items() if at_ns > recent_ns}
        unsettled = set(self._touched)
        filled = {report.client_order_id: report.filled_quantity for report in reports}
        for order in self._orders.all_orders():
            counted = filled.get(order.approved.client_order_id)
            if order.machine.is_open:
                is_settled = counted == order.machine.cumulative or bool(order.resend_ns)
            else:
                is_settled = counted is None or counted <= order.machine.cumulative
            # One that was given up on, and a person told, holds nobody back for ever.
            if not is_settled and not self._orders.resolver.is_given_up(order):
                unsettled.add(order.approved.symbol)
        return frozenset(unsettled)

    def _check_clock(self, event: AccountSnapshot, settings: ReconcileSettings) -> None:
        skew_ns, seconds = abs(event.clock_skew_ns), event.clock_skew_ns / SECOND_NS
        text = f"the broker's clock is {seconds:+.1f} s from this machine's; set the machine's clock by a time service"
        if skew_ns > settings.skew_freeze_ns:
            self._around.on_doubt("clock_skew", text, False)
        if skew_ns > settings.skew_warn_ns and not self._is_skewed:
            self._scribe.alert(Severity.WARNING, "clock_skew", "clock", text)
        self._is_skewed = skew_ns > settings.skew_warn_ns

    def _schedule(self, settings: ReconcileSettings) -> None:
        if self._wants_more:
            self.ask()
            return
        if self.comparison.is_open or not self.has_compared:
            self.soon(settings.confirm_ns)
        elif self._orders.open and self._around.is_session():
            self.soon(settings.open_orders_ns)
        self.soon(settings.account_ns)

    # A person

    def accept(self, reason: str, person: str) -> None:
        """Take the broker's word for what differs, as a person has decided, or say that nothing does."""
        by = f" by {person}" if person else ""
        changed = self.comparison.accept(reason or "no reason given")
        if not changed:
            text = "nothing to accept: no difference between the books and the broker's account is known"
            self._scribe.alert(Severity.NOTICE, "nothing_to_accept", "account", text)
            return
        text = f"accepted{by} ({reason}): {changed}; a desk that is halted or frozen waits for `mqd resume`"
        self._scribe.alert(Severity.WARNING, "accepted", "account", text)
        self.soon(0)

    # Starts

    def on_start(self) -> bool:
        """Count a start; whether there were too many of them in a short time."""
        settings = self._settings
        if settings is None:
            return False
        since_ns = self._scribe.now_ns - settings.starts_ns
        self.starts = (*[at_ns for at_ns in self.starts if at_ns > since_ns], self._scribe.now_ns)
        return len(self.starts) > settings.starts_max

    def on_session(self, *, is_open: bool) -> None:
        """A session has opened or closed: read the account, and forget what no list of orders shows any more."""
        if is_open:
            self._freezes.session_opened()
        if self._settings is not None:
            self._external.forget(listed_from_ns(self._orders.all_orders(), self._scribe.now_ns))
            self.soon(0)

    # Snapshots

    def state(self) -> ReconcileState:
        """Everything as plain values."""
        return ReconcileState(
            account=self._account,
            cursor=self._cursor,
            activities=tuple(self._activities),
            touched=tuple(self._touched.items()),
            orphans=self._orphans,
            due_ns=self.due_ns,
            asked_ns=self._asked_ns,
            wants_more=self._wants_more,
            failures=self._failures,
            is_skewed=self._is_skewed,
            buying_power=self.buying_power,
            power_ns=self.power_ns,
            starts=self.starts,
            comparison=self.comparison.state(),
            freezes=self._freezes.state(),
            external=self._external.state(),
        )

    def restore(self, state: ReconcileState) -> None:
        """Become what `state` was taken of."""
        self._account, self._cursor = state.account, state.cursor
        self._activities = dict.fromkeys(state.activities)
        self._touched, self._orphans = dict(state.touched), state.orphans
        self.due_ns, self._asked_ns, self._wants_more = state.due_ns, state.asked_ns, state.wants_more
        self._failures, self._is_skewed = state.failures, state.is_skewed
        self.buying_power, self.power_ns, self.starts = state.buying_power, state.power_ns, state.starts
        self.comparison.restore(state.comparison)
        self._freezes.restore(state.freezes)
        self._external.restore(state.external)
