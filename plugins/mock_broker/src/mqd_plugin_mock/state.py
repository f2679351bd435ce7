"""The venue's state as bytes: everything it knows besides its configuration. May not interpret any of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.api import Activity, StoreSchemaError
from mqd_plugin_mock.account import Holding
from mqd_plugin_mock.fees import FeeDay
from mqd_plugin_mock.ticket import Ticket

_VERSION: Final = 1


# Arrays without names of fields: the state travels with every commit that follows a change.
class VenueState(msgspec.Struct, array_like=True, kw_only=True):
    """Working orders, ended orders (encoded already), account, charges and counts of a venue."""

    advanced_ns: int
    settled_ns: int
    movements: int
    horizon_ns: int
    cash: Decimal
    holdings: dict[str, Holding]
    working: list[Ticket]
    ended: tuple[list[msgspec.Raw], list[msgspec.Raw]]
    charges: list[tuple[int, Activity]]
    fee_day: FeeDay | None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(VenueState)


def encode_state(state: VenueState) -> bytes:
    """The state as bytes; the first one is the version of their form."""
    return bytes((_VERSION,)) + _ENCODER.encode(state)


def decode_state(data: bytes) -> VenueState:
    """Read what `encode_state` wrote. Raises StoreSchemaError if it was not this version's."""
    version = data[0] if data else 0
    if version != _VERSION:
        raise StoreSchemaError(
            f"the state of the simulated venue is of form {version}, this version of mqd-plugin-mock reads form "
            f"{_VERSION}: install the version that wrote it, or begin a new book"
        )
    return _DECODER.decode(memoryview(data)[1:])
