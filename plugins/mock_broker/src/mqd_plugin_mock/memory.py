"""Orders that have ended, for whoever asks again, and so that no client order id is taken twice.

A venue inside a desk's process keeps a bounded number of them, since its state travels with every commit and must not
grow with the length of a run. It can forget without taking an id twice: a client order id is a function of the
decision, so an order sent again carries the submission time of the first sending, and nothing that was submitted at
or before the newest forgotten submission is let in again. May not know prices or cash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from mqd_plugin_mock.ticket import Ticket

#: Ended orders that a venue without a record surely keeps; it has up to twice as many, which is some 13 kB of state.
REMEMBERED: Final = 32

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Ticket)


class _Half:
    """Some ended orders. They change no more, so each is encoded once, and only if somebody asks for the state."""

    __slots__ = ("_encoded", "tickets")

    def __init__(self, encoded: Iterable[msgspec.Raw] = ()) -> None:
        # Copies: the Raw values of a decoded message would keep the whole message alive.
        self._encoded = [raw.copy() for raw in encoded]
        tickets = map(_DECODER.decode, self._encoded)
        self.tickets: dict[str, Ticket] = {ticket.client_order_id: ticket for ticket in tickets}

    @property
    def newest_ns(self) -> int:
        """The newest submission time."""
        return max((ticket.submitted_ns for ticket in self.tickets.values()), default=-1)

    def encoded(self) -> list[msgspec.Raw]:
        """All orders as they go into the state."""
        for ticket in islice(self.tickets.values(), len(self._encoded), None):
            self._encoded.append(msgspec.Raw(_ENCODER.encode(ticket)))
        return self._encoded


class Memory:
    """Ended orders in the order in which they ended. At least the last `kept` are remembered; None: all.

    They are in two halves. When the newer one is full, the older one is forgotten whole and the newer one takes its
    place: to forget them one by one would be a cost of every order.
    """

    __slots__ = ("_kept", "_newer", "_older", "horizon_ns")

    def __init__(self, kept: int | None) -> None:
        self._kept = kept
        self._older, self._newer = _Half(), _Half()
        #: The newest submission time among the forgotten.
        self.horizon_ns = -1

    def __iter__(self) -> Iterator[Ticket]:
        yield from self._older.tickets.values()
        yield from self._newer.tickets.values()

    def get(self, client_order_id: str) -> Ticket | None:
        """The ended order of that id, if it is remembered."""
        return self._newer.tickets.get(client_order_id) or self._older.tickets.get(client_order_id)

    def add(self, ticket: Ticket, settled_ns: int) -> None:
        """Take in an order that has ended.

        Orders submitted at `settled_ns` or later are never forgotten: another one of that very time may still come.
        """
        tickets = self._newer.tickets
        tickets[ticket.client_order_id] = ticket
        if self._kept is None or len(tickets) < self._kept:
            return
        newest_ns = self._older.newest_ns
        if newest_ns < settled_ns:
            self.horizon_ns = max(self.horizon_ns, newest_ns)
            self._older, self._newer = self._newer, _Half()

    def encoded(self) -> tuple[list[msgspec.Raw], list[msgspec.Raw]]:
        """Both halves as they go into the state."""
        return self._older.encoded(), self._newer.encoded()

    def restore(self, encoded: tuple[list[msgspec.Raw], list[msgspec.Raw]], horizon_ns: int) -> None:
        """Become what `encoded` and `horizon_ns` were taken of."""
        older, newer = encoded
        self._older, self._newer = _Half(older), _Half(newer)
        self.horizon_ns = horizon_ns
