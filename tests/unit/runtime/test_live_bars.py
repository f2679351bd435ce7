"""Bars of a live desk: checked one by one, shown minute by minute, and timers in their place between them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from mqd_core.domain.events import BarRevised, FeedStatus, Fill, PluginFailed, StreamStatus, TimerFired
from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Bar, Timeframe
from mqd_core.domain.records import Approved, Denied, DeskState
from mqd_core.runtime.live_run import PREFERRED_MAX
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import ScriptedStrategy, enter, make_gate, make_slot

PATIENCE_SECONDS = 10.0
PRICES = [50.0, 50.5, 51.0, 50.75, 51.25, 51.5]
SOUND = Bar("SPY", 1, 50.0, 50.0, 50.0, 50.0, 1.0)


def changed(event: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(event, **changes)


# The contract


def test_a_bar_that_breaks_the_contract_is_shown_to_nobody(live: Any) -> None:
    """It is counted and told with its reason; the bars around it pass."""
    bars = make_bars(PRICES)
    strategy = ScriptedStrategy()
    desk = live.desk(make_slot(strategy)).start()
    desk.play([bars[0], changed(bars[1], high=1.0), bars[1], bars[0], changed(bars[2], close=float("nan")), bars[3]])
    desk.stop()
    assert strategy.bars == [bars[0], bars[1], bars[3]]
    assert [(one.code, one.row) for one in desk.rejections] == [
        ("high_low", 2),
        ("out_of_order", 4),
        ("not_a_number", 5),
    ]
    assert desk.validator.counts == {"high_low": 1, "out_of_order": 1, "not_a_number": 1, "gap": 1}
    assert [(gap.start_ns, gap.missing) for gap in desk.gaps] == [(bars[3].start_ns, 1)]
    assert desk.validator.missing == 1


def test_a_symbol_that_nobody_trades_is_kept_out(live: Any) -> None:
    """The engine would not know what to do with it."""
    (foreign,) = make_bars(PRICES[:1], symbol="QQQ")
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.play([foreign])
    desk.stop()
    assert [one.code for one in desk.rejections] == ["unknown_symbol"]
    assert "QQQ" in desk.rejections[0].text


def test_a_bar_from_the_future_is_kept_out(live: Any) -> None:
    """Time that the engine has seen cannot be taken back: a source with a wrong clock must not move it."""
    first, *_rest, late = make_bars([50.0] * 300)
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.play([first])
    desk.source.push(late)
    desk.wait_for(2)
    desk.stop()
    assert [one.code for one in desk.rejections] == ["future"]
    assert desk.engine.now_ns < late.start_ns


def test_a_bar_that_comes_again_with_other_values_is_a_revision(live: Any) -> None:
    """It is journaled as such, corrects the last close, and no strategy is shown it again."""
    (bar,) = make_bars([50.0])
    again = changed(bar, close=49.0, low=49.0)
    strategy = ScriptedStrategy()
    desk = live.desk(make_slot(strategy)).start()
    desk.play([bar, again])
    desk.stop()
    assert [event.bar for event in desk.of(BarRevised)] == [again]
    assert strategy.bars == [bar]
    assert desk.engine.instruments[0].close == 49.0


def test_revisions_of_the_source_are_checked_too(live: Any) -> None:
    """One that is sound is entered; one with impossible numbers, or of a foreign symbol, is kept out."""
    first, last = make_bars([50.0, 50.5])
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.play([first])
    now = desk.time.now_ns()
    for bar in (changed(first, high=51.0), changed(first, low=0.0), changed(first, symbol="QQQ")):
        desk.source.push(BarRevised(ts=now, bar=bar))
    desk.play([last])
    desk.stop()
    assert [event.bar.high for event in desk.of(BarRevised)] == [51.0]
    assert [one.code for one in desk.rejections] == ["non_positive", "unknown_symbol"]


def test_no_entry_is_made_on_a_price_that_came_too_late(live: Any) -> None:
    """The engine is told what time it is before it is shown an old bar, so that the gate knows how old it is."""
    bars = make_bars(PRICES)
    slot = make_slot(ScriptedStrategy({2: enter(), 3: enter()}))
    desk = live.desk(slot, gate=make_gate(max_bar_age_ns=2 * MINUTE_NS)).start()
    desk.play(bars[:1])
    desk.play(bars[1:2], delay_ns=3 * MINUTE_NS)
    desk.play(bars[2:3], delay_ns=2 * MINUTE_NS)
    desk.stop()
    (status,) = desk.of(FeedStatus)
    assert (status.code, status.symbol, status.ts) == ("stale", "SPY", bars[1].start_ns + 4 * MINUTE_NS)
    assert [denied.code for denied in desk.of(Denied)] == ["stale_data"]
    assert len(desk.of(Approved)) == 1
    assert desk.validator.late == 1


# What a source does


@pytest.mark.parametrize("fault", [ConnectionError("reset"), SystemExit(3)])
def test_a_source_that_dies_is_told_and_the_desk_goes_on(live: Any, fault: BaseException) -> None:
    """Positions and orders need the desk, whatever becomes of the data."""
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.source.push(fault)
    desk.until(lambda: desk.of(FeedStatus))
    assert desk.stop() == "signal"
    (failed,) = desk.of(PluginFailed)
    assert (failed.plugin, failed.error_type, failed.text) == ("data_provider:test", type(fault).__name__, str(fault))
    assert failed.place.startswith("conftest.py:")
    assert [status.code for status in desk.of(FeedStatus)] == ["down"]


def test_a_source_that_ends_by_itself_is_told_too(live: Any) -> None:
    """A live feed has no end until it is closed."""
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.source.push(live.end)
    desk.until(lambda: desk.of(FeedStatus))
    desk.stop()
    assert [failed.error_type for failed in desk.of(PluginFailed)] == ["FeedEnded"]


def test_a_source_that_is_closed_is_no_fault(live: Any) -> None:
    """The end that the desk asked for is told to nobody; the source is closed once, its thread is gone."""
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    assert desk.source.thread == "mqd-feed"
    desk.stop()
    desk.feed.close()
    assert desk.source.closes == 1
    assert not desk.feed._thread.is_alive()
    assert desk.of(PluginFailed) == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("a bar", "str; Bar, BarRevised and FeedStatus are allowed"),
        (StreamStatus(ts=1, stream="data", state="up"), "StreamStatus; Bar, BarRevised and FeedStatus are allowed"),
        (changed(SOUND, close=np.float64(50.0)), "close of a Bar was np.float64(50.0), a float64"),
        (changed(SOUND, volume=100), "volume of a Bar was 100, a int; a float is allowed"),
        (BarRevised(ts=1, bar=changed(SOUND, start_ns=1.5)), "start_ns of a Bar was 1.5, a float; a int is allowed"),
        (changed(BarRevised(ts=1, bar=SOUND), ts="now"), "ts of a BarRevised was 'now', a str; a int is allowed"),
        (changed(FeedStatus(ts=1, code="up"), text=None), "text of a FeedStatus was None, a NoneType"),
    ],
)
def test_what_a_port_does_not_allow_is_the_fault_of_the_source(live: Any, wrong: Any, text: str) -> None:
    """It is raised in the source's own thread, and never reaches the loop."""
    desk = live.desk(make_slot(ScriptedStrategy())).start()
    desk.source.push(wrong)
    desk.until(lambda: desk.of(FeedStatus))
    assert desk.stop() == "signal"
    (failed,) = desk.of(PluginFailed)
    assert failed.error_type == "TypeError"
    assert text in failed.text


# Minutes


def test_a_venue_sees_each_minute_whole_and_strategies_in_the_order_of_symbols(live: Any) -> None:
    """Bars of one minute wait for each other, whichever comes first: each order meets its own symbol's bar."""
    spy, qqq = make_bars(PRICES[:3]), make_bars(PRICES[:3], symbol="QQQ")
    strategies = ScriptedStrategy({1: enter()}), ScriptedStrategy({1: enter("QQQ")})
    slots = make_slot(strategies[0]), make_slot(strategies[1], "QQQ", strategy_id="other")
    broker = live.broker(in_process=True)
    desk = live.desk(*slots, broker=broker).start()
    for minute in range(3):
        desk.push(qqq[minute])
        desk.source.push(spy[minute])
        desk.wait_for(2 * minute + 2)
    desk.stop()
    assert desk.of(Bar) == [bar for minute in zip(spy, qqq, strict=True) for bar in minute]
    assert broker.adapter.minutes == [(spy[1].start_ns + MINUTE_NS, ("SPY", "QQQ"))]
    assert [fill.symbol for fill in desk.of(Fill)] == ["SPY", "QQQ"]


def test_a_minute_in_which_a_symbol_did_not_trade_is_shown_after_a_while(live: Any) -> None:
    """Five seconds after its end the venue sees the bars that came, and the strategies too."""
    (spy,) = make_bars(PRICES[:1])
    strategy = ScriptedStrategy()
    desk = live.desk(make_slot(strategy), make_slot(ScriptedStrategy(), "QQQ", strategy_id="other")).start()
    desk.push(spy)
    desk.source.push(FeedStatus(ts=0, code="later"))
    desk.until(lambda: desk.of(FeedStatus))
    assert strategy.bars == []
    desk.time.go_to(spy.start_ns + MINUTE_NS + 6 * SECOND_NS)
    desk.wait_for(1)
    desk.stop()
    assert strategy.bars == [spy]


def test_a_later_minute_ends_the_wait_for_an_earlier_one(live: Any) -> None:
    """Minutes never overtake each other."""
    spy, qqq = make_bars(PRICES[:2]), make_bars(PRICES[:2], symbol="QQQ")
    desk = live.desk(make_slot(ScriptedStrategy()), make_slot(ScriptedStrategy(), "QQQ", strategy_id="other")).start()
    desk.push(spy[0])
    desk.push(qqq[1])
    desk.wait_for(1)
    desk.source.push(spy[1])
    desk.wait_for(3)
    desk.stop()
    assert desk.of(Bar) == [spy[0], spy[1], qqq[1]]


def test_without_a_venue_no_bar_waits_for_another(live: Any) -> None:
    """A real broker sees no bars: each is shown as it comes."""
    (spy,) = make_bars(PRICES[:1])
    slots = make_slot(ScriptedStrategy()), make_slot(ScriptedStrategy(), "QQQ", strategy_id="other")
    desk = live.desk(*slots, broker=live.broker()).start()
    desk.play([spy])
    assert desk.stop() == "signal"


# Timers


def five_minutes(live: Any, *, in_process: bool = True) -> tuple[Any, ScriptedStrategy, list[Bar]]:
    strategy = ScriptedStrategy()
    slot = make_slot(strategy, timeframe=Timeframe.MINUTE_5)
    desk = live.desk(slot, broker=live.broker(in_process=in_process)).start()
    bars = make_bars([50.0 + minute for minute in range(7)])
    desk.play(bars[:4])
    return desk, strategy, bars


@pytest.mark.parametrize("in_process", [True, False])
def test_a_longer_bar_closes_behind_the_last_minute_that_it_is_made_of(live: Any, in_process: bool) -> None:
    """The clock passes its end before the last minute's bar is there: it waits for it."""
    desk, strategy, bars = five_minutes(live, in_process=in_process)
    desk.time.go_to(bars[4].start_ns + MINUTE_NS + 3 * SECOND_NS)
    desk.put(FeedStatus(ts=0, code="later"))
    assert strategy.bars == []
    desk.play([bars[4]], delay_ns=4 * SECOND_NS)
    desk.until(lambda: strategy.bars)
    desk.stop()
    assert [(bar.open, bar.close, bar.volume) for bar in strategy.bars] == [(50.0, 54.0, 5_000.0)]


def test_a_longer_bar_does_not_wait_for_ever(live: Any) -> None:
    """Five seconds after its end it closes without the bars that did not come, at the time at which it was due."""
    desk, strategy, bars = five_minutes(live)
    end = bars[4].start_ns + MINUTE_NS
    desk.time.go_to(end + 5 * SECOND_NS)
    desk.until(lambda: strategy.bars)
    desk.stop()
    assert [(bar.open, bar.close) for bar in strategy.bars] == [(50.0, 53.0)]
    assert [timer.ts for timer in desk.of(TimerFired)][-1] == end


def test_a_longer_bar_closes_before_the_first_minute_of_the_next_one(live: Any) -> None:
    """Even when bars come late and in a heap, timers keep their place between them."""
    desk, strategy, bars = five_minutes(live)
    with desk.time.held:
        desk.time.go_to(bars[6].start_ns + 2 * MINUTE_NS)
        for bar in bars[4:]:
            desk.bus.put(bar)
    desk.wait_for(7)
    desk.stop()
    assert [(bar.open, bar.close) for bar in strategy.bars] == [(50.0, 54.0)]


def test_a_flood_does_not_hold_up_a_timer(live: Any) -> None:
    """An inbox that is never empty makes a timer wait for a hundred events at the most."""
    desk, strategy, bars = five_minutes(live)
    with desk.time.held:
        desk.time.go_to(bars[4].start_ns + MINUTE_NS + 6 * SECOND_NS)
        for _ in range(3 * PREFERRED_MAX):
            desk.bus.put(FeedStatus(ts=0, code="later"))
    desk.until(lambda: strategy.bars)
    desk.stop()
    assert [(bar.open, bar.close) for bar in strategy.bars] == [(50.0, 53.0)]
    kinds = [type(entry.body) for entry in desk.entries if not entry.ordinal]
    timer = max(place for place, kind in enumerate(kinds) if kind is TimerFired)
    assert kinds[:timer].count(FeedStatus) <= PREFERRED_MAX + 1


def test_sessions_open_by_the_clock(live: Any) -> None:
    """A desk without a single bar knows that the exchange has opened; with a real broker the time is the clock's."""
    opens = session_of().open_ns
    time = live.time(opens - SECOND_NS)
    desk = live.desk(make_slot(ScriptedStrategy()), broker=live.broker(), time=time).start()
    time.go_to(opens + 7 * SECOND_NS)
    desk.until(lambda: desk.engine.facts.session)
    desk.stop()
    assert desk.engine.facts.session == session_of().date
    assert desk.of(TimerFired)[0].ts == opens + 7 * SECOND_NS
    assert desk.engine.facts.desk_state is DeskState.READY
