"""Who reads along: everything that a desk has committed, over all its processes, folded into what must agree.

It knows the journal's words and nothing of how they came about. May not ask the desk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from mqd_core.domain.events import RunStarted
from mqd_core.domain.identity import is_own
from mqd_core.domain.journal import Entry
from mqd_core.domain.money import ZERO
from mqd_core.domain.records import Alert, Approved, BookMoved, DeskMoved, DeskState, OrderMoved


class Violation(BaseException):
    """An invariant does not hold. No boundary of the desk may catch it."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant


#: Causes of moves that change shares against cash, at a price.
TRADES = frozenset({"fill", "bust", "external", "external:bust"})
CORRECTED = "fill_corrected"


class Booked(msgspec.Struct, frozen=True):
    """One execution as the desk has booked it."""

    cumulative: Decimal
    quantity: Decimal
    price: Decimal
    fee: Decimal


class Witness:
    """The fold. `take` raises Violation for what no journal may say."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.place = (0, 0)
        self.approved: dict[str, Approved] = {}
        self.lives: dict[str, str] = {}
        self.booked: dict[str, list[Booked]] = {}
        self.positions: dict[str, Decimal] = {}
        self.cash: Decimal | None = None
        self.desk_state = DeskState.STARTING
        self.desk_code = ""
        self.codes: Counter[str] = Counter()
        self.now_ns = 0
        self.starts = 0
        self.alerts: Counter[str] = Counter()
        #: Orders of which an execution was worked out, since the broker counted it and did not tell it.
        self.gaps: set[str] = set()
        #: Orders, by correlation, whose worked out executions were corrected when the true ones came.
        self.corrected: set[str] = set()
        self._filling: OrderMoved | None = None

    def take(self, entries: Sequence[Entry]) -> None:
        """Fold what was committed."""
        for entry in entries:
            self._place(entry)
            body: Any = entry.body
            if isinstance(body, Approved):
                self.approved[body.client_order_id] = body
            elif isinstance(body, OrderMoved):
                self._order_moved(body)
            elif isinstance(body, BookMoved):
                self._book_moved(body)
            elif isinstance(body, DeskMoved):
                self.desk_state, self.desk_code = body.after, body.code
                self.codes[f"{body.after.value}:{body.code}"] += 1
            elif isinstance(body, RunStarted):
                self.starts += 1
            elif isinstance(body, Alert):
                self.alerts[body.code] += 1
                if body.code == "execution_worked_out":
                    self.gaps.add(body.subject)
        self.entries += entries

    def _place(self, entry: Entry) -> None:
        place = (entry.sequence, entry.ordinal)
        if place <= self.place:
            raise Violation("I11", f"entry {place} was committed behind {self.place}")
        self.place = place
        if entry.ordinal:
            now_ns = entry.body.ts  # type: ignore[union-attr]  # every record has its time
            if now_ns < self.now_ns:
                raise Violation("I9", f"engine time went back from {self.now_ns} to {now_ns} at {place}")
            self.now_ns = now_ns

    def _order_moved(self, moved: OrderMoved) -> None:
        key = moved.client_order_id
        approved = self.approved.get(key)
        if approved is None:
            raise Violation("I1", f"order {key} moved, and no intent of it is in the journal")
        if moved.cumulative < ZERO or (approved.quantity is not None and moved.cumulative > approved.quantity):
            raise Violation("I27", f"order {key} of {approved.quantity} has filled {moved.cumulative}")
        self.lives[key] = moved.after
        self._filling = moved if moved.code == "fill" else None

    def _book_moved(self, moved: BookMoved) -> None:
        if moved.cause == "opening":
            self.cash = moved.cash
            return
        cash = self.cash or ZERO
        if moved.cause in TRADES:
            cash -= moved.change * moved.price + moved.fee
        elif not moved.symbol:
            cash += moved.change
        elif moved.cause == CORRECTED:
            # By how much, only the cash says: what was worked out of an average, less what it really was.
            cash = moved.cash
            self.corrected.add(moved.correlation_id)
        if moved.symbol:
            self.positions[moved.symbol] = self.positions.get(moved.symbol, ZERO) + moved.change
        if cash != moved.cash:
            raise Violation("I3", f"cash moved from {self.cash} to {moved.cash} by {moved}; it adds up to {cash}")
        self.cash = cash
        if moved.cause == "fill":
            self._note_fill(moved)

    def _note_fill(self, moved: BookMoved) -> None:
        order, self._filling = self._filling, None
        if order is None or (order.sequence, order.symbol) != (moved.sequence, moved.symbol):
            raise Violation("I3", f"a book moved by a fill of no order: {moved}")
        known = self.booked.setdefault(order.client_order_id, [])
        before = known[-1].cumulative if known else ZERO
        quantity = abs(moved.change)
        if order.cumulative != before + quantity:
            raise Violation(
                "I2", f"order {order.client_order_id} went from {before} to {order.cumulative} by {quantity}"
            )
        known.append(Booked(order.cumulative, quantity, moved.price, moved.fee))


def own_letters(approved: dict[str, Approved]) -> str:
    """The desk's letters in its orders' ids; "" where it has none yet."""
    return next((key.split("-")[1] for key in approved), "")


__all__ = ["Booked", "Violation", "Witness", "is_own", "own_letters"]
