"""Everything that can enter the engine, one frozen struct each. Read this file and you know what a desk reacts to.

`ts` is when the event could be known, in UTC nanoseconds. An event gets its sequence number as it enters the engine,
so it carries none itself. A `Bar` (in `market`) is an event too; it is stamped by its start and known at its end.
May not hold mutable values: an event is encoded after the engine has moved on.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import TypeAlias

import msgspec

from mqd_core.domain.market import Asset, Bar
from mqd_core.domain.orders import Side


class OrderStatus(str, Enum):
    """A broker's word for an order, mapped to what the order table knows."""

    ACKNOWLEDGED = "acknowledged"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"
    PAUSED = "paused"
    CANCEL_REJECTED = "cancel_rejected"


class Outcome(str, Enum):
    """What is known of a call to the broker after it was made."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    FOUND = "found"
    NOT_FOUND = "not_found"


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A process has taken the desk: what it runs, by name, version and digest. `book` counts the desk's books.

    `account`, `assets` and `can_stop` are what the broker said and the engine was built with: a
    replay has no broker to ask.
    `restored` says which backup was put into the place of the desk's store, and when; "" for none since the last start.
    `reconciles` is whether the broker's account can differ from the books, and is held against them.
    """

    ts: int
    run_id: str
    desk_id: str
    mode: str
    book: int
    configuration: str
    feed: str
    versions: tuple[tuple[str, str], ...] = ()
    strategies: tuple[tuple[str, str], ...] = ()
    protection: str = "strategy"
    account: str = ""
    assets: tuple[Asset, ...] = ()
    can_stop: bool = True
    restored: str = ""
    reconciles: bool = False


class BarRevised(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A source corrected a bar it had already sent; strategies are not shown it again."""

    ts: int
    bar: Bar


class WarmedUp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """History for the strategies before they may trade. On a finite feed `bars` is journaled by count and digest."""

    ts: int
    bars: tuple[Bar, ...] = ()
    rows: int = 0
    digest: str = ""


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The feed's own news: connected, gap, ended, halted symbol. `code` is for machines."""

    ts: int
    code: str
    symbol: str = ""
    text: str = ""


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """What a broker says an order is now. Carries no execution: those come as `Fill`."""

    ts: int
    client_order_id: str
    broker_order_id: str
    symbol: str
    side: Side
    status: OrderStatus
    filled_quantity: Decimal
    quantity: Decimal | None = None
    notional: Decimal | None = None
    average_fill_price: Decimal | None = None
    code: str = ""
    text: str = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """One execution. Its identity is (broker order id, cumulative quantity, bust epoch)."""

    ts: int
    client_order_id: str
    broker_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    cumulative_quantity: Decimal
    fee: Decimal = Decimal(0)
    execution_id: str = ""


class FillBusted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue declares an execution never to have happened."""

    ts: int
    client_order_id: str
    broker_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    execution_id: str = ""


class SubmitOutcome(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """What became of a submission: accepted (with the broker's report), refused, not sent, or unknown."""

    ts: int
    client_order_id: str
    attempt: int
    outcome: Outcome
    report: OrderReport | None = None
    code: str = ""
    text: str = ""


class CancelOutcome(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What became of a cancel request. Accepted means asked for, not canceled."""

    ts: int
    client_order_id: str
    outcome: Outcome
    text: str = ""


class QueryOutcome(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to "do you know this order": found (with its report), not found, or no answer at all (unknown).

    `final` is True when "not found" alone proves that the order was never sent: an in-process venue, whose state
    is committed together with the journal.
    """

    ts: int
    client_order_id: str
    outcome: Outcome
    report: OrderReport | None = None
    fills: tuple[Fill, ...] = ()
    final: bool = False
    text: str = ""


class HeldPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the broker counts it: shares (negative when short) and the average price paid."""

    symbol: str
    quantity: Decimal
    average_price: Decimal


class Activity(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something besides a fill that moved the account: a fee, a dividend, a transfer. `amount` is signed, in USD.

    `quantity` is signed too: the shares that a corporate action or a transfer brought or took. Of a dividend it is
    what the dividend was paid on, and moves nothing.
    """

    ts: int
    activity_id: str
    kind: str
    amount: Decimal
    symbol: str = ""
    quantity: Decimal = Decimal(0)
    text: str = ""


class AccountSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account as the broker sees it, and, where the desk asked for all, everything that it may be compared with.

    `begun_ns` is when the reading of it began, `clock_skew_ns` how far the broker's clock was ahead at the least.
    `orders` is None where they were not read. `activities` came after the cursor that the desk named; `cursor` is the
    id of the last one, empty where there was none. `is_stable` says that no order moved while the rest was read.
    """

    ts: int
    account: str
    cash: Decimal
    buying_power: Decimal
    positions: tuple[HeldPosition, ...] = ()
    blocked: bool = False
    text: str = ""
    begun_ns: int = 0
    clock_skew_ns: int = 0
    orders: tuple[OrderReport, ...] | None = None
    activities: tuple[Fill | FillBusted | Activity, ...] = ()
    cursor: str = ""
    is_stable: bool = True


class StreamStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A live connection went up, down or silent."""

    ts: int
    stream: str
    state: str
    text: str = ""


class TimerFired(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Time has reached what the engine asked to be woken for."""

    ts: int


class SessionChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The exchange's hours of one date differ from the shipped table; no hours at all means closed."""

    ts: int
    date: str
    open_ns: int | None = None
    close_ns: int | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person's order to the desk: halt, resume, flatten, accept. `reason` is theirs, kept for ever."""

    ts: int
    command_id: str
    name: str
    reason: str = ""
    person: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


class PluginFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A plugin failed outside the engine: a feed, a connector's thread, an observer."""

    ts: int
    plugin: str
    error_type: str
    place: str
    text: str


class ClockJumped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Wall clock and steady clock disagree: a suspended machine, a stepped clock."""

    ts: int
    gap_ns: int


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The process leaves in order: `reason` is finished, signal, halted or failed."""

    ts: int
    reason: str
    feed_finished: bool = False


Event: TypeAlias = (
    Bar
    | RunStarted
    | BarRevised
    | WarmedUp
    | FeedStatus
    | OrderReport
    | Fill
    | FillBusted
    | SubmitOutcome
    | CancelOutcome
    | QueryOutcome
    | AccountSnapshot
    | Activity
    | StreamStatus
    | TimerFired
    | SessionChanged
    | Command
    | PluginFailed
    | ClockJumped
    | RunEnded
)

#: What a broker may hand to the desk by its sink.
BrokerEvent: TypeAlias = OrderReport | Fill | FillBusted | AccountSnapshot | Activity | StreamStatus
#: What a live data source may hand to the desk by its sink.
FeedEvent: TypeAlias = Bar | BarRevised | FeedStatus
