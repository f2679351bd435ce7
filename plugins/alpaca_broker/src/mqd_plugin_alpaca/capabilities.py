"""What Alpaca can do for the desk. May import nothing heavy: listing a plugin reads it."""

from __future__ import annotations

from typing import Final

from mqd_core.api import BrokerCapabilities, OrderType, Support, TimeInForce

#: Replacing is left out on purpose: it makes a second order, and a desk that cancels and submits anew has one.
CAPABILITIES: Final = BrokerCapabilities(
    simulated=False,
    order_types=(OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT),
    times_in_force=(TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC),
    fractional=Support.FULL,
    notional=Support.FULL,
    extended_hours=Support.NOT_IMPLEMENTED,
    replace=Support.NOT_IMPLEMENTED,
    streaming=Support.FULL,
    not_found_is_final=False,
    client_id_unique="unknown",
    own_record=True,
)
