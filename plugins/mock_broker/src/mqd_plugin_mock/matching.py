"""At which price and when an order meets a bar. Pure: knows one order and one bar, no account, no other order.

The rules
---------
A bar is known by its open, high, low and close only; where the way between them matters, the worse one for the trader
is taken. A *taken* price is worse than the bar's by slippage and half the spread; of that product nine decimals are
kept, rounded against the trader, and nothing else is rounded: without slippage and spread it is the bar's own price.

* market: the taken open, stamped with the bar's start.
* limit: the taken open if it is at or better than the limit, stamped with the start. Else the limit itself, stamped
  with the bar's end, if the bar trades through it (setting `limit_fill: touch`: reaches it). Never better than that.
* stop: if the bar opens at or beyond the stop, the taken open, stamped with the start. Else, if the bar reaches the
  stop, the taken stop price, stamped with the end.
* stop-limit: becomes a limit when the stop is reached. At the open, that limit meets the same bar by the rules above.
  Inside the bar it fills only at the taken stop price, and only if that is at or better than the limit: what the
  price did after the trigger is not known. Otherwise it rests from the next bar on.
* IOC: meets the first bar's open or nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeAlias

from mqd_core.api import EXACT, Bar, OrderType, Side, TimeInForce, floor9, money
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.ticket import Ticket

_ONE: Final = Decimal(1)
_HALF: Final = Decimal("0.5")
#: Farther than this from its level, relatively, a bar need not be looked at in decimals.
_HAIR: Final = 1e-9


#: A meeting of an order and a bar: the price and its time. No price: a stop-limit was triggered, and now rests.
Match: TypeAlias = tuple[Decimal | None, int]


def watch(ticket: Ticket) -> None:
    """Set the bound that spares most bars a look: on the low for what waits for a fall, on the high for a rise."""
    if ticket.order_type is OrderType.MARKET:
        return
    awaits_stop = ticket.stop_price is not None and not ticket.triggered
    # A buying limit and a selling stop wait for lower prices.
    ticket.awaits_fall = (ticket.side is Side.BUY) != awaits_stop
    level = ticket.stop_price if awaits_stop else ticket.limit_price
    if level is not None:
        ticket.bound = float(level) * (1 + _HAIR if ticket.awaits_fall else 1 - _HAIR)


class Matcher:
    """The rules of this module under one configuration of slippage, spread and limit fills."""

    __slots__ = ("_buying", "_is_worse", "_needs_through", "_selling")

    def __init__(self, settings: MockBrokerSettings) -> None:
        # One basis point is 1/10,000: moving the point is exact.
        half_spread = EXACT.multiply(settings.spread_bps, _HALF)
        worse = EXACT.add(settings.slippage_bps, half_spread).scaleb(-4, EXACT)
        self._is_worse = bool(worse)
        self._buying = EXACT.add(_ONE, worse)
        self._selling = EXACT.subtract(_ONE, worse)
        self._needs_through = settings.limit_fill == "through"

    def match(self, ticket: Ticket, bar: Bar, end_ns: int) -> Match | None:
        """Where the order meets the bar, or None. `end_ns` is the bar's end."""
        order_type = ticket.order_type
        # What a triggered stop did not get in its first bar it goes on to take as a market order.
        if order_type is OrderType.MARKET or (ticket.triggered and order_type is OrderType.STOP):
            opened = money(bar.open)
            return (self.taken(opened, ticket.side) if self._is_worse else opened), bar.start_ns
        if bar.low > ticket.bound if ticket.awaits_fall else bar.high < ticket.bound:
            return None
        if order_type is OrderType.LIMIT or ticket.triggered:
            return self._limit(ticket, bar, end_ns)
        if order_type is OrderType.STOP:
            return self._stop(ticket, bar, end_ns)
        return self._stop_limit(ticket, bar, end_ns)

    def taken(self, price: Decimal, side: Side) -> Decimal:
        """What taking a price costs or brings."""
        if not self._is_worse:
            return price
        if side is Side.BUY:
            exact = EXACT.multiply(price, self._buying)
            # Up is down with the sign turned; copy_negate knows no context, a bare minus would round.
            rounded = floor9(exact.copy_negate()).copy_negate()
        else:
            exact = EXACT.multiply(price, self._selling)
            rounded = floor9(exact)
        return exact if exact == rounded else rounded

    def _limit(self, ticket: Ticket, bar: Bar, end_ns: int) -> Match | None:
        limit = _set(ticket.limit_price)
        at_open = self.taken(money(bar.open), ticket.side)
        if _is_at_or_better(at_open, limit, ticket.side):
            return at_open, bar.start_ns
        if ticket.time_in_force is TimeInForce.IOC:
            return None
        extreme = money(bar.low if ticket.side is Side.BUY else bar.high)
        reached = _is_at_or_better(extreme, limit, ticket.side)
        if not reached or (self._needs_through and extreme == limit):
            return None
        return limit, end_ns

    def _stop(self, ticket: Ticket, bar: Bar, end_ns: int) -> Match | None:
        stop = _set(ticket.stop_price)
        opened = money(bar.open)
        if _is_at_or_beyond(opened, stop, ticket.side):
            return self.taken(opened, ticket.side), bar.start_ns
        extreme = money(bar.high if ticket.side is Side.BUY else bar.low)
        if not _is_at_or_beyond(extreme, stop, ticket.side):
            return None
        return self.taken(stop, ticket.side), end_ns

    def _stop_limit(self, ticket: Ticket, bar: Bar, end_ns: int) -> Match | None:
        trigger = self._stop(ticket, bar, end_ns)
        if trigger is None:
            return None
        taken, ts = trigger
        if ts == bar.start_ns:
            return self._limit(ticket, bar, end_ns) or (None, ts)
        return trigger if _is_at_or_better(_set(taken), _set(ticket.limit_price), ticket.side) else (None, ts)


def _set(price: Decimal | None) -> Decimal:
    """The price of an order whose type has one; admission has seen to it."""
    if price is None:
        raise TypeError("an order of this type has a price; admission lets no other in")
    return price


def _is_at_or_better(price: Decimal, limit: Decimal, side: Side) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def _is_at_or_beyond(price: Decimal, stop: Decimal, side: Side) -> bool:
    return price >= stop if side is Side.BUY else price <= stop
