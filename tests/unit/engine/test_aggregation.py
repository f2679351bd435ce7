"""Longer bars: what they are made of, when they close, and what a day's strategy may do at the next open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from mqd_core.domain.events import WarmedUp
from mqd_core.domain.market import MINUTE_NS, Bar, Timeframe
from mqd_core.domain.records import Approved, Denied, LimitMoved, PluginMoved, SignalMade
from mqd_core.domain.sessions import SessionTable
from mqd_core.engine.aggregation import BarAggregator, PartialBar
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import ScriptedStrategy, Workbench, enter, make_limits, make_settings, make_slot

D = Decimal
OPEN_NS, CLOSE_NS = session_of().open_ns, session_of().close_ns
NEXT_OPEN_NS = session_of("2025-01-07").open_ns


def bench_of(strategy: Any, timeframe: Timeframe, *others: Any, **changes: Any) -> Workbench:
    """A started desk with one strategy of longer bars and, after it, others of the feed's own."""
    lookback = changes.pop("lookback_bars", 0)
    slots = [make_slot(strategy, timeframe=timeframe, lookback_bars=lookback)]
    slots += [make_slot(other, strategy_id=f"other-{number}") for number, other in enumerate(others)]
    return Workbench(make_settings(slots, **changes)).start()


class TestBars:
    def aggregator(self, timeframe: Timeframe = Timeframe.MINUTE_5) -> BarAggregator:
        return BarAggregator("SPY", timeframe, lambda start_ns: start_ns + 100)

    def test_made_of(self) -> None:
        """First open, highest high, lowest low, last close, all volume, stamped by the period's start."""
        aggregator = self.aggregator()
        minutes = [(10.0, 12.0, 9.0, 11.0, 5.0), (11.0, 15.0, 10.0, 14.0, 7.0), (14.0, 14.5, 8.0, 9.0, 1.0)]
        starts = [OPEN_NS + number * MINUTE_NS for number in (1, 2, 4)]
        started = [aggregator.add(Bar("SPY", start, *minute)) for start, minute in zip(starts, minutes, strict=True)]
        assert started == [True, False, False]
        assert aggregator.due_ns == OPEN_NS + 5 * MINUTE_NS
        assert aggregator.take() == Bar("SPY", OPEN_NS, 10.0, 15.0, 8.0, 9.0, 13.0)
        assert aggregator.due_ns is None

    def test_day(self) -> None:
        """A day's bar begins with the session's first bar and is due when the calendar says."""
        aggregator = self.aggregator(Timeframe.DAY_1)
        first, second = make_bars([10.0, 11.0], minute=3)
        aggregator.add(first)
        aggregator.add(second)
        assert aggregator.due_ns == first.start_ns + 100
        assert aggregator.take().start_ns == first.start_ns

    def test_state(self) -> None:
        """A bar in the making goes on after a restart, through bytes; none in the making has no state."""
        aggregator, other = self.aggregator(), self.aggregator()
        assert aggregator.state() is None
        bars = make_bars([10.0, 12.0, 9.0])
        aggregator.add(bars[0])
        state = aggregator.state()
        assert state is not None
        other.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PartialBar))
        for bar in bars[1:]:
            aggregator.add(bar)
            other.add(bar)
        assert other.state() == aggregator.state()
        assert other.take() == aggregator.take()


class TestClosing:
    @pytest.mark.parametrize(
        ("timeframe", "length"),
        [(Timeframe.MINUTE_2, 2), (Timeframe.MINUTE_5, 5), (Timeframe.MINUTE_15, 15), (Timeframe.MINUTE_30, 30)],
    )
    def test_on_time(self, timeframe: Timeframe, length: int) -> None:
        """A bar closes at its period's end, each period has one, and together they hold every price and share."""
        strategy = ScriptedStrategy()
        minutes = make_bars([100.0 + (number * 7) % 13 for number in range(390)])
        bench = bench_of(strategy, timeframe).play(minutes).wait(CLOSE_NS)
        assert [bar.start_ns for bar in strategy.bars] == list(range(OPEN_NS, CLOSE_NS, length * MINUTE_NS))
        for place, bar in enumerate(strategy.bars):
            part = minutes[place * length : (place + 1) * length]
            assert (bar.open, bar.close) == (part[0].open, part[-1].close)
            assert (bar.high, bar.low) == (max(one.high for one in part), min(one.low for one in part))
            assert bar.volume == sum(one.volume for one in part)
        assert bench.of(PluginMoved) == []

    def test_after_the_minutes_bars(self) -> None:
        """It is shown after the bars of its last minute and before those of the next, and may trade at once."""
        shown: list[str] = []

        class Watcher(ScriptedStrategy):
            def on_bar(self, bar: Bar, view: Any) -> Any:
                shown.append(f"{bar.close}")
                return super().on_bar(bar, view)

        slow, fast = Watcher({1: enter()}), Watcher()
        bench = bench_of(slow, Timeframe.MINUTE_5, fast).play(make_bars([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
        assert shown == ["1.0", "2.0", "3.0", "4.0", "5.0", "5.0", "6.0"]
        (order,) = bench.of(Approved)
        assert (order.ts, order.reference_price) == (OPEN_NS + 5 * MINUTE_NS, D(5))
        assert bench.engine.facts.books[0].average_price == D(5)

    def test_gaps(self) -> None:
        """A period whose last minutes have no bar closes on time; one without any bar has none."""
        strategy = ScriptedStrategy()
        bars = make_bars([100.0] * 30)
        bench = bench_of(strategy, Timeframe.MINUTE_5).play([*bars[:3], *bars[12:14]]).wait(OPEN_NS + 20 * MINUTE_NS)
        assert [(bar.start_ns - OPEN_NS) // MINUTE_NS for bar in strategy.bars] == [0, 10]
        assert [bar.volume for bar in strategy.bars] == [3000.0, 2000.0]
        assert bench.engine.next_timer_ns == CLOSE_NS

    def test_hours(self) -> None:
        """Hours begin on the hour, as on the tape: the first of a session is half a one, the last ends at the close."""
        strategy = ScriptedStrategy()
        bench_of(strategy, Timeframe.HOUR_1).play(make_bars([100.0] * 390)).wait(CLOSE_NS)
        starts = [(bar.start_ns - OPEN_NS) // MINUTE_NS for bar in strategy.bars]
        assert starts == [-30, 30, 90, 150, 210, 270, 330]
        assert strategy.bars[0].volume == 30_000.0

    def test_two_timeframes(self) -> None:
        """Strategies of different timeframes in one symbol see bars of their own; a fault of one is its own."""
        fast, slow, broken = ScriptedStrategy(), ScriptedStrategy(), ScriptedStrategy({2: KeyError("x")})
        slots = [
            make_slot(fast, strategy_id="fast"),
            make_slot(slow, strategy_id="slow", timeframe=Timeframe.MINUTE_15),
            make_slot(broken, strategy_id="broken", timeframe=Timeframe.MINUTE_5),
        ]
        bench = Workbench(make_settings(slots)).start().play(make_bars([100.0] * 31))
        assert [len(strategy.bars) for strategy in (fast, slow, broken)] == [31, 2, 2]
        assert [fault.plugin for fault in bench.of(PluginMoved)] == ["strategy:broken"]


class TestDays:
    def test_at_the_next_open(self) -> None:
        """A day's bar is shown at the next session's open, before its first bar."""
        strategy, minutes = ScriptedStrategy(), make_bars([100.0 + number for number in range(391)])
        bench = bench_of(strategy, Timeframe.DAY_1).play(minutes[:390]).wait(NEXT_OPEN_NS - 1)
        assert strategy.bars == []
        bench.play(minutes[390:])
        (day,) = strategy.bars
        assert (day.start_ns, day.open, day.close, day.volume) == (OPEN_NS, 100.0, 489.0, 390_000.0)

    def test_over_a_weekend(self) -> None:
        """Friday's bar is shown at Monday's open."""
        strategy = ScriptedStrategy()
        friday = session_of("2025-01-10")
        bench = Workbench(make_settings([make_slot(strategy, timeframe=Timeframe.DAY_1)])).start(friday.open_ns - 1)
        bench.play(make_bars([100.0] * 390, date="2025-01-10"))
        assert bench.engine.next_timer_ns == friday.close_ns
        bench.wait(session_of("2025-01-13").open_ns)
        assert len(strategy.bars) == 1
        assert bench.engine.now_ns == session_of("2025-01-13").open_ns

    def test_may_trade(self) -> None:
        """What a day's strategy decides is an order of the session that opens, and fills at its first price."""
        strategy = ScriptedStrategy({1: enter()})
        closes = [100.0] * 390 + [103.0, 104.0]
        bench = bench_of(strategy, Timeframe.DAY_1).play(make_bars(closes))
        (order,) = bench.of(Approved)
        assert (order.ts, order.reference_price) == (NEXT_OPEN_NS, D(100))
        assert bench.engine.facts.orders_this_session == 1
        assert bench.engine.facts.books[0].quantity == D(1)

    def test_limits_of_the_day_that_opens(self) -> None:
        """A daily limit that fired yesterday does not hold back what is decided at today's open."""
        buyer = ScriptedStrategy({1: enter()})
        limits = make_limits(daily_loss_limit_usd=D(5))
        strategy = ScriptedStrategy({1: enter()})
        closes = [100.0] * 100 + [90.0] * 291
        bench = bench_of(strategy, Timeframe.DAY_1, buyer, limits=limits).play(make_bars(closes))
        assert [record.state for record in bench.of(LimitMoved)] == ["opened", "fired", "opened"]
        assert [signal.strategy_id for signal in bench.of(SignalMade)] == ["other-0", "scripted"]
        assert bench.of(Denied) == []

    def test_end_of_the_calendar(self) -> None:
        """Where the calendar ends a day's bar is due a day later: nothing waits for a session that nobody knows."""
        table = SessionTable([session_of()])
        strategy = ScriptedStrategy()
        bench = bench_of(strategy, Timeframe.DAY_1, sessions=table).play(make_bars([100.0] * 3))
        bench.wait(OPEN_NS + 24 * 60 * MINUTE_NS)
        assert len(strategy.bars) == 1
        assert bench.engine.next_timer_ns is None


class TestWarmUp:
    def test_history(self) -> None:
        """History is shown in longer bars; what is left of it goes into the first bar of the session."""
        strategy = ScriptedStrategy(dict.fromkeys(range(1, 20), enter()))
        bench = bench_of(strategy, Timeframe.MINUTE_5, lookback_bars=2)
        minutes = make_bars([float(number) for number in range(1, 21)])
        bench.wait(OPEN_NS + 12 * MINUTE_NS)
        bench.enter(WarmedUp(ts=OPEN_NS + 12 * MINUTE_NS, bars=tuple(minutes[:12])))
        assert [bar.close for bar in strategy.bars] == [5.0, 10.0]
        bench.play(minutes[12:])
        assert [bar.close for bar in strategy.bars] == [5.0, 10.0, 15.0]
        assert strategy.bars[2].open == minutes[10].open
        assert len(bench.of(SignalMade)) == 1

    def test_complete_history(self) -> None:
        """A bar that history has completed is history too: shown as such, and never a reason to trade."""
        strategy = ScriptedStrategy(dict.fromkeys(range(1, 20), enter()))
        bench = bench_of(strategy, Timeframe.MINUTE_5, lookback_bars=1)
        yesterday = make_bars([1.0] * 3, date="2025-01-03", minute=387)
        bench.enter(WarmedUp(ts=bench.engine.now_ns, bars=tuple(yesterday)))
        assert [bar.volume for bar in strategy.bars] == [3000.0]
        bench.play(make_bars([100.0] * 4))
        assert bench.of(SignalMade) == []
        bench.play(make_bars([100.0] * 6)[4:])
        assert [bar.volume for bar in strategy.bars] == [3000.0, 5000.0]
        assert len(bench.of(SignalMade)) == 1

    def test_unfinished_day(self) -> None:
        """Yesterday's bar, which is due at today's open, is shown then, to be acted upon."""
        strategy = ScriptedStrategy({1: enter()})
        bench = bench_of(strategy, Timeframe.DAY_1)
        bench.enter(WarmedUp(ts=bench.engine.now_ns, bars=tuple(make_bars([90.0] * 390, date="2025-01-03"))))
        assert strategy.bars == []
        bench.play(make_bars([100.0]))
        assert len(strategy.bars) == 1
        assert len(bench.of(SignalMade)) == 1

    def test_quarantined(self) -> None:
        """A strategy that raises over longer history is shown no more of it."""
        strategy = ScriptedStrategy({1: ValueError("x")})
        bench = bench_of(strategy, Timeframe.MINUTE_5)
        bench.enter(WarmedUp(ts=bench.engine.now_ns, bars=tuple(make_bars([1.0] * 30, date="2025-01-03"))))
        assert len(strategy.bars) == 1
