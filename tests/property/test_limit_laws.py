"""The limits' law: what fires, opens and lifts is what a plain recomputation at every single bar's close says.

The recomputation of this file is exact, keeps no floats and skips nothing; the engine looks at most bars with floats
alone. Fills, deposits, two sessions of one week or of two, a breaker's halt, ties to the last bit, and restarts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqd_core.domain.events import Activity, Event, TimerFired
from mqd_core.domain.market import MINUTE_NS, Bar
from mqd_core.domain.money import money
from mqd_core.domain.records import BookMoved, LimitMoved, Record
from mqd_core.domain.sessions import Session, xnys
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import EngineSettings
from mqd_core.risk.limits import LimitSettings
from mqd_core.testing.bars import merge, minutes, session_of
from mqd_core.testing.engines import (
    AnsweringStrategy,
    FixedSizer,
    Workbench,
    enter,
    leave,
    make_limits,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal
SYMBOLS = ("SPY", "QQQ")
FIRST_MINUTE, LENGTH = 372, 36
Told = tuple[str, str, Fraction, Fraction, int | None, str]


@dataclass
class Plain:
    """The limits recomputed: bases, peak and halt in fractions, looked at with every bar."""

    limits: LimitSettings
    cash: Fraction = Fraction(0)
    held: dict[str, Fraction] = field(default_factory=dict)
    closes: dict[str, Fraction] = field(default_factory=dict)
    session: Session | None = None
    week: tuple[int, int] = (0, 0)
    bases: dict[str, Fraction] = field(default_factory=dict)
    fired: set[str] = field(default_factory=set)
    peak: Fraction = Fraction(0)
    halted_until_ns: int = 0

    @property
    def equity(self) -> Fraction:
        """Cash and holdings at the last closes."""
        return self.cash + sum((self.held[symbol] * self.closes[symbol] for symbol in self.held), Fraction(0))

    def on_bar(self, bar: Bar) -> list[Told]:
        """A bar has closed: judge."""
        self.closes[bar.symbol] = Fraction(money(bar.close))
        return list(self.judge(bar.start_ns + MINUTE_NS))

    def on_event(self, event: Event, records: tuple[Record, ...]) -> list[Told]:
        """Money has moved, or time has come to something."""
        for record in records:
            if isinstance(record, BookMoved):
                if record.symbol:
                    self.held[record.symbol] = self.held.get(record.symbol, Fraction(0)) + Fraction(record.change)
                self.cash = Fraction(record.cash)
        if isinstance(event, Activity) and event.kind == "CSD":
            self.bases = {limit: base + Fraction(event.amount) for limit, base in self.bases.items()}
            self.peak += Fraction(event.amount)
        if not isinstance(event, TimerFired):
            return []
        told = []
        session = xnys().session_at(event.ts)
        if session is not None and session != self.session:
            told += list(self.open(session))
        if self.halted_until_ns and event.ts >= self.halted_until_ns:
            self.halted_until_ns, self.peak = 0, self.equity
            told.append(self.tell("breaker", "lifted", Fraction(0), self.breaker_level()))
            told += list(self.judge(event.ts))
        return told

    def open(self, session: Session) -> Iterator[Told]:
        """A session begins, and perhaps a week."""
        self.session, self.peak = session, self.equity
        self.fired.discard("daily")
        rolled = ["daily"]
        if session.iso_week != self.week:
            self.week = session.iso_week
            self.fired.discard("weekly")
            rolled.append("weekly")
        for limit in rolled:
            self.bases[limit] = self.equity
            allowed = self.allowed(limit)
            if allowed is not None:
                yield self.tell(limit, "opened", Fraction(0), self.equity - allowed)

    def judge(self, now_ns: int) -> Iterator[Told]:
        """Measure everything."""
        equity, pct = self.equity, self.limits.circuit_breaker_loss_pct
        for limit in ("daily", "weekly"):
            allowed = self.allowed(limit)
            if allowed is not None and limit in self.bases and limit not in self.fired:
                loss = self.bases[limit] - equity
                if loss >= allowed:
                    self.fired.add(limit)
                    yield self.tell(limit, "fired", loss, self.bases[limit] - allowed)
        if pct is None or self.halted_until_ns:
            return
        self.peak = max(self.peak, equity)
        level = self.breaker_level()
        if self.session is not None and equity <= level:
            self.halted_until_ns = now_ns + self.limits.halt_ns
            yield self.tell("breaker", "fired", self.peak - equity, level, self.halted_until_ns)

    def allowed(self, limit: str) -> Fraction | None:
        """How much may be lost."""
        value = self.limits.daily_loss_limit_usd if limit == "daily" else self.limits.weekly_loss_limit_usd
        return None if value is None else Fraction(value)

    def breaker_level(self) -> Fraction:
        """Where the breaker trips."""
        return self.peak - self.peak * Fraction(self.limits.circuit_breaker_loss_pct or 0) / 100

    def tell(self, limit: str, state: str, loss: Fraction, level: Fraction, until_ns: int | None = None) -> Told:
        """A move of a limit, to be compared."""
        return limit, state, loss, level, until_ns, "" if self.session is None else self.session.date


def told_by(records: tuple[Record, ...]) -> list[Told]:
    """The moves of limits among a step's records."""
    return [
        (one.limit, one.state, Fraction(one.loss), Fraction(one.level), one.until_ns, one.session)
        for one in records
        if isinstance(one, LimitMoved)
    ]


class Judged(Workbench):
    """A workbench whose every step is compared with the recomputation; it may be restarted between two events."""

    def __init__(self, engine_settings: EngineSettings, parts: int, restarts: Random, rate: float) -> None:
        super().__init__(engine_settings, ObedientVenue(parts=parts))
        self.plain = Plain(engine_settings.limits)
        self.moves = 0
        self._settings = engine_settings
        self._restarts = restarts
        self._rate = rate

    def enter(self, event: Event) -> Any:
        """Compare the step of an event."""
        step = self.engine.on_event(event)
        told = told_by(step.records)
        assert told == self.plain.on_event(event, step.records)
        self.moves += len(told)
        self._take(step)
        return step

    def run(self, bars: list[Bar], moves: dict[int, tuple[str, str]]) -> Judged:
        """Play bars one by one, with deposits and fees before some of them."""
        for number, bar in enumerate(bars):
            if number in moves:
                kind, amount = moves[number]
                self.enter(Activity(ts=self.engine.now_ns, activity_id=str(number), kind=kind, amount=D(amount)))
            self._perhaps_restart()
            step = self.engine.on_bars(iter((bar,)), self._shown_ns)
            if step.unread is not None:
                self._show([one for one in bars if one.start_ns == bar.start_ns])
                self._perhaps_restart()
                step = self.engine.on_bars(iter((bar,)), self._shown_ns)
            told = told_by(step.records)
            assert told == self.plain.on_bar(bar)
            self.moves += len(told)
            self._take(step)
        return self

    def _perhaps_restart(self) -> None:
        chance = self._restarts.random()
        if chance < self._rate:
            data = self.engine.snapshot()
            if chance < self._rate / 2:
                self.engine = Engine(self._settings)
                self.engine.restore(data)


def day(seed: int, kind: str, symbols: int, date: str) -> list[Bar]:
    """Two sessions' ends and beginnings: coarse prices that meet levels exactly, cents, or closes an ulp apart."""
    random = Random(seed)
    starts = list(islice(minutes(date), FIRST_MINUTE, FIRST_MINUTE + LENGTH))
    series = []
    for symbol in SYMBOLS[:symbols]:
        close, bars = 100.0, []
        for start in starts:
            before = close
            if kind == "coarse":
                close = max(50.0, close + random.choice([-3, -2, -1, 0, 0, 1, 2, 3]))
            elif kind == "cents":
                close = round(close * random.uniform(0.985, 1.014), 2)
            else:
                close = random.choice([100.0, 104.0, 99.0, 98.0])
                for _ in range(random.randint(0, 3)):
                    close = math.nextafter(close, random.choice([0.0, 200.0]))
            if random.random() < 0.9:
                bars.append(Bar(symbol, start, before, max(before, close), min(before, close), close, 1.0))
        series.append(bars)
    return merge(*series)


def desk(seed: int, symbols: int, limits: LimitSettings) -> EngineSettings:
    """A strategy that goes in and out by a rule of (seed, bar) alone."""

    def answer(bar: Bar, _view: object) -> Any:
        draw = Random(f"{seed} {bar.start_ns} {bar.symbol}").random()
        return (enter(bar.symbol),) if draw < 0.35 else (leave(bar.symbol),) if draw < 0.45 else ()

    slot = make_slot(AnsweringStrategy(answer), *SYMBOLS[:symbols])
    return make_settings([slot], FixedSizer("1"), limits=limits)


limit_settings = st.builds(
    make_limits,
    daily_loss_limit_usd=st.sampled_from([None, D(5), D(10), D("7.5")]),
    weekly_loss_limit_usd=st.sampled_from([None, D(10), D(15)]),
    circuit_breaker_loss_pct=st.sampled_from([None, D("0.5"), D(1), D("0.3")]),
    halt_ns=st.sampled_from([2 * MINUTE_NS, 5 * MINUTE_NS, 24 * 60 * MINUTE_NS]),
)


@dataclass(frozen=True)
class Case:
    """Limits, a drawn day, and how often the desk is looked at or restarted on it."""

    limits: LimitSettings
    kind: str
    symbols: int
    date: str
    seed: int
    parts: int
    restart_rate: float
    moves: dict[int, tuple[str, str]]


MOVES = [("CSD", "100"), ("CSD", "-50"), ("CSD", "3"), ("CSD", "-0.01"), ("FEE", "-2"), ("FEE", "-0.01"), ("DIV", "4")]
cases = st.builds(
    Case,
    limits=limit_settings,
    kind=st.sampled_from(["coarse", "cents", "ulps"]),
    symbols=st.integers(1, 2),
    date=st.sampled_from(["2025-01-06", "2025-01-10"]),
    seed=st.integers(0, 10**9),
    parts=st.integers(1, 2),
    restart_rate=st.sampled_from([0.0, 0.1, 1.0]),
    moves=st.dictionaries(st.integers(1, 2 * LENGTH), st.sampled_from(MOVES), max_size=3),
)


@settings(max_examples=300)
@given(cases)
def test_engine_says_what_a_recomputation_says(case: Case) -> None:
    """Every move of every limit comes with the very bar, loss and level of the recomputation, restarted or not."""
    limits, seed = case.limits, case.seed
    bench = Judged(desk(seed, case.symbols, limits), case.parts, Random(seed), case.restart_rate)
    bench.start(session_of(case.date).open_ns - MINUTE_NS)
    bench.run(day(seed, case.kind, case.symbols, case.date), case.moves)
    state, plain = bench.engine._desk.limits, bench.plain
    bench.engine.snapshot()
    assert Fraction(bench.engine.facts.equity) == plain.equity
    assert state.lift_ns == plain.halted_until_ns
    if limits.circuit_breaker_loss_pct is not None:
        assert Fraction(state.peak) == plain.peak


@pytest.mark.parametrize("kind", ["coarse", "cents", "ulps"])
def test_the_law_is_not_empty(kind: str) -> None:
    """The days that are drawn make every limit open, fire and, the breaker, lift; several times."""
    limits = make_limits(
        daily_loss_limit_usd=D(5), weekly_loss_limit_usd=D(8), circuit_breaker_loss_pct=D("0.5"), halt_ns=5 * MINUTE_NS
    )
    seen: dict[tuple[str, str], int] = {}
    for seed in range(40):
        bench = Judged(desk(seed, 2, limits), 1, Random(seed), 0.1)
        bench.start(session_of().open_ns - MINUTE_NS).run(day(seed, kind, 2, "2025-01-06"), {})
        for move in bench.of(LimitMoved):
            seen[move.limit, move.state] = seen.get((move.limit, move.state), 0) + 1
    assert min(seen.values()) > 3, seen
    assert seen.keys() >= {("daily", "fired"), ("weekly", "fired"), ("breaker", "fired"), ("breaker", "lifted")}
