"""LiveRun: what comes by feed, broker and clock becomes steps, commits and acts, until somebody asks it to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import (
    AccountSnapshot,
    ClockJumped,
    Command,
    FeedStatus,
    Fill,
    Outcome,
    PluginFailed,
    QueryOutcome,
    RunEnded,
    StreamStatus,
    SubmitOutcome,
    WarmedUp,
)
from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Bar
from mqd_core.domain.records import DeskMoved, DeskState, OrderMoved
from mqd_core.errors import RunFailed, StoreError
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import ScriptedStrategy, Workbench, enter, leave, make_settings, make_slot

PATIENCE_SECONDS = 10.0
PRICES = [50.0, 50.5, 51.0, 50.75, 51.25, 51.5]


@contextmanager
def holding(desk: Any) -> Iterator[None]:
    """Hold the loop in its next step while the block runs, so that something can happen that it does not see."""
    is_held, may_go = threading.Event(), threading.Event()

    def wait(_point: str) -> None:
        is_held.set()
        assert may_go.wait(PATIENCE_SECONDS)

    desk._probe = wait
    desk.bus.put(FeedStatus(ts=0, code="held"))
    assert is_held.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        desk._probe = lambda _point: None
        may_go.set()


def test_a_live_desk_decides_as_a_simulated_one_does(live: Any) -> None:
    """Bars that come live, in time, lead to the decisions, fills and books that the same bars lead to in a backtest."""
    script = {2: enter(), 4: leave()}
    bench = Workbench(make_settings([make_slot(ScriptedStrategy(script))])).start().play(make_bars(PRICES))
    desk = live.desk(make_slot(ScriptedStrategy(script))).start()
    desk.play(make_bars(PRICES))
    assert desk.stop() == "signal"
    assert desk.engine.decision_hash == bench.engine.decision_hash
    assert desk.engine.facts.cash == bench.engine.facts.cash != Decimal(1000)
    assert desk.engine.facts.trips == 1
    assert [(fill.ts, fill.price) for fill in desk.of(Fill)] == [
        (fill.ts, fill.price) for _, fill in bench.events if isinstance(fill, Fill)
    ]


def test_bars_are_journaled_by_value_between_start_and_end(live: Any) -> None:
    """The journal holds each bar as it came, and nothing refers to a source that cannot be read again."""
    bars = make_bars(PRICES)
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.play(bars)
    desk.stop()
    assert desk.of(Bar) == bars
    assert desk.kinds[0] == "RunStarted"
    assert desk.of(RunEnded)[-1].reason == "signal"
    assert desk.kinds[-1] == "RunEnded"
    assert "Segment" not in desk.kinds


def test_what_a_run_tells_of_itself(live: Any) -> None:
    """Bars taken, the first of them, time spent, progress, and how long things took."""
    bars = make_bars(PRICES)
    desk = live.desk(make_slot(ScriptedStrategy({2: enter()}))).start()
    desk.play(bars)
    desk.stop()
    run = desk.run
    assert (run.bars_taken, run.first_bar_ns, run.load_ns, run.unanswered) == (len(bars), bars[0].start_ns, 0, 0)
    assert run.loop_ns > 0
    assert desk.progress[-1].bars <= len(bars)
    assert {"step", "commit", "submit", "acknowledgement"} == set(desk.timings)
    # Bought at 50.5, the last close is 51.5, and the lowest in between 50.75.
    assert desk.curve.equity == pytest.approx(1001.0)
    assert desk.curve.max_drawdown_usd == pytest.approx(0.25)


def test_answers_of_a_broker_in_threads_come_as_events(live: Any) -> None:
    """Submission, fill and account of a broker that blocks are steps like any other, made by no call of the loop."""
    broker = live.broker()
    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=broker).start()
    desk.play(make_bars(PRICES[:1]))
    desk.until(lambda: desk.of(SubmitOutcome))
    (order,) = broker.book.orders
    broker.sink(broker.book.fill(order, "1", "50", desk.time.now_ns()))
    desk.until(lambda: desk.engine.facts.books)
    assert desk.stop() == "signal"
    assert broker.calls == ["account", "submit"]
    assert desk.of(SubmitOutcome)[0].ts == desk.time.now_ns()
    assert desk.engine.facts.cash == Decimal(950)


def test_an_intent_is_durable_before_it_is_sent(live: Any) -> None:
    """When the broker is called, the commit with the approval has returned."""
    points: list[str] = []
    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=live.broker(), probe=points.append).start()
    desk.play(make_bars(PRICES[:1]))
    desk.until(lambda: desk.of(SubmitOutcome))
    desk.stop()
    sent = points.index("submit:before")
    # The step of the bar, then its commit, then the call: nothing else may lie between the first two.
    assert points[sent - 3 : sent] == ["step:after", "commit:before", "commit:after"]


def test_a_commit_that_fails_ends_the_run_and_nothing_is_sent(live: Any) -> None:
    """The engine is ahead of its store then: it must be dropped."""
    broker = live.broker()
    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=broker).start()
    desk.store.fails = StoreError("the disk is full")
    (bar,) = make_bars(PRICES[:1])
    desk.time.go_to(bar.start_ns + MINUTE_NS)
    desk.source.push(bar)
    with pytest.raises(StoreError, match="the disk is full"):
        desk.until(lambda: desk.error)
    assert "submit" not in broker.calls
    desk.broker.sink(broker.book.account(0))
    assert len(desk.bus) == 0


def test_a_desk_that_recovers_takes_no_bars_until_its_account_is_told(live: Any) -> None:
    """The feed is started when the desk is ready; what failed on the way is told."""
    broker = live.broker("account")
    broker.errors["account"] = [ConnectionError("reset")]
    desk = live.desk(make_slot(ScriptedStrategy()), broker=broker).start(live=False)
    assert broker.called["account"].wait(PATIENCE_SECONDS)
    assert desk.engine.facts.desk_state is DeskState.RECOVERING
    assert not desk.source.is_live.is_set()
    broker.gates["account"].set()
    desk.until(lambda: desk.of(StreamStatus))
    desk.time.go_to(desk.time.now_ns() + SECOND_NS)
    assert desk.source.is_live.wait(PATIENCE_SECONDS)
    desk.stop()
    assert [(status.stream, status.state) for status in desk.of(StreamStatus)] == [("account", "down")]
    assert desk.of(DeskMoved)[-1].after is DeskState.READY


def test_a_stop_ends_a_recovery_that_does_not_come_to_its_end(live: Any) -> None:
    """A broker that cannot be reached holds no desk open."""
    broker = live.broker()
    broker.errors["account"] = [ConnectionError("reset")] * 10_000
    desk = live.desk(make_slot(ScriptedStrategy()), broker=broker).start(live=False)
    desk.until(lambda: desk.of(StreamStatus))
    assert desk.stop() == "signal"
    assert not desk.source.is_live.is_set()
    assert desk.kinds[-1] == "RunEnded"


def test_a_stop_awaits_answers_in_flight(live: Any) -> None:
    """What was sent is answered before the run ends, and bars that come meanwhile are left outside."""
    broker = live.broker("submit")
    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=broker).start()
    first, second = make_bars(PRICES[:2])
    desk.play([first])
    assert broker.called["submit"].wait(PATIENCE_SECONDS)
    with holding(desk):
        desk.stop_request.ask("signal")
        desk.time.go_to(second.start_ns + MINUTE_NS)
        desk.bus.put(second)
    broker.gates["submit"].set()
    assert desk.stop() == "signal"
    assert desk.kinds[-2:] == ["SubmitOutcome", "RunEnded"]
    assert desk.of(Bar) == [first]
    assert desk.run.unanswered == 0


def test_a_stop_does_not_wait_for_ever(live: Any) -> None:
    """After ten seconds the run ends without the answer: the next start asks for it."""
    broker = live.broker("submit")
    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=broker).start()
    desk.play(make_bars(PRICES[:1]))
    assert broker.called["submit"].wait(PATIENCE_SECONDS)
    desk.stop_request.ask("signal")
    before = desk.time.steady
    while desk._thread.is_alive():
        # The loop sees at most a second pass between two looks, whenever it looks.
        desk.time.steady += SECOND_NS
        desk._thread.join(0.01)
    assert desk.stop() == "signal"
    assert desk.time.steady - before >= 10 * SECOND_NS
    assert desk.run.unanswered == 1
    assert desk.kinds[-1] == "RunEnded"
    assert desk.of(SubmitOutcome) == []


def test_the_next_start_asks_for_what_was_not_answered(live: Any) -> None:
    """An order that was in flight when the process died is found at the broker, and traded on."""
    broker, store = live.broker(), live.store()
    broker.book.outcome = Outcome.UNKNOWN
    first = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=broker, store=store).start()
    first.play(make_bars(PRICES[:1]))
    first.until(lambda: first.of(SubmitOutcome))
    first.stop()
    assert first.of(SubmitOutcome)[0].outcome is Outcome.UNKNOWN
    again = live.desk(make_slot(ScriptedStrategy()), broker=broker, store=store, time=first.time).start()
    again.until(lambda: again.of(QueryOutcome))
    again.stop()
    (answer,) = again.of(QueryOutcome)
    assert (answer.outcome, answer.client_order_id) == (Outcome.FOUND, first.of(SubmitOutcome)[0].client_order_id)
    assert broker.calls.count("submit") == 1
    assert again.of(OrderMoved)[0].after == "working"


def test_a_halted_desk_goes_on_running(live: Any) -> None:
    """Positions and orders need it; only a person ends it or lets it trade again."""
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    first, second = make_bars(PRICES[:2])
    desk.play([first])
    desk.put(Command(ts=desk.time.now_ns(), command_id="c1", name="halt", reason="lunch"))
    assert desk.engine.facts.desk_state is DeskState.HALTED
    desk.play([second])
    assert desk.stop() == "signal"


def test_an_overflow_is_told_once_and_caught_up_on(live: Any) -> None:
    """The engine hears of the hole, and the broker is asked about the account and every order that works."""
    broker = live.broker()
    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=broker, capacity=50)
    desk.start()
    desk.play(make_bars(PRICES[:1]))
    desk.until(lambda: desk.of(SubmitOutcome))
    with holding(desk):
        for number in range(60):
            desk.bus.put(FeedStatus(ts=number, code="flood"))
    desk.until(lambda: desk.of(QueryOutcome) and len(desk.of(AccountSnapshot)) == 2)
    desk.stop()
    (status,) = desk.of(StreamStatus)
    assert (status.stream, status.state) == ("inbox", "overflow")
    assert desk.of(QueryOutcome)[0].outcome is Outcome.FOUND
    assert len(desk.of(FeedStatus)) < 60


@pytest.mark.parametrize("jump_s", [6, -6, 3_600])
def test_a_clock_that_jumps_freezes_the_desk(live: Any, jump_s: int) -> None:
    """Wall clock and steady clock part by more than five seconds: nothing raises exposure until somebody has looked."""
    desk = live.desk(make_slot(ScriptedStrategy()), broker=live.broker()).start()
    desk.machine.wall_ns += jump_s * SECOND_NS
    desk.until(lambda: desk.of(ClockJumped) and len(desk.of(AccountSnapshot)) == 2)
    desk.stop()
    (jump,) = desk.of(ClockJumped)
    assert jump.gap_ns == jump_s * SECOND_NS
    assert desk.engine.facts.desk_state is DeskState.FROZEN


def test_a_clock_that_is_corrected_by_less_does_nothing(live: Any) -> None:
    """Five seconds are within what a time service may do."""
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.machine.wall_ns += 5 * SECOND_NS
    desk.play(make_bars(PRICES))
    desk.stop()
    assert desk.of(ClockJumped) == []


def test_a_thread_to_the_broker_that_dies_ends_the_run(live: Any) -> None:
    """A desk that can send nothing any more must not look alive."""

    class Killed(BaseException):
        """Stands for the end of a thread."""

    def die(point: str) -> None:
        if point == "submit:before":
            raise Killed("here")

    desk = live.desk(make_slot(ScriptedStrategy({1: enter()})), broker=live.broker(), probe=die).start()
    desk.play(make_bars(PRICES[:1]))
    with pytest.raises(RunFailed, match="mqd-orders"):
        desk.until(lambda: desk.error)


def test_history_warms_strategies_up_and_is_journaled_by_value(live: Any) -> None:
    """What was complete at the start is shown before the first live bar, and a bar of it that comes again is not."""
    bars = make_bars([float(price) for price in range(50, 60)])
    strategy = ScriptedStrategy({1: enter(), 9: enter()})
    time = live.time(bars[8].start_ns + 30 * SECOND_NS)
    desk = live.desk(make_slot(strategy, lookback_bars=8), feed=live.feed(history=bars), time=time).start()
    desk.play(bars[7:9])
    desk.stop()
    (warmed,) = desk.of(WarmedUp)
    assert warmed.bars == tuple(bars[:8])
    assert strategy.bars == bars[:9]
    assert [rejection.code for rejection in desk.rejections] == ["duplicate"]
    # The signal of the first bar was made in the warm-up and counts for nothing; that of the ninth counts.
    assert len(desk.of(OrderMoved)) == 1
    assert desk.gaps == []


def test_history_that_fails_is_told_and_the_desk_goes_on(live: Any) -> None:
    """Strategies warm up as bars come; what is open needs the desk meanwhile."""
    bars = make_bars(PRICES)
    feed = live.feed(fault=ConnectionError("no route"))
    desk = live.desk(make_slot(ScriptedStrategy({1: enter(), 4: enter()}), lookback_bars=3), feed=feed).start()
    desk.play(bars)
    assert desk.stop() == "signal"
    (failed,) = desk.of(PluginFailed)
    assert (failed.plugin, failed.error_type, failed.text) == ("data_provider:test", "ConnectionError", "no route")
    assert desk.of(WarmedUp) == []
    assert desk.engine.facts.books[0].quantity == Decimal(1)


def test_a_second_run_goes_on_where_the_first_one_left(live: Any) -> None:
    """The book is restored from the last commit, and bars that were taken before are not taken again."""
    bars, store, broker = make_bars(PRICES), live.store(), live.broker(in_process=True)
    first = live.desk(make_slot(ScriptedStrategy({1: enter()})), store=store, broker=broker).start()
    first.play(bars[:3])
    first.stop()
    strategy = ScriptedStrategy({2: leave()})
    again = live.desk(make_slot(strategy), store=store, broker=broker, time=first.time).start()
    again.play(bars[2:])
    again.stop()
    assert strategy.bars == bars[3:]
    assert [rejection.code for rejection in again.rejections] == ["duplicate"]
    assert again.engine.bars == len(bars)
    assert again.engine.facts.books == ()
    assert again.engine.facts.trips == 1


def test_the_cursor_says_that_the_feed_was_live(live: Any) -> None:
    """A later start can tell this book from one of a finite feed; a live feed is never finished."""
    bars = make_bars(PRICES)
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.play(bars)
    desk.stop()
    cursor = desk.store.latest_snapshot().cursor
    assert (cursor.identity, cursor.start_ns, cursor.bars, cursor.finished) == (
        "live test",
        bars[-1].start_ns,
        len(bars),
        False,
    )
    assert bars[-1].start_ns + MINUTE_NS <= desk.engine.now_ns
