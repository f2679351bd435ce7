"""The decision chain: a SHA-256 over everything that was approved or denied, equal for equal inputs everywhere.

Covers, in order: ordinal in the book, strategy, symbol, side, quantity, prices, code. No ids, no sequences, no
indicator values, no times of day. May not be reset but by a new book.
"""

from __future__ import annotations

from hashlib import sha256

from mqd_core.domain.orders import OrderDraft

_START = bytes(32)


class DecisionChain:
    """`value` after n decisions depends on each of them and on their order."""

    __slots__ = ("_value", "count")

    def __init__(self, count: int = 0, value: bytes = _START) -> None:
        self.count = count
        self._value = value

    @property
    def value(self) -> bytes:
        """The chain's 32 bytes."""
        return self._value

    @property
    def hex(self) -> str:
        """What results print as `decision_hash`."""
        return self._value.hex()

    def add(self, draft: OrderDraft, code: str) -> None:
        """Chain one decision: `approved`, or the code of a denial."""
        self.count += 1
        line = (
            f"{self.count}|{draft.strategy_id}|{draft.symbol}|{draft.side.value}|{draft.quantity}|{draft.notional}|"
            f"{draft.limit_price}|{draft.stop_price}|{draft.reference_price}|{code}"
        )
        self._value = sha256(self._value + line.encode()).digest()
