"""The order that the gate let through: the only thing a broker connector accepts.

Sealed: `PreTradeRiskGate` holds the key, anybody else who tries to make one gets SealedType. May not be subclassed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, final

import msgspec

from mqd_core.domain.orders import OrderRef, OrderType, Side, TimeInForce
from mqd_core.errors import SealedType

_SEAL: Final = object()


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
        if self.seal is not _SEAL:
            message = "only PreTradeRiskGate makes an approved order; hand the draft to its check()"
            raise SealedType(message)

    @property
    def ref(self) -> OrderRef:
        """How to name this order before the broker gave it an id."""
        return OrderRef(client_order_id=self.client_order_id, symbol=self.symbol)


def require_approved(order: object) -> ApprovedOrder:
    """Return the order if the gate made it; raises SealedType for anything else, whatever its type claims to be."""
    if type(order) is not ApprovedOrder or order.seal is not _SEAL:
        message = f"a broker accepts orders of the risk gate only; {type(order).__name__} was handed over"
        raise SealedType(message)
    return order
