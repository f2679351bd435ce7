"""What must hold, one function an invariant; each raises Violation, or returns if all is well.

They compare what the desk has committed, what it believes and what the exchange knows. May not change any of it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from desk_simulation.conduct import CONDUCT
from desk_simulation.witness import Booked, Violation, own_letters
from mqd_core.domain.events import OrderStatus, RunStarted
from mqd_core.domain.identity import is_own
from mqd_core.domain.money import CENT, ZERO
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import Side
from mqd_core.domain.records import CoverState, DeskState
from mqd_core.domain.sessions import xnys
from mqd_core.engine.snapshot import decode_state
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.runtime.replay import JournalReplay, Origin
from mqd_plugin_sqlite.reader import SqliteReader

if TYPE_CHECKING:
    from desk_simulation.world import World

_OPEN = frozenset({OrderStatus.ACKNOWLEDGED, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.PAUSED})
_ACCOUNTED = frozenset({CoverState.WAIVED, CoverState.EXITING, CoverState.UNPROTECTED})
_TERMINAL = frozenset({"filled", "canceled", "expired", "rejected", "replaced", "denied", "abandoned"})


# When an order leaves


def sent_only_after_its_intent(world: World, order: ApprovedOrder) -> None:
    """I1: No order leaves before its intent is durable, and none leaves twice unless the first provably did not."""
    approved = world.witness.approved.get(order.client_order_id)
    if approved is None:
        raise Violation("I1", f"{order.client_order_id} leaves, and no committed intent speaks of it")
    if world.sent[order.client_order_id] > 1:
        raise Violation("I1", f"{order.client_order_id} leaves for the {world.sent[order.client_order_id]}. time")


def sent_as_the_gate_saw_it(world: World, order: ApprovedOrder) -> None:
    """I6: What leaves is what was approved: symbol, side, amounts, prices, kind and time in force."""
    approved = world.witness.approved[order.client_order_id]
    fields = ("symbol", "side", "order_type", "time_in_force", "quantity", "notional", "limit_price", "stop_price")
    for name in fields:
        if getattr(order, name) != getattr(approved, name):
            was, now = getattr(approved, name), getattr(order, name)
            raise Violation("I6", f"{name} of {order.client_order_id} was approved as {was}, leaves as {now}")


def halted_means_halted(world: World, order: ApprovedOrder, has_halt_file: bool) -> None:
    """I8: From the commit of a halt or freeze to that of a resume, nothing leaves that could raise exposure."""
    state = world.witness.desk_state
    if order.side is Side.BUY and (has_halt_file or state in (DeskState.FROZEN, DeskState.HALTED)):
        raise Violation("I8", f"{order.client_order_id} buys while the desk is {state.value}")


def one_order_an_intent(world: World) -> None:
    """I1: The broker has at most one order of each intent, counted by intent and not by client order id."""
    letters = own_letters(world.witness.approved)
    intents: Counter[str] = Counter()
    truth = world.broker.truth()
    for order in truth.taken:
        key = order.client_order_id
        if not letters or not is_own(key, letters):
            continue
        approved = world.witness.approved.get(key)
        if approved is None:
            raise Violation("I1", f"the broker has order {key}, of which no intent was ever committed")
        intents[approved.correlation_id] += 1
    doubled = [intent for intent, count in intents.items() if count > 1]
    if doubled:
        raise Violation("I1", f"the broker has more than one order of the intents {', '.join(doubled)}")


# When a process has been built from the store


def restored_as_it_was(world: World) -> None:
    """I7, I13: A restart changes nothing: limits, ledger and orders are those of the last commit."""
    system = world.system
    snapshot = system.store.latest_snapshot()
    if snapshot is None:
        return
    kept, now = decode_state(snapshot.engine), decode_state(system.engine.snapshot())
    for name in ("limits", "ledger", "orders", "sequence", "decisions", "decision_value", "orders_this_session"):
        if getattr(kept, name) != getattr(now, name):
            raise Violation("I7", f"{name} was {getattr(kept, name)} and came back as {getattr(now, name)}")
    if kept.desk_state is DeskState.HALTED and now.desk_state is not DeskState.HALTED:
        raise Violation("I8", f"the desk was halted, and came back {now.desk_state.value}")


def nothing_durable_is_lost(world: World, path: str) -> None:
    """I10: What was committed is in the file after a crash, and nothing else is."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        (rows,) = connection.execute("SELECT COUNT(*) FROM journal").fetchone()
    connection.close()
    if rows != len(world.witness.entries):
        raise Violation("I10", f"{len(world.witness.entries)} rows were committed, {rows} are in the file")


# When the desk has come to rest


def fills_exactly_once(world: World) -> None:
    """I2: What the desk has booked of its orders is what the broker has executed, each execution once."""
    theirs: dict[str, list[Booked]] = {}
    truth = world.broker.truth()
    for fill in truth.fills:
        if fill.client_order_id in world.witness.approved:
            booked = Booked(fill.cumulative_quantity, fill.quantity, fill.price, fill.fee)
            theirs.setdefault(fill.client_order_id, []).append(booked)
    ours = world.witness.booked
    busted = {bust.client_order_id for bust in truth.busts}
    for key in sorted({*ours, *theirs} - busted):
        mine, true = ours.get(key, []), theirs.get(key, [])
        # What the broker counted and told of too late was worked out, as one execution: quantities are exact then.
        is_same = mine == true or (world.saw_gap(key) and _sums(mine) == _sums(true))
        if not is_same:
            raise Violation("I2", f"order {key}: booked {mine}, executed {true}")


def _sums(executions: list[Booked]) -> tuple[Decimal, Decimal]:
    """All that was executed, counted twice: by the parts, and by the last of them."""
    total = ZERO
    for one in executions:
        total += one.quantity
    return total, executions[-1].cumulative if executions else ZERO


def books_balance(world: World) -> None:
    """I3: The desk's holdings and cash are the sums of its journal."""
    facts, witness = world.system.engine.facts, world.witness
    ours: dict[str, Decimal] = {}
    for book in facts.books:
        ours[book.symbol] = ours.get(book.symbol, ZERO) + book.quantity
    folded = {symbol: quantity for symbol, quantity in witness.positions.items() if quantity}
    if {symbol: quantity for symbol, quantity in ours.items() if quantity} != folded:
        raise Violation("I3", f"the books hold {ours}, the journal adds up to {folded}")
    if witness.cash is not None and facts.cash != witness.cash:
        raise Violation("I3", f"the ledger has {facts.cash}, the journal adds up to {witness.cash}")


def agrees_with_the_broker(world: World) -> None:
    """I4: A desk that is READY and at rest has the broker's positions, exactly, its open orders and its cash."""
    engine, truth = world.system.engine, world.broker.truth()
    ours = {symbol: quantity for symbol, quantity in world.witness.positions.items() if quantity}
    if ours != truth.positions:
        raise Violation("I4", f"the desk holds {ours}, the broker {truth.positions}")
    theirs = {key for key, order in truth.orders.items() if order.status in _OPEN}
    open_here = {order.approved.client_order_id for order in engine._desk.orders.open_orders()}
    if theirs != open_here:
        raise Violation("I4", f"open at the desk alone {open_here - theirs}, at the broker alone {theirs - open_here}")
    # A cent for what was worked out of an average price, and nothing else.
    tolerance = CENT * len(world.gaps) if world.gaps else ZERO
    if abs(engine.facts.cash - truth.cash) > tolerance:
        raise Violation("I4", f"the desk has {engine.facts.cash} of cash, the broker {truth.cash}")


def no_order_is_forgotten(world: World) -> None:
    """I5: Every intent has come to an end, is known to the desk as open, or is on its list of those to ask about."""
    orders = world.system.engine._desk.orders
    open_here = {order.approved.client_order_id for order in orders.open_orders()}
    for key, life in world.witness.lives.items():
        if life not in _TERMINAL and key not in open_here:
            raise Violation("I5", f"order {key} is {life}, and the desk has forgotten it")
    for key in world.witness.approved:
        if key not in world.witness.lives and key not in open_here:
            raise Violation("I5", f"order {key} was approved, and the desk has forgotten it")


def has_come_to_rest(world: World) -> None:
    """I18: With the faults over, every order in flight is resolved and the desk is READY."""
    engine = world.system.engine
    for order in engine._desk.orders.open_orders():
        if order.machine.life <= Life.UNKNOWN:
            raise Violation("I18", f"order {order.approved.client_order_id} is still {order.machine.life.name}")
    state = engine.facts.desk_state
    if state is not DeskState.READY:
        raise Violation("I18", f"the desk is {state.value}: {engine.reason}")


def conserves_orders(world: World) -> None:
    """I27: No order has filled less than nothing or more than it was for; an ended one has nothing left to fill."""
    for order in world.system.engine._desk.orders.all_orders():
        machine, quantity = order.machine, order.approved.quantity
        if machine.cumulative < ZERO or (quantity is not None and machine.cumulative > quantity):
            raise Violation("I27", f"{order.approved.client_order_id} of {quantity} has filled {machine.cumulative}")


def verifies(path: object) -> None:
    """I11: The journal's hash chain, its rows and what readers see of it are sound."""
    SqliteReader(path).verify()  # type: ignore[arg-type]


def replays_to_the_same(path: Path, build: Callable[[RunStarted], Origin]) -> None:
    """I12: The journal's events lead through fresh engines to the records that it holds, and to the kept state."""
    reader, journal = SqliteReader(path), JournalReplay(build)
    for row in reader.read(0):
        mismatch = journal.take(row)
        if mismatch is not None:
            raise Violation("I12", str(mismatch))
    mismatch = journal.finish(reader.latest_snapshot())
    if mismatch is not None:
        raise Violation("I12", str(mismatch))


def positions_are_protected(world: World) -> None:
    """I26: In a session each position whose entry asked for a stop has one at the broker, is being sold, or alarms."""
    engine = world.system.engine
    desk, theirs = engine._desk, world.broker.truth().orders
    if xnys().session_at(engine.now_ns) is None:
        return
    for cover in desk.protection.covers.values():
        held = desk.ledger.book(cover.strategy_id, cover.symbol).quantity
        if held <= ZERO or cover.stop_loss is None or cover.state in _ACCOUNTED:
            continue
        stop = theirs.get(cover.order_id)
        if stop is None or stop.status not in _OPEN or (stop.quantity or ZERO) - stop.filled_quantity < held:
            raise Violation("I26", f"{cover.name} holds {held} and is {cover.state.value or 'without a stop'}: {stop}")


AT_REST = (
    one_order_an_intent,
    has_come_to_rest,
    fills_exactly_once,
    books_balance,
    agrees_with_the_broker,
    no_order_is_forgotten,
    conserves_orders,
    *CONDUCT,
)
