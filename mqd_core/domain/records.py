"""What the engine decided and moved: journaled beside the events that caused it, shown to readers and observers.

A record carries the sequence of its event and its ordinal within that step, so that `(sequence, ordinal)` names it
for ever. May not hold mutable values: records are encoded after the engine has moved on.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import TypeAlias

import msgspec

from mqd_core.domain.orders import OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.signals import Reason, SignalAction


class DeskState(str, Enum):
    """What the desk may do. FROZEN raises no exposure; HALTED besides cancels entries and needs a person."""

    STARTING = "starting"
    RECOVERING = "recovering"
    READY = "ready"
    FROZEN = "frozen"
    HALTED = "halted"


class CoverState(str, Enum):
    """What stands between an open position and a fall of its price, besides its strategy."""

    NONE = ""
    ARMING = "arming"
    ARMED = "armed"
    WAIVED = "waived"
    ASLEEP = "asleep"
    EXITING = "exiting"
    UNPROTECTED = "unprotected"


class Severity(str, Enum):
    """How loud an alert is."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """What every record begins with; positional, so that a record is made as `Alert(*scribe.stamp(), ...)`."""

    sequence: int
    ordinal: int
    ts: int


class SignalMade(Numbered, frozen=True, kw_only=True, tag=True):
    """A strategy asked for something, and the indicator values it was made of."""

    correlation_id: str
    strategy_id: str
    symbol: str
    action: SignalAction
    order_type: OrderType
    price: Decimal
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    reason: Reason = ()


class Sized(Numbered, frozen=True, kw_only=True, tag=True):
    """The sizer's answer to an entry."""

    correlation_id: str
    quantity: Decimal | None
    notional: Decimal | None
    reason: str


class Approved(Numbered, frozen=True, kw_only=True, tag=True):
    """The gate let an order through: this record is the intent, durable before anything is sent."""

    correlation_id: str
    client_order_id: str
    strategy_id: str
    symbol: str
    purpose: Purpose
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    reference_price: Decimal


class Denied(Numbered, frozen=True, kw_only=True, tag=True):
    """Something was refused before it could become an order, with one code and what was measured."""

    correlation_id: str
    strategy_id: str
    symbol: str
    action: SignalAction
    code: str
    text: str


class OrderMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """An order changed: its life, how much has filled, or what is outstanding."""

    correlation_id: str
    client_order_id: str
    broker_order_id: str
    symbol: str
    before: str
    after: str
    cumulative: Decimal
    request: str = "none"
    code: str = ""
    text: str = ""


class BookMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """A strategy's book in one symbol, and the account's cash, after a fill, a bust or an activity."""

    correlation_id: str
    strategy_id: str
    symbol: str
    cause: str
    change: Decimal
    price: Decimal
    fee: Decimal
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    cash: Decimal


class LimitMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """A loss limit opened, fired or was lifted: `limit` is daily, weekly or breaker."""

    limit: str
    state: str
    loss: Decimal
    level: Decimal
    until_ns: int | None = None
    session: str = ""


class ProtectionMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """What protects a position changed: a stop rests (armed), will rest (arming, asleep until the open) or never will.

    `quantity` is what the book held then, `stop_price` the level of the stop that rests or is on its way.
    """

    strategy_id: str
    symbol: str
    state: CoverState
    quantity: Decimal
    stop_price: Decimal | None = None
    client_order_id: str = ""
    code: str = ""
    text: str = ""


class DeskMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """The desk changed what it may do, and why."""

    before: DeskState
    after: DeskState
    code: str
    text: str = ""


class SymbolMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """A symbol was frozen (no entries in it) or set free again. Each `code` is one cause; a symbol may have several."""

    symbol: str
    state: str
    code: str
    text: str = ""


class DifferenceMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """Books and the broker's account differ, differ by another amount, were judged, or agree again.

    `symbol` is empty for cash. `state` is read (too young to be believed), the verdict, such as position_unexplained or
    awaits_fees, or the end: agreed, accepted.
    """

    symbol: str
    state: str
    books: Decimal
    broker: Decimal


class PluginMoved(Numbered, frozen=True, kw_only=True, tag=True):
    """A plugin inside the engine changed state: counted a failure, quarantined."""

    plugin: str
    symbol: str
    state: str
    error_type: str = ""
    place: str = ""
    text: str = ""


class Alert(Numbered, frozen=True, kw_only=True, tag=True):
    """Something a person should know of now."""

    severity: Severity
    code: str
    subject: str
    text: str


Record: TypeAlias = (
    SignalMade
    | Sized
    | Approved
    | Denied
    | OrderMoved
    | BookMoved
    | LimitMoved
    | ProtectionMoved
    | DeskMoved
    | SymbolMoved
    | DifferenceMoved
    | PluginMoved
    | Alert
)
