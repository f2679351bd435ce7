"""Which orders the venue takes, and in which words and with which code it refuses the others.

Codes and texts are those of Alpaca's trading API where it is known to have them, so that what a desk does with a
refusal here is what it will do there. Two differences, both to the strict side: a tenth decimal of a quantity is
refused, not cut off, and there is no margin: a buy that could cost more than the free cash is refused. May not change
anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from mqd_core.api import (
    EXACT,
    ZERO,
    Asset,
    OrderType,
    Refused,
    Side,
    TimeInForce,
    cents_up,
    divide_down,
    floor9,
    is_on_tick,
    is_symbol,
    whole_down,
)
from mqd_plugin_mock.account import Account
from mqd_plugin_mock.fees import Commission
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.ticket import OrderTerms, Ticket
from mqd_plugin_mock.working import WorkingOrders

#: What a venue keeps ready for a price it does not know yet: 3 % above the last one.
COLLAR: Final = Decimal("1.03")
_ONE_USD: Final = Decimal(1)

_FORBIDDEN: Final = "40310000"
_NOT_FOUND: Final = "40410000"
_MALFORMED: Final = "40010001"
_RULE: Final = "42210000"


class Admission:
    """The venue's order rules under one configuration."""

    __slots__ = ("_commission", "_listed", "_traded", "_untradable", "_whole")

    def __init__(self, settings: MockBrokerSettings, commission: Commission) -> None:
        self._commission = commission
        self._listed = frozenset(settings.tradable)
        self._untradable = frozenset(settings.untradable)
        self._whole = frozenset(settings.whole_share_symbols)
        # Symbols that have been looked at and may be traded.
        self._traded: set[str] = set()

    def lists(self, symbol: str) -> bool:
        """Whether the venue knows the symbol; pairs such as BTC/USD it does not."""
        return is_symbol(symbol) and "/" not in symbol and (not self._listed or symbol in self._listed)

    def asset(self, symbol: str) -> Asset:
        """What the venue says of a symbol that it lists."""
        return Asset(
            symbol=symbol,
            tradable=symbol not in self._untradable,
            fractionable=symbol not in self._whole,
            minimum_notional_usd=_ONE_USD,
        )

    def check(self, order: OrderTerms, account: Account, working: WorkingOrders) -> None:
        """Raise Refused unless the order may enter the market, given all working orders of the account."""
        if order.symbol not in self._traded:
            self._check_symbol(order.symbol)
        _check_shape(order)
        self._check_amount(order)
        same_symbol = working.of(order.symbol)
        if same_symbol:
            _check_wash_trade(order, same_symbol)
        if order.side is Side.SELL:
            self._check_shares(order, account, same_symbol)
        else:
            self._check_cash(order, account, working)

    def reserved(self, working: WorkingOrders) -> Decimal:
        """The most cash that the working buys could still take."""
        total = ZERO
        for ticket in working:
            if ticket.side is Side.BUY:
                total = EXACT.add(total, self._worst_cost(ticket, ticket.filled, ticket.spent))
        return total

    def _check_symbol(self, symbol: str) -> None:
        if not self.lists(symbol):
            raise Refused(f"asset not found for {symbol}", _NOT_FOUND)
        if symbol in self._untradable:
            raise Refused(f'asset "{symbol}" is not tradable', _RULE)
        self._traded.add(symbol)

    def _check_amount(self, order: OrderTerms) -> None:
        quantity, notional = order.quantity, order.notional
        if notional is not None:
            if cents_up(notional) != notional:
                raise Refused("notional value must be limited to 2 decimal places", _RULE)
            if notional < _ONE_USD:
                raise Refused("notional amount must be >= 1.00", _RULE)
        elif quantity is not None:
            if floor9(quantity) != quantity:
                raise Refused("qty must be limited to 9 decimal places", _RULE)
            if EXACT.multiply(quantity, _valuation(order)) < _ONE_USD:
                raise Refused("cost basis must be >= minimal amount of order 1", _FORBIDDEN)
        is_day = order.time_in_force is TimeInForce.DAY
        if is_day and order.symbol not in self._whole:
            return
        if quantity is not None and whole_down(quantity) == quantity:
            return
        if order.symbol in self._whole:
            raise Refused("requested asset is not fractionable", _RULE)
        raise Refused("fractional orders must be DAY orders", _RULE)

    @staticmethod
    def _check_shares(order: OrderTerms, account: Account, same_symbol: Sequence[Ticket]) -> None:
        held = account.held(order.symbol)
        wanted = shares_of(order)
        if not held:
            if order.notional is not None or whole_down(wanted) != wanted:
                raise Refused("fractional orders cannot be sold short", _RULE)
            raise Refused(f'asset "{order.symbol}" cannot be sold short', _RULE)
        available = EXACT.subtract(held, shares_on_offer(same_symbol))
        if wanted > available:
            text = f"insufficient qty available for order (requested: {wanted}, available: {available})"
            raise Refused(text, _FORBIDDEN)

    def _check_cash(self, order: OrderTerms, account: Account, working: WorkingOrders) -> None:
        cost = self._worst_cost(order, ZERO, ZERO)
        free = EXACT.subtract(account.cash, self.reserved(working)) if working.by_id else account.cash
        if cost > free:
            raise Refused(f"insufficient buying power (cost: {cost}, available: {max(free, ZERO)})", _FORBIDDEN)

    def _worst_cost(self, order: OrderTerms, filled: Decimal, spent: Decimal) -> Decimal:
        """The most cash that the rest of a buy can take, commission included."""
        commission = self._commission
        if order.notional is not None:
            value, rest = EXACT.subtract(order.notional, spent), shares_of(order)
        else:
            rest = EXACT.subtract(order.quantity or ZERO, filled)
            value = EXACT.multiply(rest, order.limit_price or _collared(order))
        if not commission.is_charged:
            return value
        return EXACT.add(value, commission.of(rest, is_first=not filled))


def shares_of(order: OrderTerms) -> Decimal:
    """The shares an order is for; of a notional order what it comes to at the price known when it was sent."""
    if order.quantity is not None:
        return order.quantity
    return divide_down(order.notional or ZERO, order.reference_price)


def shares_on_offer(tickets: Iterable[Ticket]) -> Decimal:
    """The shares that working sells keep for themselves."""
    total = ZERO
    for ticket in tickets:
        if ticket.side is Side.SELL:
            rest = EXACT.subtract(shares_of(ticket), ticket.filled)
            total = EXACT.add(total, max(rest, ZERO))
    return total


def _check_shape(order: OrderTerms) -> None:
    """Check that the order says one amount, and the prices and times that its type may have."""
    amount = order.quantity if order.notional is None else order.notional
    if amount is None:
        raise Refused("qty is required", _MALFORMED)
    if order.quantity is not None and order.notional is not None:
        raise Refused("only one of qty or notional is accepted", _MALFORMED)
    if not amount.is_finite() or amount <= ZERO:
        raise Refused("qty must be > 0" if order.notional is None else "notional must be > 0", _MALFORMED)
    order_type = order.order_type
    if order_type is OrderType.MARKET and order.limit_price is None and order.stop_price is None:
        return
    _check_terms(order)
    _check_prices(order)


def _check_terms(order: OrderTerms) -> None:
    """Check that the prices, the amount and the time in force fit the order's type."""
    order_type = order.order_type
    # By identity: hashing a member of an enumeration for a set costs more than all of this.
    has_limit = order_type is OrderType.LIMIT or order_type is OrderType.STOP_LIMIT
    has_stop = order_type is OrderType.STOP or order_type is OrderType.STOP_LIMIT
    if has_limit != (order.limit_price is not None):
        raise Refused(f"{order_type.value} orders and limit price do not fit each other", _MALFORMED)
    if has_stop != (order.stop_price is not None):
        raise Refused(f"{order_type.value} orders and stop price do not fit each other", _MALFORMED)
    if order.notional is not None and order_type is not OrderType.MARKET:
        raise Refused("notional orders must be market orders", _RULE)
    if order.time_in_force is TimeInForce.IOC and has_stop:
        raise Refused("stop orders must be DAY or GTC orders", _RULE)


def _check_prices(order: OrderTerms) -> None:
    for name, price in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
        if price is None:
            continue
        if not price.is_finite() or price <= ZERO:
            raise Refused(f"{name} must be > 0", _MALFORMED)
        if not is_on_tick(price):
            text = f"invalid {name} {price}. sub-penny increment does not fulfill minimum pricing criteria"
            raise Refused(text, _RULE)


def _check_wash_trade(order: OrderTerms, same_symbol: Sequence[Ticket]) -> None:
    for ticket in same_symbol:
        if ticket.side is not order.side and _could_cross(order, ticket):
            kind = "market/stop" if ticket.order_type is not OrderType.LIMIT else "limit"
            text = f"potential wash trade detected. use complex orders (opposite side {kind} order exists)"
            raise Refused(text, _FORBIDDEN)


def _could_cross(order: OrderTerms, ticket: Ticket) -> bool:
    """Whether the account could trade with itself: always, but for two limits that leave a gap."""
    if order.order_type is not OrderType.LIMIT or ticket.order_type is not OrderType.LIMIT:
        return True
    buying, selling = (order, ticket) if order.side is Side.BUY else (ticket, order)
    return (buying.limit_price or ZERO) >= (selling.limit_price or ZERO)


def _valuation(order: OrderTerms) -> Decimal:
    return order.limit_price or order.reference_price


def _collared(order: OrderTerms) -> Decimal:
    """What a share may cost at an open that is not known yet."""
    price = order.reference_price if order.stop_price is None else max(order.stop_price, order.reference_price)
    return EXACT.multiply(price, COLLAR)
