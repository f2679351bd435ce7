"""The bar loop: what it takes, what it gives back, how it numbers, and that one bar or many is one code."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from mqd_core.domain.events import TimerFired
from mqd_core.domain.market import MINUTE_NS, Bar, Timeframe
from mqd_core.domain.records import Alert, Approved, Denied, LimitMoved, PluginMoved, SignalMade
from mqd_core.engine.effects import SubmitOrder
from mqd_core.engine.engine import RECORDS_MAX
from mqd_core.testing.bars import make_bars, merge, session_of
from mqd_core.testing.engines import (
    AnsweringStrategy,
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_limits,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
FLAT = [100.0] * 12
NEVER = 2**62


def bench_of(*strategies: Any, **changes: Any) -> Workbench:
    """A started desk whose strategies, one, two and so on, all watch SPY."""
    names = ("one", "two", "three")
    slots = [make_slot(strategy, strategy_id=name) for strategy, name in zip(strategies, names)]  # noqa: B905
    return Workbench(make_settings(slots, **changes)).start()


def assert_numbered(bench: Workbench) -> None:
    """Events, bars among them, have sequences without a gap; the records of each have ordinals 1, 2 and so on."""
    places = [(record.sequence, record.ordinal) for record in bench.records]
    assert places == sorted(set(places))
    for (sequence, ordinal), (following, first) in pairwise([(0, 0), *places]):
        assert first == (ordinal + 1 if following == sequence else 1)
    assert places[-1][0] <= bench.engine.sequence
    assert bench.engine.sequence == len(bench.events) + bench.engine.bars


class TestTaking:
    def test_all(self) -> None:
        """Bars without an effect are taken to the end of the iterator, each with a sequence number."""
        bench = bench_of(ScriptedStrategy())
        bars = make_bars(FLAT)
        before = bench.engine.sequence
        bench.wait(bars[0].start_ns)
        timers = bench.engine.sequence - before
        step = bench.engine.on_bars(iter(bars), -1)
        assert (step.bars, step.unread, step.records, step.effects) == (12, None, (), ())
        assert step.sequence == bench.engine.sequence == before + timers + 12
        assert step.now_ns == bench.engine.now_ns == bars[-1].start_ns + MINUTE_NS
        assert (bench.engine.bars, bench.engine.minute_ns) == (12, bars[-1].start_ns)

    def test_stops_at_an_effect(self) -> None:
        """A bar with an effect is the last one taken; the iterator stands right behind it."""
        bench = bench_of(ScriptedStrategy({3: enter()}))
        bars = make_bars(FLAT)
        bench.wait(bars[0].start_ns)
        feed = iter(bars)
        step = bench.engine.on_bars(feed, -1)
        assert (step.bars, step.unread) == (3, None)
        assert [type(effect) for effect in step.effects] == [SubmitOrder]
        assert next(feed) is bars[3]

    def test_stops_before_too_many_records(self) -> None:
        """Records without effects may wait, up to a number: then the loop lets them be written down."""
        bench = bench_of(AnsweringStrategy(lambda bar, view: (leave(),)))
        count = RECORDS_MAX // 2
        bars = make_bars([100.0] * (count + 5))
        taken = 0
        bench.wait(bars[0].start_ns)
        while taken < count:
            step = bench.engine.on_bars(iter(bars[taken:]), NEVER)
            taken += step.bars
            assert len(step.records) <= RECORDS_MAX
            assert step.effects == ()
        assert taken == count
        assert len(step.records) == RECORDS_MAX

    def test_unknown_symbol(self) -> None:
        """A bar that nobody subscribed to is a fault of the feed."""
        bench = bench_of(ScriptedStrategy())
        with pytest.raises(KeyError, match="QQQ"):
            bench.engine.on_event(make_bars(FLAT, symbol="QQQ")[0])

    def test_as_an_event(self) -> None:
        """A bar handed over as an event is taken whatever is due: who hands it over has fired the timers."""
        bench = bench_of(ScriptedStrategy({1: enter(), 2: leave()}))
        for bar in make_bars(FLAT[:2]):
            assert bench.engine.on_event(bar).bars == 1
        assert bench.engine.bars == 2


class TestGivingBack:
    def given_back(self, bench: Workbench, bars: list[Bar], shown_ns: int) -> Bar | None:
        """The bar that comes back; checks that it has changed nothing."""
        before = bench.engine.snapshot()
        step = bench.engine.on_bars(iter(bars), shown_ns)
        if step.unread is not None and not step.bars:
            assert (step.records, step.effects) == ((), ())
            assert bench.engine.snapshot() == before
        return step.unread

    def test_for_a_timer(self) -> None:
        """A bar that ends after a timer is due comes back untaken; one that ends when it is due is taken."""
        bench = bench_of(ScriptedStrategy())
        first, *_ = bars = make_bars(FLAT)
        assert bench.engine.next_timer_ns == first.start_ns
        assert self.given_back(bench, bars, -1) is first
        bench.enter(TimerFired(ts=first.start_ns))
        assert self.given_back(bench, bars, -1) is None
        late = make_bars([100.0] * 390)
        bench.play(late[12:])
        assert bench.engine.next_timer_ns == late[-1].start_ns + MINUTE_NS

    def test_unless_it_was_shown(self) -> None:
        """Bars up to the minute that the venue was shown are taken, timers or not; the next one comes back."""
        bench = bench_of(ScriptedStrategy())
        bars = make_bars(FLAT)
        assert self.given_back(bench, bars, bars[4].start_ns) is bars[5]
        assert bench.engine.bars == 5

    def test_for_a_working_order(self) -> None:
        """While an order works, a bar that begins a new minute comes back: the venue has to see that minute first."""
        venue = ObedientVenue()
        venue.is_holding = True
        strategy = ScriptedStrategy({1: enter("SPY")})
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")]), venue).start()
        bars = merge(make_bars(FLAT), make_bars(FLAT, symbol="QQQ"))
        bench.play(bars[:1])
        assert bench.engine.working == 1
        assert self.given_back(bench, bars[1:], -1) is bars[2]
        assert bench.engine.bars == 2
        assert self.given_back(bench, bars[2:], bars[2].start_ns) is bars[4]

    def test_no_longer_than_it_works(self) -> None:
        """Once no order works, bars run through again."""
        bench = bench_of(ScriptedStrategy({1: enter()})).play(make_bars(FLAT)[:2])
        assert bench.engine.working == 0
        assert self.given_back(bench, make_bars(FLAT)[2:], -1) is None


class TestNumbering:
    def test_quiet_and_loud(self) -> None:
        """Signals, denials, orders, fills and timers of two symbols are numbered without a gap."""
        script = {2: (enter("SPY"), enter("QQQ")), 5: leave("SPY"), 6: leave("SPY"), 9: leave("QQQ"), 10: enter("QQQ")}
        strategy = ScriptedStrategy(script)
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")])).start()
        bench.play(merge(make_bars(FLAT), make_bars(FLAT, symbol="QQQ")))
        assert len(bench.of(Approved)) + len(bench.of(Denied)) == 6
        assert_numbered(bench)

    @pytest.mark.parametrize("others", [0, 1])
    def test_faults(self, others: int) -> None:
        """A strategy's fault is numbered by the bar it was raised on, alone or behind a FanOut."""
        bench = bench_of(ScriptedStrategy({4: ValueError("x")}), *[ScriptedStrategy()] * others).play(make_bars(FLAT))
        (fault,) = bench.of(PluginMoved)
        assert fault.ts == make_bars(FLAT)[3].start_ns + MINUTE_NS
        assert fault.ordinal == 1
        assert_numbered(bench)

    @pytest.mark.parametrize("others", [0, 1])
    def test_fault_after_a_limit(self, others: int) -> None:
        """A strategy that raises on the very bar on which a limit fires takes numbers of its own."""
        limits = make_limits(daily_loss_limit_usd=D(50))
        script = {1: enter(), 4: ValueError("x")}
        bench = bench_of(ScriptedStrategy(script), *[ScriptedStrategy()] * others, limits=limits, sizer=FixedSizer("5"))
        bench.play(make_bars([100.0, 100.0, 100.0, 80.0, 80.0]))
        (fired,) = [record for record in bench.of(LimitMoved) if record.state == "fired"]
        (fault,) = bench.of(PluginMoved)
        assert fault.sequence == fired.sequence
        assert fault.ordinal > fired.ordinal
        assert_numbered(bench)

    def test_becoming_warm(self) -> None:
        """A strategy that becomes warm in the middle of a run takes no number for it."""
        slot = make_slot(ScriptedStrategy({4: enter()}), lookback_bars=3)
        bench = Workbench(make_settings([slot])).start().play(make_bars(FLAT))
        assert bench.of(SignalMade)[0].ts == make_bars(FLAT)[3].start_ns + MINUTE_NS
        assert_numbered(bench)


class TestWarming:
    def test_signals_are_discarded(self) -> None:
        """What a strategy signals before it has seen its lookback is discarded; the next bar counts."""
        for others in (0, 1):
            first = make_slot(ScriptedStrategy(dict.fromkeys(range(1, 6), enter())), lookback_bars=4, strategy_id="one")
            rest = [make_slot(ScriptedStrategy(), strategy_id="two")] * others
            bench = Workbench(make_settings([first, *rest])).start().play(make_bars(FLAT))
            assert len(bench.of(SignalMade)) == 1
            assert bench.of(SignalMade)[0].ts == make_bars(FLAT)[4].start_ns + MINUTE_NS

    def test_fault_while_warming(self) -> None:
        """A strategy that raises while it is warmed up is quarantined as any other."""
        slot = make_slot(ScriptedStrategy({2: ValueError("cold")}), lookback_bars=4)
        bench = Workbench(make_settings([slot])).start().play(make_bars(FLAT))
        assert [fault.state for fault in bench.of(PluginMoved)] == ["quarantined"]
        assert len(slot.strategy.bars) == 2  # type: ignore[attr-defined]


class TestAnswers:
    @pytest.mark.parametrize(
        "answer", [(), [], None, "", 0, {}, iter(())], ids=["tuple", "list", "none", "text", "zero", "dict", "iterator"]
    )
    def test_nothing(self, answer: Any) -> None:
        """Whatever is empty says nothing."""
        bench = bench_of(AnsweringStrategy(lambda bar, view: answer)).play(make_bars(FLAT))
        assert bench.of(PluginMoved) == []
        assert bench.engine.bars == 12

    @pytest.mark.parametrize("others", [0, 1])
    def test_sequences(self, others: int) -> None:
        """A list, a generator or any other sequence of signals will do."""
        for wrap in (list, tuple, iter, lambda signals: (signal for signal in signals)):
            strategy = AnsweringStrategy(lambda bar, view, wrap=wrap: wrap([leave()]))
            bench = bench_of(strategy, *[ScriptedStrategy()] * others).play(make_bars(FLAT))
            assert [denied.code for denied in bench.of(Denied)] == ["nothing_held"] * 12

    def test_nothing_while_a_limit_fires(self) -> None:
        """A strategy that answers None on the bar on which a limit fires has done nothing wrong."""
        limits = make_limits(daily_loss_limit_usd=D(50))
        strategy = AnsweringStrategy(lambda bar, view: None if view.book.quantity else (enter(),))
        bench = bench_of(strategy, limits=limits, sizer=FixedSizer("5")).play(make_bars([100.0, 100.0, 80.0, 80.0]))
        assert "daily_limit" in [alert.code for alert in bench.of(Alert)]
        assert bench.of(PluginMoved) == []


class TestView:
    def test_what_a_strategy_sees(self) -> None:
        """A strategy sees time, its book, its orders and equity as of the bar in hand, and nothing leads further."""
        seen: list[Any] = []

        def look(bar: Bar, view: Any) -> Any:
            seen.append((bar, view.now_ns, view.book, view.book_of("SPY"), len(view.working), view.equity))
            return (enter(),) if len(seen) == 1 else ()

        bars = make_bars([100.0, 100.0, 110.0])
        bench = bench_of(AnsweringStrategy(look)).play(bars)
        assert [now for _, now, *_ in seen] == [bar.start_ns + MINUTE_NS for bar in bars]
        assert [book.quantity for *_, book, _, _, _ in seen] == [D(0), D(1), D(1)]
        assert seen[2][3] is seen[2][2]
        assert [working for *_, working, _ in seen] == [0, 0, 0]
        assert [equity for *_, equity in seen] == [D(1000), D(1000), D(1010)]
        assert bench.engine.facts.books[0].average_price == D(100)

    def test_orders(self) -> None:
        """A strategy sees its own orders that are not over, and none of others."""
        venue = ObedientVenue()
        venue.is_holding = True
        seen: dict[str, list[Any]] = {"one": [], "two": []}

        def look(name: str) -> Any:
            def answer(_bar: Bar, view: Any) -> Any:
                seen[name].append(view.working)
                return (enter(),) if name == "one" else ()

            return answer

        slots = [make_slot(AnsweringStrategy(look(name)), strategy_id=name) for name in seen]
        bench = Workbench(make_settings(slots), venue).start().play(make_bars(FLAT[:3]))
        (order,) = bench.engine._desk.orders.open_orders()
        assert seen["one"] == [(), (order.ref,), (order.ref,)]
        assert seen["two"] == [(), (), ()]

    def test_fill(self) -> None:
        """Of a fill a strategy learns when its book shows it already; raising there quarantines, and books stay."""
        seen: list[Any] = []

        class Strategy(ScriptedStrategy):
            def on_fill(self, fill: Any, view: Any) -> None:
                seen.append((fill.quantity, view.book.quantity, view.now_ns))
                raise LookupError("after the fact")

        strategy = Strategy({1: enter(), 3: enter()})
        bench = bench_of(strategy).play(make_bars(FLAT))
        assert seen == [(D(1), D(1), make_bars(FLAT)[1].start_ns)]
        assert len(strategy.bars) == 1
        assert bench.engine.facts.cash == D(900)
        assert [fault.error_type for fault in bench.of(PluginMoved)] == ["LookupError"]

    def test_longer_timeframe(self) -> None:
        """The view of a strategy of longer bars is of the time at which its bar closes."""
        seen: list[int] = []
        strategy = AnsweringStrategy(lambda bar, view: seen.append(view.now_ns) or ())
        slot = make_slot(strategy, timeframe=Timeframe.MINUTE_5)
        Workbench(make_settings([slot])).start().play(make_bars(FLAT))
        assert seen == [session_of().open_ns + minutes * MINUTE_NS for minutes in (5, 10)]
