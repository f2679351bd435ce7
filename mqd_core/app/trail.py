"""What one run decided and what came of it, in the order of time: the half of a comparison that one journal gives.

A decision is a signal with its size and verdict, placed at the end of the bar that it was made on; its fills and the
round trip that it opened belong to it. May not judge anything, and may not look at another run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias

from mqd_core.app.notation import decimal_text
from mqd_core.app.trades import RoundTrips, Trade
from mqd_core.domain.events import Fill, RunStarted
from mqd_core.domain.journal import Body, Segment, decode_body
from mqd_core.domain.market import MINUTE_NS, Bar
from mqd_core.domain.money import ZERO, add, average_price, multiply
from mqd_core.domain.records import Approved, BookMoved, Denied, Record, SignalMade
from mqd_core.ports import JournalRow

APPROVED: Final = "approved"
#: Strategy, symbol, minute (UTC nanoseconds), and which of that minute's decisions.
Key: TypeAlias = tuple[str, str, int, int]


@dataclass(slots=True)
class Filled:
    """All executions of one order: shares, what they were worth, fees, and when the last one was."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO
    fees: Decimal = ZERO
    last_ns: int = 0

    def take(self, record: BookMoved, ts_ns: int) -> None:
        """Add an execution; a bust takes one away."""
        sign = 1 if record.cause == "fill" else -1
        shares = multiply(record.change.copy_abs(), Decimal(sign))
        self.quantity = add(self.quantity, shares)
        self.value = add(self.value, multiply(shares, record.price))
        self.fees = add(self.fees, record.fee)
        self.last_ns = ts_ns

    @property
    def price(self) -> Decimal:
        """Their average price, to nine decimals."""
        return average_price(self.value, self.quantity)


@dataclass(slots=True)
class Decision:
    """One signal and its verdict: `code` is "approved" or why not, empty where none has come."""

    key: Key
    action: str
    code: str = ""
    text: str = ""
    terms: dict[str, str] = field(default_factory=dict)
    filled: Filled = field(default_factory=Filled)

    @property
    def is_approved(self) -> bool:
        """Whether it became an order."""
        return self.code == APPROVED


class Trail:
    """Folds rows, in order; then `decisions` by key, `trades` by the key of the decision that opened them."""

    def __init__(self, rows: Iterable[JournalRow]) -> None:
        self.starts: list[RunStarted] = []
        self.decisions: dict[Key, Decision] = {}
        self.fills = 0
        #: Each segment once: a process that takes over names its first one again.
        self.segments: list[Segment] = []
        self.bars_by_value = 0
        self.first_ns = self.last_ns = 0
        self.cash = ZERO
        self.open: dict[tuple[str, str], Decimal] = {}
        self._trades: list[Trade] = []
        self._by_correlation: dict[str, Decision] = {}
        self._places: Counter[tuple[str, str, int]] = Counter()
        #: The event in hand, and the end of its bar if it is one.
        self._event: Body | None = None
        self._bar_end: tuple[int, int] = (0, 0)
        trips = RoundTrips(self._trades.append, self._trades.remove)
        for row in rows:
            body = decode_body(row.body)
            trips.take(body)
            self._take(row.sequence, body)

    @property
    def trades(self) -> dict[Key, Trade]:
        """Closed round trips by the decision that opened each."""
        opened = ((self._by_correlation.get(trade.correlation_in), trade) for trade in self._trades)
        return {decision.key: trade for decision, trade in opened if decision is not None}

    @property
    def profit(self) -> Decimal:
        """Of all closed round trips, exact, after fees."""
        total = ZERO
        for trade in self._trades:
            total = add(total, trade.profit)
        return total

    def key_of(self, correlation_id: str) -> Key | None:
        """The decision of that id."""
        decision = self._by_correlation.get(correlation_id)
        return None if decision is None else decision.key

    def _take(self, sequence: int, body: Body) -> None:
        if isinstance(body, Segment):
            if body not in self.segments:
                self.segments.append(body)
            return
        if isinstance(body, Record):
            self._take_record(sequence, body)
            self._see(body.ts)
            return
        self._event = body
        if isinstance(body, Bar):
            self.bars_by_value += 1
            self._bar_end = sequence, body.start_ns + MINUTE_NS
            self._see(body.start_ns + MINUTE_NS)
            return
        self._see(body.ts)
        if isinstance(body, RunStarted):
            self.starts.append(body)

    def _see(self, ts_ns: int) -> None:
        self.first_ns = self.first_ns or ts_ns
        self.last_ns = max(self.last_ns, ts_ns)

    def _take_record(self, sequence: int, record: Record) -> None:
        if isinstance(record, SignalMade):
            self._decision(sequence, record, record.action.value)
        elif isinstance(record, Denied):
            decision = self._by_correlation.get(record.correlation_id)
            decision = decision or self._decision(sequence, record, record.action.value)
            decision.code, decision.text = record.code, record.text
        elif isinstance(record, Approved):
            decision = self._by_correlation.get(record.correlation_id)
            decision = decision or self._decision(sequence, record, record.side.value)
            decision.code, decision.terms = APPROVED, dict(_terms(record))
        elif isinstance(record, BookMoved):
            self._book_moved(record)

    def _decision(self, sequence: int, record: SignalMade | Denied | Approved, action: str) -> Decision:
        """A new decision, at the end of its bar: a live desk's clock is past that when it decides."""
        seen, end = self._bar_end
        minute = end if seen == sequence else record.ts - record.ts % MINUTE_NS
        place = record.strategy_id, record.symbol, minute
        decision = Decision((*place, self._places[place]), action)
        self._places[place] += 1
        self.decisions[decision.key] = self._by_correlation[record.correlation_id] = decision
        return decision

    def _book_moved(self, record: BookMoved) -> None:
        self.cash = record.cash
        if not record.symbol:
            return
        self.open[record.strategy_id, record.symbol] = record.quantity
        decision = self._by_correlation.get(record.correlation_id)
        if decision is not None and record.cause in ("fill", "bust"):
            self.fills += record.cause == "fill"
            decision.filled.take(record, self._event.ts if isinstance(self._event, Fill) else record.ts)


def _terms(record: Approved) -> Iterator[tuple[str, str]]:
    yield "side", record.side.value
    yield "order_type", record.order_type.value
    yield "time_in_force", record.time_in_force.value
    for name in ("quantity", "notional", "limit_price", "stop_price", "reference_price"):
        value: Decimal | None = getattr(record, name)
        if value is not None:
            yield name, decimal_text(value)
