"""What never left: an entry dies, an exit is sent anew, counted in the journal before it leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mqd_core.domain.events import Command, Outcome, TimerFired
from mqd_core.domain.journal import Entry
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.order_state import Life
from mqd_core.domain.records import DeskMoved, OrderMoved
from mqd_core.engine.effects import QueryOrder, SubmitOrder
from mqd_core.runtime.halt_file import HaltFile
from mqd_core.runtime.send_guard import SendGuard
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, leave, make_settings, make_slot

D = Decimal


def leaving(script: dict[int, Any] | None = None) -> Workbench:
    """A desk that holds ten SPY and whose exit has just not been sent."""
    strategy = ScriptedStrategy(script or {1: enter(), 3: leave()})
    bench = Workbench(make_settings([make_slot(strategy)], FixedSizer("10"))).start()
    bench.play(make_bars([50.0, 50.0]))
    bench.venue.outcome = Outcome.NOT_SENT
    bench.play(make_bars([50.0, 50.0, 50.0])[2:])
    return bench


def order_of(bench: Workbench) -> Any:
    (order,) = bench.engine._desk.orders.open_orders()
    return order


def attempts(bench: Workbench) -> list[int]:
    return [effect.attempt for effect in bench.sent(SubmitOrder)][1:]


def wait(bench: Workbench, seconds: int) -> None:
    until_ns = bench.engine.now_ns + seconds * SECOND_NS
    bench.wait(until_ns)
    bench.enter(TimerFired(ts=until_ns))


def test_an_entry_dies() -> None:
    """An entry that never left is over: the next bar decides anew."""
    bench = Workbench(make_settings([make_slot(ScriptedStrategy({1: enter()}))], FixedSizer("10"))).start()
    bench.venue.outcome = Outcome.NOT_SENT
    bench.play(make_bars([50.0]))
    assert (bench.engine.working, len(bench.sent(SubmitOrder))) == (0, 1)
    assert bench.of(OrderMoved)[-1].after == "rejected"


def test_an_exit_is_sent_anew() -> None:
    """An exit that never left goes after 1, 2, 4 .. 30 s, each attempt journaled, ten times, and then it dies."""
    bench = leaving()
    begun_ns, sent = bench.engine.now_ns, attempts(bench)
    assert sent == [1]
    times = []
    while bench.engine.working:
        bench.wait(bench.engine.next_timer_ns or 0)
        if len(attempts(bench)) > len(sent):
            sent = attempts(bench)
            times.append((bench.engine.now_ns - begun_ns) // SECOND_NS)
    assert sent == [*range(1, 11)]
    assert times == [1, 3, 7, 15, 31, 61, 91, 121, 151]
    assert [move.after for move in bench.of(OrderMoved)][-2:] == ["submitting", "rejected"]


def test_it_is_sold_when_the_way_is_free() -> None:
    """The attempt that gets through is the order's."""
    bench = leaving()
    bench.venue.outcome = Outcome.ACCEPTED
    wait(bench, 1)
    assert (order_of(bench).machine.life, attempts(bench)) == (Life.WORKING, [1, 2])
    bench.play(make_bars([50.0, 50.0, 50.0, 51.0])[3:])
    assert bench.engine.facts.books == ()


def test_canceled_while_it_waits() -> None:
    """What is canceled before it is sent anew is over at once: there is nothing to cancel."""
    bench = leaving()
    order = order_of(bench)
    bench.engine._desk.orders.cancel(order)
    assert (order.machine.life, bench.engine.working) == (Life.REJECTED, 0)


def test_over_a_restart() -> None:
    """A restart neither asks for it nor sends it while it recovers; then it goes, as the attempt that it is."""
    bench = leaving()
    again = Workbench(make_settings([make_slot(ScriptedStrategy())], FixedSizer("10")), bench.venue)
    again.engine.restore(bench.engine.snapshot())
    perform, mute = again.venue.perform, lambda _effect, _now: iter(())
    again.venue.perform = mute  # type: ignore[method-assign]
    again.start(bench.engine.now_ns)
    wait(again, 10)
    assert (again.sent(QueryOrder), again.sent(SubmitOrder)) == ([], [])
    again.venue.perform = perform  # type: ignore[method-assign]
    again.venue.outcome = Outcome.ACCEPTED
    again.enter(again.account)
    assert again.of(DeskMoved)[-1].after.value == "ready"
    wait(again, 1)
    assert [effect.attempt for effect in again.sent(SubmitOrder)] == [2]


def test_the_guard_lets_it_pass(tmp_path: Any) -> None:
    """The last door before the broker knows from the journal that the first attempt never left."""
    bench = leaving()
    guard = SendGuard(HaltFile(tmp_path / "HALT"))
    entries = [Entry(record.sequence, record.ordinal, record) for record in bench.records]
    entries += [Entry(sequence, 0, event) for sequence, event in bench.events]
    guard.committed(sorted(entries, key=lambda entry: (entry.sequence, entry.ordinal))[:-1])
    exit_order = bench.sent(SubmitOrder)[1]
    guard.check(exit_order)
    guard.committed([Entry(sequence, 0, event) for sequence, event in bench.events][-1:])
    bench.venue.outcome = Outcome.ACCEPTED
    wait(bench, 1)
    guard.check(bench.sent(SubmitOrder)[2])
    restarted = SendGuard(HaltFile(tmp_path / "HALT"))
    other = leaving()
    restarted.begin(other.engine)
    wait(other, 1)
    restarted.check(other.sent(SubmitOrder)[2])


def test_a_halt_leaves_it() -> None:
    """A halted desk goes on trying to leave its position."""
    bench = leaving()
    bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="halt", reason="x"))
    wait(bench, 1)
    assert attempts(bench) == [1, 2]
