"""Chance at the venue: a draw is a function of the seed and of what it is drawn for, never of the order of calls."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Final

from mqd_core.api import EXACT, floor9, percent_of

_HUNDRED_PERCENT: Final = 10_000


class PartialFills:
    """With a chance of `chance_pct` per cent an execution takes 1 to 99 per cent of what it could."""

    __slots__ = ("_chance", "_key")

    def __init__(self, seed: int, chance_pct: Decimal) -> None:
        self._key = seed.to_bytes(8, "big")
        # In hundredths of a per cent, which the settings allow no finer.
        self._chance = int(EXACT.multiply(chance_pct, Decimal(100)))

    def part_of(self, quantity: Decimal, client_order_id: str, bar_start_ns: int) -> Decimal:
        """The part of `quantity` that this order's execution on this bar takes; all of it most of the time."""
        if not self._chance:
            return quantity
        subject = f"{client_order_id}/{bar_start_ns}".encode()
        drawn = int.from_bytes(hashlib.blake2b(subject, digest_size=8, key=self._key).digest(), "big")
        drawn, chance = divmod(drawn, _HUNDRED_PERCENT)
        if chance >= self._chance:
            return quantity
        return floor9(percent_of(quantity, Decimal(1 + drawn % 99))) or quantity
