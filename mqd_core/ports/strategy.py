"""Ports of a strategy and a sizer, and the read-only views they are shown; a risk rule's is in `risk.rules`.

A view is one object per strategy instance; its properties are computed when read and are valid during the call.
May not hold behaviour; nothing here leads to a broker, a secret or a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from mqd_core.domain.events import Fill
from mqd_core.domain.ledger import BookView
from mqd_core.domain.market import Asset, Bar
from mqd_core.domain.orders import OrderRef
from mqd_core.domain.signals import Signal, Size
from mqd_core.risk.facts import AccountView, Denial, RiskRule

__all__ = ["AccountView", "BookView", "Denial", "RiskRule", "Sizer", "SizingView", "Strategy", "StrategyView"]


class StrategyView(Protocol):
    """What a strategy may see."""

    @property
    def now_ns(self) -> int:
        """Engine time: when the bar in hand could be known."""
        ...

    @property
    def book(self) -> BookView:
        """The strategy's book in the symbol of the bar in hand."""
        ...

    def book_of(self, symbol: str) -> BookView:
        """The strategy's book in any of its symbols."""
        ...

    @property
    def working(self) -> Sequence[OrderRef]:
        """The strategy's own orders that are not terminal; the desk's protective stops are not among them."""
        ...

    @property
    def equity(self) -> Decimal:
        """The account's equity at the last closes, USD."""
        ...


class SizingView(Protocol):
    """What a sizer may see: exact numbers at the close of the signal's bar, all USD but `asset`."""

    @property
    def price(self) -> Decimal:
        """Close of the signal's bar."""
        ...

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their last closes."""
        ...

    @property
    def cash_free(self) -> Decimal:
        """Cash less what open buy orders may still cost."""
        ...

    @property
    def value_held(self) -> Decimal:
        """What the account holds of the symbol, pending entries included."""
        ...

    @property
    def position_limit_pct(self) -> Decimal:
        """`risk.max_position_size_pct`."""
        ...

    @property
    def risk_per_trade_pct(self) -> Decimal:
        """`risk.risk_per_trade_pct`."""
        ...

    @property
    def order_value_limit(self) -> Decimal | None:
        """`risk.max_order_value_usd`, if there is one."""
        ...

    @property
    def asset(self) -> Asset:
        """What the broker says of the symbol."""
        ...


class Strategy(Protocol):
    """One object per `strategies:` entry and symbol, or one per entry if its record says scope="portfolio"."""

    def on_bar(self, bar: Bar, view: StrategyView) -> Sequence[Signal]:
        """Look at a bar; () for nothing to do. No I/O, no clock, no random."""
        ...

    def on_fill(self, fill: Fill, view: StrategyView) -> None:
        """Learn of an execution of an own order; the view already shows the book after it."""
        ...


class Sizer(Protocol):
    """Turns an entry into a quantity or a notional; an exit is always the whole book and is never sized."""

    def size(self, signal: Signal, view: SizingView) -> Size:
        """Say how much, or nothing, and why."""
        ...
