"""Round trips of a book, and what else a run's result counts, as folds over its journal.

Exact; may not decide anything, and may not measure what the journal does not hold.

A round trip begins when a strategy's book in one symbol leaves zero and ends when it is back there. Its profit is what
its fills brought in less what they cost less their fees, to the last digit: no average price takes part in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

from mqd_core.app.recall import SignalRecall
from mqd_core.domain.events import PluginFailed, RunStarted
from mqd_core.domain.journal import Body, Entry
from mqd_core.domain.money import HUNDRED, ZERO, add, average_price, multiply, ratio, subtract
from mqd_core.domain.records import (
    Alert,
    Approved,
    BookMoved,
    Denied,
    DeskMoved,
    DeskState,
    OrderMoved,
    PluginMoved,
    SignalMade,
)
from mqd_core.domain.signals import Reason
from mqd_core.logging import scrub

_FAULTY: Final = frozenset({"quarantined", "failed"})
_BookKey: TypeAlias = tuple[str, str]


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One closed round trip. Times in UTC nanoseconds, prices in USD a share, other money in USD.

    `quantity` is all that was entered, in shares, however many fills it took; the prices are averages over them, half
    to even at nine decimals. `profit` is exact and after fees; `profit_pct` is per cent of what the entry was worth.
    Reasons are those of the signals that opened and closed it; empty where an order had none.
    """

    strategy_id: str
    symbol: str
    side: Literal["long", "short"]
    opened_ns: int
    closed_ns: int
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    profit: Decimal
    profit_pct: Decimal
    fees: Decimal
    reason_in: Reason
    reason_out: Reason
    correlation_in: str
    correlation_out: str

    @property
    def seconds_held(self) -> float:
        """From the first fill to the last."""
        return (self.closed_ns - self.opened_ns) / 1e9


#: Causes of a BookMoved that is an execution of the desk's own order.
_TRADES: Final = frozenset({"fill", "bust"})


class _Trip:
    """A round trip under way."""

    __slots__ = ("correlations", "entered", "entry_value", "exit_value", "exited", "fees", "is_long", "opened_ns",
                 "reason_in")  # fmt: skip

    def __init__(self, opened_ns: int, reason_in: Reason, *, is_long: bool) -> None:
        self.is_long = is_long
        self.opened_ns = opened_ns
        self.reason_in = reason_in
        #: Of every order that had a part in it, oldest first.
        self.correlations: list[str] = []
        #: Shares, and what they cost or brought, of both directions; all positive.
        self.entered = self.exited = self.entry_value = self.exit_value = self.fees = ZERO

    def take(self, record: BookMoved, change: Decimal, fee: Decimal) -> None:
        """Apply the part of a record that belongs to this trip: shares added, negative when taken away."""
        size = change.copy_abs()
        amount = multiply(record.price, size)
        self.fees = add(self.fees, fee)
        is_entry = (change > ZERO) is self.is_long
        if record.cause == "bust" and record.correlation_id in self.correlations:
            # A bust comes as a fill of the other side: what it takes away was never entered, or never left.
            is_entry, size, amount = not is_entry, size.copy_negate(), amount.copy_negate()
        elif record.correlation_id not in self.correlations:
            self.correlations.append(record.correlation_id)
        if is_entry:
            self.entered, self.entry_value = add(self.entered, size), add(self.entry_value, amount)
        else:
            self.exited, self.exit_value = add(self.exited, size), add(self.exit_value, amount)

    def trade(self, record: BookMoved, reason_out: Reason) -> Trade:
        """The trip as it ended with that record."""
        gain = subtract(self.exit_value, self.entry_value)
        profit = subtract(gain if self.is_long else gain.copy_negate(), self.fees)
        return Trade(
            strategy_id=record.strategy_id,
            symbol=record.symbol,
            side="long" if self.is_long else "short",
            opened_ns=self.opened_ns,
            closed_ns=record.ts,
            quantity=self.entered,
            entry_price=average_price(self.entry_value, self.entered),
            exit_price=average_price(self.exit_value, self.exited),
            profit=profit,
            profit_pct=ratio(multiply(profit, HUNDRED), self.entry_value),
            fees=self.fees,
            reason_in=self.reason_in,
            reason_out=reason_out,
            correlation_in=self.correlations[0],
            correlation_out=record.correlation_id,
        )


class RoundTrips:
    """Finds round trips in a journal, entry by entry, in order.

    A trip that began before the first entry taken is not whole and is not told of. A bust of one of its fills opens a
    closed trip again: `on_reopened` takes back the trade that `on_closed` was given.
    """

    def __init__(self, on_closed: Callable[[Trade], None], on_reopened: Callable[[Trade], None]) -> None:
        self._on_closed = on_closed
        self._on_reopened = on_reopened
        self._signals = SignalRecall()
        self._open: dict[_BookKey, _Trip] = {}
        #: The last closed trip of each book: only that one can still be busted without another in between.
        self._closed: dict[_BookKey, tuple[_Trip, Trade]] = {}

    def take(self, body: Body) -> None:
        """Take the next entry's body."""
        if isinstance(body, BookMoved):
            # What corporate actions, adjustments and others' trades move is no trade of a strategy.
            if body.symbol and body.cause in _TRADES:
                self._book_moved(body)
        else:
            self._signals.take(body)

    def signal(self, correlation_id: str) -> SignalMade | None:
        """The signal of that id, if it is still known."""
        return self._signals.get(correlation_id)

    def _book_moved(self, record: BookMoved) -> None:
        key, after = (record.strategy_id, record.symbol), record.quantity
        before = subtract(after, record.change)
        change, fee = record.change, record.fee
        crosses = bool(before and after) and (before > ZERO) is not (after > ZERO)
        trip = self._open.get(key)
        if before:
            if trip is not None:
                trip.take(record, before.copy_negate() if crosses else change, fee)
                if crosses or not after:
                    self._close(key, trip, record)
            if not crosses:
                return
            # What goes through zero ends one trip and begins the next; its fee is counted once.
            change, fee = after, ZERO
        if after:
            trip = self._reopened(key, record) or _Trip(record.ts, self._reason(record), is_long=after > ZERO)
            trip.take(record, change, fee)
            self._open[key] = trip

    def _close(self, key: _BookKey, trip: _Trip, record: BookMoved) -> None:
        del self._open[key]
        if trip.entered:
            trade = trip.trade(record, self._reason(record))
            self._closed[key] = trip, trade
            self._on_closed(trade)

    def _reopened(self, key: _BookKey, record: BookMoved) -> _Trip | None:
        closed = self._closed.get(key)
        if closed is None or record.cause != "bust" or record.correlation_id not in closed[0].correlations:
            return None
        del self._closed[key]
        self._on_reopened(closed[1])
        return closed[0]

    def _reason(self, record: BookMoved) -> Reason:
        signal = self._signals.get(record.correlation_id)
        return () if signal is None else signal.reason


class TradeWalk:
    """What a result counts: entries of one book, in order, from its beginning.

    `denied` and `alerts` count by code. Plugin faults are those since the last start: a start tries everything again.
    """

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.signals = 0
        self.orders = 0
        self.fills = 0
        self.rejected = 0
        self.denied: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        #: All fees, in USD, those of the account included.
        self.fees = ZERO
        #: Why the desk was last frozen or halted; empty where it is not.
        self.desk_reason = ""
        #: The first text of each kind of fault (plugin, type of error, place), and how often it happened.
        self._fault_texts: dict[tuple[str, str, str], str] = {}
        self._faults: Counter[tuple[str, str, str]] = Counter()
        self._trips = RoundTrips(self.trades.append, self.trades.remove)

    @property
    def plugin_faults(self) -> int:
        """How often a plugin failed or was taken out of service."""
        return sum(self._faults.values())

    @property
    def fault_texts(self) -> list[str]:
        """A sentence for each fault: the plugin, the error and its place, and how often where it was not once."""
        texts = self._fault_texts
        return [texts[kind] if times == 1 else f"{texts[kind]} ({times} times)" for kind, times in self._faults.items()]

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        body = entry.body
        self._trips.take(body)
        if isinstance(body, SignalMade):
            self.signals += 1
        elif isinstance(body, Approved):
            self.orders += 1
        elif isinstance(body, Denied):
            self.denied[body.code] += 1
        elif isinstance(body, OrderMoved):
            self.rejected += body.after == "rejected" != body.before
        elif isinstance(body, BookMoved):
            self.fees = add(self.fees, body.fee)
            self.fills += body.cause == "fill"
        else:
            self._take_other(body)

    def _take_other(self, body: Body) -> None:
        if isinstance(body, Alert):
            self.alerts[body.code] += 1
        elif isinstance(body, DeskMoved):
            careful = body.after in (DeskState.FROZEN, DeskState.HALTED)
            self.desk_reason = (body.text or body.code) if careful else ""
        elif isinstance(body, PluginFailed) or (isinstance(body, PluginMoved) and body.state in _FAULTY):
            kind = body.plugin, body.error_type, body.place
            self._fault_texts.setdefault(
                kind, scrub(f"{kind[0]} raised {kind[1]}{kind[2] and f' at {kind[2]}'}: {body.text}")
            )
            self._faults[kind] += 1
        elif isinstance(body, RunStarted):
            self._faults.clear()
            self._fault_texts.clear()
