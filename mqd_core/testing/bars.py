"""Bars of made-up prices at real times: the minutes of regular sessions of the New York Stock Exchange.

Pure: the same arguments give the same bars. May not validate: a test may want bars that are wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from mqd_core.api import MINUTE_NS, Bar, Session, xnys

#: A Monday with a regular session, from which on bars begin unless a test says otherwise.
DATE: Final = "2025-01-06"


def session_of(date: str = DATE) -> Session:
    """The session of an ISO date. Raises ValueError where the exchange is closed."""
    session = xnys().session_of_date(date)
    if session is None:
        message = f"the New York Stock Exchange has no session on {date}"
        raise ValueError(message)
    return session


def minutes(date: str = DATE, length_ns: int = MINUTE_NS) -> Iterator[int]:
    """Starts of all bars of that length from a date's open on, session after session (UTC nanoseconds)."""
    session: Session | None = session_of(date)
    while session is not None:
        yield from range(session.open_ns, session.close_ns, length_ns)
        session = xnys().next_session(session.close_ns)


def make_bars(
    closes: Iterable[float],
    *,
    symbol: str = "SPY",
    date: str = DATE,
    minute: int = 0,
    length_ns: int = MINUTE_NS,
    volume: float = 1_000.0,
) -> list[Bar]:
    """Bars with these closes, one after the other from a minute of a session on; each opens at the close before it."""
    starts = islice(minutes(date, length_ns), minute, None)
    bars: list[Bar] = []
    last: float | None = None
    for close, start_ns in zip(closes, starts):  # noqa: B905  the exchange's minutes go on
        opening = close if last is None else last
        bars.append(Bar(symbol, start_ns, opening, max(opening, close), min(opening, close), close, volume))
        last = close
    return bars


def merge(*series: list[Bar]) -> list[Bar]:
    """Several symbols' bars as a feed hands them over: by start, and inside a minute in the order given here."""
    order = {id(bar): place for place, bars in enumerate(series) for bar in bars}
    return sorted((bar for bars in series for bar in bars), key=lambda bar: (bar.start_ns, order[id(bar)]))
