"""A broker behind which anything may go wrong: any connector, wrapped in a seeded plan of faults.

`FaultyBroker` outlives its desk: a desk that died opens it again, and finds what a real broker would show it. The
inner broker's orders, matching and account are its own; what happens besides is booked in an overlay. Nothing waits
by itself: `deliver_due` and `advance` let time pass. To be called from one thread at a time.

May not import anything of the core that decides about orders or keeps its books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from msgspec import structs

from mqd_core.api import (
    SECOND_NS,
    AccountReport,
    ActivityCursor,
    Ambiguous,
    ApprovedOrder,
    Asset,
    Bar,
    BrokerCapabilities,
    BrokerClock,
    BrokerConnector,
    BrokerEvent,
    Fill,
    NotSent,
    OrderRef,
    OrderReport,
    PositionReport,
    Refused,
    SimulatedVenue,
    require_approved,
)
from mqd_core.testing.broker_book import BrokerBook, Truth
from mqd_core.testing.faults import FaultKind, FaultPlan
from mqd_core.testing.faulty_stream import Agenda, FaultyStream
from mqd_core.testing.mishaps import Mishaps

#: How long the broker's clock keeps one skew.
_SKEW_NS = 3_600 * SECOND_NS
#: How long balances keep one lag.
_LAG_NS = 10 * SECOND_NS


class FaultyBroker:
    """A connector that does what the inner one does, but for what its plan says.

    `fired` counts how often each kind of fault has struck. `venue` is None: such a broker is outside of the desk's
    commits, whatever is inside; `advance` is how the simulated market goes on.
    """

    capabilities: BrokerCapabilities
    venue: SimulatedVenue | None

    def __init__(self, inner: BrokerConnector, plan: FaultPlan, now_ns: Callable[[], int]) -> None:
        self.capabilities = structs.replace(inner.capabilities, not_found_is_final=False, own_record=True)
        self.venue = None
        self.plan = plan
        self.fired: Counter[FaultKind] = Counter()
        self._inner = inner
        self._now_ns = now_ns
        self._agenda = Agenda()
        self._book = BrokerBook(inner, now_ns)
        self._stream = FaultyStream(plan, self._agenda, now_ns, self.fired)
        self._mishaps = Mishaps(self._book, self._stream, self._agenda, self.fired)
        self._calls: Counter[str] = Counter()
        self._is_open = False

    # The connector

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountReport:
        """Connect a desk; the one before, if it is still there, hears nothing more."""
        if not self._is_open:
            self._inner.open(self._hear)
            self._is_open = True
            self._book.note()
        self._stream.connect(sink)
        return self._book.account()

    def submit(self, order: ApprovedOrder) -> OrderReport:
        """Take an order, or do what the plan says. Raises Refused, NotSent, or something that leaves it open."""
        approved = require_approved(order)
        identifier = approved.client_order_id
        key = self._count("submit", identifier)
        self._fail_before(approved, key)
        report = self._land(approved)
        if self._strikes(FaultKind.ANSWER_LOST, key):
            raise TimeoutError("no answer to the order within 10 s")
        if self._strikes(FaultKind.GARBLED, key):
            raise ValueError("the answer to the order was no JSON: '<html><body>upstream'")
        if self._strikes(FaultKind.DUPLICATE_REFUSED, key):
            # Not Refused: what says that the id is known says that the order may live.
            raise Ambiguous("client_order_id must be unique", "40010001")
        return report

    def cancel(self, order: OrderRef) -> None:
        """Ask for a cancel, or do what the plan says. Raises Refused, or something that leaves it open."""
        key = self._count("cancel", order.client_order_id)
        if self._strikes(FaultKind.CANCEL_REFUSED, key):
            raise Refused("order is not cancelable: it is pending_replace", "42210000")
        if self._strikes(FaultKind.CANCEL_NEVER_ARRIVED, key):
            raise TimeoutError("no answer to the cancel within 10 s")
        if self._strikes(FaultKind.CANCEL_LATE, key):
            due_ns = self._now_ns() + self.plan.delay_ns(FaultKind.CANCEL_LATE, key, 1, 120)
            self._agenda.add(due_ns, lambda: self._cancel_late(order))
            return
        self._inner.cancel(order)
        self._book.note()
        if self._strikes(FaultKind.CANCEL_ANSWER_LOST, key):
            raise TimeoutError("no answer to the cancel within 10 s")

    def find_order(self, client_order_id: str) -> OrderReport | None:
        """Look an order up; None may be wrong for some seconds after it was taken."""
        key = self._count("find", client_order_id)
        self._fail(FaultKind.FIND_FAILS, key)
        landed_ns = self._book.landed_ns.get(client_order_id)
        if landed_ns is not None and self.plan.fires(FaultKind.FIND_MISSES, client_order_id):
            shown_ns = landed_ns + self.plan.delay_ns(FaultKind.FIND_MISSES, client_order_id, 1, 10)
            if self._now_ns() < shown_ns:
                self.fired[FaultKind.FIND_MISSES] += 1
                return None
        return self._book.find(client_order_id)

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        """All orders since a time; the latest may be missing."""
        key = self._count("orders", "")
        self._fail(FaultKind.ORDERS_FAIL, key)
        found = self._book.orders(since_ns)
        if not self.plan.fires(FaultKind.ORDERS_LAG, key):
            return found
        seen_ns = self._now_ns() - self.plan.delay_ns(FaultKind.ORDERS_LAG, key, 1, 10)
        early = [order for order in found if self._book.landed_ns.get(order.client_order_id, order.ts) <= seen_ns]
        if len(early) < len(found):
            self.fired[FaultKind.ORDERS_LAG] += 1
        return early

    def activities(self, after: ActivityCursor | None) -> Iterable[BrokerEvent]:
        """What moved the account behind a cursor, oldest first; the latest may be missing."""
        key = self._count("activities", "")
        self._fail(FaultKind.ACTIVITIES_FAIL, key)
        now = self._now_ns()
        found = self._book.movements(after, now)
        if not self.plan.fires(FaultKind.ACTIVITIES_LAG, key):
            return found
        early = self._book.movements(after, now - self.plan.delay_ns(FaultKind.ACTIVITIES_LAG, key, 1, 30))
        if len(early) < len(found):
            self.fired[FaultKind.ACTIVITIES_LAG] += 1
        return early

    def account(self) -> AccountReport:
        """The account now, or some seconds ago."""
        self._fail(FaultKind.ACCOUNT_FAILS, self._count("account", ""))
        return self._balances("account")

    def positions(self) -> Sequence[PositionReport]:
        """All positions now, or some seconds ago; not always of the same moment as the account."""
        self._fail(FaultKind.ACCOUNT_FAILS, self._count("positions", ""))
        return self._balances("positions").positions

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        """What the broker says of these symbols."""
        self._fail(FaultKind.ASSETS_FAIL, self._count("assets", ""))
        until_ns = self._book.untradable_until_ns
        return [
            structs.replace(asset, tradable=False) if self._now_ns() < until_ns.get(asset.symbol, 0) else asset
            for asset in self._inner.assets(symbols)
        ]

    def clock(self) -> BrokerClock:
        """The broker's clock, which may be up to 60 s off."""
        self._count("clock", "")
        clock = self._inner.clock()
        hour = str(self._now_ns() // _SKEW_NS)
        if not self._strikes(FaultKind.CLOCK_SKEW, hour):
            return clock
        skew_ns = self.plan.number(FaultKind.CLOCK_SKEW, hour, -60_000, 60_000) * (SECOND_NS // 1_000)
        return structs.replace(clock, now_ns=clock.now_ns + skew_ns)

    def close(self) -> None:
        """Let the desk go; the broker, and what is inside, goes on."""
        self._stream.connect(None)

    # The world

    @property
    def next_due_ns(self) -> int | None:
        """When `deliver_due` has something to deliver or to land; None for never."""
        return self._agenda.next_ns

    def deliver_due(self, now_ns: int) -> None:
        """Hand what is due to the sink, land what is due to land, and let happen what happens in this minute."""
        self._agenda.work(now_ns)
        self._mishaps.turn(now_ns)

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> None:
        """Let the market go on to `now_ns` with all bars of a minute; what it fills goes down the stream.

        Raises RuntimeError if the inner broker has no simulated venue.
        """
        venue = self._inner.venue
        if venue is None:
            raise RuntimeError("the inner broker has no simulated venue: its market goes on by itself")
        self._agenda.work(now_ns)
        for bar in bars:
            self._book.see(bar)
        traded = [bar for bar in bars if not self._mishaps.is_halted(bar.symbol, bar.start_ns)]
        for event in venue.advance(now_ns, traded):
            self._hear(event)
        self._mishaps.turn(now_ns)

    def is_halted(self, symbol: str, now_ns: int) -> bool:
        """Whether trading in a symbol is halted: no bar of it should reach the desk either."""
        return self._mishaps.is_halted(symbol, now_ns)

    def calm(self) -> None:
        """No new fault from here on; what is late still comes."""
        self.plan = FaultPlan(self.plan.seed)
        self._stream.plan = self._mishaps.plan = self.plan

    def truth(self) -> Truth:
        """What the broker really has, for a checker."""
        return self._book.truth()

    # Inside

    def _fail_before(self, order: ApprovedOrder, key: str) -> None:
        """What keeps an order from being taken, for now or for ever."""
        if self._strikes(FaultKind.NOT_SENT, key):
            raise NotSent("connection refused: no byte of the order left", "connection_refused")
        self._limit(key)
        if self._strikes(FaultKind.UNAUTHORIZED, key):
            raise Refused("unauthorized", "401")
        if self._strikes(FaultKind.REFUSED, key):
            raise Refused("cost basis must be >= minimal amount of order 1", "40310000")
        if self._strikes(FaultKind.NEVER_ARRIVED, key):
            raise TimeoutError("no answer to the order within 10 s")
        if self._strikes(FaultKind.LANDS_LATE, key):
            due_ns = self._now_ns() + self.plan.delay_ns(FaultKind.LANDS_LATE, key, 1, 150)
            self._agenda.add(due_ns, lambda: self._land_late(order))
            raise TimeoutError("no answer to the order within 10 s")
        if self._strikes(FaultKind.SERVER_ERROR, key):
            if self.plan.number(FaultKind.SERVER_ERROR, key, 0, 1):
                self._land(order)
            raise Ambiguous("502 bad gateway", "502")

    def _land(self, order: ApprovedOrder) -> OrderReport:
        report = self._book.land(order)
        self._mishaps.landed(report)
        return report

    def _land_late(self, order: ApprovedOrder) -> None:
        try:
            self._land(order)
        except Refused:
            return  # nobody waits for this answer any more

    def _cancel_late(self, order: OrderRef) -> None:
        try:
            self._inner.cancel(order)
        except Refused:
            return  # it has filled or ended meanwhile

    def _hear(self, event: BrokerEvent) -> None:
        """Take what the inner broker reports, and send it on its way."""
        fills = self._book.sync()
        if isinstance(event, Fill):
            self._stream.put(self._book.shown_fill(event))
        elif isinstance(event, OrderReport):
            if not self._mishaps.is_hushed(event.client_order_id):
                self._stream.put(self._book.shown(event))
        else:
            self._stream.put(event)
        for fill in fills:
            self._mishaps.filled(fill)

    def _balances(self, method: str) -> AccountReport:
        period = f"{method}/{self._now_ns() // _LAG_NS}"
        if not self.plan.fires(FaultKind.BALANCES_LAG, period):
            return self._book.account()
        lagging = self._book.account_before(self.plan.delay_ns(FaultKind.BALANCES_LAG, period, 1, 10))
        account = self._book.account()
        if (lagging.cash, lagging.positions) != (account.cash, account.positions):
            self.fired[FaultKind.BALANCES_LAG] += 1
        return lagging

    def _count(self, call: str, identifier: str) -> str:
        """The key of this call: what is asked, and how often it was."""
        self._agenda.work(self._now_ns())
        name = f"{call}/{identifier}"
        self._calls[name] += 1
        return f"{name}/{self._calls[name]}"

    def _strikes(self, kind: FaultKind, key: str) -> bool:
        if not self.plan.fires(kind, key):
            return False
        self.fired[kind] += 1
        return True

    def _limit(self, key: str) -> None:
        if self._strikes(FaultKind.RATE_LIMITED, key):
            raise Ambiguous("429 too many requests", "429")

    def _fail(self, kind: FaultKind, key: str) -> None:
        """Leave a question without an answer."""
        self._limit(key)
        if self._strikes(kind, key):
            _no_answer(key)


def _no_answer(key: str) -> NoReturn:
    raise TimeoutError(f"no answer to {key.partition('/')[0]} within 10 s")
