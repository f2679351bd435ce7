"""The order that the gate let through: the only thing a broker connector accepts.

Sealed: each order takes a seal of its own, which works once, and only `PreTradeRiskGate` makes seals. So neither a
constructor nor a changed copy of an approved order (`replace`, pickle, a decoder) gets past. May not be subclassed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import final

import msgspec

from mqd_core.domain.orders import OrderRef, OrderType, Side, TimeInForce
from mqd_core.errors import SealedType


class _Seal:
    """Good for one order: a copy of the order carries a seal that is used up."""

    __slots__ = ("is_used",)

    def __init__(self) -> None:
        self.is_used = False

    def __eq__(self, other: object) -> bool:
        """All seals are alike, so that orders compare by what they say."""
        return type(other) is _Seal

    def __hash__(self) -> int:
        return hash(_Seal)


@final
class ApprovedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with the gate's approval; `client_order_id` is a pure function of the journal.

    Exactly one of `quantity` and `notional` is set. `submitted_ns` is the engine time of the decision.
    """

    client_order_id: str
    strategy_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    reference_price: Decimal
    submitted_ns: int
    seal: object

    def __post_init__(self) -> None:
        """Refuse every maker but the gate."""
        seal = self.seal
        if type(seal) is not _Seal or seal.is_used:
            message = "only PreTradeRiskGate makes an approved order; hand the draft to one of its checks"
            raise SealedType(message)
        seal.is_used = True

    @property
    def ref(self) -> OrderRef:
        """How to name this order before the broker gave it an id."""
        return OrderRef(client_order_id=self.client_order_id, symbol=self.symbol)


def require_approved(order: object) -> ApprovedOrder:
    """Return the order if the gate made it; raises SealedType for anything else, whatever its type claims to be."""
    if type(order) is not ApprovedOrder or type(order.seal) is not _Seal:
        message = f"a broker accepts orders of the risk gate only; {type(order).__name__} was handed over"
        raise SealedType(message)
    return order
