"""How many shares an entry buys: the least of what the limits allow, rounded down.

Each limit is an amount of money and what one share takes of it; it allows their quotient, floored to nine decimals:

- `risk.max_position_size_pct`: that per cent of equity less what is held of the symbol, at the close;
- `risk.risk_per_trade_pct`: that per cent of equity, at what one share loses from the close to its stop. Only for a
  signal that has a stop;
- `risk.max_order_value_usd`, if there is one, at the close;
- the free cash: at the limit price, or at 3 % above the price of an order that has no limit, since nobody knows what
  such an order will pay.

These are the measures of the risk gate, which has the last word. All numbers are exact decimals. May do no I/O and keep
nothing from one call to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from mqd_core.api import EXACT, ZERO, Signal, Size, SizingView, cents, divide_down, percent_of, whole_down

if TYPE_CHECKING:
    from mqd_core.api import SizerContext
    from mqd_plugin_notional.plugin import NotionalSettings

#: What the gate, too, charges a buy without a limit against the cash.
_CASH_COLLAR: Final = Decimal("1.03")


class _Bound(NamedTuple):
    """One limit: `quantity` = `amount_usd` / `share_usd`, floored to nine decimals."""

    quantity: Decimal
    name: str
    amount_usd: Decimal
    share_usd: Decimal

    def __str__(self) -> str:
        return f"{self.name} allows {self.quantity} (${cents(self.amount_usd)} at ${self.share_usd} a share)"


class NotionalPositionSizer:
    """Sizes an entry by notional value, risk per trade, order value and free cash, whichever allows least."""

    __slots__ = ("_minimum_usd",)

    def __init__(self, settings: NotionalSettings, context: SizerContext) -> None:
        self._minimum_usd = settings.minimum_order_usd

    def size(self, signal: Signal, view: SizingView) -> Size:
        """Return shares, or none when that would be nothing or too little; the reason names the limit."""
        # The first of equal bounds counts, so that the reason is the same every time.
        bound = min(_bounds(signal, view), key=_quantity_of)
        asset = view.asset
        quantity = bound.quantity if asset.fractionable else whole_down(bound.quantity)
        if quantity <= ZERO:
            unit = "" if asset.fractionable else f"; {signal.symbol} trades in whole shares"
            return Size(reason=f"nothing: {bound}{unit}")
        minimum_usd = max(asset.minimum_notional_usd, self._minimum_usd)
        worth_usd = EXACT.multiply(quantity, _lowest_price(signal, view))
        if worth_usd < minimum_usd:
            text = f"nothing: {quantity} shares are worth ${worth_usd}, the minimum is ${minimum_usd}; {bound}"
            return Size(reason=text)
        return Size(quantity=quantity, reason=str(bound))


def _quantity_of(bound: _Bound) -> Decimal:
    return bound.quantity


def _bounds(signal: Signal, view: SizingView) -> Iterator[_Bound]:
    """Yield every limit that applies to the signal."""
    price, equity = view.price, view.equity
    room = EXACT.subtract(percent_of(equity, view.position_limit_pct), view.value_held)
    yield _bound("risk.max_position_size_pct", room, price)
    if signal.stop_loss is not None:
        loss = percent_of(equity, view.risk_per_trade_pct)
        yield _bound("risk.risk_per_trade_pct", loss, EXACT.multiply(signal.stop_loss, price))
    limit = view.order_value_limit
    if limit is not None:
        yield _bound("risk.max_order_value_usd", limit, price)
    yield _bound("free cash", view.cash_free, _cash_price(signal, price))


def _bound(name: str, amount_usd: Decimal, share_usd: Decimal) -> _Bound:
    return _Bound(divide_down(amount_usd, share_usd), name, amount_usd, share_usd)


def _cash_price(signal: Signal, price: Decimal) -> Decimal:
    """The most that one share may cost."""
    if signal.limit_price is not None:
        return signal.limit_price
    # A stop above the market buys there or higher.
    start = price if signal.stop_price is None else max(price, signal.stop_price)
    return EXACT.multiply(_CASH_COLLAR, start)


def _lowest_price(signal: Signal, view: SizingView) -> Decimal:
    """The lower of close and limit: a venue may value the order by either."""
    return view.price if signal.limit_price is None else min(view.price, signal.limit_price)
