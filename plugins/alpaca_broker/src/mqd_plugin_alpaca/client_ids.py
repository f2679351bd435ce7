"""Which of the desk's ids belongs to an order of Alpaca's: executions in the list of activities name only the latter.

Learned from every order that is seen, and asked for where it is not known. May not forget: both ids are short.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mqd_plugin_alpaca.faults import Answered
from mqd_plugin_alpaca.orders import orders_since
from mqd_plugin_alpaca.parsing import Body, as_body
from mqd_plugin_alpaca.rest import Rest

#: So many are asked for one by one; of more, the list of orders is read.
_FEW: Final = 5
#: An order works for 90 days at the most before it expires.
_LONGEST_LIFE_NS: Final = 100 * 24 * 3600 * 1_000_000_000
_NOT_FOUND: Final = 404


class ClientIds:
    """Client order ids by Alpaca's order id."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._known: dict[str, str] = {}

    def learn(self, order: Body) -> None:
        """Take note of an order as Alpaca shows it."""
        identifier, client_order_id = order.get("id"), order.get("client_order_id")
        if isinstance(identifier, str) and isinstance(client_order_id, str) and client_order_id:
            self._known[identifier] = client_order_id

    def learn_missing(self, order_ids: Collection[str], first_ns: int) -> None:
        """Ask for those that are not known; `first_ns` is when the first of their executions was."""
        missing = [one for one in sorted(order_ids) if one not in self._known]
        if len(missing) > _FEW:
            for order in orders_since(self._rest, max(first_ns - _LONGEST_LIFE_NS, 1)):
                self.learn(order)
            missing = [one for one in missing if one not in self._known]
        for identifier in missing:
            try:
                self.learn(as_body(self._rest.get(f"/orders/{identifier}"), "an order"))
            except Answered as error:
                if error.status != _NOT_FOUND:
                    raise
            # One that Alpaca itself no longer shows goes by its own id: it is nobody's here.
            self._known.setdefault(identifier, identifier)

    def of(self, order_id: str) -> str:
        """The client order id; the id itself where there is none."""
        return self._known.get(order_id, order_id)
