"""Snapshots: all of a desk but its strategies, as bytes; what another version or another configuration does to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mqd_core.domain.events import Command, OrderStatus, SessionChanged, WarmedUp
from mqd_core.domain.market import Timeframe
from mqd_core.domain.records import Alert, Approved, Denied, PluginMoved
from mqd_core.domain.sessions import SessionTable
from mqd_core.engine.engine import Engine
from mqd_core.engine.order import Order, OrderFields, OrderState
from mqd_core.engine.snapshot import VERSION, EngineState, LaneState, decode_state, encode_state
from mqd_core.errors import StoreCorrupt
from mqd_core.risk.approved import ApprovedOrder, require_approved
from mqd_core.testing.bars import make_bars, merge, session_of
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_gate,
    make_limits,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
FLAT = [100.0] * 12


def settings(script: dict[int, Any] | None = None, seen: int = 0, **changes: Any) -> Any:
    """One scripted strategy in SPY."""
    return make_settings([make_slot(ScriptedStrategy(script, seen))], **changes)


def again(bench: Workbench, engine_settings: Any) -> Workbench:
    """A new engine with these settings, restored from the snapshot of another, at the same venue."""
    other = Workbench(engine_settings, bench.venue)
    other.engine.restore(bench.engine.snapshot())
    return other


class TestBytes:
    @pytest.mark.parametrize("data", [b"", b"\x00", b"nonsense", msgspec.msgpack.encode({"version": VERSION})])
    def test_nonsense(self, data: bytes) -> None:
        """What is no snapshot is refused, in words that say what to do."""
        with pytest.raises(StoreCorrupt, match=r"the snapshot cannot be read .*; the journal is intact"):
            Engine(settings()).restore(data)

    def test_other_version(self) -> None:
        """A snapshot of another version is refused by its number."""
        state = decode_state(Workbench(settings()).start().engine.snapshot())
        other = encode_state(msgspec.structs.replace(state, version=VERSION + 1))
        with pytest.raises(StoreCorrupt, match=f"of version {VERSION + 1}; this mqd reads version {VERSION}"):
            Engine(settings()).restore(other)

    def test_reads_back(self) -> None:
        """A snapshot restores an engine whose own snapshot is the same bytes; taking one changes nothing."""
        venue = ObedientVenue(parts=2)
        bench = Workbench(settings({1: enter(), 4: leave(), 8: enter()}), venue).start().play(make_bars(FLAT[:9]))
        first = bench.engine.snapshot()
        assert bench.engine.snapshot() == first
        assert again(bench, settings()).engine.snapshot() == first
        assert encode_state(decode_state(first)) == first

    def test_is_whole(self) -> None:
        """Every field of an order is in its state, and every field of an approval but its seal."""
        sealed = set(ApprovedOrder.__struct_fields__) - {"seal"}
        assert set(OrderFields.__struct_fields__) == sealed
        kept = {"approved", "lane", "machine"}
        assert set(Order.__slots__) - kept <= set(OrderState.__struct_fields__)


class TestRestore:
    def test_orders(self) -> None:
        """Orders come back with their approval, their state and whom they belong to; the gate vouches for them."""
        venue = ObedientVenue(parts=3)
        bench = Workbench(settings({1: enter()}, sizer=FixedSizer("3")), venue).start().play(make_bars(FLAT[:2]))
        other = again(bench, settings())
        (before,), (after,) = (list(one.engine._desk.orders.all_orders()) for one in (bench, other))
        assert require_approved(after.approved) == before.approved
        assert after.state() == before.state()
        assert after.lane is other.engine._desk.instruments["SPY"].lanes[0]
        assert other.engine.working == 1
        other.play(make_bars(FLAT)[2:])
        assert other.engine.facts.book_quantity("scripted", "SPY") == D(3)

    def test_pending_exit(self) -> None:
        """An exit that waits for its entry's end still waits after a restart, and then sells."""
        venue = ObedientVenue(parts=3)
        venue.cancel_outcome = venue.cancel_outcome.UNKNOWN
        script = {1: enter(), 3: leave(reason=(("x", 1.5),))}
        bench = Workbench(settings(script, sizer=FixedSizer("3")), venue).start().play(make_bars(FLAT[:3]))
        other = again(bench, settings())
        (known,) = venue.orders.values()
        known.status = OrderStatus.CANCELED
        other.enter(known.report(other.engine.now_ns))
        assert [order.side.value for order in other.of(Approved)] == ["sell"]
        assert other.of(Approved)[0].quantity == known.filled

    def test_rates(self) -> None:
        """What counts orders goes on counting: a restart gives nobody a new allowance."""
        gate = make_gate(max_orders_per_session=2, max_orders_per_minute=2)
        script = {1: enter(), 3: leave(), 5: enter()}
        bench = Workbench(settings(script, gate=gate)).start().play(make_bars(FLAT[:4]))
        other = again(bench, settings(script, seen=4, gate=gate)).play(make_bars(FLAT)[4:5])
        assert [denied.code for denied in other.of(Denied)] == ["order_rate"]

    def test_limits(self) -> None:
        """A limit that has fired has fired after a restart too."""
        limits = make_limits(daily_loss_limit_usd=D(50))
        script = {1: enter(), 6: enter()}
        bench = Workbench(settings(script, limits=limits, sizer=FixedSizer("5"))).start()
        bench.play(make_bars([100.0, 100.0, 80.0, 80.0]))
        other = again(bench, settings(script, seen=4, limits=limits)).play(make_bars([80.0] * 6)[4:])
        assert [denied.code for denied in other.of(Denied)] == ["daily_loss"]

    def test_hours(self) -> None:
        """What the broker said of a session's hours is remembered."""
        bench = Workbench(settings()).start().play(make_bars(FLAT[:2]))
        bench.enter(SessionChanged(ts=bench.engine.now_ns, date="2025-01-06"))
        other = again(bench, settings({1: enter()})).play(make_bars(FLAT)[2:3])
        assert [denied.code for denied in other.of(Denied)] == ["session_closed"]

    def test_longer_bars(self) -> None:
        """A longer bar in the making is finished after a restart as if nothing had happened."""

        def slow(strategy: ScriptedStrategy) -> Any:
            return make_settings([make_slot(strategy, timeframe=Timeframe.MINUTE_5)])

        whole, first, second = ScriptedStrategy(), ScriptedStrategy(), ScriptedStrategy()
        bars = make_bars([100.0 + number for number in range(8)])
        Workbench(slow(whole)).start().play(bars)
        bench = Workbench(slow(first)).start().play(bars[:3])
        other = again(bench, slow(second))
        # The last bars are shown again to warm it up: they do not go into the bar in the making a second time.
        other.enter(WarmedUp(ts=other.engine.now_ns, bars=tuple(bars[:3])))
        other.play(bars[3:])
        assert second.bars == whole.bars

    def test_dust(self) -> None:
        """Dust that a person was told of is not told of again."""
        script = {1: enter(), 4: leave(), 5: leave()}
        closes = [100.0, 100.0, 100.0, 5.0, 5.0]
        bench = Workbench(settings(script, sizer=FixedSizer("0.1"))).start().play(make_bars(closes)[:4])
        assert [alert.code for alert in bench.of(Alert)].count("dust") == 1
        other = again(bench, settings(script, seen=4)).play(make_bars(closes)[4:])
        assert other.records == []

    def test_quarantine_is_tried_again(self) -> None:
        """A restart is a person's decision: a strategy that was quarantined is asked again, and may fail again."""
        bench = Workbench(settings({2: ValueError("x")})).start().play(make_bars(FLAT[:3]))
        state = decode_state(bench.engine.snapshot())
        assert state.lanes == (LaneState("scripted", "SPY", True, False),)
        other = again(bench, settings({1: enter(), 2: ValueError("y")})).play(make_bars(FLAT)[3:])
        assert len(other.of(Approved)) == 1
        assert [fault.text for fault in other.of(PluginMoved)] == ["y"]

    def test_counters(self) -> None:
        """Sequences, bars, time and the decision chain go on where they were."""
        bench = Workbench(settings({1: enter()})).start().play(make_bars(FLAT[:5]))
        old, new = bench.engine, again(bench, settings()).engine
        for name in ("sequence", "bars", "now_ns", "minute_ns", "decision_hash", "reason", "next_timer_ns"):
            assert getattr(new, name) == getattr(old, name)
        assert not new.quarantined
        assert new.facts.desk_state is old.facts.desk_state


class TestOtherConfiguration:
    def test_symbol_that_is_gone(self) -> None:
        """A position in a symbol that nobody trades any more stays in the books; its orders belong to nobody."""
        venue = ObedientVenue(parts=2)
        strategy = ScriptedStrategy({2: enter("QQQ")})
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")], FixedSizer("2")), venue).start()
        bench.play(merge(make_bars(FLAT[:2]), make_bars(FLAT[:2], symbol="QQQ")))
        other = again(bench, settings())
        (order,) = other.engine._desk.orders.all_orders()
        assert order.lane is None
        (known,) = venue.orders.values()
        other.enter(venue.fill(known.order.client_order_id, "1", "100", other.engine.now_ns))
        assert other.engine.facts.book_quantity("scripted", "QQQ") == known.filled
        other.enter(Command(ts=other.engine.now_ns, command_id="c", name="halt"))
        assert other.engine.working == 0

    def test_new_symbol(self) -> None:
        """A symbol that is new begins with nothing."""
        bench = Workbench(settings({1: enter()})).start().play(make_bars(FLAT[:3]))
        both = make_settings([make_slot(ScriptedStrategy(), "SPY", "QQQ")])
        other = again(bench, both)
        assert other.engine.facts.close_of("QQQ") == 0
        assert other.engine.facts.book_quantity("scripted", "SPY") == D(1)
        assert [instrument.symbol for instrument in other.engine.instruments] == ["SPY", "QQQ"]

    def test_timeframe_that_is_gone(self) -> None:
        """A longer bar in the making that nobody waits for any more is dropped."""
        slow = make_settings([make_slot(ScriptedStrategy(), timeframe=Timeframe.MINUTE_5)])
        bench = Workbench(slow).start().play(make_bars(FLAT[:3]))
        other = again(bench, make_settings([make_slot(ScriptedStrategy(), timeframe=Timeframe.MINUTE_15)]))
        assert decode_state(other.engine.snapshot()).partial_bars == ()
        assert other.engine.next_timer_ns == session_of().close_ns

    def test_calendar_that_changed(self) -> None:
        """A session that a newer calendar no longer has is told of by the first event, under that event's number."""
        bench = Workbench(settings()).start().play(make_bars(FLAT[:3]))
        table = SessionTable([session_of("2025-01-07"), session_of("2025-01-08")])
        other = again(bench, settings(sessions=table)).start(bench.engine.now_ns)
        assert all(record.sequence > bench.engine.sequence for record in other.records)
        assert other.engine.next_timer_ns == session_of("2025-01-07").open_ns


def test_state_is_plain() -> None:
    """The state is one frozen value of plain ones: it can be looked at, and not changed."""
    state = decode_state(Workbench(settings()).start().engine.snapshot())
    with pytest.raises(AttributeError):
        state.bars = 5  # type: ignore[misc]
    assert set(msgspec.json.decode(msgspec.json.encode(state))) == set(EngineState.__struct_fields__)
