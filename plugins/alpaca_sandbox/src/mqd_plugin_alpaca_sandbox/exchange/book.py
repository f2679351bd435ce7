"""Every order there ever was, found by id, by the client's id, and while it is open. Holds no rule of orders."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from mqd_core.api import EXACT, ZERO
from mqd_plugin_alpaca_sandbox.exchange.errors import malformed, not_found
from mqd_plugin_alpaca_sandbox.exchange.notation import is_uuid
from mqd_plugin_alpaca_sandbox.exchange.order import Order


class OrderBook:
    """Orders in the order of their submission. Client order ids are unique for ever."""

    __slots__ = ("_by_client_id", "_by_id", "_open")

    def __init__(self) -> None:
        self._by_id: dict[str, Order] = {}
        self._by_client_id: dict[str, Order] = {}
        self._open: dict[str, Order] = {}

    def __iter__(self) -> Iterator[Order]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, order: Order) -> None:
        """Keep a new order, whose ids are free."""
        self._by_id[order.id] = order
        self._by_client_id[order.client_order_id] = order
        self._open[order.id] = order

    def refuse_duplicate(self, client_order_id: str | None) -> None:
        """Raise ApiError where the client used this id before."""
        if client_order_id in self._by_client_id:
            raise malformed("client_order_id must be unique")

    def of_id(self, order_id: str) -> Order:
        """The order; raises ApiError, with another text for what cannot be an id."""
        if not is_uuid(order_id):
            raise malformed("order_id is missing")
        if order_id not in self._by_id:
            raise not_found("order not found")
        return self._by_id[order_id]

    def of_client_id(self, client_order_id: str) -> Order:
        """The order with the client's own id; raises ApiError."""
        if client_order_id not in self._by_client_id:
            raise not_found("order not found")
        return self._by_client_id[client_order_id]

    def settle(self, order: Order) -> None:
        """Forget that an order is open, once it is over and nothing about it is due."""
        if order.wake_ns is None:
            self._open.pop(order.id, None)

    def waking(self) -> list[Order]:
        """Orders about which something is due some day, in order of submission."""
        return list(self._open.values())

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Orders that are not over, in order of submission."""
        return [order for order in self._open.values() if order.is_open and symbol in {None, order.symbol}]

    def held_for_orders(self, symbol: str, price: Decimal | None) -> Decimal:
        """Shares that open sells hold; a sell for an amount of money holds what it would sell at `price`.

        Of an order and its replacement, the larger one counts.
        """
        total = ZERO
        for order in self.open_orders(symbol):
            if order.is_buy:
                continue
            claim = ZERO if order.qty is None and price is None else order.remaining(price or Decimal(1))
            old = self.replaced_order(order)
            if old is not None:
                claim = max(ZERO, EXACT.subtract(claim, old.remaining(price or Decimal(1))))
            total = EXACT.add(total, claim)
        return total

    def replaced_order(self, order: Order) -> Order | None:
        """The order that this one is about to replace, while that still works."""
        old = self._by_id.get(order.replaces or "")
        return old if old is not None and old.status == "pending_replace" else None
