"""Decisions are those of exact arithmetic: the strategy against a slow, plain, exact one, over many bars."""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import Bar, BookView, SignalAction, money


class ExactStrategy:
    """The rules as they are written, in fractions, from the whole window at every bar."""

    def __init__(self, window, threshold, stop, profit):
        self.bars = deque(maxlen=window)
        self.kept, self.stop, self.profit = 1 - Fraction(threshold), 1 - Fraction(stop), 1 + Fraction(profit)

    def rule(self, bar, book):
        """The rule that fires, or nothing."""
        self.bars.append([Fraction(money(x)) for x in (bar.high, bar.low, bar.close, bar.volume)])
        close = Fraction(money(bar.close))
        if book.quantity:
            entry = Fraction(book.average_price)
            if close >= entry * self.profit:
                return "take_profit"
            return "stop_loss" if close <= entry * self.stop else None
        volumes = sum(volume for *_, volume in self.bars)
        if len(self.bars) < self.bars.maxlen or not volumes:
            return None
        vwap = sum((high + low + close) * volume for high, low, close, volume in self.bars) / 3 / volumes
        return "below_vwap" if close < vwap * self.kept else None


def book_after(book, bar, rule):
    """The book when each signal fills at the close of its bar."""
    if rule == "below_vwap":
        paid = money(bar.close)
        return BookView(strategy_id="vwap", symbol=bar.symbol, quantity=Decimal(1), cost=paid, average_price=paid)
    return BookView(strategy_id="vwap", symbol=bar.symbol) if rule else book


def assert_same_decisions(kit, bars, parameters, *, fills=True):
    """Run both over the bars, and compare rule by rule; return how often each fired."""
    strategy = kit.strategy(**parameters)
    exact = ExactStrategy(
        parameters["vwap_window"],
        parameters["entry_threshold"],
        parameters["stop_loss_pct"],
        parameters["take_profit_pct"],
    )
    view, fired = kit.view(), []
    for number, bar in enumerate(bars):
        signals = strategy.on_bar(bar, view)
        said = dict(signals[0].reason)["rule"] if signals else None
        assert said == exact.rule(bar, view.book), f"bar {number}: {bar}"
        assert len(signals) <= 1
        assert not signals or (signals[0].action is SignalAction.ENTER) == (said == "below_vwap")
        fired.append(said)
        if fills:
            view.book = book_after(view.book, bar, said)
    return fired


def parameters_of(window, threshold, stop, profit):
    """The parameters of a strategy as the configuration would give them."""
    return {
        "vwap_window": window,
        "entry_threshold": threshold,
        "stop_loss_pct": stop,
        "take_profit_pct": profit,
    }


fractions = st.sampled_from(["0.000000001", "0.001", "0.01", "0.02", "0.25", "0.5", "0.999999999"])
windows = st.integers(2, 9)


@st.composite
def bar_lists(draw, prices, volumes, most=80):
    """Bars with low <= open, close <= high."""
    bars = []
    for _ in range(draw(st.integers(1, most))):
        low, middle, high = sorted(draw(st.tuples(prices, prices, prices)))
        close = draw(st.sampled_from([low, middle, high]))
        bars.append(Bar("SPHD", len(bars), middle, high, low, close, draw(volumes)))
    return bars


few_prices = st.sampled_from([98.0, 99.0, 100.0, 101.0, 102.0, 50.0, 49.99, 100.1])
wild_prices = st.floats(1e-6, 1e9, allow_nan=False)
wild_volumes = st.one_of(st.just(0.0), st.floats(1e-8, 1e12, allow_nan=False))


@given(
    bars=bar_lists(few_prices, st.sampled_from([0.0, 1.0, 2.0, 100.0])),
    parameters=st.builds(parameters_of, windows, fractions, fractions, fractions),
    fills=st.booleans(),
)
def test_few_prices_with_many_ties(kit, bars, parameters, fills):
    """On prices that often stand exactly on a level, every decision is the exact one, filled or not."""
    assert_same_decisions(kit, bars, parameters, fills=fills)


@given(
    bars=bar_lists(wild_prices, wild_volumes),
    parameters=st.builds(parameters_of, windows, fractions, fractions, fractions),
    fills=st.booleans(),
)
def test_prices_and_volumes_of_any_size(kit, bars, parameters, fills):
    """Volumes that differ by twenty powers of ten leave no error behind when they leave the window."""
    assert_same_decisions(kit, bars, parameters, fills=fills)


@given(
    steps=st.lists(st.sampled_from([-2, -1, -1, 0, 0, 1, 1, 2]), min_size=1, max_size=300),
    window=st.integers(2, 40),
    threshold=st.sampled_from(["0.0001", "0.0005", "0.001"]),
)
def test_walks_of_cents(kit, steps, window, threshold):
    """On a random walk of cents around tight levels, every decision is the exact one."""
    cents, bars = 10_000, []
    for number, step in enumerate(steps):
        before, cents = cents, cents + step
        high, low, close = max(before, cents) / 100, min(before, cents) / 100, cents / 100
        bars.append(Bar("SPHD", number, before / 100, high, low, close, float(1 + number % 7)))
    assert_same_decisions(kit, bars, parameters_of(window, threshold, "0.001", "0.0005"))


@given(cents=st.integers(2, 1_000_000), volume=st.integers(1, 10**9), kept=st.integers(1, 99), steps=st.integers(-2, 2))
def test_closes_by_a_float_s_step_around_the_threshold(kit, cents, volume, kept, steps):
    """Where float arithmetic is off by its last digit, the decision is that of the decimals, on both sides of a tie."""
    close = cents * kept / 10_000
    for _ in range(abs(steps)):
        close = math.nextafter(close, math.inf * steps)
    bars = [kit.bar(cents / 100, float(volume)), kit.bar(close, 0.0)]
    assert_same_decisions(kit, bars, parameters_of(2, str(1 - Decimal(kept) / 100), "0.01", "0.01"))


@given(
    bars=bar_lists(few_prices, st.sampled_from([0.0, 1.0, 3.0]), most=60),
    parameters=st.builds(parameters_of, windows, fractions, fractions, fractions),
    start=st.integers(0, 50),
    book=st.sampled_from(["", "100", "99.99"]),
)
def test_a_new_object_warmed_up_with_the_window_decides_the_same(kit, bars, parameters, start, book):
    """Nothing before the last window of bars matters: a restart decides as if there had been none, reasons included."""
    view = kit.view(kit.holding(book) if book else None)
    old, new = kit.strategy(**parameters), kit.strategy(**parameters)
    first = max(0, start - parameters["vwap_window"])
    for number, bar in enumerate(bars):
        said = old.on_bar(bar, view)
        again = new.on_bar(bar, view) if number >= first else None
        if number >= start and first:
            assert again == said


@pytest.mark.slow
def test_a_long_run_with_surges_of_volume(kit):
    """Over 20,000 bars, with volumes that jump by ten powers of ten, no decision drifts from the exact one."""
    bars, cents, seed = [], 10_000, 12_345
    for number in range(20_000):
        seed = (1_103_515_245 * seed + 12_345) % 2**31
        before, cents = cents, max(100, cents + (seed >> 16) % 401 - 200)
        volume = 1e12 if seed % 97 == 0 else 0.01 * (1 + seed % 13)
        high, low = max(before, cents) / 100, min(before, cents) / 100
        bars.append(Bar("SPHD", number, before / 100, high, low, cents / 100, volume))
    fired = assert_same_decisions(kit, bars, parameters_of(20, "0.02", "0.02", "0.01"))
    assert {"below_vwap", "take_profit", "stop_loss"} <= set(fired)
    assert fired.count("below_vwap") > 300


@pytest.mark.parametrize("window", [2, 20, 10_000])
def test_a_bar_far_above_the_average_is_never_added_up(kit, window):
    """What no rule is near to costs no sum: prices that stand still leave all sums unmade."""
    strategy, view = kit.strategy(vwap_window=window), kit.view()
    bar = kit.bar(100.0)
    for _ in range(2 * window + 5):
        assert strategy.on_bar(bar, view) == ()
    assert not strategy._sums.is_begun
