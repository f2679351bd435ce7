"""What a plugin may and may not do with what it is shown: what must and what must not type-check. Never run.

mypy reports an ignore that is not needed, so each `type: ignore` here proves that the line is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mqd_core.api import (
    AccountView,
    ApprovedOrder,
    Bar,
    BookView,
    Denial,
    Fill,
    OrderDraft,
    RiskRule,
    Signal,
    SignalAction,
    Size,
    Sizer,
    SizingView,
    Strategy,
    StrategyView,
)


class Buyer:
    """A strategy as it should be."""

    def on_bar(self, bar: Bar, view: StrategyView) -> Sequence[Signal]:
        """Buy while nothing is held."""
        if view.book.quantity or view.working:
            return ()
        return [
            Signal(action=SignalAction.ENTER, symbol=bar.symbol, stop_loss=Decimal("0.02"), reason=(("c", bar.close),))
        ]

    def on_fill(self, fill: Fill, view: StrategyView) -> None:
        """Look at what was paid."""


class Bare:
    """A strategy that answers a signal where a sequence belongs."""

    def on_bar(self, bar: Bar, view: StrategyView) -> Signal:
        """Answer without a sequence."""
        return Signal(action=SignalAction.EXIT, symbol=bar.symbol)

    def on_fill(self, fill: Fill, view: StrategyView) -> None:
        """Nothing."""


class Half:
    """A sizer as it should be."""

    def size(self, signal: Signal, view: SizingView) -> Size:
        """Half of what is free."""
        return Size(reason="half", notional=view.cash_free / 2)


class Silent:
    """A sizer that says nothing by None, where a Size says it."""

    def size(self, signal: Signal, view: SizingView) -> Size | None:
        """Say nothing."""
        return None


class Cautious:
    """A risk rule as it should be."""

    def check(self, draft: OrderDraft, view: AccountView) -> Denial | None:
        """Deny after ten round trips."""
        return Denial(code="enough", text="ten are enough") if view.trips > 10 else None


class Approving:
    """A risk rule that wants to approve."""

    def check(self, draft: OrderDraft, view: AccountView) -> bool:
        """Say yes."""
        return True


def fits(buyer: Buyer, half: Half, cautious: Cautious) -> tuple[Strategy, Sizer, RiskRule]:
    """Plugins that keep to their ports fit them."""
    return buyer, half, cautious


def does_not_fit(bare: Bare, silent: Silent, approving: Approving) -> tuple[Strategy, Sizer, RiskRule]:
    """Plugins that answer something else do not."""
    return bare, silent, approving  # type: ignore[return-value]


def changes_what_it_is_shown(bar: Bar, view: StrategyView, book: BookView, fill: Fill) -> None:
    """Nothing that a strategy is shown can be changed."""
    bar.close = 1.0  # type: ignore[misc]
    view.equity = Decimal(1)  # type: ignore[misc]
    book.quantity = Decimal(1)  # type: ignore[misc]
    fill.price = Decimal(1)  # type: ignore[misc]
    view.working.append(None)  # type: ignore[attr-defined]


def reaches_for_the_broker(view: StrategyView, order: ApprovedOrder) -> None:
    """Nothing that a strategy is shown leads to a broker, a clock or a secret."""
    view.broker.submit(order)  # type: ignore[attr-defined]
    view.clock.now()  # type: ignore[attr-defined]


def makes_signals_of_the_wrong_stuff(symbol: str) -> list[Signal]:
    """Actions are words of the desk, levels are decimals, reasons are immutable."""
    return [
        Signal(action="enter", symbol=symbol),  # type: ignore[arg-type]
        Signal(action=SignalAction.ENTER, symbol=symbol, stop_loss=0.02),  # type: ignore[arg-type]
        Signal(action=SignalAction.ENTER, symbol=symbol, reason={"vwap": 1.5}),  # type: ignore[arg-type]
        Signal(SignalAction.ENTER, symbol),  # type: ignore[call-arg]
    ]


def sizes_in_floats() -> list[Size]:
    """Amounts are decimals, and a size always says why."""
    return [
        Size(reason="a float", quantity=0.5),  # type: ignore[arg-type]
        Size(quantity=Decimal(1)),  # type: ignore[call-arg]
    ]
