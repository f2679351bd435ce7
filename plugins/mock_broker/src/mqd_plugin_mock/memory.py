"""Orders that have ended, for whoever asks again, and so that no client order id is taken twice.

A venue inside a desk's process keeps a bounded number of them, since its state travels with every commit and must not
grow with the length of a run. It can forget without taking an id twice: a client order id is a function of the
decision, so an order sent again carries the submission time of the first sending, and nothing that was submitted at
or before the newest forgotten submission is let in again. May not know prices or cash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from mqd_plugin_mock.ticket import Ticket

#: Ended orders that a venue without a record keeps: about 10 kB of state.
REMEMBERED: Final = 64

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Ticket)


class Memory:
    """Ended orders in the order in which they ended. `limit` None keeps all; `by_id` is for looking up only."""

    __slots__ = ("_encoded", "_limit", "by_id", "horizon_ns")

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.by_id: dict[str, Ticket] = {}
        # An ended order changes no more: encoded once, and only if somebody asks for the state.
        self._encoded: dict[str, msgspec.Raw] = {}
        #: The newest submission time among the forgotten.
        self.horizon_ns = -1

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self.by_id.values())

    def add(self, ticket: Ticket, settled_ns: int) -> None:
        """Take in an order that has ended; forget the oldest where there are too many.

        Orders submitted at `settled_ns` or later are never forgotten: another one of that very time may still come.
        """
        self.by_id[ticket.client_order_id] = ticket
        while self._limit is not None and len(self.by_id) > self._limit:
            oldest = next(iter(self.by_id.values()))
            if oldest.submitted_ns >= settled_ns:
                return
            self.horizon_ns = max(self.horizon_ns, oldest.submitted_ns)
            del self.by_id[oldest.client_order_id]
            self._encoded.pop(oldest.client_order_id, None)

    def encoded(self) -> list[msgspec.Raw]:
        """All remembered orders as they go into the state."""
        encoded = self._encoded
        if len(encoded) < len(self.by_id):
            for client_order_id, ticket in self.by_id.items():
                if client_order_id not in encoded:
                    encoded[client_order_id] = msgspec.Raw(_ENCODER.encode(ticket))
        return list(encoded.values())

    def restore(self, encoded: Iterable[msgspec.Raw], horizon_ns: int) -> None:
        """Become what `encoded` and `horizon_ns` were taken of."""
        # A copy: Raw values of a decoded message would keep the whole message alive.
        raws = [raw.copy() for raw in encoded]
        tickets = [_DECODER.decode(raw) for raw in raws]
        self.by_id = {ticket.client_order_id: ticket for ticket in tickets}
        self._encoded = dict(zip(self.by_id, raws, strict=True))
        self.horizon_ns = horizon_ns
