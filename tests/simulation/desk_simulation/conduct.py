"""How a desk has behaved, read from its journal alone, whatever came of it: one function an invariant.

A mistake that is healed later leaves books and account in agreement; it stands in the journal all the same. May not
ask the desk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from desk_simulation.witness import Violation, own_letters
from mqd_core.domain.events import (
    AccountSnapshot,
    Command,
    OrderReport,
    OrderStatus,
    Outcome,
    QueryOutcome,
    SubmitOutcome,
)
from mqd_core.domain.identity import is_own
from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.money import ZERO
from mqd_core.domain.orders import Purpose, Side
from mqd_core.domain.records import (
    Alert,
    Approved,
    BookMoved,
    CoverState,
    DeskMoved,
    DeskState,
    OrderMoved,
    ProtectionMoved,
    SignalMade,
    SymbolMoved,
)
from mqd_core.engine.settings import ResolveSettings
from mqd_core.testing.faults import FaultKind

if TYPE_CHECKING:
    from desk_simulation.world import World

_ALIVE: Final = frozenset({OrderStatus.ACKNOWLEDGED, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PAUSED})
#: What only happens where something is lost for good, which no fault of the broker brings about.
_UNEXPLAINED: Final = frozenset({"position_unexplained", "position_sign", "cash_unexplained", "vanished"})
_SAID: Final = frozenset({"canceled", "expired", "rejected"})
_TERMINAL: Final = frozenset({"filled", "canceled", "expired", "rejected", "replaced", "denied", "abandoned"})


class _Promise:
    """One approved order: how much of it may still fill, and at which price at least."""

    def __init__(self, approved: Approved) -> None:
        self.approved = approved
        self.price = approved.limit_price or approved.reference_price
        self.life = "submitting"
        self.filled = self.spent = ZERO

    @property
    def shares(self) -> Decimal:
        """What may still fill."""
        if self.life in _TERMINAL:
            return ZERO
        return (self.approved.quantity or ZERO) - self.filled

    @property
    def cost(self) -> Decimal:
        """What that may cost."""
        if self.life in _TERMINAL:
            return ZERO
        notional = self.approved.notional
        return self.shares * self.price if notional is None else max(ZERO, notional - self.spent)


def promises_no_more_than_it_has(world: World) -> None:
    """I6: At each approval all open buys can be paid, all open sells delivered, those of unknown fate included."""
    promises: dict[str, _Promise] = {}
    held: dict[tuple[str, str], Decimal] = {}
    cash, filling = ZERO, ""
    for entry in world.witness.entries:
        body: Any = entry.body
        if isinstance(body, OrderMoved):
            promise = promises[body.client_order_id]
            promise.life, promise.filled = body.after, body.cumulative
            filling = body.client_order_id if body.code == "fill" else ""
        elif isinstance(body, BookMoved):
            cash, held[body.strategy_id, body.symbol] = body.cash, body.quantity
            if filling and body.cause == "fill":
                promises[filling].spent += abs(body.change) * body.price
                filling = ""
        elif isinstance(body, Approved):
            promises[body.client_order_id] = _Promise(body)
            _check_promises(body, promises, cash, held)


def _check_promises(
    approved: Approved, promises: dict[str, _Promise], cash: Decimal, held: dict[tuple[str, str], Decimal]
) -> None:
    same_side = [one for one in promises.values() if one.approved.side is approved.side]
    if approved.side is Side.BUY:
        cost = sum((one.cost for one in same_side), ZERO)
        if cost > cash:
            raise Violation("I6", f"{approved.client_order_id} brings what open buys may cost to {cost} of {cash}")
        return
    book = (approved.strategy_id, approved.symbol)
    shares = sum((one.shares for one in same_side if (one.approved.strategy_id, one.approved.symbol) == book), ZERO)
    if shares > held.get(book, ZERO):
        raise Violation("I6", f"{approved.client_order_id} brings open sells to {shares} of {held.get(book, ZERO)}")


def gives_up_only_with_proof(world: World) -> None:
    """I5: An order is given up only after three spaced "not found", the last one a quarantine after its last send."""
    usual = ResolveSettings()
    sent_ns: dict[str, int] = {}
    absent_ns: dict[str, list[int]] = defaultdict(list)
    for entry in world.witness.entries:
        body: Any = entry.body
        if isinstance(body, Approved | SubmitOutcome):
            sent_ns[body.client_order_id] = body.ts
        elif isinstance(body, QueryOutcome):
            seen = absent_ns[body.client_order_id]
            if body.outcome is Outcome.FOUND:
                seen.clear()
            elif body.outcome is Outcome.NOT_FOUND and (not seen or body.ts - seen[-1] >= usual.spacing_ns):
                seen.append(body.ts)
        elif isinstance(body, OrderMoved) and body.after == "abandoned" != body.before:
            key = body.client_order_id
            quiet_ns = body.ts - sent_ns[key]
            if len(absent_ns[key]) < usual.queries_min or quiet_ns < MINUTE_NS:
                text = f"given up {quiet_ns / 1e9:.1f} s after its last send, with {len(absent_ns[key])} answers"
                raise Violation("I5", f"{key}: {text}")


def ends_on_the_brokers_word(world: World) -> None:
    """I20: An order is canceled, expired or rejected when the broker has said so, and not because a call returned."""
    said: dict[str, set[str]] = defaultdict(set)
    for entry in world.witness.entries:
        body: Any = entry.body
        for report in _reports(body):
            said[report.client_order_id].add(report.status.value)
        if isinstance(body, SubmitOutcome) and body.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            said[body.client_order_id].add("rejected")
        if isinstance(body, OrderMoved) and body.after in _SAID and body.before != body.after:
            key = body.client_order_id
            if body.after not in said[key]:
                raise Violation("I20", f"order {key} became {body.after} ({body.code}), which nobody had said")


def _reports(body: Any) -> Iterator[OrderReport]:
    """All that an event says of orders."""
    if isinstance(body, OrderReport):
        yield body
    elif isinstance(body, SubmitOutcome | QueryOutcome) and body.report is not None:
        yield body.report
    elif isinstance(body, AccountSnapshot):
        yield from body.orders or ()


def stays_halted(world: World) -> None:
    """I8: A halted desk becomes ready by the command of a person alone, whatever process it is."""
    is_halted = False
    for entry in world.witness.entries:
        body: Any = entry.body
        if isinstance(body, Command) and body.name == "resume":
            is_halted = False
        elif isinstance(body, DeskMoved):
            if body.after is DeskState.READY and is_halted:
                raise Violation("I8", f"the halted desk is ready at {entry.sequence} ({body.code}), and nobody said so")
            is_halted = is_halted or body.after is DeskState.HALTED


def cancels_what_it_had_given_up(world: World) -> None:
    """I20: An order that turns up alive after it was given up is taken back, and canceled: its strategy was told."""
    given_up: dict[str, Decimal] = {}
    left: set[str] = set()
    risen: set[tuple[str, int]] = set()
    for entry in world.witness.entries:
        body: Any = entry.body
        for report in _reports(body):
            filled = given_up.get(report.client_order_id)
            if filled is not None and report.status in _ALIVE and report.filled_quantity >= filled:
                left.add(report.client_order_id)
        if isinstance(body, OrderMoved):
            key = body.client_order_id
            given_up.pop(key, None)
            left.discard(key)
            if body.after == "abandoned":
                given_up[key] = body.cumulative
            elif body.before == "abandoned" and body.after not in _TERMINAL:
                risen.add((key, entry.sequence))
            if body.code == "cancel_requested":
                # In the very step: by the next one it may have filled.
                risen.discard((key, entry.sequence))
    if left or risen:
        raise Violation("I20", f"believed dead and alive: {left} were left for dead, {risen} not canceled")


def protects_as_it_was_told(world: World) -> None:
    """I26: A position whose entry had a stop_loss is not left without one, and a stop that rests is for all of it."""
    signals: dict[str, Decimal | None] = {}
    promises: dict[str, _Promise] = {}
    held: dict[tuple[str, str], Decimal] = {}
    stop_loss: dict[tuple[str, str], Decimal | None] = {}
    for entry in world.witness.entries:
        body: Any = entry.body
        if isinstance(body, SignalMade):
            signals[body.correlation_id] = body.stop_loss
        elif isinstance(body, Approved):
            promises[body.client_order_id] = _Promise(body)
        elif isinstance(body, BookMoved):
            held[body.strategy_id, body.symbol] = body.quantity
        elif isinstance(body, OrderMoved):
            promise = promises[body.client_order_id]
            promise.life, promise.filled, approved = body.after, body.cumulative, promise.approved
            if body.code == "fill" and approved.purpose is Purpose.ENTRY:
                stop_loss[approved.strategy_id, approved.symbol] = signals.get(approved.correlation_id)
        elif isinstance(body, ProtectionMoved):
            book = (body.strategy_id, body.symbol)
            if body.code == "no_stop_loss" and stop_loss.get(book) is not None:
                raise Violation("I26", f"{book} is without a stop, and its entry had a stop_loss of {stop_loss[book]}")
            if body.state is CoverState.ARMED and promises[body.client_order_id].shares != held.get(book, ZERO):
                covered = promises[body.client_order_id].shares
                raise Violation("I26", f"{book} holds {held.get(book, ZERO)}, the stop that rests is for {covered}")


def explains_all_differences(world: World) -> None:
    """I4: All that moved the account can be read, so that no difference is left unexplained in the end."""
    if world.broker.fired[FaultKind.ORPHAN_ORDER]:
        # What was traded under this desk's own name and not by it is never booked: a person has to say what it is.
        return
    for entry in world.witness.entries:
        body: Any = entry.body
        if isinstance(body, Alert | OrderMoved) and body.code in _UNEXPLAINED:
            raise Violation("I4", f"{body.code}: {body.text}")


def journals_every_event(world: World) -> None:
    """I11: The events of a journal are numbered from 1 without a gap, over all its processes."""
    last = 0
    for entry in world.witness.entries:
        if entry.sequence not in (last, last + 1) or (entry.sequence > last and entry.ordinal):
            raise Violation("I11", f"behind event {last} the journal goes on with {entry.sequence}, {entry.ordinal}")
        last = entry.sequence


def tells_of_what_is_not_its_own(world: World) -> None:
    """I4, I14: An order by the desk's own name that it never sent halts it; what others trade freezes the symbol."""
    told: set[str] = set()
    frozen: set[str] = set()
    for entry in world.witness.entries:
        body: Any = entry.body
        if isinstance(body, Alert) and body.subject == "desk":
            told.add(body.code)
        elif isinstance(body, SymbolMoved) and body.code == "external":
            frozen.add(body.symbol)
    truth, letters = world.broker.truth(), own_letters(world.witness.approved)
    for key in sorted(truth.foreign):
        if is_own(key, letters):
            if not told & {"orphan", "unknown_order"}:
                raise Violation("I14", f"order {key} is by the desk's name and not its own, and did not halt it")
        elif truth.orders[key].symbol not in frozen:
            raise Violation("I4", f"order {key} is somebody else's, and its symbol was not frozen")


def halts_when_it_is_blocked(world: World) -> None:
    """A desk that reads that its account is blocked is halted by that."""
    is_blocked = False
    for entry in world.witness.entries:
        body: Any = entry.body
        is_blocked = is_blocked or (isinstance(body, AccountSnapshot) and body.blocked)
        if isinstance(body, Alert) and body.code == "account_blocked":
            return
    if is_blocked:
        raise Violation("I8", "the account is blocked, and the desk was not halted for it")


def leaves_no_request_in_doubt(world: World) -> None:
    """I18: At rest nobody waits for what has become of a cancel."""
    for order in world.system.engine._desk.orders.open_orders():
        if order.machine.request_unknown:
            raise Violation("I18", f"what became of the cancel of {order.approved.client_order_id} is still unknown")


CONDUCT = (
    promises_no_more_than_it_has,
    gives_up_only_with_proof,
    ends_on_the_brokers_word,
    stays_halted,
    cancels_what_it_had_given_up,
    protects_as_it_was_told,
    explains_all_differences,
    journals_every_event,
    tells_of_what_is_not_its_own,
    halts_when_it_is_blocked,
    leaves_no_request_in_doubt,
)
