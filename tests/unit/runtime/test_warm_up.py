"""Bars for a warm-up: the last ones that the feed would have given, found without reading all of history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.events import FeedEvent
from mqd_core.domain.market import MINUTE_NS, Bar, Timeframe
from mqd_core.domain.sessions import xnys
from mqd_core.ports.data import CHUNK_ROWS_MAX, BarChunk
from mqd_core.runtime.feed import BarFeed, warm_up_bars
from mqd_core.runtime.validator import DataValidator

Row = tuple[int, float, float, float, float, float]

OPEN = int(dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.timezone.utc).timestamp()) * 1_000_000_000
NAMES = ("open", "high", "low", "close", "volume")


class RowsProvider:
    """Serves given rows in chunks of given sizes, taken in turn; remembers what it was asked for."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], size: int = CHUNK_ROWS_MAX) -> None:
        self._rows = rows
        self._size = size
        self.asked: list[tuple[str, int | None, int | None]] = []

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        self.asked.append((symbol, start_ns, end_ns))
        first_ns, last_ns = 0 if start_ns is None else start_ns, 2**63 if end_ns is None else end_ns
        rows = [row for row in self._rows.get(symbol, ()) if first_ns <= row[0] < last_ns]
        for first in range(0, len(rows), self._size):
            starts, *prices = zip(*rows[first : first + self._size], strict=True)
            columns = dict(zip(NAMES, map(np.array, prices), strict=True))
            yield BarChunk(symbol=symbol, start_ns=np.array(starts, dtype=np.int64), **columns)

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[FeedEvent], None]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


def good(minute: int) -> Row:
    return OPEN + minute * MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 100.0


def bad(minute: int) -> Row:
    return OPEN + minute * MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 0.0


def days(*dates: str, first_minute: int = 0, step: int = 1) -> list[Row]:
    """Rows of whole sessions, or of each so many minutes of them."""
    sessions = [session for date in dates if (session := xnys().session_of_date(date)) is not None]
    return [
        (start_ns, 10.0, 11.0, 9.0, 10.5, 100.0)
        for session in sessions
        for start_ns in range(session.open_ns + first_minute * MINUTE_NS, session.close_ns, step * MINUTE_NS)
    ]


def warm(provider: RowsProvider, before: int, count: int, *symbols: str) -> list[Bar]:
    return [*warm_up_bars(provider, symbols, Timeframe.MINUTE_1, before, count, sessions=xnys())]


def test_one_session_is_enough() -> None:
    """Bars of the session before are taken from a question about that session alone."""
    rows = days("2013-10-03", "2013-10-04", "2013-10-07")
    provider = RowsProvider({"A": rows})
    assert warm(provider, OPEN, 50, "A") == [Bar("A", *row) for row in rows[730:780]]
    friday = xnys().session_of_date("2013-10-04")
    assert friday is not None
    assert provider.asked == [("A", friday.open_ns, OPEN)]


def test_inside_a_session() -> None:
    """In the middle of a session its own bars come first, then those of the one before; none from later."""
    rows = days("2013-10-04", "2013-10-07")
    provider, before = RowsProvider({"A": rows}, 7), OPEN + 20 * MINUTE_NS
    assert warm(provider, before, 50, "A") == [Bar("A", *row) for row in rows[360:410]]
    assert warm(provider, before, 20, "A") == [Bar("A", *row) for row in rows[390:410]]
    assert provider.asked == [("A", days("2013-10-04")[0][0], before), ("A", OPEN, before)]


def test_a_quiet_symbol() -> None:
    """Where sessions hold few bars the search goes farther, asking for nothing twice."""
    dates = [session.date for session in xnys().sessions_between(OPEN - 60 * 1_440 * MINUTE_NS, OPEN)]
    rows = days(*dates, step=130)
    provider = RowsProvider({"A": rows}, 2)
    assert warm(provider, OPEN, 50, "A") == [Bar("A", *row) for row in rows[-50:]]
    asked = [(start, end) for _, start, end in provider.asked]
    assert 1 < len(asked) < 6
    assert [start for start, _ in asked[:-1]] == [end for _, end in asked[1:]]


def test_too_little_history() -> None:
    """All there is, where there is less than wanted; the last question is for everything before."""
    rows = days("2013-10-04")
    provider = RowsProvider({"A": rows})
    assert warm(provider, OPEN, 1_000, "A") == [Bar("A", *row) for row in rows]
    assert provider.asked[-1][1] is None
    assert warm(RowsProvider({}), OPEN, 5, "A") == []
    assert warm(RowsProvider({"A": rows}), OPEN, 0, "A") == []


def test_before_the_table() -> None:
    """Where no session is known everything before is asked for."""
    row = (1_000 * MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 100.0)
    provider = RowsProvider({"A": [row]})
    assert warm(provider, 2_000 * MINUTE_NS, 5, "A") == [Bar("A", *row)]
    assert provider.asked == [("A", None, 2_000 * MINUTE_NS)]


def test_rejected_rows_do_not_count() -> None:
    """Unsound rows are left out, and others found in their place."""
    rows = days("2013-10-03", "2013-10-04")
    unsound = [(*row[:5], 0.0) for row in rows[400:]]
    bars = warm(RowsProvider({"A": [*rows[:400], *unsound]}, 100), OPEN, 50, "A")
    assert bars == [Bar("A", *row) for row in rows[350:400]]


def test_symbols() -> None:
    """Each symbol has its own bars, merged in the order of the feed."""
    rows = {"B": days("2013-10-04", step=2), "A": days("2013-10-04", first_minute=1)}
    bars = warm(RowsProvider(rows), OPEN, 3, "B", "A")
    minute = [(bar.symbol, (OPEN - bar.start_ns) // MINUTE_NS % 1_440 - 1_050) for bar in bars]
    assert minute == [("B", 6), ("B", 4), ("A", 3), ("B", 2), ("A", 2), ("A", 1)]


def test_days() -> None:
    """Of daily bars one a session is expected, whatever instant they are stamped with."""
    sessions = xnys().sessions_between(OPEN - 30 * 1_440 * MINUTE_NS, OPEN)
    rows = [(session.open_ns - 570 * MINUTE_NS, 10.0, 11.0, 9.0, 10.5, 1.0) for session in sessions]
    provider = RowsProvider({"A": rows})
    bars = warm_up_bars(provider, ["A"], Timeframe.DAY_1, OPEN - 570 * MINUTE_NS, 5, sessions=xnys())
    assert bars == tuple(Bar("A", *row) for row in rows[-5:])


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=40), min_size=1, max_size=3),
    st.integers(1, 30),
    st.integers(0, 410),
    st.integers(1, 9),
)
def test_as_the_feed_has_them(minutes: list[list[tuple[int, bool]]], count: int, minute: int, size: int) -> None:
    """A warm-up holds the last bars that the feed would have given before that time, whatever rows are unsound."""
    rows = {
        f"S{place}": [good(0), *(good(at) if is_good else bad(at) for at, is_good in sorted(each))]
        for place, each in enumerate(minutes)
    }
    before = OPEN + minute * MINUTE_NS
    validator = DataValidator(Timeframe.MINUTE_1, xnys())
    feed = BarFeed(
        RowsProvider(rows),
        "rows",
        "",
        tuple(rows),
        Timeframe.MINUTE_1,
        start_ns=None,
        end_ns=None,
        validator=validator,
    )
    bars = [bar for chunk in feed.chunks() for bar in chunk.bars() if bar.start_ns < before]
    last = [[bar for bar in bars if bar.symbol == name][-count:] for name in rows]
    assert warm(RowsProvider(rows, size), before, count, *rows) == [
        bar for bar in bars if any(bar in one for one in last)
    ]
