"""At which price an order meets the market. Pure: knows one order and one quote.

As the service's paper account does: an order executes against bid and ask when it is marketable, whatever the size.
A stop is triggered by the last price, and then takes the far side; a stop-limit then is a limit order.
"""

from __future__ import annotations

from decimal import Decimal

from mqd_plugin_alpaca_sandbox.exchange.order import Order
from mqd_plugin_alpaca_sandbox.exchange.quotes import Quote


def meet(order: Order, quote: Quote) -> Decimal | None:
    """The price of an execution now, or None. Remembers on the order that its stop was triggered."""
    if order.stop_price is not None and not order.triggered:
        order.triggered = reached(order.is_buy, quote.last, order.stop_price)
        if not order.triggered:
            return None
    price = quote.ask if order.is_buy else quote.bid
    limit = order.limit_price
    if limit is not None and (price > limit if order.is_buy else price < limit):
        return None
    return price


def reached(is_buy: bool, last: Decimal, stop: Decimal) -> bool:  # noqa: FBT001  a side, no switch
    """Whether a last price is at or beyond a stop."""
    return last >= stop if is_buy else last <= stop
