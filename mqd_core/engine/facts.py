"""What the gate, the sizer and the strategies may know of the desk: computed when asked, exact, never changed here.

One object answers the gate's rules (`GateFacts`) and plugins' rules (`AccountView`); small views on it serve sizers
and strategies. May not change anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mqd_core.domain.ledger import BookView, Ledger
from mqd_core.domain.market import MINUTE_NS, Asset
from mqd_core.domain.money import ZERO, add, money, multiply, subtract
from mqd_core.domain.orders import OrderDraft, OrderRef, Purpose, Side
from mqd_core.domain.records import DeskState
from mqd_core.engine.freezes import SymbolFreezes
from mqd_core.engine.instruments import Instrument, Lane
from mqd_core.engine.order_manager import EventDrivenOrderManager
from mqd_core.engine.reconciliation import AccountReconciler
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.session_manager import SessionManager
from mqd_core.engine.settings import EngineSettings
from mqd_core.risk.facts import Denial
from mqd_core.risk.limits import PersistentLimitTracker

#: What makes two orders "the same": strategy, symbol, side, amount.
SentKey = tuple[str, str, str, str]


class DeskFacts:
    """The desk as it stands inside a step."""

    def __init__(
        self,
        settings: EngineSettings,
        scribe: Scribe,
        ledger: Ledger,
        instruments: Mapping[str, Instrument],
        sessions: SessionManager,
        limits: PersistentLimitTracker,
    ) -> None:
        self._settings = settings
        self._scribe = scribe
        self._ledger = ledger
        self._instruments = instruments
        self._sessions = sessions
        self._limits = limits
        self._length_ns = settings.timeframe.length_ns
        self.orders: EventDrivenOrderManager
        self.freezes: SymbolFreezes
        self.reconciler: AccountReconciler | None = None
        self.desk_state = DeskState.STARTING
        #: Between these two an entry is allowed for sure; elsewhere the session manager is asked.
        self.entry_from_ns = 0
        self.entry_until_ns = 0
        #: When the open session opened, 0 where none is, and when the one before it closed.
        self.opened_ns = 0
        self.closed_ns = 0
        self.orders_this_session = 0
        #: Orders sent lately, oldest first: as many as could matter to the rate and duplicate rules.
        minutes = 1 + settings.gate.duplicate_window_ns // MINUTE_NS
        self.sent: deque[tuple[int, SentKey]] = deque(maxlen=max(settings.gate.max_orders_per_minute * minutes, 16))

    @property
    def now_ns(self) -> int:
        """Engine time."""
        return self._scribe.now_ns

    @property
    def session(self) -> str:
        """ISO date of the session being measured; empty before the first."""
        return self._limits.session

    @property
    def cash(self) -> Decimal:
        """Cash of the account, USD."""
        return self._ledger.cash

    @property
    def opening_cash(self) -> Decimal:
        """What the books were opened with, USD."""
        return self._ledger.opening_cash

    @property
    def deposits(self) -> Decimal:
        """Net transfers since then, USD: neither profit nor loss."""
        return self._ledger.deposits

    @property
    def trips(self) -> int:
        """Round trips closed since the book was opened."""
        return self._ledger.trips

    @property
    def books(self) -> Sequence[BookView]:
        """All books that hold something."""
        return tuple(book for book in self._ledger.books.values() if book.quantity)

    @property
    def working(self) -> Sequence[OrderRef]:
        """All orders that are not terminal."""
        return tuple(order.ref for order in self.orders.open_orders())

    @property
    def equity(self) -> Decimal:
        """Cash plus holdings at their last closes."""
        holdings = self._ledger.holdings
        total = self._ledger.cash
        for symbol in holdings:
            total = add(total, multiply(holdings[symbol], self.close_of(symbol)))
        return total

    @property
    def cash_free(self) -> Decimal:
        """Cash less what open buys may still cost."""
        free = self._ledger.cash
        if self.orders.open:
            for order in self.orders.open_orders():
                if order.approved.side is Side.BUY:
                    free = subtract(free, order.open_cost)
        reconciler = self.reconciler
        if reconciler is None or reconciler.buying_power is None:
            return free
        # The broker's own word, less what was ordered since it was given: margin, settlement and reserves are its.
        power = reconciler.buying_power
        for order in self.orders.open_orders():
            if order.approved.side is Side.BUY and order.approved.submitted_ns > reconciler.power_ns:
                power = subtract(power, order.open_cost)
        return min(free, power)

    @property
    def gross_exposure(self) -> Decimal:
        """Value of everything held, and of everything that open entries may still buy."""
        total = self.orders.pending_value()
        for symbol, quantity in self._ledger.holdings.items():
            total = add(total, multiply(quantity, self.close_of(symbol)).copy_abs())
        return total

    def close_of(self, symbol: str) -> Decimal:
        """The last close as money; zero before any bar."""
        instrument = self._instruments.get(symbol)
        return money(instrument.close) if instrument is not None else ZERO

    def value_held(self, symbol: str) -> Decimal:
        """What the account holds of a symbol at its last close, and what pending entries may add."""
        held = self._ledger.holdings.get(symbol)
        value = multiply(held, self.close_of(symbol)) if held else ZERO
        return add(value, self.orders.pending_value(symbol)) if self.orders.open else value

    def occupied_symbols(self) -> frozenset[str]:
        """Symbols the account holds or has entries pending in."""
        held = frozenset(self._ledger.holdings)
        if not self.orders.open:
            return held
        entries = (order for order in self.orders.open_orders() if order.purpose is Purpose.ENTRY)
        return held.union(order.approved.symbol for order in entries)

    def book_quantity(self, strategy_id: str, symbol: str) -> Decimal:
        """What a strategy holds of a symbol."""
        return self._ledger.book(strategy_id, symbol).quantity

    def session_code(self) -> str | None:
        """Why the time of the session allows no entry, if it does not."""
        now = self._scribe.now_ns
        if self.entry_from_ns <= now < self.entry_until_ns:
            return None
        return self._sessions.may_enter(now)

    def freeze_text(self, symbol: str) -> str | None:
        """Why nothing may be bought in a symbol, if it is frozen."""
        freeze = self.freezes.of(symbol)
        return None if freeze is None else f"{freeze.code}: {freeze.text}"

    def limit_denial(self) -> Denial | None:
        """Why a loss limit allows no entry, if one does not."""
        return self._limits.denial(self._scribe.now_ns)

    def bar_age_ns(self, symbol: str) -> int:
        """How long ago the last bar of a symbol ended; the night before this session makes no price older."""
        ended_ns = self._instruments[symbol].start_ns + self._length_ns
        if ended_ns >= self.opened_ns:
            return self._scribe.now_ns - ended_ns
        return self._scribe.now_ns - self.opened_ns + max(0, self.closed_ns - ended_ns)

    def asset(self, symbol: str) -> Asset:
        """What the broker says of a symbol."""
        return self._instruments[symbol].asset

    def has_working(self, strategy_id: str, symbol: str) -> bool:
        """Whether an order of the book is, or may be, alive."""
        return bool(self.orders.open) and self.orders.working(strategy_id, symbol) is not None

    def has_opposite(self, strategy_id: str, symbol: str, side: Side) -> bool:
        """Whether another strategy works the other side of the symbol."""
        return bool(self.orders.open) and self.orders.has_opposite(strategy_id, symbol, side)

    def orders_since(self, since_ns: int) -> int:
        """How many orders were sent after that time."""
        count = 0
        for sent_ns, _ in reversed(self.sent):
            if sent_ns <= since_ns:
                break
            count += 1
        return count

    def last_like(self, draft: OrderDraft, since_ns: int) -> int | None:
        """When the same order was sent after that time, if it was."""
        for sent_ns, other in reversed(self.sent):
            if sent_ns <= since_ns:
                break
            if other == sent_key(draft):
                return sent_ns
        return None

    def note_sent(self, draft: OrderDraft, purpose: Purpose) -> None:
        """Count an order towards rate and duplicate rules; a stop makes no exit of the same amount a repetition."""
        self.orders_this_session += 1
        key = sent_key(draft)
        if purpose is Purpose.PROTECT:
            key = (key[0], key[1], purpose.value, key[3])
        self.sent.append((self._scribe.now_ns, key))


def sent_key(draft: OrderDraft) -> SentKey:
    """What makes two orders the same."""
    amount = draft.quantity if draft.notional is None else draft.notional
    return draft.strategy_id, draft.symbol, draft.side.value, str(amount)


class LaneView:
    """What a strategy is shown: one object a lane, its properties computed when read."""

    __slots__ = ("_facts", "_lane", "_length_ns")

    def __init__(self, facts: DeskFacts, lane: Lane, length_ns: int) -> None:
        self._facts = facts
        self._lane = lane
        self._length_ns = length_ns

    @property
    def now_ns(self) -> int:
        """Engine time: when the bar in hand could be known."""
        return max(self._facts.now_ns, self._lane.instrument.start_ns + self._length_ns)

    @property
    def book(self) -> BookView:
        """The strategy's book in the symbol of the bar in hand."""
        return self._lane.book

    def book_of(self, symbol: str) -> BookView:
        """The strategy's book in any of its symbols."""
        return self._facts._ledger.book(self._lane.slot.strategy_id, symbol)  # noqa: SLF001  a view is part of it

    @property
    def working(self) -> Sequence[OrderRef]:
        """The strategy's own orders that are not terminal; stops, which are the desk's, are not among them."""
        own = self._lane.slot.strategy_id
        return tuple(
            order.ref
            for order in self._facts.orders.open_orders()
            if order.approved.strategy_id == own and order.purpose is not Purpose.PROTECT
        )

    @property
    def equity(self) -> Decimal:
        """The account's equity at the last closes, USD."""
        return self._facts.equity


class EntryView:
    """What a sizer is shown of one entry."""

    __slots__ = ("_facts", "_settings", "_symbol", "price")

    def __init__(self, facts: DeskFacts, settings: EngineSettings, symbol: str, price: Decimal) -> None:
        self._facts = facts
        self._settings = settings
        self._symbol = symbol
        #: Close of the signal's bar.
        self.price = price

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their last closes."""
        return self._facts.equity

    @property
    def cash_free(self) -> Decimal:
        """Cash less what open buys may still cost, and less the reserve."""
        return subtract(self._facts.cash_free, self._settings.gate.cash_reserve_usd)

    @property
    def value_held(self) -> Decimal:
        """What the account holds of the symbol, pending entries included."""
        return self._facts.value_held(self._symbol)

    @property
    def position_limit_pct(self) -> Decimal:
        """`risk.max_position_size_pct`."""
        return self._settings.position_limit_pct

    @property
    def risk_per_trade_pct(self) -> Decimal:
        """`risk.risk_per_trade_pct`."""
        return self._settings.risk_per_trade_pct

    @property
    def order_value_limit(self) -> Decimal | None:
        """`risk.max_order_value_usd`, if there is one."""
        return self._settings.order_value_limit

    @property
    def asset(self) -> Asset:
        """What the broker says of the symbol."""
        return self._facts.asset(self._symbol)
