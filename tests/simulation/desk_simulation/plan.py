"""What will happen to one desk, drawn from one seed: a market, blows to the process, faults, commands.

A plan is plain values made of parts with names, so that a failing one can be made smaller part by part. May not do
anything.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from desk_simulation.crash import AIMED, DISK_FAULTS, Blow
from mqd_core.api import OrderType
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.sessions import Session, xnys
from mqd_core.testing.faults import FaultKind, FaultPlan

#: Dates whose sessions, and what comes behind them, are worth living through: plain, weekends, both switches of
#: daylight saving, half days, holidays.
DATES: Final = ("2024-01-08", "2024-03-08", "2024-07-02", "2024-07-03", "2024-11-01", "2024-11-29", "2026-01-02")
#: Faults of a broker that are left out of swarms for now: what heals them is not built yet.
AWAITING: Final[frozenset[FaultKind]] = frozenset()
HOUR_NS: Final = 60 * MINUTE_NS
#: Rates that a kind of fault which is on at all may have.
RATES: Final = (0.01, 0.1, 0.5)
FEED_FAULTS: Final = ("missing", "late", "twice", "out_of_order", "not_a_number", "spike", "corrected", "silent")
PLUGIN_FAULTS: Final = ("strategy_raises", "strategy_babbles", "sizer_raises")
HAPPENINGS: Final = (
    "halt", "halt_file", "resume", "clock_forward", "clock_back", "suspend", "stop"
)  # fmt: skip


class Segment(msgspec.Struct, frozen=True):
    """Minutes in which the market trades, without a break."""

    start_ns: int
    minutes: int


class Happening(msgspec.Struct, frozen=True):
    """Something that happens once, at a time."""

    kind: str
    at_ns: int
    size: int = 0


class Act(msgspec.Struct, frozen=True):
    """What a scripted strategy does at the bar of that number, counted from 0 over all segments."""

    minute: int
    is_entry: bool
    order_type: OrderType
    price: str = ""
    shares: str = "10"
    dollars: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a desk. Rates are chances between 0 and 1; a process is named by its number, counted from 0."""

    seed: int
    symbols: tuple[str, ...]
    segments: tuple[Segment, ...]
    #: When faults end; the desk has to come to rest after that.
    quiet_ns: int
    blows: tuple[tuple[int, Blow], ...] = ()
    #: How long the desk is down after each process.
    downtimes_ns: tuple[int, ...] = ()
    feed: tuple[tuple[str, float], ...] = ()
    plugins: tuple[tuple[str, float], ...] = ()
    happenings: tuple[Happening, ...] = ()
    broker: tuple[tuple[str, float], ...] = ()
    #: Whether the desk is kept running between sessions; most people shut theirs down.
    stays_up: bool = False
    #: How much of the bars the strategy acts on.
    density: float = 0.4
    #: A script in the stead of what is drawn: what the strategy does, and where the price goes, in cents.
    acts: tuple[Act, ...] = ()
    prices: tuple[int, ...] = ()
    partial_fill_pct: int = 20

    @property
    def start_ns(self) -> int:
        """When the first desk is started: two minutes before the first bar."""
        return self.segments[0].start_ns - 2 * MINUTE_NS

    def blow(self, process: int) -> Blow | None:
        """What strikes the process of that number."""
        return next((blow for number, blow in self.blows if number == process), None)

    def downtime_ns(self, process: int) -> int:
        """How long the desk is down after the process of that number."""
        return self.downtimes_ns[process] if process < len(self.downtimes_ns) else SECOND_NS

    def minute_of(self, start_ns: int) -> int:
        """The number of the minute of that start, counted from 0 over all segments."""
        before = 0
        for segment in self.segments:
            if start_ns < segment.start_ns + segment.minutes * MINUTE_NS:
                return before + (start_ns - segment.start_ns) // MINUTE_NS
            before += segment.minutes
        return before

    def parts(self) -> list[str]:
        """Names of all that can be left out."""
        return [
            *(f"blow:{number}" for number, _ in self.blows),
            *(f"feed:{kind}" for kind, _ in self.feed),
            *(f"plugin:{kind}" for kind, _ in self.plugins),
            *(f"broker:{kind}" for kind, _ in self.broker),
            *(f"{one.kind}:{one.at_ns}" for one in self.happenings),
        ]

    def keeping(self, parts: Collection[str]) -> Plan:
        """The plan with only these of its parts."""
        return msgspec.structs.replace(
            self,
            blows=tuple(one for one in self.blows if f"blow:{one[0]}" in parts),
            feed=tuple(one for one in self.feed if f"feed:{one[0]}" in parts),
            plugins=tuple(one for one in self.plugins if f"plugin:{one[0]}" in parts),
            broker=tuple(one for one in self.broker if f"broker:{one[0]}" in parts),
            happenings=tuple(one for one in self.happenings if f"{one.kind}:{one.at_ns}" in parts),
        )


def draw_plan(seed: int) -> Plan:
    """The plan of a seed: a pure function of it."""
    draw = random.Random(f"plan {seed}")
    symbols = ("AAA", "BBB")[: draw.choice((1, 1, 2))]
    segments = _segments(draw, draw.randint(24, 40) // len(symbols))
    end_ns = segments[-1].start_ns + segments[-1].minutes * MINUTE_NS
    blows, downtimes = _blows(draw)
    return Plan(
        seed=seed,
        symbols=symbols,
        segments=segments,
        quiet_ns=end_ns,
        blows=tuple(blows),
        downtimes_ns=tuple(downtimes),
        feed=tuple(_swarm(draw, FEED_FAULTS, 0.15)),
        plugins=tuple((kind, 0.03) for kind in PLUGIN_FAULTS if draw.random() < 0.05),
        happenings=tuple(_happenings(draw, segments)),
        broker=tuple((kind.value, rate) for kind, rate in FaultPlan.swarm(seed).rates if kind not in AWAITING),
        # One night in a hundred; over a weekend, a desk that reads its account each minute is a waste of seeds.
        stays_up=draw.random() < 0.01 and end_ns - segments[0].start_ns < 24 * HOUR_NS,
        density=draw.choice((0.2, 0.5, 0.9)),
    )


def _segments(draw: random.Random, minutes: int) -> tuple[Segment, ...]:
    """An hour or so inside a session, or the end of one and the beginning of the next."""
    table = xnys()
    session = table.session_of_date(draw.choice(DATES))
    assert session is not None
    if draw.random() < 0.6:
        last = (session.close_ns - session.open_ns) // MINUTE_NS - minutes
        return (Segment(session.open_ns + draw.randint(0, last) * MINUTE_NS, minutes),)
    following = table.next_session(session.close_ns)
    assert following is not None
    return _across(session, following, draw.randint(5, max(5, minutes - 5)), minutes)


def _across(session: Session, following: Session, before: int, minutes: int) -> tuple[Segment, ...]:
    first = Segment(session.close_ns - before * MINUTE_NS, before)
    return first, Segment(following.open_ns, max(5, minutes - before))


def _blows(draw: random.Random) -> tuple[Iterator[tuple[int, Blow]], list[int]]:
    """Up to four processes that are struck: early as often as late, since recovery is short."""
    count = draw.choice((0, 1, 1, 2, 2, 3, 4))
    drawn = [(number, _blow(draw)) for number in range(count)]
    waits = (0, SECOND_NS, 20 * SECOND_NS, 3 * MINUTE_NS, 20 * MINUTE_NS, 5 * HOUR_NS, 72 * HOUR_NS)
    weights = (4, 4, 4, 4, 2, 1, 1)
    downtimes = [round(draw.random() * wait) for wait in draw.choices(waits, weights, k=8)]
    return iter(drawn), downtimes


def _blow(draw: random.Random) -> Blow:
    """A crash at any point, one aimed at a kind of point, or a fault of the disk."""
    dice = draw.random()
    if dice < 0.5:
        return Blow("crash", draw.choice((1, 1, 1, 2, 2, 3, 5, 8)), draw.choice(AIMED))
    kind = "crash" if dice < 0.8 else draw.choice(tuple(DISK_FAULTS))
    return Blow(kind, round(10 ** draw.uniform(0, 3.5)) + 1)


def _swarm(draw: random.Random, kinds: tuple[str, ...], chance: float) -> Iterator[tuple[str, float]]:
    for kind in kinds:
        rate = draw.choice(RATES)
        if draw.random() < chance:
            yield kind, rate


def _happenings(draw: random.Random, segments: tuple[Segment, ...]) -> Iterator[Happening]:
    for _ in range(draw.choice((0, 0, 1, 2, 3))):
        segment = draw.choice(segments)
        at_ns = segment.start_ns + draw.randrange(segment.minutes * MINUTE_NS)
        yield Happening(draw.choice(HAPPENINGS), at_ns, draw.randint(1, 60))
