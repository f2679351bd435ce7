"""Which orders the account may send now: money, shares, wash trades, smallest amounts. May change nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from mqd_core.api import EXACT, ZERO, divide_down, percent_of
from mqd_plugin_alpaca_sandbox.exchange.account import Account
from mqd_plugin_alpaca_sandbox.exchange.assets import AssetList, ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.book import OrderBook
from mqd_plugin_alpaca_sandbox.exchange.errors import ApiError, forbidden, rule
from mqd_plugin_alpaca_sandbox.exchange.matching import reached
from mqd_plugin_alpaca_sandbox.exchange.notation import number_text
from mqd_plugin_alpaca_sandbox.exchange.order import Order
from mqd_plugin_alpaca_sandbox.exchange.order_request import OrderRequest
from mqd_plugin_alpaca_sandbox.exchange.quotes import Quote, Quotes

_COST_MIN: Final = Decimal(1)
_HUNDRED: Final = Decimal(100)


class Admission:
    """The rules of this module over one account, its orders and the market."""

    __slots__ = ("_account", "_assets", "_book", "_collar_pct", "_quotes")

    def __init__(
        self, account: Account, book: OrderBook, assets: AssetList, quotes: Quotes, collar_pct: Decimal
    ) -> None:
        self._account = account
        self._book = book
        self._assets = assets
        self._quotes = quotes
        self._collar_pct = collar_pct

    def admit(self, request: OrderRequest, replaced: Order | None = None) -> ListedAsset:
        """The asset of an order that may be sent, perhaps in place of one that works; raises ApiError."""
        asset = self._tradable(request)
        quote = self._quotes.quote(asset.symbol)
        if quote is None:
            # The live service always has a price; a sandbox has none before its market's first minute.
            raise rule(f'asset "{asset.symbol}" has no price in this sandbox yet')
        self._refuse_triggered(request, quote)
        if request.notional is None and EXACT.multiply(request.qty or ZERO, self._price(request, quote)) < _COST_MIN:
            raise forbidden("cost basis must be >= minimal amount of order 1")
        self._refuse_wash(request)
        if request.side == "buy":
            self._refuse_dear(self.cost(request, quote), replaced)
        else:
            self._refuse_missing(request, replaced, quote)
        return asset

    def buying_power(self) -> Decimal:
        """Cash less what open buys may cost; never below zero."""
        reserved = ZERO
        for order in self._book.open_orders():
            if not order.is_buy:
                continue
            claim = self.reserved(order)
            old = self._book.replaced_order(order)
            if old is not None:
                # Meanwhile the larger of the two counts, and the old one is counted by itself.
                claim = max(ZERO, EXACT.subtract(claim, self.reserved(old)))
            reserved = EXACT.add(reserved, claim)
        return max(ZERO, EXACT.subtract(self._account.cash, reserved))

    def reserved(self, order: Order) -> Decimal:
        """What the rest of an open buy may cost."""
        if order.notional is not None:
            return EXACT.subtract(order.notional, order.filled_value)
        quote = self._quotes.quote(order.symbol)
        price = order.limit_price
        if price is None:
            price = self._collared(order.stop_price or (ZERO if quote is None else quote.ask))
        return EXACT.multiply(order.remaining(price or Decimal(1)), price)

    def available(self, symbol: str) -> Decimal:
        """Shares that no open sell holds."""
        quote = self._quotes.quote(symbol)
        held = self._book.held_for_orders(symbol, None if quote is None else quote.bid)
        return max(ZERO, EXACT.subtract(self._account.held(symbol), held))

    def cost(self, request: OrderRequest, quote: Quote) -> Decimal:
        """What a buy reserves: the amount, or shares at the limit, else at the stop or the ask with the collar."""
        if request.notional is not None:
            return request.notional
        price = request.limit_price or self._collared(request.stop_price or quote.ask)
        return EXACT.multiply(request.qty or ZERO, price)

    def _collared(self, price: Decimal) -> Decimal:
        return percent_of(price, EXACT.add(_HUNDRED, self._collar_pct))

    def _price(self, request: OrderRequest, quote: Quote) -> Decimal:
        return request.limit_price or (quote.ask if request.side == "buy" else quote.bid)

    def _tradable(self, request: OrderRequest) -> ListedAsset:
        asset = self._assets.find(request.symbol)
        if asset is None:
            raise rule(f'asset "{request.symbol}" not found')
        if not asset.tradable:
            raise rule(f'asset "{asset.symbol}" is not tradable')
        if request.is_fractional and not asset.fractionable:
            raise rule("requested asset is not fractionable")
        if request.is_fractional and request.extended_hours and not asset.fractional_extended_hours:
            # The words of this one were never seen; that it is refused follows from the asset's attribute.
            raise rule("fractional orders of this asset are not allowed in extended hours")
        return asset

    def _refuse_triggered(self, request: OrderRequest, quote: Quote) -> None:
        stop = request.stop_price
        if stop is not None and reached(request.side == "buy", quote.last, stop):
            relation = "greater" if request.side == "buy" else "less"
            raise rule(f"stop price must be {relation} than current price")

    def _refuse_wash(self, request: OrderRequest) -> None:
        for order in self._book.open_orders(request.symbol):
            if order.side == request.side:
                continue
            kind = "limit"
            if order.type != "limit" or request.type != "limit":
                kind = "market/stop"
            elif not _crosses(request, order):
                continue
            raise forbidden(
                "potential wash trade detected. use complex orders",
                reject_reason=f"opposite side {kind} order exists",
                existing_order_id=order.id,
            )

    def _refuse_dear(self, cost: Decimal, replaced: Order | None) -> None:
        power = self.buying_power()
        if replaced is not None:
            power = EXACT.add(power, self.reserved(replaced))
        if cost > power:
            raise forbidden("insufficient buying power", buying_power=number_text(power), cost_basis=number_text(cost))

    def _refuse_missing(self, request: OrderRequest, replaced: Order | None, quote: Quote) -> None:
        held = self._account.held(request.symbol)
        wanted = request.qty
        if wanted is None:
            wanted = divide_down(request.notional or ZERO, quote.bid)
        if not held:
            raise _short(request)
        available = self.available(request.symbol)
        if replaced is not None:
            available = EXACT.add(available, replaced.remaining(quote.bid))
        if wanted > available:
            raise forbidden(
                f"insufficient qty available for order (requested: {number_text(wanted)}, "
                f"available: {number_text(available)})",
                symbol=request.symbol,
                existing_qty=number_text(held),
                held_for_orders=number_text(EXACT.subtract(held, available)),
                available=number_text(available),
            )


def _short(request: OrderRequest) -> ApiError:
    if request.is_fractional:
        return rule("fractional orders cannot be sold short")
    return forbidden("account is not allowed to short")


def _crosses(request: OrderRequest, order: Order) -> bool:
    mine, theirs = request.limit_price or ZERO, order.limit_price or ZERO
    return mine >= theirs if request.side == "buy" else theirs >= mine
