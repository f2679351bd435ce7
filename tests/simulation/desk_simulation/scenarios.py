"""Short lives with a script: what a strategy does, where the price goes and what strikes, minute by minute.

Each is worth dying in at every point. May not say what has to become of a desk: the invariants do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from desk_simulation.plan import Act, Happening, Plan, Segment
from mqd_core.api import OrderType
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.sessions import Session, xnys
from mqd_core.testing.faults import FaultKind

_FLAT: Final = 4_000


def _session(date: str) -> Session:
    session = xnys().session_of_date(date)
    assert session is not None
    return session


_MONDAY: Final = _session("2024-01-08")
_TUESDAY: Final = _session("2024-01-09")


def _plan(
    acts: Sequence[Act],
    *,
    prices: Sequence[int] = (),
    minutes: int = 8,
    segments: tuple[Segment, ...] = (),
    happenings: Sequence[tuple[str, float, int]] = (),
    broker: Sequence[FaultKind] = (),
    partial_fill_pct: int = 0,
) -> Plan:
    """A plan of one symbol, an hour into a session; `happenings` are (kind, minutes since the first bar, size)."""
    segments = segments or (Segment(_MONDAY.open_ns + 60 * MINUTE_NS, minutes),)
    start_ns, last = segments[0].start_ns, segments[-1]
    count = sum(segment.minutes for segment in segments)
    return Plan(
        seed=0,
        symbols=("AAA",),
        segments=segments,
        quiet_ns=last.start_ns + last.minutes * MINUTE_NS,
        downtimes_ns=(2 * SECOND_NS,) * 4,
        happenings=tuple(Happening(kind, start_ns + round(at * MINUTE_NS), size) for kind, at, size in happenings),
        broker=tuple((kind.value, 1.0) for kind in broker),
        acts=tuple(acts),
        prices=tuple(prices) + (prices[-1] if prices else _FLAT,) * (count - len(prices)),
        partial_fill_pct=partial_fill_pct,
    )


def _across(before: int, after: int) -> tuple[Segment, ...]:
    """The last minutes of a session and the first of the next one."""
    return Segment(_MONDAY.close_ns - before * MINUTE_NS, before), Segment(_TUESDAY.open_ns, after)


def _enter(minute: int, kind: OrderType = OrderType.MARKET, price: str = "", **size: str) -> Act:
    return Act(minute, is_entry=True, order_type=kind, price=price, **size)


def _leave(minute: int, kind: OrderType = OrderType.MARKET, price: str = "") -> Act:
    return Act(minute, is_entry=False, order_type=kind, price=price)


def canonical() -> Iterator[tuple[str, Plan]]:
    """The twelve scenarios, by name."""
    limit, stop = OrderType.LIMIT, OrderType.STOP
    yield "market buy", _plan([_enter(1), _leave(4)])
    yield (
        "limit filled in part, then canceled",
        _plan(
            [_enter(1, limit, "39.99", shares="12"), _leave(4), _leave(6)],
            partial_fill_pct=100,
            minutes=9,
        ),
    )
    yield "stop that protects", _plan([_enter(1), _leave(3, stop, "39.50")], prices=[4000] * 5 + [3900])
    yield (
        "cancel that the fill overtakes",
        _plan(
            [_enter(1, limit, "39.90"), _leave(3), _leave(6)],
            prices=[4000, 4000, 4000, 4000, 3980],
            broker=[FaultKind.CANCEL_LATE],
            minutes=9,
        ),
    )
    yield "notional", _plan([_enter(1, dollars="333.33"), _leave(4)], prices=[4001, 3999, 4003, 4007, 3998])
    yield "trade by hand", _plan([_enter(1), _leave(5)], happenings=[("trade_by_hand", 4.6, 0)])
    yield (
        "split overnight",
        _plan([_enter(0), _leave(20)], segments=_across(18, 4), happenings=[("split", 30.0, 0)]),
    )
    yield (
        "close of the session",
        _plan([_enter(0), _leave(2, limit, "41.00"), _leave(20)], segments=_across(18, 4)),
    )
    yield (
        "daily loss",
        _plan([_enter(0, shares="12"), _enter(6), _leave(7)], prices=[4000] * 4 + [3990, 3770, 3760], minutes=10),
    )
    yield "reconnect", _plan([_enter(1), _leave(4)], happenings=[("stream_down", 3.9, 90)])
    yield (
        "halt",
        _plan(
            [_enter(1, limit, "39.00"), _enter(5)],
            happenings=[("halt_file", 2.5, 0), ("resume", 4.5, 0)],
        ),
    )
    yield "start with an unknown order", _plan([_enter(1), _leave(5)], broker=[FaultKind.LANDS_LATE])


def named() -> Iterator[tuple[str, Plan]]:
    """Moments that have a name of their own."""
    stop = OrderType.STOP
    yield "halt while holding", _plan([_enter(1), _leave(5)], happenings=[("halt", 4.5, 0)])
    yield "exit while the stop rests", _plan([_enter(1), _leave(3, stop, "39.00"), _leave(5)])
    yield "exit whose answer is lost", _plan([_enter(1), _leave(4)], broker=[FaultKind.ANSWER_LOST])
    yield (
        "day stop at the change of session",
        _plan([_enter(0), _leave(2, stop, "39.00"), _leave(20)], segments=_across(18, 4)),
    )


CANONICAL: Final = dict(canonical())
NAMED: Final = dict(named())
#: Those in which a second crash is tried at every point of the recovery from the first.
TWICE: Final = (
    "market buy",
    "limit filled in part, then canceled",
    "cancel that the fill overtakes",
    "start with an unknown order",
)
