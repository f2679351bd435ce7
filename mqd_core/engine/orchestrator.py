"""The cycle from a signal to an order: record it, size it, let the gate judge it, hand it to the order manager.

May not talk to a broker or change a book except by a fill that the order manager hands over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import structs

from mqd_core.domain.events import Fill, FillBusted
from mqd_core.domain.identity import client_order_id
from mqd_core.domain.ledger import Ledger
from mqd_core.domain.money import ZERO, money, multiply, price_down, price_up
from mqd_core.domain.orders import OrderDraft, Purpose, Side
from mqd_core.domain.records import Approved, BookMoved, Denied, DeskState, PluginMoved, Severity, SignalMade, Sized
from mqd_core.domain.signals import Reason, Signal, SignalAction, Size
from mqd_core.engine.answers import checked_signal, checked_size, signals_of, written_reason
from mqd_core.engine.decisions import DecisionChain
from mqd_core.engine.facts import DeskFacts, EntryView
from mqd_core.engine.faults import place_of, raised_by
from mqd_core.engine.instruments import Instrument, Lane
from mqd_core.engine.loss_guard import LossGuard
from mqd_core.engine.order import Order, PendingExit
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.settings import EngineSettings
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.risk.facts import Denial
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_core.risk.limits import PersistentLimitTracker


class TradeCycleOrchestrator:
    """Turns answers of strategies into approved orders or denials, and fills into books."""

    def __init__(
        self,
        settings: EngineSettings,
        scribe: Scribe,
        ledger: Ledger,
        facts: DeskFacts,
        gate: PreTradeRiskGate,
        guard: LossGuard,
        limits: PersistentLimitTracker,
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._settings = settings
        self._scribe = scribe
        self._ledger = ledger
        self._facts = facts
        self._gate = gate
        self._guard = guard
        self._limits = limits
        self._instruments = instruments
        self.decisions = DecisionChain()
        #: Who hears of every order that leaves, of a stop whose cancel an exit waits for, and of an exit that waits on.
        self.on_sent: Callable[[Order], None]
        self.on_waiting: Callable[[Order], None]
        self.on_postponed: Callable[[Order], None]
        self._failures: dict[str, int] = {}

    # Signals

    def take(self, lane: Lane, answer: Any) -> None:
        """Act on what a strategy answered to a bar, or on what it raised."""
        if isinstance(answer, (Exception, SystemExit)):
            self.quarantine(lane, answer)
            return
        # A boundary: the answer may be anything, and a generator runs the strategy's code only now.
        try:
            checked = [(checked_signal(one, lane), written_reason(one)) for one in signals_of(answer)]
        except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy may answer anything; it is quarantined
            self.quarantine(lane, error)
            return
        for signal, reason in checked:
            instrument = self._instruments[signal.symbol]
            own = lane if signal.symbol == lane.symbol else self._lane_of(lane, instrument)
            if signal.action is SignalAction.EXIT and own.dust and self._is_dust(own):
                continue
            price = money(instrument.close)
            correlation = self._record(own, signal, reason, price)
            if signal.action is SignalAction.ENTER:
                self._enter(own, signal, correlation, price)
            else:
                self._exit(own, signal, correlation, price)

    def _record(self, lane: Lane, signal: Signal, reason: Reason, price: Decimal) -> str:
        scribe = self._scribe
        sequence, ordinal, ts = scribe.stamp()
        correlation = f"{self._settings.desk}-{sequence}-{ordinal}"
        scribe.records.append(
            SignalMade(
                sequence,
                ordinal,
                ts,
                correlation_id=correlation,
                strategy_id=lane.slot.strategy_id,
                symbol=signal.symbol,
                action=signal.action,
                order_type=signal.order_type,
                price=price,
                stop_loss=signal.stop_loss,
                take_profit=signal.take_profit,
                reason=reason,
            )
        )
        return correlation

    def _enter(self, lane: Lane, signal: Signal, correlation: str, price: Decimal) -> None:
        draft = _draft(lane, signal, correlation, price, Side.BUY, None, None)
        denial = self._gate.screen_entry(draft, self._facts)
        if denial is not None:
            self.deny(draft, signal.action, denial)
            return
        size = self._size(lane, signal, correlation, price)
        if isinstance(size, Denial):
            self.deny(draft, signal.action, size)
            return
        draft = _draft(lane, signal, correlation, price, Side.BUY, size.quantity, size.notional)
        scribe = self._scribe
        identifier = client_order_id(self._settings.desk, scribe.sequence, scribe.ordinal + 1)
        answer = self._gate.check_entry(draft, self._facts, self._facts, identifier)
        if not isinstance(answer, Denial):
            self.send(lane, draft, answer, Purpose.ENTRY)
            return
        if self._gate.fault is not None:
            name, error = self._gate.fault
            self._count_fault(f"rule:{name}", lane.symbol, error)
        self.deny(draft, signal.action, answer)

    def _size(self, lane: Lane, signal: Signal, correlation: str, price: Decimal) -> Size | Denial:
        settings, scribe = self._settings, self._scribe
        view = EntryView(self._facts, settings, signal.symbol, price)
        # A boundary: a sizer's fault is a denial, never an order.
        try:
            size = checked_size(settings.sizer.size(signal, view))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a sizer may raise anything; its fault denies the order
            self._count_fault(f"sizer:{settings.sizer_plugin}", lane.symbol, error)
            return Denial(code="sizer_error", text=f"sizer {settings.sizer_plugin}: {type(error).__name__}: {error}")
        scribe.records.append(
            Sized(
                *scribe.stamp(),
                correlation_id=correlation,
                quantity=size.quantity,
                notional=size.notional,
                reason=size.reason,
            )
        )
        if size.quantity is None and size.notional is None:
            return Denial(code="size_zero", text=size.reason)
        return size

    def _exit(self, lane: Lane, signal: Signal, correlation: str, price: Decimal) -> None:
        orders, strategy_id = self._facts.orders, lane.slot.strategy_id
        working = orders.working(strategy_id, lane.symbol) if orders.open else None
        if working is not None and working.exit_after is None and _gives_way(working):
            # What the entry or the stop still fills must be known before the exit is sent; and a stop is canceled only
            # for an exit that the gate would let through.
            if working.purpose is Purpose.PROTECT and lane.book.quantity:
                draft = _draft(lane, signal, correlation, price, Side.SELL, lane.book.quantity, None)
                denial = self._gate.screen_exit(draft, self._facts)
                if denial is not None:
                    self.deny(draft, signal.action, denial)
                    return
                self.on_waiting(working)
            working.exit_after = PendingExit(structs.replace(signal, reason=()), correlation)
            orders.cancel(working)
            return
        self.exit_book(lane, signal, correlation, price)

    def exit_book(self, lane: Lane, signal: Signal, correlation: str, price: Decimal) -> None:
        """Sell what the book holds, as the signal asks for it."""
        quantity = lane.book.quantity
        draft = _draft(lane, signal, correlation, price, Side.SELL, quantity or None, None)
        if not quantity:
            self.deny(draft, signal.action, Denial(code="nothing_held", text=f"the book holds no {lane.symbol}"))
            return
        scribe = self._scribe
        identifier = client_order_id(self._settings.desk, scribe.sequence, scribe.ordinal + 1)
        answer = self._gate.check_exit(draft, self._facts, identifier)
        if not isinstance(answer, Denial):
            self.send(lane, draft, answer, Purpose.EXIT)
            return
        self.deny(draft, signal.action, answer)
        if answer.code == "dust" and not lane.dust:
            lane.dust = True
            self._scribe.alert(Severity.NOTICE, "dust", f"{draft.strategy_id}:{lane.symbol}", answer.text)

    def _is_dust(self, lane: Lane) -> bool:
        value = multiply(lane.book.quantity, money(lane.instrument.close))
        lane.dust = bool(lane.book.quantity) and value < lane.instrument.asset.minimum_notional_usd
        return lane.dust

    def deny(self, draft: OrderDraft, action: SignalAction, denial: Denial) -> None:
        """Record why something may not be."""
        self.decisions.add(draft, denial.code)
        scribe = self._scribe
        scribe.records.append(
            Denied(
                *scribe.stamp(),
                correlation_id=draft.correlation_id,
                strategy_id=draft.strategy_id,
                symbol=draft.symbol,
                action=action,
                code=denial.code,
                text=denial.text,
            )
        )

    def send(self, lane: Lane, draft: OrderDraft, order: ApprovedOrder, purpose: Purpose) -> Order:
        """Record an approved order and hand it to the order manager."""
        self.decisions.add(draft, "approved")
        scribe = self._scribe
        scribe.records.append(
            Approved(
                *scribe.stamp(),
                correlation_id=draft.correlation_id,
                client_order_id=order.client_order_id,
                strategy_id=order.strategy_id,
                symbol=order.symbol,
                purpose=purpose,
                side=order.side,
                order_type=order.order_type,
                time_in_force=order.time_in_force,
                quantity=order.quantity,
                notional=order.notional,
                limit_price=order.limit_price,
                stop_price=order.stop_price,
                reference_price=order.reference_price,
            )
        )
        self._facts.note_sent(draft, purpose)
        sent = self._facts.orders.submit(order, draft.correlation_id, lane, purpose)
        sent.stop_loss = draft.stop_loss
        self.on_sent(sent)
        return sent

    # Fills

    def on_fill(self, order: Order, fill: Fill) -> None:
        """Book an execution, exactly as it was priced, and tell the strategy."""
        self._book(order, fill.side, fill.quantity, fill.price, fill.fee, "fill")
        lane = order.lane
        if lane is None or lane.is_quarantined or lane.view is None:
            return
        # A boundary: the fill is booked already; what the strategy makes of it is its own affair.
        try:
            lane.slot.strategy.on_fill(fill, lane.view)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy may raise anything; it is quarantined
            self.quarantine(lane, error)

    def on_bust(self, order: Order, bust: FillBusted) -> None:
        """Reverse an execution with a row of its own; nothing is ever changed in place."""
        other = Side.SELL if bust.side is Side.BUY else Side.BUY
        self._book(order, other, bust.quantity, bust.price, ZERO, "bust")

    def _book(self, order: Order, side: Side, quantity: Decimal, price: Decimal, fee: Decimal, cause: str) -> None:
        approved, ledger, scribe = order.approved, self._ledger, self._scribe
        self._guard.settle_peak(self._limits)
        book = ledger.fill(approved.strategy_id, approved.symbol, side, quantity, price, fee)
        scribe.records.append(
            BookMoved(
                *scribe.stamp(),
                correlation_id=order.correlation_id,
                strategy_id=approved.strategy_id,
                symbol=approved.symbol,
                cause=cause,
                change=quantity if side is Side.BUY else quantity.copy_negate(),
                price=price,
                fee=fee,
                quantity=book.quantity,
                cost=book.cost,
                realized=book.realized,
                cash=ledger.cash,
            )
        )
        lane = order.lane
        if lane is not None:
            lane.book, lane.dust = book, False
        instrument = self._instruments.get(approved.symbol)
        if instrument is not None:
            instrument.quantity = ledger.holdings.get(approved.symbol, ZERO)
            instrument.held = float(instrument.quantity)
        self._guard.hold(ledger, self._instruments.values())

    def on_closed(self, order: Order) -> None:
        """An order is over: send the exit that waited for it, of what is left in the book."""
        waiting, lane = order.exit_after, order.lane
        if waiting is None or lane is None:
            return
        price = money(lane.instrument.close)
        if lane.book.quantity:
            if self._facts.desk_state in (DeskState.STARTING, DeskState.RECOVERING):
                # The end was learned of by asking, at a start: the exit goes when the desk knows what it holds.
                self.on_postponed(order)
                return
            self.exit_book(lane, waiting.signal, waiting.correlation_id, price)
        elif order.purpose is Purpose.PROTECT:
            draft = _draft(lane, waiting.signal, waiting.correlation_id, price, Side.SELL, None, None)
            text = f"the stop {order.approved.client_order_id} has sold the book while it was being canceled"
            self.deny(draft, waiting.signal.action, Denial(code="stopped_out", text=text))

    # Faults

    def quarantine(self, lane: Lane, error: BaseException) -> None:
        """Stop a strategy that raised or answered nonsense: no further call, its entry canceled, a person told."""
        slot, scribe = lane.slot, self._scribe
        plugin = f"strategy:{slot.strategy_id}"
        self._record_fault(plugin, lane.symbol, "quarantined", error)
        for instrument in self._instruments.values():
            mine = [other for other in instrument.lanes if other.slot is slot]
            for other in mine:
                other.silence()
                working = self._facts.orders.working(slot.strategy_id, other.symbol)
                if working is not None and working.purpose is Purpose.ENTRY:
                    self._facts.orders.cancel(working)
            if mine:
                instrument.bind()
        held = [book for book in self._facts.books if book.strategy_id == slot.strategy_id]
        positions = ", ".join(f"{book.quantity} {book.symbol}" for book in held)
        text = raised_by(plugin, error)
        if positions:
            text += f"; nobody manages its position of {positions} now"
        scribe.alert(Severity.CRITICAL, "strategy_quarantined", plugin, text)

    def _count_fault(self, plugin: str, symbol: str, error: BaseException) -> None:
        self._failures[plugin] = self._failures.get(plugin, 0) + 1
        self._record_fault(plugin, symbol, "failed", error)
        if self._failures[plugin] == 1:
            text = f"{raised_by(plugin, error)}; the order was denied"
            self._scribe.alert(Severity.CRITICAL, "plugin_fault", plugin, text)

    def _record_fault(self, plugin: str, symbol: str, state: str, error: BaseException) -> None:
        scribe = self._scribe
        scribe.records.append(
            PluginMoved(
                *scribe.stamp(),
                plugin=plugin,
                symbol=symbol,
                state=state,
                error_type=type(error).__name__,
                place=place_of(error),
                text=str(error),
            )
        )

    @staticmethod
    def _lane_of(lane: Lane, instrument: Instrument) -> Lane:
        return next(other for other in instrument.lanes if other.slot is lane.slot)


def _gives_way(order: Order) -> bool:
    """Whether an exit cancels the order and goes on in its place: an entry, and a stop that rests."""
    return order.purpose is Purpose.ENTRY or (
        order.purpose is Purpose.PROTECT and order.approved.stop_price is not None
    )


def _draft(
    lane: Lane,
    signal: Signal,
    correlation: str,
    price: Decimal,
    side: Side,
    quantity: Decimal | None,
    notional: Decimal | None,
) -> OrderDraft:
    limit, stop, buying = signal.limit_price, signal.stop_price, side is Side.BUY
    return OrderDraft(
        correlation_id=correlation,
        strategy_id=lane.slot.strategy_id,
        symbol=lane.symbol,
        side=side,
        order_type=signal.order_type,
        time_in_force=signal.time_in_force,
        reference_price=price,
        quantity=quantity,
        notional=notional,
        # Never worse than asked: a buy limit down, a sell limit up. Never later: a sell stop up, a buy stop down.
        limit_price=None if limit is None else (price_down(limit) if buying else price_up(limit)),
        stop_price=None if stop is None else (price_down(stop) if buying else price_up(stop)),
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
    )
