"""The parts of one desk, wired, and what moves several of them at once: sessions, limits, halts, warm-up, timers.

The engine owns a Desk and decides when each of these happens. May not take events: that is `engine`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mqd_core.domain.events import Fill, FillBusted, OrderReport, QueryOutcome, WarmedUp
from mqd_core.domain.ledger import Ledger
from mqd_core.domain.market import Asset, Bar, Timeframe
from mqd_core.domain.orders import Purpose
from mqd_core.domain.records import DeskMoved, DeskState, LimitMoved, Severity
from mqd_core.domain.sessions import Session
from mqd_core.engine.account_books import AccountBooks
from mqd_core.engine.aggregation import BarAggregator
from mqd_core.engine.comparison import BooksComparison
from mqd_core.engine.external import ExternalTrades
from mqd_core.engine.facts import DeskFacts, LaneView
from mqd_core.engine.freezes import SymbolFreezes
from mqd_core.engine.instruments import NOTHING, Instrument, Lane
from mqd_core.engine.loss_guard import LossGuard
from mqd_core.engine.orchestrator import TradeCycleOrchestrator
from mqd_core.engine.order import Order
from mqd_core.engine.order_manager import EventDrivenOrderManager
from mqd_core.engine.protection import ProtectionKeeper
from mqd_core.engine.reconciliation import AccountReconciler, Surroundings
from mqd_core.engine.recovery import StartupRecoveryProtocol
from mqd_core.engine.scribe import Scribe
from mqd_core.engine.session_manager import SessionChange, SessionManager
from mqd_core.engine.settings import EngineSettings, ReconcileSettings
from mqd_core.engine.watching import WATCH_NS
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_core.risk.limits import LimitChange, PersistentLimitTracker


class Desk:
    """All mutable state of an engine, by part."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.scribe = Scribe()
        self.ledger = Ledger()
        self.limits = PersistentLimitTracker(settings.limits)
        self.sessions = SessionManager(
            settings.sessions, settings.no_entry_minutes_after_open, settings.no_entry_minutes_before_close
        )
        self.guard = LossGuard(settings.limits.circuit_breaker_loss_pct)
        self.freezes = SymbolFreezes(self.scribe)
        self.instruments: dict[str, Instrument] = {}
        self.facts = DeskFacts(settings, self.scribe, self.ledger, self.instruments, self.sessions, self.limits)
        self.facts.freezes = self.freezes
        self.gate = PreTradeRiskGate(settings.gate, settings.rules)
        self.cycle = TradeCycleOrchestrator(
            settings, self.scribe, self.ledger, self.facts, self.gate, self.guard, self.limits, self.instruments
        )
        self.books = AccountBooks(self.scribe, self.ledger, self.limits, self.guard, self.instruments)
        self.orders = self._build_orders()
        self.facts.orders = self.orders
        self.reconciler = self._build_reconciler()
        self.facts.reconciler = self.reconciler if settings.reconcile is not None else None
        self.recovery = StartupRecoveryProtocol(
            self.scribe, self.ledger, self.orders, self.books, self.reconciler, self.move
        )
        #: Why the desk is in its state, in words.
        self.reason = ""
        #: Aggregators of longer bars with the lanes that wait for them, of all instruments.
        self.aggregated: tuple[tuple[BarAggregator, tuple[Lane, ...]], ...] = ()
        self._wake_ns: int | None = None
        self._build_instruments()
        lanes = {(lane.slot.strategy_id, lane.symbol): lane for lane in self.lanes()}
        #: Keeps a stop at the broker for what the books hold, and watches what closes them.
        self.protection = ProtectionKeeper(settings, self.scribe, self.ledger, self.facts, self.gate, self.cycle, lanes)
        self.cycle.on_sent, self.cycle.on_waiting = self.protection.on_sent, self.protection.watch
        self.cycle.on_postponed = self.protection.on_postponed

    def _build_orders(self) -> EventDrivenOrderManager:
        settings, is_periodic = self.settings, self.settings.reconcile is not None
        return EventDrivenOrderManager(
            settings.desk,
            self.scribe,
            settings.resolve,
            self._on_fill,
            self._on_bust,
            self._on_closed,
            self.doubt,
            needs_absence=is_periodic,
        )

    def _build_reconciler(self) -> AccountReconciler:
        settings, scribe, books = self.settings.reconcile, self.scribe, self.books
        usual = settings or ReconcileSettings()
        external = ExternalTrades(scribe, books, self.freezes, usual.on_external)
        comparison = BooksComparison(
            scribe, self.ledger, books, self.freezes, usual, self.doubt, lambda: self.facts.equity, self._next_open_ns
        )
        around = Surroundings(self.doubt, lambda: self.facts.opened_ns > 0)
        self.orders.on_corrected = books.correct
        if settings is not None:
            self.orders.foreign = external.take
        return AccountReconciler(settings, scribe, self.orders, books, self.freezes, external, comparison, around)

    def _next_open_ns(self, ts_ns: int) -> int | None:
        session = self.sessions.next_session(ts_ns)
        if session is not None and session.open_ns <= ts_ns:
            session = self.sessions.next_session(session.close_ns)
        return None if session is None else session.open_ns

    def _build_instruments(self) -> None:
        settings = self.settings
        assets = {asset.symbol: asset for asset in settings.assets}
        for index, symbol in enumerate(settings.symbols):
            instrument = Instrument(symbol, index, assets.get(symbol, Asset(symbol=symbol)))
            self.instruments[symbol] = instrument
            lanes = tuple(Lane(slot, symbol, instrument) for slot in settings.slots if symbol in slot.symbols)
            for lane in lanes:
                lane.view = LaneView(self.facts, lane, settings.timeframe.length_ns)
            instrument.lanes = lanes
            longer = {lane.slot.timeframe for lane in lanes} - {settings.timeframe}
            instrument.aggregated = tuple(
                (BarAggregator(symbol, frame, self._day_due_ns), tuple(x for x in lanes if x.slot.timeframe is frame))
                for frame in sorted(longer, key=lambda frame: frame.length_ns)
            )
            self.aggregated += instrument.aggregated
            instrument.bind()

    def lanes(self) -> Iterator[Lane]:
        """All lanes, by instrument."""
        for instrument in self.instruments.values():
            yield from instrument.lanes

    # Desk state

    def move(self, after: DeskState, code: str, text: str) -> None:
        """Change what the desk may do."""
        before = self.facts.desk_state
        if before is after:
            return
        if self.recovery.is_active:
            # Until it knows what it holds the desk stays where it is: there nothing is sent at all.
            self.recovery.be_careful(after, text)
            return
        self.facts.desk_state, self.reason = after, text
        self.scribe.records.append(DeskMoved(*self.scribe.stamp(), before=before, after=after, code=code, text=text))

    def doubt(self, code: str, text: str, halts: bool) -> None:  # noqa: FBT001  a callback's plain signature
        """Freeze or halt, whichever is asked for, unless the desk is already as careful."""
        if halts:
            self.halt(code, text)
        elif self.facts.desk_state is not DeskState.HALTED:
            self.move(DeskState.FROZEN, code, text)

    def halt(self, code: str, text: str) -> None:
        """Nothing raises exposure until a person resumes; working entries are canceled, protective orders stay."""
        self.move(DeskState.HALTED, code, text)
        self.scribe.alert(Severity.CRITICAL, code, "desk", f"the desk is halted: {text}; a person has to resume it")
        self.cancel_entries()

    def cancel_entries(self) -> None:
        """Cancel every order that could still raise exposure."""
        for order in tuple(self.orders.open_orders()):
            if order.purpose is Purpose.ENTRY:
                self.orders.cancel(order)

    # Orders

    def _on_fill(self, order: Order, fill: Fill) -> None:
        self.cycle.on_fill(order, fill)
        self.protection.on_fill(order)
        if self.settings.reconcile is not None:
            self.reconciler.touch(order.approved.symbol, is_over=False)

    def _on_bust(self, order: Order, bust: FillBusted) -> None:
        self.cycle.on_bust(order, bust)
        self.protection.on_moved(order)

    def _on_closed(self, order: Order) -> None:
        self.cycle.on_closed(order)
        self.protection.on_closed(order)
        if self.settings.reconcile is not None:
            self.reconciler.touch(order.approved.symbol, is_over=True)

    def on_status(self, event: OrderReport | QueryOutcome) -> None:
        """Take a status of an order that works, which may be a stop that was paused or goes on."""
        if isinstance(event, OrderReport):
            self.orders.on_report(event)
        else:
            self.orders.on_query_outcome(event)
        order = self.orders.open.get(event.client_order_id)
        if order is not None and order.purpose is not Purpose.ENTRY:
            self.protection.on_moved(order)

    def flatten(self, symbol: str, person: str, reason: str) -> None:
        """Sell what a person wants sold: the books of a symbol, or `all`; whatever state the desk is in."""
        names = self.protection.flatten(None if symbol == "all" else symbol)
        what = ", ".join(names) if names else "nothing: no such position"
        text = f"{person or 'a person'} sells {what}" + (f" ({reason})" if reason else "")
        self.scribe.alert(Severity.WARNING, "flatten", symbol, text)

    # Sessions and limits

    def advance_sessions(self) -> None:
        """Let sessions open and close up to engine time."""
        self.on_sessions(self.sessions.advance(self.scribe.now_ns))

    def on_sessions(self, changes: Sequence[SessionChange]) -> None:
        """Open the limits of sessions that opened; forget what a new session need not know."""
        self._wake_ns = self.sessions.wake_ns()
        facts, now = self.facts, self.scribe.now_ns
        facts.entry_from_ns, facts.entry_until_ns = self.sessions.entry_window_ns(now)
        current, before = self.sessions.current(now), self.settings.sessions.previous_session(now)
        facts.opened_ns = 0 if current is None else current.open_ns
        facts.closed_ns = 0 if before is None else before.close_ns
        for change in changes:
            self.reconciler.on_session(is_open=change.kind == "opened")
            if change.kind == "opened":
                self.facts.orders_this_session = 0
                self.orders.forget_closed(self._abandoned_before_ns())
                self.open_limits(change.session)
                self.protection.on_open()

    def _abandoned_before_ns(self) -> int | None:
        """What was given up before this close needs no watching: it is the last one that is a day ago."""
        if self.settings.reconcile is None:
            return None
        before = self.settings.sessions.previous_session(self.scribe.now_ns - WATCH_NS)
        return 0 if before is None else before.close_ns

    def open_limits(self, session: Session | None) -> None:
        """Begin to measure a session's loss, once there are books to measure."""
        if session is None or not self.ledger.is_open:
            return
        year, week = session.iso_week
        self.guard.settle_peak(self.limits)
        self._write_limits(self.limits.open_session(session.date, f"{year}-W{week:02d}", self.facts.equity))
        self.guard.is_due = True

    def judge(self) -> None:
        """Measure equity exactly against the limits, at a bar's close."""
        self.guard.settle_peak(self.limits)
        changes = self.limits.judge(self.facts.equity, self.scribe.now_ns)
        self._write_limits(changes)
        for change in changes:
            text = f"the {change.limit} limit fired at a loss of ${change.loss}; no entries for now"
            self.scribe.alert(Severity.WARNING, f"{change.limit}_limit", "limits", text)
            self.cancel_entries()
        self.guard.arm(self.limits)

    def _write_limits(self, changes: Sequence[LimitChange]) -> None:
        for change in changes:
            self.scribe.records.append(
                LimitMoved(
                    *self.scribe.stamp(),
                    limit=change.limit,
                    state=change.state,
                    loss=change.loss,
                    level=change.level,
                    until_ns=change.until_ns,
                    session=self.limits.session,
                )
            )

    # Timers

    def next_timer_ns(self) -> int | None:
        """The earliest time at which something is due."""
        due = self._wake_ns
        if self.orders.open:
            check = self.orders.resolver.next_check_ns(self.orders.open_orders())
            if check is not None and (due is None or check < due):
                due = check
        lift = self.limits.lift_ns
        if lift and (due is None or lift < due):
            due = lift
        reading = self.reconciler.due_ns
        if reading and (due is None or reading < due):
            due = reading
        if self.protection.covers or self.protection.unanswered:
            cover = self.protection.next_ns
            if cover is not None and (due is None or cover < due):
                due = cover
        for aggregator, _ in self.aggregated:
            end = aggregator.due_ns
            if end is not None and (due is None or end < due):
                due = end
        return due

    def on_time(self) -> None:
        """Do what is due by engine time: sessions change, longer bars close, orders are asked about, a halt passes.

        A day's bar closes at the next open: what a strategy makes of it belongs to the session that opens then.
        """
        now = self.scribe.now_ns
        self.advance_sessions()
        self.close_bars(now)
        self.protection.on_time()
        self.orders.resolver.check_due(self.orders.open_orders())
        self.orders.resolver.send_due(self.orders.open_orders(), may_send=not self.recovery.is_active)
        self.reconciler.check_due()
        if self.limits.lift_ns and self.limits.lift_ns <= now:
            self._write_limits(self.limits.lift(self.facts.equity, now))
            self.judge()

    def close_bars(self, now_ns: int) -> None:
        """Hand over the longer bars that are complete by now."""
        for aggregator, lanes in self.aggregated:
            if aggregator.due_ns is not None and aggregator.due_ns <= now_ns:
                self._show(aggregator.take(), lanes)

    def _show(self, bar: Bar, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            # A boundary: one strategy's fault must not keep the others from seeing the bar.
            try:
                answer: Any = lane.call(bar, lane.view) or NOTHING
            except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy may raise anything; it is quarantined
                answer = error
            self.cycle.take(lane, answer)

    def _day_due_ns(self, start_ns: int) -> int:
        session = self.sessions.next_session(start_ns)
        following = None if session is None else self.sessions.next_session(session.close_ns)
        return start_ns + Timeframe.DAY_1.length_ns if following is None else following.open_ns

    # Warm-up

    def warm(self, event: WarmedUp) -> None:
        """Show history to strategies that have not traded yet in this process; what they signal is discarded."""
        for bar in event.bars:
            instrument = self.instruments.get(bar.symbol)
            if instrument is None:
                continue
            slow = {id(lane) for _, lanes in instrument.aggregated for lane in lanes}
            for lane in instrument.lanes:
                if id(lane) not in slow:
                    self._show_warm(lane, bar)
            if not instrument.start_ns:
                instrument.close = bar.close
        for instrument in self.instruments.values():
            bars = [bar for bar in event.bars if bar.symbol == instrument.symbol]
            for aggregator, lanes in instrument.aggregated:
                self._warm_longer(aggregator, lanes, bars)
            instrument.bind()

    def _warm_longer(self, aggregator: BarAggregator, lanes: Sequence[Lane], bars: Sequence[Bar]) -> None:
        rehearsal = BarAggregator(aggregator.symbol, aggregator.timeframe, self._day_due_ns)
        for bar in bars:
            if rehearsal.due_ns is not None and bar.start_ns >= rehearsal.due_ns:
                longer = rehearsal.take()
                for lane in lanes:
                    self._show_warm(lane, longer)
            rehearsal.add(bar)
        left = rehearsal.state()
        if left is None or aggregator.due_ns is not None:
            return
        if left.due_ns > self.scribe.now_ns:
            aggregator.restore(left)
            return
        # Complete by now: it is history too, and nothing to trade on.
        for lane in lanes:
            self._show_warm(lane, left.bar)

    def _show_warm(self, lane: Lane, bar: Bar) -> None:
        if lane.is_quarantined:
            return
        # A boundary, as for any bar.
        try:
            if lane.warm_left > 0:
                lane.call(bar, lane.view)
            else:
                lane.slot.strategy.on_bar(bar, lane.view)  # type: ignore[arg-type]  # bound before any bar
        except (Exception, SystemExit) as error:  # noqa: BLE001  a strategy may raise anything; it is quarantined
            self.cycle.quarantine(lane, error)
