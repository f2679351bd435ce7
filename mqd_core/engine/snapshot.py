"""The engine's whole running state as one frozen value, and its bytes.

Strategy objects are not in it: after a restart they are new, warmed up, and shown their books.
May not know what the state means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from mqd_core.domain.ledger import LedgerState
from mqd_core.domain.money import ZERO
from mqd_core.domain.records import DeskState
from mqd_core.engine.aggregation import PartialBar
from mqd_core.engine.cover import Cover
from mqd_core.engine.decisions import DecisionChain
from mqd_core.engine.facts import SentKey
from mqd_core.engine.order import Order, OrderFields, OrderState
from mqd_core.engine.reconciliation import ReconcileState
from mqd_core.engine.session_manager import SessionState
from mqd_core.errors import StoreCorrupt
from mqd_core.risk.limits import LimitState

if TYPE_CHECKING:
    from mqd_core.engine.desk import Desk

#: Raised with every change of the shape that an older reader could misread.
VERSION: Final = 4


class InstrumentState(msgspec.Struct, frozen=True):
    """Last close of a symbol and the start of its bar."""

    symbol: str
    close: float
    start_ns: int


class LaneState(msgspec.Struct, frozen=True):
    """Whether a strategy was quarantined, and whether its remainder was told of."""

    strategy_id: str
    symbol: str
    is_quarantined: bool
    dust: bool


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an engine is, between two events."""

    version: int
    sequence: int
    now_ns: int
    minute_ns: int
    bars: int
    desk_state: DeskState
    desk_reason: str
    ledger: LedgerState
    limits: LimitState
    sessions: SessionState
    orders: tuple[OrderState, ...]
    instruments: tuple[InstrumentState, ...]
    lanes: tuple[LaneState, ...]
    covers: tuple[Cover, ...]
    partial_bars: tuple[PartialBar, ...]
    decisions: int
    decision_value: bytes
    orders_this_session: int
    sent: tuple[tuple[int, SentKey], ...]
    reconcile: ReconcileState


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(EngineState)


def encode_state(state: EngineState) -> bytes:
    """Bytes of a state."""
    return _ENCODER.encode(state)


def decode_state(data: bytes) -> EngineState:
    """Inverse of `encode_state`; raises StoreCorrupt for bytes that are none, or of another version."""
    try:
        state = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        message = f"the snapshot cannot be read ({error}); the journal is intact: `mqd doctor` says how to go on"
        raise StoreCorrupt(message) from error
    if state.version != VERSION:
        message = f"the snapshot is of version {state.version}; this mqd reads version {VERSION}"
        raise StoreCorrupt(message)
    return state


def state_of(desk: Desk, sequence: int, minute_ns: int, bars: int) -> EngineState:
    """Everything that a desk is, between two events."""
    partial = (
        aggregator.state() for instrument in desk.instruments.values() for aggregator, _ in instrument.aggregated
    )
    return EngineState(
        version=VERSION,
        sequence=sequence,
        now_ns=desk.scribe.now_ns,
        minute_ns=minute_ns,
        bars=bars,
        # A recovery begins anew with the next start; what it was to end in must not be lost.
        desk_state=desk.recovery.goal if desk.recovery.is_active else desk.facts.desk_state,
        desk_reason=desk.recovery.reason if desk.recovery.is_active else desk.reason,
        ledger=desk.ledger.state(),
        limits=desk.limits.state(),
        sessions=desk.sessions.state(),
        orders=tuple(order.state() for order in desk.orders.all_orders()),
        instruments=tuple(InstrumentState(x.symbol, x.close, x.start_ns) for x in desk.instruments.values()),
        lanes=tuple(
            LaneState(lane.slot.strategy_id, lane.symbol, lane.is_quarantined, lane.dust) for lane in desk.lanes()
        ),
        covers=desk.protection.state(),
        partial_bars=tuple(state for state in partial if state is not None),
        decisions=desk.cycle.decisions.count,
        decision_value=desk.cycle.decisions.value,
        orders_this_session=desk.facts.orders_this_session,
        sent=tuple(desk.facts.sent),
        reconcile=desk.reconciler.state(),
    )


def restore_desk(desk: Desk, state: EngineState) -> None:
    """Make a newly built desk what `state` was taken of. Symbols and strategies it no longer has are left out."""
    desk.scribe.now_ns = state.now_ns
    desk.ledger.restore(state.ledger)
    desk.limits.restore(state.limits)
    desk.sessions.restore(state.sessions)
    desk.facts.desk_state, desk.reason = state.desk_state, state.desk_reason
    desk.facts.orders_this_session = state.orders_this_session
    desk.facts.sent.extend(state.sent)
    desk.reconciler.restore(state.reconcile)
    desk.cycle.decisions = DecisionChain(state.decisions, state.decision_value)
    lanes = {(lane.slot.strategy_id, lane.symbol): lane for lane in desk.lanes()}
    restored = []
    for order in state.orders:
        fields = {name: getattr(order.fields, name) for name in OrderFields.__struct_fields__}
        lane = lanes.get((order.fields.strategy_id, order.fields.symbol))
        restored.append(Order.restored(order, desk.gate.reinstate(fields), lane))
    desk.orders.restore(restored)
    for known in state.instruments:
        instrument = desk.instruments.get(known.symbol)
        if instrument is not None:
            instrument.close, instrument.start_ns = known.close, known.start_ns
            instrument.quantity = desk.ledger.holdings.get(known.symbol, ZERO)
            instrument.held = float(instrument.quantity)
    for lane in lanes.values():
        lane.book = desk.ledger.book(lane.slot.strategy_id, lane.symbol)
    for saved in state.lanes:
        lane_now = lanes.get((saved.strategy_id, saved.symbol))
        if lane_now is not None:
            # A restart is a person's decision: a strategy that was quarantined is tried again.
            lane_now.dust = saved.dust
    partial = {(bar.symbol, bar.timeframe): bar for bar in state.partial_bars}
    for instrument in desk.instruments.values():
        for aggregator, _ in instrument.aggregated:
            waiting = partial.get((aggregator.symbol, aggregator.timeframe))
            if waiting is not None:
                aggregator.restore(waiting)
    desk.guard.hold(desk.ledger, desk.instruments.values())
    desk.protection.restore(state.covers)
    # Time goes on with the next event: what opens or closes by then belongs to its step.
    desk.on_sessions(())
