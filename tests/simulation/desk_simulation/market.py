"""A small made-up market: bars of each symbol, and the feed that tells the desk of them, well or badly.

The exchange always sees the true bars. May not know a desk.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from desk_simulation.plan import Plan
from mqd_core.api import Bar, BarRevised, FeedEvent
from mqd_core.domain.market import MINUTE_NS, SECOND_NS

_START_CENTS = {"AAA": 4_000, "BBB": 12_500}


def minutes_of(plan: Plan) -> Iterator[tuple[int, tuple[Bar, ...]]]:
    """Each minute of the market, its start and its bars; none of a symbol in a halt, or where nothing traded."""
    if plan.prices:
        yield from _scripted(plan)
        return
    walks = {symbol: _Walk(plan.seed, symbol) for symbol in plan.symbols}
    for segment in plan.segments:
        for minute in range(segment.minutes):
            start_ns = segment.start_ns + minute * MINUTE_NS
            bars = (walk.bar(start_ns) for walk in walks.values())
            yield start_ns, tuple(bar for bar in bars if bar is not None)
        for walk in walks.values():
            walk.gap()


def _scripted(plan: Plan) -> Iterator[tuple[int, tuple[Bar, ...]]]:
    """Minutes whose prices are told: each opens at the close before."""
    before, closes = plan.prices[0], iter(plan.prices)
    for segment in plan.segments:
        for minute in range(segment.minutes):
            close = next(closes)
            start_ns = segment.start_ns + minute * MINUTE_NS
            prices = (cents / 100 for cents in (before, max(before, close) + 2, min(before, close) - 2, close))
            yield start_ns, (Bar(plan.symbols[0], start_ns, *prices, 1_000.0),)
            before = close


class _Walk:
    """The price of one symbol, in whole cents."""

    def __init__(self, seed: int, symbol: str) -> None:
        self._symbol = symbol
        self._draw = random.Random(f"walk {seed} {symbol}")
        self._cents = _START_CENTS[symbol]
        self._halted = 0

    def gap(self) -> None:
        """Open elsewhere than at the close before."""
        self._cents = max(500, round(self._cents * (1 + self._draw.gauss(0, 0.01))))

    def bar(self, start_ns: int) -> Bar | None:
        """The next minute; None without trades."""
        draw = self._draw
        if self._halted:
            self._halted -= 1
            return None
        if draw.random() < 0.01:
            self._halted = draw.randint(4, 10)
        first = self._cents
        last = max(500, round(first * (1 + draw.gauss(0, 0.002))))
        high = max(first, last) + draw.randint(0, 6)
        low = min(first, last) - draw.randint(0, 6)
        self._cents = last
        if draw.random() < 0.03:
            return None
        prices = (cents / 100 for cents in (first, high, low, last))
        return Bar(self._symbol, start_ns, *prices, float(draw.randint(100, 5_000)))


class Feed:
    """What the desk is told of the market: each bar a moment after its end, but for the faults of the plan."""

    def __init__(self, plan: Plan, at: Callable[[int, Callable[[], None]], None]) -> None:
        self._rates = dict(plan.feed)
        self._quiet_ns = plan.quiet_ns
        self._draw = random.Random(f"feed {plan.seed}")
        self._at = at
        self._sink: Callable[[FeedEvent], None] | None = None
        self._silent = 0
        self.fired: Counter[str] = Counter()

    def listen(self, sink: Callable[[FeedEvent], None]) -> None:
        """Tell a desk, and none before it."""
        self._sink = sink

    def tell(self, bar: Bar) -> None:
        """Send a bar on its way."""
        end_ns = bar.start_ns + MINUTE_NS
        delay_ns = self._draw.randint(20_000_000, 900_000_000)
        kind = self._fault(end_ns)
        if kind in ("missing", "silent"):
            return
        if kind == "late":
            delay_ns += self._draw.randint(1, 200) * SECOND_NS
        if kind in ("not_a_number", "spike"):
            self._send(end_ns + delay_ns, _spoilt(bar, kind))
            return
        self._send(end_ns + delay_ns, bar)
        if kind == "twice":
            self._send(end_ns + delay_ns + 1, bar)
        elif kind == "out_of_order":
            self._send(end_ns + delay_ns + 1, msgspec.structs.replace(bar, start_ns=bar.start_ns - 3 * MINUTE_NS))
        elif kind == "corrected":
            later_ns = end_ns + delay_ns + 2 * SECOND_NS
            self._send(later_ns, BarRevised(ts=later_ns, bar=msgspec.structs.replace(bar, volume=bar.volume + 1.0)))

    def _fault(self, end_ns: int) -> str:
        """The fault that this bar meets; "" for none."""
        if end_ns > self._quiet_ns:
            return ""
        if self._silent:
            self._silent -= 1
            return "silent"
        for kind, rate in self._rates.items():
            if self._draw.random() < (rate / 10 if kind == "silent" else rate):
                self.fired[f"feed:{kind}"] += 1
                self._silent = 5 if kind == "silent" else 0
                return kind
        return ""

    def _send(self, due_ns: int, event: FeedEvent) -> None:
        def arrive() -> None:
            if self._sink is not None:
                self._sink(event)

        self._at(due_ns, arrive)


def _spoilt(bar: Bar, kind: str) -> Bar:
    """A bar that nobody may trade on."""
    if kind == "spike":
        return msgspec.structs.replace(bar, low=bar.high, high=bar.low - 1.0)
    return msgspec.structs.replace(bar, close=math.nan)
