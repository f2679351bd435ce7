"""Holds the books against the broker's account, and says what each difference means.

A difference is believed only when several readings over some seconds agree on it: until then its symbol is frozen and
nothing else happens, since no broker is consistent with itself at once. Positions have no tolerance at all; cash has
that of rounding, and a window for fees that are booked overnight. What stays unexplained halts the desk, and only a
person who accepts it changes a book: nothing here ever invents a trade.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.domain.ledger import Ledger
from mqd_core.domain.money import ZERO, add, multiply, percent_of, subtract
from mqd_core.domain.records import DifferenceMoved
from mqd_core.engine.account_books import AccountBooks
from mqd_core.engine.freezes import EXTERNAL, POSITION_DIFFERS, SymbolFreezes
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import ReconcileSettings

#: How the difference in cash is called among those of symbols.
CASH: Final = ""


class Difference(msgspec.Struct, frozen=True):
    """Broker less books, as last read; since when, in how many readings, and what it has led to ("" for nothing)."""

    amount: Decimal
    since_ns: int
    passes: int
    verdict: str = ""


class ComparisonState(msgspec.Struct, frozen=True):
    """All that a comparison remembers, as plain values."""

    pending: tuple[tuple[str, Difference], ...] = ()
    rounding: Decimal = ZERO
    fills: int = 0


class BooksComparison:
    """Differences between the two, from the first reading to the verdict."""

    def __init__(
        self,
        scribe: Scribe,
        ledger: Ledger,
        books: AccountBooks,
        freezes: SymbolFreezes,
        settings: ReconcileSettings,
        on_doubt: Callable[[str, str, bool], None],
        equity: Callable[[], Decimal],
        next_open_ns: Callable[[int], int | None],
    ) -> None:
        self._scribe = scribe
        self._ledger = ledger
        self._books = books
        self._freezes = freezes
        self._settings = settings
        self._on_doubt = on_doubt  # takes (code, text, halts)
        self._equity = equity
        self._next_open_ns = next_open_ns  # the first session's open after a time
        self._pending: dict[str, Difference] = {}
        #: By how much the broker's cash was off when it last agreed: what rounding has added up to.
        self._rounding = ZERO
        #: Fills since then.
        self.fills = 0

    @property
    def is_open(self) -> bool:
        """Whether a difference has to be read again before anything is made of it."""
        return any(not difference.verdict for difference in self._pending.values())

    def compare(self, theirs: Mapping[str, Decimal], cash: Decimal, skipped: frozenset[str]) -> None:
        """Take one consistent reading; `skipped` are symbols in which something is on its way."""
        ours = self._ledger.holdings
        for symbol in sorted({*ours, *theirs, *self._pending} - skipped - {CASH}):
            self._compare_position(symbol, ours.get(symbol, ZERO), theirs.get(symbol, ZERO))
        if not skipped and not self._pending.keys() - {CASH}:
            # The cash of a missing trade is missing too: positions come first.
            self._compare_cash(cash)

    def accept(self, reason: str) -> str:
        """Make the books say what the broker says, as a person has decided; returns what was changed, "" for nothing.

        Only differences as they were read last are adjusted; what others have traded is accepted besides.
        """
        changes = []
        for symbol, difference in [*self._pending.items()]:
            agreed = add(self._ours(symbol), difference.amount)
            if symbol == CASH:
                self._books.adjust_cash(difference.amount, f"adjust:{reason}")
                changes.append(f"cash by {plain(difference.amount)}")
                self._rounding, self.fills = ZERO, 0
            else:
                self._books.adjust_shares(symbol, difference.amount, f"adjust:{reason}")
                changes.append(f"{symbol} by {plain(difference.amount)}")
                self._freezes.free(symbol, POSITION_DIFFERS, reason)
            self._tell(symbol, "accepted", agreed, agreed)
        self._pending.clear()
        for symbol in self._freezes.with_code(EXTERNAL):
            self._freezes.free(symbol, EXTERNAL, reason)
            changes.append(f"{symbol} is traded again")
        return ", ".join(changes)

    def state(self) -> ComparisonState:
        """Everything as plain values."""
        return ComparisonState(tuple(self._pending.items()), self._rounding, self.fills)

    def restore(self, state: ComparisonState) -> None:
        """Become what `state` was taken of."""
        self._pending = dict(state.pending)
        self._rounding, self.fills = state.rounding, state.fills

    def _compare_position(self, symbol: str, ours: Decimal, theirs: Decimal) -> None:
        amount = subtract(theirs, ours)
        if not amount:
            if self._pending.pop(symbol, None) is not None:
                self._tell(symbol, "agreed", ours, theirs)
                self._freezes.free(symbol, POSITION_DIFFERS, "books and broker agree again")
            return
        text = f"{symbol}: books {plain(ours)}, broker {plain(theirs)}"
        difference = self._read(symbol, ours, theirs)
        self._freezes.freeze(symbol, POSITION_DIFFERS, text)
        if theirs < ZERO:
            # The desk never sells what it does not hold: this cannot be a trade that is on its way.
            self._decide(symbol, difference, "position_sign", f"the account is short, which no order explains. {text}")
        elif self._is_believed(difference):
            self._decide(symbol, difference, "position_unexplained", f"no trade explains a position. {text}")

    def _compare_cash(self, theirs: Decimal) -> None:
        settings, ours = self._settings, self._ledger.cash
        amount = subtract(theirs, ours)
        tolerance = multiply(settings.cash_step_usd, Decimal(self.fills + 1))
        off = subtract(amount, self._rounding).copy_abs()
        if off <= tolerance and amount.copy_abs() <= max(settings.fee_window_usd, tolerance):
            if self._pending.pop(CASH, None) is not None:
                self._tell(CASH, "agreed", ours, theirs)
            self._rounding, self.fills = amount, 0
            return
        difference = self._read(CASH, ours, theirs)
        if not self._is_believed(difference):
            return
        text = f"cash: books {plain(ours)}, broker {plain(theirs)}"
        if off > max(settings.cash_halt_usd, percent_of(self._equity(), settings.cash_halt_pct)):
            self._decide(CASH, difference, "cash_unexplained", text)
        elif off > settings.fee_window_usd:
            self._decide(CASH, difference, "cash_differs", text, halts=False)
        else:
            morning_ns = self._next_open_ns(difference.since_ns)
            if morning_ns is not None and self._scribe.now_ns >= morning_ns:
                self._decide(CASH, difference, "cash_differs", text, halts=False)
            elif not difference.verdict:
                self._judge(CASH, difference, "awaits_fees")

    def _read(self, symbol: str, ours: Decimal, theirs: Decimal) -> Difference:
        amount, before = subtract(theirs, ours), self._pending.get(symbol)
        first = before or Difference(amount, self._scribe.now_ns, 0)
        difference = msgspec.structs.replace(first, amount=amount, passes=first.passes + 1)
        self._pending[symbol] = difference
        if before is None or before.amount != amount:
            self._tell(symbol, difference.verdict or "read", ours, theirs)
        return difference

    def _is_believed(self, difference: Difference) -> bool:
        settings = self._settings
        waited_ns = self._scribe.now_ns - difference.since_ns
        return difference.passes >= settings.passes_min and waited_ns >= settings.passes_ns

    def _decide(self, symbol: str, difference: Difference, verdict: str, text: str, *, halts: bool = True) -> None:
        if difference.verdict != verdict:
            self._judge(symbol, difference, verdict)
            remedy = "look into it, then `mqd reconcile --accept` takes the broker's word"
            self._on_doubt(verdict, f"{text}; {remedy}", halts)

    def _judge(self, symbol: str, difference: Difference, verdict: str) -> None:
        self._pending[symbol] = msgspec.structs.replace(difference, verdict=verdict)
        ours = self._ours(symbol)
        self._tell(symbol, verdict, ours, add(ours, difference.amount))

    def _ours(self, symbol: str) -> Decimal:
        return self._ledger.cash if symbol == CASH else self._ledger.holdings.get(symbol, ZERO)

    def _tell(self, symbol: str, state: str, ours: Decimal, theirs: Decimal) -> None:
        stamp = self._scribe.stamp()
        self._scribe.records.append(DifferenceMoved(*stamp, symbol=symbol, state=state, books=ours, broker=theirs))


def plain(value: Decimal) -> str:
    """A number as people write it: no exponent, no zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
