"""Kinds of faults that a broker can show, and plans that say which of them strike, where and when.

A draw is a function of (seed, kind, key) and of nothing else: a plan that has lost a kind strikes with all its other
kinds exactly as before, which is what makes a failing plan shrinkable. May not know a broker or an order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec

from mqd_core.api import SECOND_NS


class FaultKind(str, Enum):
    """One way in which a broker misbehaves. `fault_id` is its row in the failure model's list."""

    fault_id: str

    def __new__(cls, value: str, fault_id: str) -> FaultKind:  # noqa: PYI034  Self is younger than 3.10
        """Make a member whose value is its name alone."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.fault_id = fault_id
        return member

    # Submissions. The key of a draw is the client order id and how often that id was sent.
    #: The order is taken, the caller waits in vain.
    ANSWER_LOST = "answer_lost", "B1"
    #: The caller waits in vain, nothing is taken.
    NEVER_ARRIVED = "never_arrived", "B2"
    #: The caller waits in vain, and the order arrives 1 to 150 s later.
    LANDS_LATE = "lands_late", "B3"
    #: No byte leaves: NotSent.
    NOT_SENT = "not_sent", "B4"
    #: 502; whether the order was taken is drawn.
    SERVER_ERROR = "server_error", "B4"
    #: The order is taken, the answer is no JSON: an error that is no BrokerError.
    GARBLED = "garbled", "B4"
    #: 429, of submissions and queries; nothing is taken.
    RATE_LIMITED = "rate_limited", "B5"
    #: The order is taken, and the answer says that its client order id is known already: of an earlier try.
    DUPLICATE_REFUSED = "duplicate_refused", "B6"
    #: A definitive no.
    REFUSED = "refused", "B7"
    #: 401, definitive; the key is good again at the next try.
    UNAUTHORIZED = "unauthorized", "B8"
    #: Accepted, and rejected within 5 s.
    REJECTED_LATER = "rejected_later", "B7"

    # Questions. The key is what is asked and how often it was.
    #: A query for an order gets no answer.
    FIND_FAILS = "find_fails", "B4"
    #: For 1 to 10 s after it was taken an order is "not found".
    FIND_MISSES = "find_misses", "B9"
    #: The list of orders gets no answer.
    ORDERS_FAIL = "orders_fail", "B4"
    #: The list of orders lacks those of the last 1 to 10 s.
    ORDERS_LAG = "orders_lag", "B16"
    #: The activities get no answer.
    ACTIVITIES_FAIL = "activities_fail", "B4"
    #: The activities lack those of the last 1 to 30 s.
    ACTIVITIES_LAG = "activities_lag", "B16"
    #: The account and the positions get no answer.
    ACCOUNT_FAILS = "account_fails", "B4"
    #: Cash and positions are those of 1 to 10 s ago.
    BALANCES_LAG = "balances_lag", "B16"
    #: The assets get no answer.
    ASSETS_FAIL = "assets_fail", "B4"
    #: The broker's clock is up to 60 s off, for an hour.
    CLOCK_SKEW = "clock_skew", "B20"

    # Cancels. The key is the client order id and how often its cancel was sent.
    #: Taken, and done 1 to 120 s later, if nothing has filled the order before.
    CANCEL_LATE = "cancel_late", "B10"
    #: Refused, though the order works.
    CANCEL_REFUSED = "cancel_refused", "B11"
    #: Done, and the caller waits in vain.
    CANCEL_ANSWER_LOST = "cancel_answer_lost", "B1"
    #: Not done, and the caller waits in vain.
    CANCEL_NEVER_ARRIVED = "cancel_never_arrived", "B2"

    # The stream. The key is the event.
    #: It never comes.
    EVENT_DROPPED = "event_dropped", "W6"
    #: It comes twice, the second time up to 30 s later.
    EVENT_DUPLICATED = "event_duplicated", "W4"
    #: It comes 1 to 60 s late.
    EVENT_DELAYED = "event_delayed", "W6"
    #: It comes behind the next one.
    EVENT_REORDERED = "event_reordered", "W5"
    #: A `new` and the fill come again after the fill, with the same execution id.
    FILL_REPLAYED = "fill_replayed", "W4"
    #: The fill comes before the order's `new`.
    FILL_BEFORE_NEW = "fill_before_new", "W5"
    #: The fill comes behind the end of its order, or 60 s late.
    END_BEFORE_FILL = "end_before_fill", "W5"
    #: The fill comes behind the end of its order, and the end did not know of it.
    LATE_FILL = "late_fill", "W8"
    #: An order is shown in a state that nobody knows, for 5 to 60 s.
    STATUS_UNKNOWN = "status_unknown", "B19"

    # What happens in a minute; a rate of 0.5 means once in two hours. The key is the minute, and the symbol.
    #: For 5 to 120 s the stream is silent; nothing says so.
    STREAM_MUTE = "stream_mute", "W2"
    #: The stream is down for 5 to 120 s, and comes back without what happened meanwhile.
    STREAM_DOWN = "stream_down", "W1"
    #: A person trades in the broker's application.
    EXTERNAL_TRADE = "external_trade", "A1"
    #: An order under this desk's own prefix that the desk never sent: a second desk, or a lost store.
    ORPHAN_ORDER = "orphan_order", "P14"
    #: The broker sells a position and blocks the account for an hour.
    LIQUIDATION = "liquidation", "A3"
    #: The account is blocked for 1 to 30 minutes.
    ACCOUNT_BLOCKED = "account_blocked", "A3"
    #: A symbol is halted for 5 to 10 minutes: no bar fills anything.
    TRADING_HALT = "trading_halt", "A4"
    #: A symbol cannot be traded for 5 to 60 minutes: orders are refused, and the asset says why.
    ASSET_UNTRADABLE = "asset_untradable", "A9"
    #: A reverse split: fewer shares of what is held, and cash for what is left of a share's 1e-9.
    SPLIT = "split", "A7"
    #: A fee, by activity.
    FEE = "fee", "A8"
    #: A dividend of what is held, by activity.
    DIVIDEND = "dividend", "A8"
    #: Money is paid in or out, by activity.
    TRANSFER = "transfer", "A8"

    # What happens to an order. The key is the client order id, or the execution.
    #: A person cancels it 1 to 300 s after it was taken.
    USER_CANCELS = "user_cancels", "A2"
    #: A person replaces it 1 to 300 s after it was taken: the old one is `replaced`.
    USER_REPLACES = "user_replaces", "B12"
    #: After an execution of a part, the broker cancels the rest.
    PARTIAL_THEN_CANCEL = "partial_then_cancel", "W5"
    #: An execution is declared never to have happened, 1 to 600 s later.
    FILL_BUSTED = "fill_busted", "W12"


#: Kinds whose rate is one an hour: they are drawn once a minute.
PER_MINUTE: Final = frozenset(
    {
        FaultKind.STREAM_MUTE,
        FaultKind.STREAM_DOWN,
        FaultKind.EXTERNAL_TRADE,
        FaultKind.ORPHAN_ORDER,
        FaultKind.LIQUIDATION,
        FaultKind.ACCOUNT_BLOCKED,
        FaultKind.TRADING_HALT,
        FaultKind.ASSET_UNTRADABLE,
        FaultKind.SPLIT,
        FaultKind.FEE,
        FaultKind.DIVIDEND,
        FaultKind.TRANSFER,
    }
)
#: Kinds after which a desk has to wait for a person: in every run, they would hide what comes behind them.
ENDING: Final = frozenset(
    {
        FaultKind.UNAUTHORIZED,
        FaultKind.ORPHAN_ORDER,
        FaultKind.LIQUIDATION,
        FaultKind.ACCOUNT_BLOCKED,
        FaultKind.SPLIT,
        FaultKind.FILL_BUSTED,
        FaultKind.EXTERNAL_TRADE,
    }
)
#: How often a kind that is on strikes.
RATES: Final = (0.01, 0.1, 0.5)
#: One kind in so many is on in a swarm; of those that end a desk's day one in ENDING_ONE_IN.
ONE_IN: Final = 4
ENDING_ONE_IN: Final = 16


class FaultPlan(msgspec.Struct, frozen=True):
    """Which kinds are on and at which rate (0 to 1), and the seed of all draws."""

    seed: int
    rates: tuple[tuple[FaultKind, float], ...] = ()

    @classmethod
    def swarm(cls, seed: int, kinds: Iterable[FaultKind] = tuple(FaultKind)) -> FaultPlan:
        """Draw which of the kinds are on in this run, and how often each strikes."""
        chance = cls(seed)
        rates = []
        for kind in kinds:
            rarity = ENDING_ONE_IN if kind in ENDING else ONE_IN
            if chance.part(kind, "swarm:on") * rarity < 1:
                rates.append((kind, RATES[chance.number(kind, "swarm:rate", 0, len(RATES) - 1)]))
        return cls(seed, tuple(rates))

    @classmethod
    def always(cls, *kinds: FaultKind, seed: int = 0) -> FaultPlan:
        """A plan whose kinds strike wherever they can; those of a minute once in each minute."""
        return cls(seed, tuple((kind, 60.0 if kind in PER_MINUTE else 1.0) for kind in kinds))

    @property
    def kinds(self) -> tuple[FaultKind, ...]:
        """The kinds that are on."""
        return tuple(kind for kind, rate in self.rates if rate > 0)

    def without(self, *kinds: FaultKind) -> FaultPlan:
        """The same plan less these kinds; all others strike as before."""
        return FaultPlan(self.seed, tuple(pair for pair in self.rates if pair[0] not in kinds))

    def only(self, *kinds: FaultKind) -> FaultPlan:
        """The same plan with these kinds alone."""
        return FaultPlan(self.seed, tuple(pair for pair in self.rates if pair[0] in kinds))

    def fires(self, kind: FaultKind, key: str) -> bool:
        """Whether the kind strikes at this place."""
        rate = next((rate for other, rate in self.rates if other is kind), 0.0)
        if rate <= 0:
            return False
        return self.part(kind, key) < (rate / 60 if kind in PER_MINUTE else rate)

    def part(self, kind: FaultKind, key: str) -> float:
        """A draw from 0 (included) to 1 (not included)."""
        return self._draw(kind, key) / 2**64

    def number(self, kind: FaultKind, key: str, least: int, most: int) -> int:
        """A draw of a whole number, both ends included."""
        return least + self._draw(kind, f"{key}:number") % (most - least + 1)

    def delay_ns(self, kind: FaultKind, key: str, least_seconds: int, most_seconds: int) -> int:
        """A draw of a delay in nanoseconds, to the millisecond."""
        milliseconds = self.number(kind, f"{key}:delay", least_seconds * 1_000, most_seconds * 1_000)
        return milliseconds * (SECOND_NS // 1_000)

    def _draw(self, kind: FaultKind, key: str) -> int:
        subject = f"{self.seed}/{kind.value}/{key}".encode()
        return int.from_bytes(hashlib.blake2b(subject, digest_size=8).digest(), "big")
