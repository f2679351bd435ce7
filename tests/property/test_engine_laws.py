"""Laws of the engine, over made-up days: one bar or many, interrupted or not, on any machine, it does the same.

A day is drawn as prices and wishes; strategies look the wishes up by time, so that a new object goes on where an old
one was dropped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mqd_core.domain.events import Activity, Event
from mqd_core.domain.market import MINUTE_NS, Bar, Timeframe
from mqd_core.domain.orders import OrderType
from mqd_core.domain.records import DeskState, Record
from mqd_core.domain.signals import Size
from mqd_core.engine.effects import Effect
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import EngineSettings
from mqd_core.testing.bars import merge, minutes
from mqd_core.testing.engines import (
    AnsweringStrategy,
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
SYMBOLS = ("SPY", "QQQ")
#: Bars of a made-up day: from a quarter of an hour before a close into the next session.
FIRST_MINUTE, LENGTH = 375, 40


@dataclass(frozen=True)
class Day:
    """What happens: two symbols' closes, what which strategy wishes at which bar, how the venue fills."""

    seed: int
    wishes: dict[tuple[str, int, str], str]
    amounts: tuple[str, ...]
    parts: int
    gaps: frozenset[tuple[str, int]] = frozenset()
    moves: dict[int, str] = field(default_factory=dict)

    def bars(self) -> list[Bar]:
        """The bars of both symbols, some of them missing."""
        random = Random(self.seed)
        starts = [start for start, _ in zip(minutes(), range(FIRST_MINUTE + LENGTH))][FIRST_MINUTE:]  # noqa: B905
        series = []
        for symbol, price in zip(SYMBOLS, (100.0, 40.0), strict=True):
            bars: list[Bar] = []
            close = price
            for number, start in enumerate(starts):
                opening, close = close, round(close * (1 + random.choice((-0.02, -0.005, 0, 0, 0.005, 0.02))), 2)
                if (symbol, number) not in self.gaps:
                    high, low = max(opening, close) * 1.001, min(opening, close) * 0.999
                    bars.append(Bar(symbol, start, opening, high, low, close, 100.0 + number))
            series.append(bars)
        return merge(*series)

    def settings(self) -> EngineSettings:
        """Three strategies: one a symbol, one of five-minute bars; tight limits, a sizer of drawn amounts."""
        first_ns = next(start for number, start in enumerate(minutes()) if number == FIRST_MINUTE)

        def strategy(name: str) -> AnsweringStrategy:
            def answer(bar: Bar, view: Any) -> Any:
                word = self.wishes.get((name, (bar.start_ns - first_ns) // MINUTE_NS, bar.symbol))
                return () if word is None else (wish(word, bar, view),)

            return AnsweringStrategy(answer)

        class Sizer:
            def size(self, signal: Any, view: Any) -> Any:
                amount = amounts[round(float(view.price) * 100) % len(amounts)]
                if amount.startswith("$"):
                    return Size(reason="dollars", notional=D(amount[1:]))
                return Size(reason="shares", quantity=D(amount))

        amounts = self.amounts
        slots = [
            make_slot(strategy("one"), "SPY", strategy_id="one"),
            make_slot(strategy("two"), "SPY", "QQQ", strategy_id="two"),
            make_slot(strategy("slow"), "QQQ", strategy_id="slow", timeframe=Timeframe.MINUTE_5),
        ]
        gate = make_gate(max_open_positions=2, max_position_size_pct=D(60), max_orders_per_minute=4)
        limits = make_limits(
            daily_loss_limit_usd=D(30),
            weekly_loss_limit_usd=D(45),
            circuit_breaker_loss_pct=D("1.5"),
            halt_ns=7 * MINUTE_NS,
        )
        return make_settings(slots, Sizer(), gate=gate, limits=limits)


def wish(word: str, bar: Bar, view: Any) -> Any:
    """A signal of a word; a limit entry rests below the market."""
    if word == "limit":
        return enter(bar.symbol, order_type=OrderType.LIMIT, limit_price=D(str(round(bar.close * 0.995, 4))))
    if word == "flip":
        return leave(bar.symbol) if view.book.quantity else enter(bar.symbol)
    return enter(bar.symbol, stop_loss=D("0.02")) if word == "enter" else leave(bar.symbol)


class Taped(Workbench):
    """A workbench that keeps everything the engine was handed, and what each of it led to."""

    def __init__(self, day: Day) -> None:
        super().__init__(day.settings(), ObedientVenue(parts=day.parts))
        self.tape: list[Bar | Event] = []
        self.steps: list[tuple[tuple[Record, ...], tuple[Effect, ...]]] = []

    def enter(self, event: Event) -> Any:
        """Keep the event before its effects become events of their own."""
        self.tape.append(event)
        return super().enter(event)

    def _take(self, step: Any) -> None:
        self.steps.append((step.records, step.effects))
        super()._take(step)

    def run(self, day: Day) -> Taped:
        """Play the day bar by bar, with money coming and going in between."""
        self.start()
        for number, bar in enumerate(day.bars()):
            if number in day.moves:
                amount = D(day.moves[number])
                self.enter(Activity(ts=self.engine.now_ns, activity_id=str(number), kind="CSD", amount=amount))
                self.venue.cash += amount
            while True:
                step = self.engine.on_bars(iter((bar,)), self._shown_ns)
                if step.unread is None:
                    break
                self._show([one for one in day.bars() if one.start_ns == bar.start_ns])
            self.tape.append(bar)
            self._take(step)
        return self


def ending(engine: Engine) -> tuple[Any, ...]:
    """All that has to be the same at the end."""
    return engine.sequence, engine.decision_hash, engine.now_ns, msgspec.msgpack.decode(engine.snapshot())


places = st.tuples(st.sampled_from(["one", "two", "slow"]), st.integers(0, LENGTH - 1), st.sampled_from(SYMBOLS))
amounts = st.sampled_from(["1", "2", "0.5", "3.123456789", "$150", "$99.99", "20"])
days = st.builds(
    Day,
    seed=st.integers(0, 10**6),
    wishes=st.dictionaries(places, st.sampled_from(["enter", "exit", "limit", "flip", "flip"]), max_size=40),
    amounts=st.lists(amounts, min_size=1, max_size=3).map(tuple),
    parts=st.integers(1, 3),
    gaps=st.frozensets(st.tuples(st.sampled_from(SYMBOLS), st.integers(0, LENGTH - 1)), max_size=12),
    moves=st.dictionaries(st.integers(0, LENGTH), st.sampled_from(["500", "-100", "25.5"]), max_size=2),
)


@given(days)
def test_records_are_numbered(day: Day) -> None:
    """Sequences of events, bars among them, and ordinals of their records have no gap and no double."""
    bench = Taped(day).run(day)
    numbered = [(record.sequence, record.ordinal) for record in bench.records]
    for (sequence, ordinal), (following, first) in pairwise([(0, 0), *numbered]):
        assert first == (ordinal + 1 if following == sequence else 1)
        assert following >= sequence
    assert bench.engine.sequence == len(bench.tape)


@given(days, st.data())
def test_one_bar_or_many(day: Day, data: st.DataObject) -> None:
    """However the feed is cut, and however much of it was shown before, records, effects and decisions are the same."""
    day = Day(day.seed, day.wishes, day.amounts, day.parts, day.gaps)
    single = Taped(day).run(day)
    bars = day.bars()
    for at_once in (None, data.draw(st.integers(1, len(bars)), label="at once")):
        many = Workbench(day.settings(), ObedientVenue(parts=day.parts)).start().play(bars, at_once)
        assert many.records == single.records
        assert many.effects == single.effects
        assert ending(many.engine) == ending(single.engine)


@given(days, st.data())
def test_shown_before_or_not(day: Day, data: st.DataObject) -> None:
    """That the venue was shown minutes which are over makes no difference to what is taken and what comes back."""
    day = Day(day.seed, day.wishes, day.amounts, day.parts, day.gaps)
    bars = day.bars()
    plain = Workbench(day.settings(), ObedientVenue(parts=day.parts)).start().play(bars)
    bench = Workbench(day.settings(), ObedientVenue(parts=day.parts)).start()
    random, position = Random(data.draw(st.integers(0, 10**6), label="shown")), 0
    while position < len(bars):
        over = [-1, *(bar.start_ns for bar in bars[:position])]
        bench._shown_ns = max(bench._shown_ns, random.choice(over))
        step = bench.engine.on_bars(iter(bars[position : position + random.randint(1, 9)]), bench._shown_ns)
        position += step.bars
        bench._take(step)
        if step.unread is not None:
            assert step.unread is bars[position]
            assert step.unread.start_ns > bench._shown_ns
            bench._show([bar for bar in bars if bar.start_ns == step.unread.start_ns])
    assert bench.records == plain.records
    assert bench.effects == plain.effects
    assert ending(bench.engine) == ending(plain.engine)


@settings(max_examples=25)
@given(days)
def test_interrupted_at_every_event(day: Day) -> None:
    """A desk that is dropped after any event and restored from its snapshot goes on as if it had not been."""
    whole = Taped(day).run(day)
    expected = ending(whole.engine)
    outcome = {step[0][0].sequence: step for step in whole.steps if step[0]}
    engine, started = Engine(day.settings()), False
    for number, event in enumerate(whole.tape, 1):
        if started:
            restored = Engine(day.settings())
            restored.restore(engine.snapshot())
            assert restored.snapshot() == engine.snapshot()
            engine = restored
        step = engine.on_event(event)
        assert (step.records, step.effects) == outcome.get(number, ((), step.effects))
        started = engine.facts.desk_state is DeskState.READY
    assert ending(engine) == expected


@given(days)
def test_whatever_the_thread_counts_with(day: Day) -> None:
    """A plugin that sets the thread's decimal context to two digits changes no decision, and no digit of a book."""
    plain = Taped(day).run(day)
    replayed = Engine(day.settings())
    with localcontext(Context(prec=2)):
        for event in plain.tape:
            replayed.on_event(event)
    assert ending(replayed) == ending(plain.engine)


def fixed_day() -> Day:
    """A day with all kinds of wishes, the same on every machine."""
    random = Random(4711)
    words = ["enter", "exit", "limit", "flip"]
    wishes = {
        (name, minute, symbol): random.choice(words)
        for name in ("one", "two", "slow")
        for minute in range(LENGTH)
        for symbol in SYMBOLS
        if random.random() < 0.4
    }
    return Day(7, wishes, ("1", "$150", "0.123456789"), 2)


def fingerprint() -> str:
    """What a fixed day leads to, in one line."""
    bench = Taped(fixed_day()).run(fixed_day())
    orders = sum(1 for effect in bench.effects if type(effect).__name__ == "SubmitOrder")
    return f"{bench.engine.decision_hash} {bench.engine.sequence} {len(bench.records)} {orders}"


def test_whatever_the_hash_seed() -> None:
    """Processes with different hash seeds come to the same decisions, records and ids."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_engine_laws import fingerprint; print(fingerprint())"
    )
    expected = fingerprint()
    assert int(expected.split()[-1]) > 5
    for seed in ("0", "1", "4711"):
        result = subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert result.stdout.strip() == expected, result.stderr
