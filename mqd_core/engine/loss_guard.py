"""Watches equity on the bar loop with floats, and asks the exact limits only where a level may have been crossed.

The floats are a prefilter: they may skip only what is farther than one part in 10^9 from a level (a float carries
nearly 16 digits; a sum of a few products is good to 15). A new peak that is clear by that margin is remembered by its
closes and made exact later, before anything it was made of changes. May not decide that a limit fired.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from mqd_core.domain.ledger import Ledger
from mqd_core.domain.money import ZERO, add, money, multiply
from mqd_core.engine.instruments import Instrument
from mqd_core.risk.limits import PersistentLimitTracker

_INFINITY: Final = float("inf")
_MARGIN: Final = 1e-9


class LossGuard:
    """`floor` and `ceiling`: equity at or outside of them has to be looked at."""

    __slots__ = ("_breaker", "_exact_cash", "_fixed", "_peak_closes", "cash", "ceiling", "floor", "held", "is_due")

    def __init__(self, breaker_pct: Decimal | None) -> None:
        #: What is left of the peak when the breaker trips; None without one.
        self._breaker = None if breaker_pct is None else 1.0 - float(breaker_pct) / 100.0
        self._fixed = -_INFINITY
        self._exact_cash = ZERO
        self._peak_closes: tuple[float, ...] | None = None
        self.cash = 0.0
        self.floor = -_INFINITY
        self.ceiling = _INFINITY
        #: Instruments that the account holds.
        self.held: tuple[Instrument, ...] = ()
        #: Something other than a price has moved: the next bar's close has to be judged whatever it is.
        self.is_due = True

    def arm(self, limits: PersistentLimitTracker) -> None:
        """Take the levels anew."""
        level = limits.fixed_level()
        self._fixed = -_INFINITY if level is None else _above(float(level))
        self._follow(float(limits.peak), is_tripped=bool(limits.lift_ns))
        self.is_due = False

    def hold(self, ledger: Ledger, instruments: Iterable[Instrument]) -> None:
        """Take cash and holdings anew, after a fill; a peak has to be settled before."""
        self._exact_cash = ledger.cash
        self.cash = float(ledger.cash)
        self.held = tuple(instrument for instrument in instruments if instrument.held)
        # The levels are of equity: a fill does not move them. But what it realized or cost is looked at with the very
        # next bar, which may be of a symbol that is not held.
        equity = self.cash
        for instrument in self.held:
            equity += instrument.held * instrument.close
        if not self.floor < equity < self.ceiling:
            self.is_due = True

    def is_new_peak(self, equity: float) -> bool:
        """Remember a clear new peak and say so; False when an exact look is needed."""
        if equity < self.ceiling * (1.0 + 2 * _MARGIN):
            return False
        self._peak_closes = tuple(instrument.close for instrument in self.held)
        self._follow(equity, is_tripped=False)
        return True

    def settle_peak(self, limits: PersistentLimitTracker) -> None:
        """Make a remembered peak exact."""
        if self._peak_closes is None:
            return
        peak = self._exact_cash
        for instrument, close in zip(self.held, self._peak_closes, strict=True):
            peak = add(peak, multiply(instrument.quantity, money(close)))
        self._peak_closes = None
        limits.note_peak(peak)

    def _follow(self, peak: float, *, is_tripped: bool) -> None:
        if self._breaker is None or is_tripped:
            # Nothing follows the peak: it is taken anew when a breaker's halt has passed.
            self.floor, self.ceiling = self._fixed, _INFINITY
        else:
            self.floor = max(self._fixed, _above(peak * self._breaker))
            self.ceiling = peak * (1.0 - _MARGIN)


def _above(level: float) -> float:
    """A little above a level, on whichever side of zero it is."""
    return level + abs(level) * _MARGIN
