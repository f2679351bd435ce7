"""What the simulated broker can do. May import nothing heavy: listing a plugin reads it."""

from __future__ import annotations

from typing import Final

import msgspec

from mqd_core.api import BrokerCapabilities, OrderType, Support, TimeInForce

#: The account lives in the desk's process, and its state is committed with the desk's journal.
HOSTED: Final = BrokerCapabilities(
    simulated=True,
    order_types=(OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT),
    times_in_force=(TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC),
    fractional=Support.FULL,
    notional=Support.FULL,
    extended_hours=Support.UNSUPPORTED,
    replace=Support.UNSUPPORTED,
    streaming=Support.FULL,
    not_found_is_final=True,
    client_id_unique="forever",
)
#: The account has a file of its own, which can know of an order that the desk's journal has not yet.
RECORDED: Final = msgspec.structs.replace(HOSTED, not_found_is_final=False, own_record=True)
