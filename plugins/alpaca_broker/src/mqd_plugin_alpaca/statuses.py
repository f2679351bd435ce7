"""Alpaca's words for an order, in the desk's.

A word that is not in the table is no end: the order stays open as one that is paused, and a person is told. May not
guess that an order is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from mqd_core.api import ZERO, OrderStatus

STATUSES: Final[Mapping[str, OrderStatus]] = MappingProxyType(
    {
        "accepted": OrderStatus.ACKNOWLEDGED,
        "pending_new": OrderStatus.ACKNOWLEDGED,
        "accepted_for_bidding": OrderStatus.ACKNOWLEDGED,
        "pending_review": OrderStatus.ACKNOWLEDGED,
        "held": OrderStatus.ACKNOWLEDGED,
        "new": OrderStatus.NEW,
        # A request is under way and the order works: it may still fill.
        "pending_cancel": OrderStatus.NEW,
        "pending_replace": OrderStatus.NEW,
        "partially_filled": OrderStatus.PARTIALLY_FILLED,
        "done_for_day": OrderStatus.PAUSED,
        "suspended": OrderStatus.PAUSED,
        "stopped": OrderStatus.PAUSED,
        "calculated": OrderStatus.PAUSED,
        "filled": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELED,
        "expired": OrderStatus.EXPIRED,
        "rejected": OrderStatus.REJECTED,
        "replaced": OrderStatus.REPLACED,
    }
)
TERMINAL: Final = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.REPLACED}
)


def is_known(word: str) -> bool:
    """Whether the word is in the table."""
    return word in STATUSES


def status_of(word: str, filled: Decimal) -> OrderStatus:
    """The desk's word; an order that works and has filled something is partially filled."""
    status = STATUSES.get(word, OrderStatus.PAUSED)
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.NEW and filled > ZERO else status
