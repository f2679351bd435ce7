"""How long an order that is over is remembered, and from when on the broker's orders are listed. Changes nothing.

A soft end (canceled, expired, rejected, given up) may be followed by a fill or by the order itself; what the desk has
forgotten it could not tell from an order of another desk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.order_state import OPEN_LIVES, Life
from mqd_core.engine.order import Order

#: Terminal orders are remembered this long for late fills, then forgotten at a session's open.
WATCH_NS: Final = 24 * 3600 * 1_000_000_000
_WATCHED: Final = OPEN_LIVES | {Life.ABANDONED}


def listed_from_ns(orders: Iterable[Order], now_ns: int) -> int:
    """From when on the broker's orders matter: the oldest that is open or was given up, a day ago at the latest."""
    times = [order.approved.submitted_ns for order in orders if order.machine.life in _WATCHED]
    return min([now_ns - WATCH_NS, *times]) - MINUTE_NS


def forgettable(orders: Iterable[Order], now_ns: int, abandoned_before_ns: int | None) -> list[Order]:
    """Orders that nothing can be heard of any more: over for a day, given up before the time that is handed over.

    With such a time an order that was sent after one that is still watched stays: a list of the broker's orders shows
    it too. Without one no such list is read, and what was given up is as over as anything.
    """
    watched = [*orders]
    floor = None
    if abandoned_before_ns is not None:
        floor = listed_from_ns((one for one in watched if not _is_lost(one, abandoned_before_ns)), now_ns)
    over: list[Order] = []
    for order in watched:
        horizon = now_ns - WATCH_NS
        if abandoned_before_ns is not None and order.machine.life is Life.ABANDONED:
            horizon = abandoned_before_ns
        is_listed = floor is not None and order.approved.submitted_ns >= floor
        if not (order.machine.is_open or is_listed) and order.closed_ns < horizon:
            over.append(order)
    return over


def _is_lost(order: Order, before_ns: int) -> bool:
    return order.machine.life is Life.ABANDONED and order.closed_ns < before_ns
