"""The orders that can still fill, by id and by symbol. May not know what an order is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from mqd_plugin_mock.ticket import Ticket

_NONE: Final[tuple[Ticket, ...]] = ()
_ID: Final = attrgetter("client_order_id")


class WorkingOrders:
    """Working orders in the order of their submission. `by_id` is for looking up only, and spares a call."""

    __slots__ = ("_by_symbol", "by_id")

    def __init__(self, tickets: Iterable[Ticket] = ()) -> None:
        self.by_id: dict[str, Ticket] = {}
        self._by_symbol: dict[str, list[Ticket]] = {}
        for ticket in tickets:
            self.add(ticket)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self.by_id.values())

    def of(self, symbol: str) -> Sequence[Ticket]:
        """The working orders of a symbol; not to be kept while orders come and go."""
        return self._by_symbol.get(symbol, _NONE)

    def add(self, ticket: Ticket) -> None:
        """Take in an order."""
        self.by_id[ticket.client_order_id] = ticket
        same_symbol = self._by_symbol.get(ticket.symbol)
        if same_symbol is None:
            self._by_symbol[ticket.symbol] = [ticket]
        else:
            same_symbol.append(ticket)

    def remove(self, ticket: Ticket) -> None:
        """Let go of an order."""
        del self.by_id[ticket.client_order_id]
        same_symbol = self._by_symbol[ticket.symbol]
        if len(same_symbol) == 1:
            del self._by_symbol[ticket.symbol]
        else:
            # By id: two orders may be equal in all their fields but that one, never in it.
            ids = list(map(_ID, same_symbol))
            del same_symbol[ids.index(ticket.client_order_id)]
