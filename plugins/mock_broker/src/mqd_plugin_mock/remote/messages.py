"""What a client and the venue's process say to each other, one request and one answer at a time.

Money travels as exact text, bars as the floats they are. May not send anything, nor know what a request does.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Final, TypeAlias

import msgspec

from mqd_core.api import (
    AccountSnapshot,
    ApprovedOrder,
    Asset,
    Bar,
    BrokerEvent,
    HeldPosition,
    OrderReport,
    OrderType,
    Side,
    TimeInForce,
)


class Role(str, Enum):
    """Who speaks: the desk that trades on the account, one at a time; or a person, who may end things."""

    DESK = "desk"
    PERSON = "person"


class SentOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it travels: the approved one without its seal, which works in the desk's process alone."""

    client_order_id: str
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


def sent(order: ApprovedOrder) -> SentOrder:
    """The order as it travels."""
    return SentOrder(**{name: getattr(order, name) for name in SentOrder.__struct_fields__})


# What may be asked.


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first word of a client: a number used once, which the venue signs."""

    nonce: str


class Login(msgspec.Struct, frozen=True, tag=True):
    """The client's signature under the venue's own number, and who it is. `client` is new for each connector."""

    proof: str
    role: Role
    client: str
    process: int


class Submit(msgspec.Struct, frozen=True, tag=True):
    """Take an order."""

    order: SentOrder


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Cancel an order; `after` as in Advance."""

    client_order_id: str
    now_ns: int
    after: int


class Advance(msgspec.Struct, frozen=True, tag=True):
    """Let time pass with the bars of one minute; `after` is the number of the last event that the desk has heard."""

    now_ns: int
    bars: tuple[Bar, ...]
    after: int


class Find(msgspec.Struct, frozen=True, tag=True):
    """The order of that id."""

    client_order_id: str


class ListOrders(msgspec.Struct, frozen=True, tag=True):
    """All orders submitted at or after a time."""

    since_ns: int


class ListActivities(msgspec.Struct, frozen=True, tag=True):
    """Fills and charges after one of them."""

    after: str | None


class ShowAccount(msgspec.Struct, frozen=True, tag=True):
    """The account, stamped with the client's time."""

    now_ns: int


class ShowPositions(msgspec.Struct, frozen=True, tag=True):
    """All positions."""


class ShowAssets(msgspec.Struct, frozen=True, tag=True):
    """What the venue says of these symbols."""

    symbols: tuple[str, ...]


class CancelAll(msgspec.Struct, frozen=True, tag=True):
    """Cancel whatever works, at the venue's own time."""


class FlattenAll(msgspec.Struct, frozen=True, tag=True):
    """Sell whatever is held at the last price that the venue knows, at its own time."""


class End(msgspec.Struct, frozen=True, tag=True):
    """Close the account and leave; what is on record stays."""


Request: TypeAlias = (
    Hello
    | Login
    | Submit
    | Cancel
    | Advance
    | Find
    | ListOrders
    | ListActivities
    | ShowAccount
    | ShowPositions
    | ShowAssets
    | CancelAll
    | FlattenAll
    | End
)


# What may be answered.


class Challenge(msgspec.Struct, frozen=True, tag=True):
    """The venue's signature under the client's number, and a number for the client to sign."""

    nonce: str
    proof: str


class Welcome(msgspec.Struct, frozen=True, tag=True):
    """The client may speak. `setup` is a digest of settings and version, `heard` the number of the last event."""

    setup: str
    heard: int
    working: int
    process: int


class Taken(msgspec.Struct, frozen=True, tag=True):
    """The order is on record."""

    report: OrderReport
    working: int


class Declined(msgspec.Struct, frozen=True, tag=True):
    """The venue's no, in words and with a code: nothing was changed."""

    code: str
    text: str


class News(msgspec.Struct, frozen=True, tag=True):
    """What has happened since the event that the desk heard last, and the number of the last one now."""

    events: tuple[BrokerEvent, ...]
    heard: int
    working: int


class Found(msgspec.Struct, frozen=True, tag=True):
    """The order that was asked for; None: there is none, and nothing sent before this connection will become one."""

    report: OrderReport | None


class OrderList(msgspec.Struct, frozen=True, tag=True):
    """Orders."""

    reports: tuple[OrderReport, ...]


class ActivityList(msgspec.Struct, frozen=True, tag=True):
    """Fills and charges."""

    events: tuple[BrokerEvent, ...]


class AccountShown(msgspec.Struct, frozen=True, tag=True):
    """The account."""

    account: AccountSnapshot


class PositionList(msgspec.Struct, frozen=True, tag=True):
    """Positions."""

    positions: tuple[HeldPosition, ...]


class AssetList(msgspec.Struct, frozen=True, tag=True):
    """What the venue says of symbols."""

    assets: tuple[Asset, ...]


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The venue leaves."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The venue could not do it, and whether it was done is not certain; `busy` is a desk that trades already."""

    code: str
    text: str


Answer: TypeAlias = (
    Challenge
    | Welcome
    | Taken
    | Declined
    | News
    | Found
    | OrderList
    | ActivityList
    | AccountShown
    | PositionList
    | AssetList
    | Ended
    | Failed
)


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A request and its number on its connection, counted from 1."""

    number: int
    request: Request


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """An answer and the number of the request that it answers."""

    number: int
    answer: Answer


_ENCODER: Final = msgspec.msgpack.Encoder()
_REQUESTS: Final = msgspec.msgpack.Decoder(Asked)
_ANSWERS: Final = msgspec.msgpack.Decoder(Answered)


def encode(message: Asked | Answered) -> bytes:
    """A message as bytes."""
    return _ENCODER.encode(message)


def decode_request(data: bytes) -> Asked:
    """Read a request; raises msgspec.MsgspecError."""
    return _REQUESTS.decode(data)


def decode_answer(data: bytes) -> Answered:
    """Read an answer; raises msgspec.MsgspecError."""
    return _ANSWERS.decode(data)
