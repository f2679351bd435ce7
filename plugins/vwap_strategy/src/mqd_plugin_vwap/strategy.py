"""Mean reversion to the rolling VWAP: enter well below it, exit at a profit or a stop.

The rules, on the close of each bar:

- flat, window full, close < VWAP * (1 - entry_threshold): enter long;
- in a position, close >= entry price * (1 + take_profit_pct): exit;
- in a position, close <= entry price * (1 - stop_loss_pct): exit, whether or not the window is full.

VWAP = sum of typical price * volume over sum of volume of the last `vwap_window` bars, typical = (high + low + close)
/ 3. A window without volume has none. The entry price is the book's average price.

Decisions are those of exact arithmetic on the decimals that the bars' floats print as. Floats only skip what is
clearly on one side of a level; whatever is nearer than 1e-9 of it, relative, is asked again in exact numbers. So a
decision depends on the last `vwap_window` bars and the book, and on nothing that was before. This holds for bars that
keep the market data contract (low <= open, close <= high; prices and volumes within 1e-100 and 1e100, or volume 0).

May do no I/O and keep no price of its own: what was paid stands in the book.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from mqd_core.api import EXACT, ZERO, Bar, Signal, SignalAction, money
from mqd_plugin_vwap.window import WindowSums, is_below_vwap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqd_core.api import BookView, Fill, StrategyContext, StrategyView
    from mqd_plugin_vwap.plugin import VWAPSettings

#: Half the width, relative, of the zone around a level in which floats do not decide: twice the 1e-9 that is promised,
#: since a float sum of 10,000 bars may itself be off by 1e-12.
_ZONE: Final = 2e-9
_NOTHING: Final = ()
_ONE: Final = Decimal(1)


class VWAPMeanReversionStrategy:
    """The rules for one symbol. A bar that decides nothing costs one store and a few comparisons."""

    __slots__ = (
        "_bars",
        "_book",
        "_ceiling",
        "_full",
        "_holding",
        "_kept",
        "_kept_above",
        "_kept_third",
        "_place",
        "_quiet_above",
        "_quiet_below",
        "_settings",
        "_stop_price",
        "_sums",
        "_take_price",
    )

    def __init__(self, settings: VWAPSettings, context: StrategyContext) -> None:
        self._settings = settings
        # The last bars, newest first, in a ring that is written downwards; at first bars without price and volume.
        self._bars = [Bar("", 0, 0.0, 0.0, 0.0, 0.0, 0.0)] * settings.vwap_window
        self._place = settings.vwap_window - 1
        self._full = False
        self._sums = WindowSums()
        # The VWAP of the window is not above this, but for rounding.
        self._ceiling = 0.0
        self._kept = EXACT.subtract(_ONE, settings.entry_threshold)
        self._kept_third = float(self._kept) / 3.0
        self._kept_above = float(self._kept) * (1.0 + _ZONE)
        self._book: BookView | None = None
        self._holding = False
        self._take_price = self._stop_price = ZERO
        self._quiet_above = self._quiet_below = 0.0

    def on_bar(self, bar: Bar, view: StrategyView) -> Sequence[Signal]:
        """Apply the rules to the close of the bar."""
        place = self._place
        self._bars[place] = bar
        close = bar.close
        if bar.high > self._ceiling:  # noqa: PLR1730 - a call of max() would cost a tenth of this method
            self._ceiling = bar.high
        if place:
            self._place = place - 1
        else:
            self._turn()
        # A book is a new object after every change, so that levels are made once a trade and not once a bar.
        book = view.book
        if book is not self._book:
            self._show(book)
        if self._holding:
            if self._quiet_above < close < self._quiet_below:
                return _NOTHING
            return self._exit(bar)
        # Most bars end here: a close that is not far below the ceiling is not far below the VWAP either.
        if close > self._ceiling * self._kept_above:
            return _NOTHING
        return self._enter(bar)

    def on_fill(self, fill: Fill, view: StrategyView) -> None:
        """Nothing: the book that the next bar shows says all of it."""

    def _turn(self) -> None:
        """Go on at the ring's last place."""
        self._place = len(self._bars) - 1
        self._full = True
        self._sums.forget()

    def _show(self, book: BookView) -> None:
        """Make the two levels of a position from what was paid for it."""
        self._book = book
        self._holding = book.quantity != ZERO
        if self._holding:
            self._take_price = EXACT.multiply(book.average_price, EXACT.add(_ONE, self._settings.take_profit_pct))
            self._stop_price = EXACT.multiply(book.average_price, EXACT.subtract(_ONE, self._settings.stop_loss_pct))
            self._quiet_above = float(self._stop_price) * (1.0 + _ZONE)
            self._quiet_below = float(self._take_price) * (1.0 - _ZONE)

    def _exit(self, bar: Bar) -> Sequence[Signal]:
        close = money(bar.close)
        if close >= self._take_price:
            return self._exit_signal(bar, "take_profit", self._take_price)
        if close <= self._stop_price:
            return self._exit_signal(bar, "stop_loss", self._stop_price)
        return _NOTHING

    def _exit_signal(self, bar: Bar, rule: str, level: Decimal) -> Sequence[Signal]:
        paid = self._book.average_price if self._book is not None else ZERO
        reason = (("close", bar.close), ("entry_price", str(paid)), ("threshold", str(level)), ("rule", rule))
        return (Signal(action=SignalAction.EXIT, symbol=bar.symbol, reason=reason),)

    def _enter(self, bar: Bar) -> Sequence[Signal]:
        if not self._full:
            return _NOTHING
        if not self._sums.is_begun:
            self._begin_sums()
        products, volumes = self._sums.of(self._bars, self._place + 1)
        worth, level = bar.close * volumes, products * self._kept_third
        if worth > level * (1.0 + _ZONE) or not volumes:
            return _NOTHING
        if not worth < level * (1.0 - _ZONE) and not is_below_vwap(bar.close, self._bars, self._kept):
            return _NOTHING
        return self._entry_signal(bar, products / volumes / 3.0)

    def _begin_sums(self) -> None:
        """Add up the window and lower the ceiling to it: at most once in as many bars as the window has."""
        older = self._place + 1
        self._bars = self._bars[older:] + self._bars[:older]
        self._place = len(self._bars) - 1
        self._ceiling = self._sums.begin(self._bars)

    def _entry_signal(self, bar: Bar, vwap: float) -> Sequence[Signal]:
        settings = self._settings
        reason = (
            ("close", bar.close),
            ("vwap", _for_reading(vwap)),
            ("threshold", _for_reading(vwap * float(self._kept))),
            ("rule", "below_vwap"),
        )
        return (
            Signal(
                action=SignalAction.ENTER,
                symbol=bar.symbol,
                stop_loss=settings.stop_loss_pct,
                take_profit=settings.take_profit_pct,
                reason=reason,
            ),
        )


def _for_reading(price: float) -> float:
    """Nine digits: the last ones of a float sum depend on where in the ring the window stands."""
    return float(f"{price:.9g}")
