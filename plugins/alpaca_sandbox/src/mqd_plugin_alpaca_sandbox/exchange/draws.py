"""Chance at the exchange: a draw is a function of the seed and of what it is drawn for."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Final

from mqd_core.api import floor9, percent_of, whole_down

_PERCENT: Final = 100


class PartialFills:
    """With a chance of `chance_pct` per cent an execution takes 1 to 99 per cent of what it could."""

    __slots__ = ("_chance", "_seed")

    def __init__(self, seed: int, chance_pct: int) -> None:
        self._seed = seed
        self._chance = chance_pct

    def part_of(self, quantity: Decimal, order_id: str, execution: int) -> Decimal:
        """The part that this execution takes: whole shares of whole shares, and never nothing."""
        if not self._chance:
            return quantity
        subject = f"{self._seed}/{order_id}/{execution}".encode()
        drawn = int.from_bytes(hashlib.blake2b(subject, digest_size=8).digest(), "big")
        drawn, chance = divmod(drawn, _PERCENT)
        if chance >= self._chance:
            return quantity
        part = percent_of(quantity, Decimal(1 + drawn % (_PERCENT - 1)))
        return (whole_down(part) if quantity == whole_down(quantity) else floor9(part)) or quantity
