"""Protective orders: every open position has one stop at the broker that covers it whole, or somebody was told why not.

Theory of operation
-------------------
A book that was bought has a `Cover`. Whatever may matter to it (a fill, an order's end, a timer, a session's open, an
account snapshot, a restart) only touches it; at the end of the step the keeper looks at what the book holds and at
what works, and takes the one step that brings the two together. It never counts on what it did before, so a lost
answer, a person's cancel and a restart need no code of their own.

* Opposite sides may not rest together: while a buy of the symbol works nothing is sent; five seconds after the first
  fill what is left of the buy is canceled.
* A stop is for the whole book; when the two differ it is canceled, and sent anew once that is confirmed.
* DAY stops expire at the close and are sent again at the next open. What a person or the broker cancels, or refuses,
  is sent again at growing intervals, a bounded number of times; then a person is told.
* The stop's price is the book's average price times (1 - stop_loss), rounded so as never to be later. Where the last
  close since is already at or below it, the stop would be refused as one that has been passed: the book is sold.
* An order to close a position that nobody has answered for five seconds is told of, and the position counts as
  unprotected until it is known what became of it. It is never sent again: it is asked about, before all others.

May not approve an order (the gate does), nor move a book. Exits of strategies are the orchestrator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from decimal import Decimal

from mqd_core.domain.identity import client_order_id
from mqd_core.domain.ledger import Ledger
from mqd_core.domain.money import ZERO, money, stop_below
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import OrderDraft, OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.records import CoverState, DeskState, Severity
from mqd_core.domain.signals import SignalAction
from mqd_core.engine.cover import CONFIRM_NS, RESTED_NS, RETRY_NS, Cover
from mqd_core.engine.cover_teller import CoverTeller, advice
from mqd_core.engine.facts import DeskFacts
from mqd_core.engine.instruments import Lane
from mqd_core.engine.orchestrator import TradeCycleOrchestrator
from mqd_core.engine.order import Order
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import EngineSettings
from mqd_core.risk.facts import Denial
from mqd_core.risk.gate import PreTradeRiskGate

_BookKey = tuple[str, str]
_UNSURE = (DeskState.STARTING, DeskState.RECOVERING)


class ProtectionKeeper:
    """Keeps covers true. Under `protection: strategy` it sends no stops, and still watches exits and flattens."""

    def __init__(
        self,
        settings: EngineSettings,
        scribe: Scribe,
        ledger: Ledger,
        facts: DeskFacts,
        gate: PreTradeRiskGate,
        cycle: TradeCycleOrchestrator,
        lanes: Mapping[_BookKey, Lane],
    ) -> None:
        self._settings = settings
        self._scribe = scribe
        self._ledger = ledger
        self._facts = facts
        self._gate = gate
        self._cycle = cycle
        self._lanes = lanes
        self._teller = CoverTeller(scribe, ledger)
        self._rests = settings.protection == "broker"
        #: What is known of each book's protection.
        self.covers: dict[_BookKey, Cover] = {}
        #: Books to look at before the step ends.
        self.touched: dict[_BookKey, None] = {}
        #: Orders that close positions and that nobody has answered yet; when to tell a person, 0 once that was done.
        self.unanswered: dict[str, tuple[Order, int]] = {}

    # Hearing: each of these only notes what settle() has to look at

    def on_sent(self, order: Order) -> None:
        """An order leaves: watch for the answer to one that closes a position."""
        if order.purpose is not Purpose.ENTRY:
            self.watch(order)

    def on_fill(self, order: Order) -> None:
        """An execution was booked; one of an entry says what the stop is to be."""
        if not self.covers and not self._rests:
            return
        if order.purpose is Purpose.ENTRY and order.lane is not None:
            cover = self._cover_of(_key(order))
            cover.forgive()
            cover.stop_loss, cover.filled_ns = order.stop_loss, self._scribe.now_ns
        self._touch(order)

    def on_postponed(self, order: Order) -> None:
        """An exit may go, but for a desk that recovers."""
        self._cover_of(_key(order)).postponed = order.exit_after

    def on_moved(self, order: Order) -> None:
        """An order's state or its book changed in another way."""
        self._touch(order)

    def on_closed(self, order: Order) -> None:
        """An order is over; a stop or a flatten that ended neither filled nor by this desk's wish has failed."""
        self._touch(order)
        cover, life = self.covers.get(_key(order)), order.machine.life
        if cover is None or order.purpose not in (Purpose.PROTECT, Purpose.FLATTEN) or life is Life.FILLED:
            return
        if life is Life.CANCELED and order.cancels:
            return
        has_rested = self._scribe.now_ns - order.sent_ns >= RESTED_NS
        if has_rested:
            cover.forgive()
        if life is not Life.EXPIRED or not (has_rested or self._facts.session_code() == "session_closed"):
            self._failed(cover, life.name.lower(), f"the {order.purpose.value} order was {life.name.lower()}")

    def on_open(self) -> None:
        """A session opened: yesterday's stops have expired, whether or not anybody said so, and failures are over."""
        for cover in self.covers.values():
            cover.forgive()
        self.touch_all()
        if self._facts.desk_state not in _UNSURE:
            orders = self._facts.orders
            for stop in [order for order in orders.open_orders() if order.purpose is Purpose.PROTECT]:
                orders.resolver.query(stop)

    def on_time(self) -> None:
        """Look at what is due."""
        now = self._scribe.now_ns
        for key, cover in self.covers.items():
            if cover.due_ns and cover.due_ns <= now:
                self.touched[key] = None
        for identifier, (order, alarm_ns) in self.unanswered.items():
            if alarm_ns and alarm_ns <= now and not order.is_answered:
                self.unanswered[identifier] = order, 0
                self._tell_unanswered(order)

    def touch_all(self) -> None:
        """Look at every position."""
        if self._rests:
            for key, book in self._ledger.books.items():
                if book.quantity and key in self._lanes:
                    self._cover_of(key)
        self.touched.update(dict.fromkeys(self.covers))

    @property
    def next_ns(self) -> int | None:
        """When something is due. Covers wait for a desk that recovers: what is due meanwhile is due when it knows."""
        covers = () if self._facts.desk_state in _UNSURE else self.covers.values()
        due = [cover.due_ns for cover in covers if cover.due_ns]
        due += [alarm_ns for order, alarm_ns in self.unanswered.values() if alarm_ns and not order.is_answered]
        return min(due, default=None)

    # A person's order to sell

    def flatten(self, symbol: str | None) -> list[str]:
        """Sell the books of a symbol, or all, as soon as nothing else of theirs works; returns which those are."""
        working = {_key(order): None for order in self._facts.orders.open_orders() if order.lane is not None}
        held = {key: None for key, book in self._ledger.books.items() if book.quantity and key in self._lanes}
        chosen = [key for key in {**held, **working} if symbol is None or key[1] == symbol]
        for key in chosen:
            cover = self._cover_of(key)
            cover.forgive()
            cover.flatten = f"{self._settings.desk}-{self._scribe.sequence}-0"
            self.touched[key] = None
        return [self.covers[key].name for key in chosen]

    # Settling

    def settle(self) -> None:
        """Bring what should rest and what does together; waits while the desk does not know what it holds."""
        for identifier, (order, _) in list(self.unanswered.items()):
            if order.is_answered:
                del self.unanswered[identifier]
                self._touch(order)
        if self._facts.desk_state in _UNSURE:
            return
        while self.touched:
            touched, self.touched = self.touched, {}
            for key in touched:
                self._tend(self.covers[key])

    def _tend(self, cover: Cover) -> None:
        held = self._ledger.book(cover.strategy_id, cover.symbol).quantity
        same_symbol = [order for order in self._facts.orders.open_orders() if order.approved.symbol == cover.symbol]
        own = [order for order in same_symbol if order.approved.strategy_id == cover.strategy_id]
        buys = [order for order in same_symbol if order.approved.side is Side.BUY]
        stop = next((order for order in own if order.purpose is Purpose.PROTECT), None)
        due_ns, cover.due_ns = cover.due_ns, 0
        waiting, cover.postponed = cover.postponed, None
        if waiting is not None and held > ZERO and not own:
            lane = self._lanes[cover.strategy_id, cover.symbol]
            self._cycle.exit_book(lane, waiting.signal, waiting.correlation_id, money(lane.instrument.close))
            self.touched[cover.strategy_id, cover.symbol] = None
            return
        if cover.flatten and (own or held > ZERO):
            self._sell(cover, [*own, *(order for order in buys if order not in own)], held, due_ns)
        elif held <= ZERO:
            cover.rest()
            if stop is not None and stop.exit_after is None:
                self._facts.orders.cancel(stop)
        elif any(order.purpose in (Purpose.EXIT, Purpose.FLATTEN) for order in own):
            self._teller.tell(cover, self._unless_alarmed(own, CoverState.EXITING))
        elif stop is not None:
            self._keep(cover, stop, held, due_ns)
        elif not self._rests:
            self._teller.tell(cover, CoverState.NONE)
        elif buys:
            self._wait(cover, buys, due_ns)
        else:
            cover.wait_ns = 0
            self._arm(cover, held)

    def _keep(self, cover: Cover, stop: Order, held: Decimal, due_ns: int) -> None:
        """A stop is there: make sure that it is for the whole book, and say whether it rests."""
        is_waited_for = stop.exit_after is not None
        if is_waited_for or stop.machine.leaves != held:
            self._cancel(cover, [stop], due_ns)
            code = "exit" if is_waited_for else "resized"
            self._teller.tell(cover, CoverState.EXITING if is_waited_for else CoverState.ARMING, stop, code)
        elif stop.approved.stop_price is None:
            self._teller.tell(cover, self._unless_alarmed([stop], CoverState.EXITING), stop, "passed")
        elif stop.machine.life in (Life.PENDING, Life.WORKING):
            self._teller.tell(cover, CoverState.ARMED, stop)
        elif stop.machine.life is Life.PAUSED:
            self._teller.alarm(cover, "paused", f"the broker has paused the stop {stop.approved.client_order_id}")
        else:
            self._teller.tell(cover, self._unless_alarmed([stop], CoverState.ARMING), stop)

    def _wait(self, cover: Cover, buys: Iterable[Order], due_ns: int) -> None:
        """Buys of the symbol still work: give them five seconds from the first fill, then cancel them."""
        now = self._scribe.now_ns
        cover.wait_ns = cover.wait_ns or now + CONFIRM_NS
        cover.due_ns = cover.wait_ns
        if now < cover.wait_ns:
            self._teller.tell(cover, CoverState.ARMING, code="entry_works")
            return
        self._cancel(cover, buys, due_ns)
        if now >= cover.wait_ns + CONFIRM_NS:
            self._teller.alarm(cover, "entry_works", "a buy is not canceled, and no stop may rest beside it")

    def _arm(self, cover: Cover, held: Decimal) -> None:
        """Nothing works: send the stop, or say why there is none."""
        if cover.stop_loss is None:
            self._teller.waive(cover, "no_stop_loss", "its entry's signal had no stop_loss")
        elif not self._settings.can_stop:
            self._teller.waive(cover, "not_supported", "the broker takes no DAY stop orders")
        elif self._facts.session_code() == "session_closed":
            self._teller.tell(cover, CoverState.ASLEEP)
        elif self._may_try(cover):
            lane = self._lanes[cover.strategy_id, cover.symbol]
            level = stop_below(lane.book.average_price, cover.stop_loss)
            answer = self._send(cover, lane, held, None if self._is_passed(cover, lane, level) else level)
            if isinstance(answer, Order):
                self._teller.tell(cover, CoverState.ARMING, answer)
            elif answer.code == "dust":
                self._teller.waive(cover, "below_minimum", answer.text)
            else:
                self._failed(cover, answer.code, answer.text)

    def _sell(self, cover: Cover, working: Sequence[Order], held: Decimal, due_ns: int) -> None:
        """A person wants the book sold: cancel what works, then sell what there is."""
        if working:
            self._cancel(cover, (order for order in working if not order.is_selling_out), due_ns)
            self._teller.tell(cover, self._unless_alarmed(working, CoverState.EXITING), code="flatten")
        elif self._facts.session_code() == "session_closed":
            self._teller.tell_once(cover, Severity.WARNING, "flatten_waits", "sold when the exchange opens")
        elif self._may_try(cover):
            lane = self._lanes[cover.strategy_id, cover.symbol]
            answer = self._send(cover, lane, held, None, cover.flatten)
            if isinstance(answer, Order):
                self._teller.tell(cover, CoverState.EXITING, answer, "flatten")
            else:
                self._failed(cover, answer.code, answer.text)

    # Sending

    def _cancel(self, cover: Cover, orders: Iterable[Order], due_ns: int) -> None:
        """Ask for cancels, and every five seconds again: one that is outstanding is not sent twice."""
        now = self._scribe.now_ns
        for order in orders:
            if not order.cancels or 0 < due_ns <= now:
                self._facts.orders.cancel(order)
        cover.due_ns = due_ns if due_ns > now else now + CONFIRM_NS

    def _is_passed(self, cover: Cover, lane: Lane, level: Decimal) -> bool:
        """Whether a close since the last buy, and of this session, is at the stop or below it."""
        instrument = lane.instrument
        is_news = instrument.start_ns >= cover.filled_ns and instrument.start_ns >= self._facts.opened_ns
        return is_news and money(instrument.close) <= level

    def _send(
        self, cover: Cover, lane: Lane, held: Decimal, stop_price: Decimal | None, flatten: str = ""
    ) -> Order | Denial:
        """Let the gate approve a stop, or a market order where there is no stop price, and hand it over."""
        scribe, desk = self._scribe, self._settings.desk
        draft = OrderDraft(
            correlation_id=flatten or f"{desk}-{scribe.sequence}-{scribe.ordinal + 1}",
            strategy_id=cover.strategy_id,
            symbol=cover.symbol,
            side=Side.SELL,
            order_type=OrderType.MARKET if stop_price is None else OrderType.STOP,
            time_in_force=TimeInForce.DAY,
            reference_price=money(lane.instrument.close),
            quantity=held,
            stop_price=stop_price,
        )
        identifier = client_order_id(desk, scribe.sequence, scribe.ordinal + 1)
        answer = self._gate.check_protective(draft, self._facts, identifier)
        if isinstance(answer, Denial):
            self._cycle.deny(draft, SignalAction.EXIT, answer)
            return answer
        return self._cycle.send(lane, draft, answer, Purpose.FLATTEN if flatten else Purpose.PROTECT)

    def _may_try(self, cover: Cover) -> bool:
        if cover.tries > len(RETRY_NS):
            self._teller.alarm(cover, "given_up", "too many tries have failed; the next is at the open")
            return False
        if self._scribe.now_ns < cover.retry_ns:
            cover.due_ns = cover.retry_ns
            self._teller.tell(cover, CoverState.ARMING, code="retry")
            return False
        return True

    def _failed(self, cover: Cover, code: str, text: str) -> None:
        """Count a failure: try again later, or, after too many, tell a person."""
        cover.tries += 1
        if cover.tries <= len(RETRY_NS):
            cover.retry_ns = cover.due_ns = self._scribe.now_ns + RETRY_NS[cover.tries - 1]
            self._teller.tell(cover, CoverState.ARMING, code=code, text=text)
            return
        if cover.flatten:
            # What cannot be sold is at least to be protected, as far as it was.
            cover.flatten = ""
            cover.forgive()
            self.touched[cover.strategy_id, cover.symbol] = None
            self._teller.tell_once(cover, Severity.CRITICAL, "flatten_failed", f"the position was not sold: {text}")
            return
        self._teller.alarm(cover, code, text)

    # Telling

    def watch(self, order: Order) -> None:
        """Expect an answer within five seconds: to an order just sent, or to the cancel of a stop for an exit."""
        self.unanswered[order.approved.client_order_id] = order, self._scribe.now_ns + CONFIRM_NS
        self._touch(order)

    def _tell_unanswered(self, order: Order) -> None:
        """Five seconds without an answer: a person is told, and what to do about it."""
        cover, approved = self._cover_of(_key(order)), order.approved
        if order.exit_after is not None:
            text = f"an exit of {approved.symbol} waits: what became of its stop's cancel is not known"
            self._scribe.alert(Severity.CRITICAL, "exit_waits", cover.name, f"{text}; {advice(cover)}")
            return
        code = "stop_unknown" if order.purpose is Purpose.PROTECT else "exit_unknown"
        text = f"whether the broker has the {order.purpose.value} order {approved.client_order_id} is not known"
        self._teller.alarm(cover, code, text, alert=code)

    def _unless_alarmed(self, orders: Iterable[Order], state: CoverState) -> CoverState:
        """The state, or UNPROTECTED while one of the orders has been without an answer for too long."""
        known = (self.unanswered.get(order.approved.client_order_id) for order in orders)
        is_alarmed = any(waiting is not None and not waiting[1] for waiting in known)
        return CoverState.UNPROTECTED if is_alarmed else state

    def _touch(self, order: Order) -> None:
        key = _key(order)
        if key in self.covers:
            self.touched[key] = None

    def _cover_of(self, key: _BookKey) -> Cover:
        cover = self.covers.get(key)
        if cover is None:
            cover = self.covers[key] = Cover(strategy_id=key[0], symbol=key[1])
        return cover

    # Snapshot

    def state(self) -> tuple[Cover, ...]:
        """All covers, as they stand."""
        return tuple(copy(cover) for cover in self.covers.values())

    def restore(self, covers: Iterable[Cover]) -> None:
        """Become what `state` was taken of; everything is looked at once the desk has recovered."""
        kept = {(cover.strategy_id, cover.symbol): copy(cover) for cover in covers}
        self.covers = {key: cover for key, cover in kept.items() if key in self._lanes}
        self.unanswered = {}
        for order in self._facts.orders.open_orders():
            if order.purpose is not Purpose.ENTRY and not order.is_answered:
                self.watch(order)
        self.touch_all()


def _key(order: Order) -> _BookKey:
    return order.approved.strategy_id, order.approved.symbol
