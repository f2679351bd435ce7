"""The data provider `synthetic`: one-minute bars of a market that never was. Has no live side and reads no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from mqd_core.api import BarChunk, DataFault, DataMissing, FeedEvent, Session, SessionTable, Timeframe, xnys
from mqd_plugin_mock.price_path import Day, Minutes, PricePath
from mqd_plugin_mock.settings import SyntheticSettings

#: Rows of one chunk: an eighth of what the port allows, since a feed of many symbols holds one of each.
_ROWS_MAX: Final = 8_192
_CENTS: Final = 100.0


class SyntheticMarket:
    """Bars of every configured symbol, in the sessions of the exchange, half days included."""

    def __init__(self, settings: SyntheticSettings, sessions: SessionTable | None = None) -> None:
        """Look the sessions up. Raises DataMissing where the exchange's table does not reach that far."""
        table = xnys() if sessions is None else sessions
        self._settings = settings
        self._sessions = _first_sessions(table, settings.start, settings.days)

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        """One-minute bars that start in [start_ns, end_ns), rows counted within the range.

        Raises DataMissing for a symbol that is not configured, DataFault for another timeframe: the desk makes longer
        bars of these itself.
        """
        if symbol not in self._settings.symbols:
            raise DataMissing(
                f"the synthetic market has no {symbol}: it has {', '.join(self._settings.symbols)}; add it to "
                "`data.symbols`"
            )
        if timeframe is not Timeframe.MINUTE_1:
            raise DataFault(f"the synthetic market makes 1Min bars, {timeframe.value} was asked for")
        return self._chunks(symbol, start_ns, end_ns)

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[FeedEvent], None]) -> None:
        """Raise DataFault: there is nothing live about this market."""
        raise DataFault("the synthetic market has history only; for live bars configure another data provider")

    def close(self) -> None:
        """Do nothing: the market owns no thread and no file."""

    def _chunks(self, symbol: str, start_ns: int | None, end_ns: int | None) -> Iterator[BarChunk]:
        path = PricePath(self._settings, symbol)
        parts: list[Minutes] = []
        rows, first_row = 0, 1
        for session, day in zip(self._sessions, path.days(len(self._sessions)), strict=True):
            minutes = _minutes_between(path, session, day, start_ns, end_ns)
            if minutes is None:
                continue
            if rows + len(minutes.start_ns) > _ROWS_MAX:
                yield _chunk(symbol, parts, first_row)
                first_row += rows
                parts, rows = [], 0
            parts.append(minutes)
            rows += len(minutes.start_ns)
        if rows:
            yield _chunk(symbol, parts, first_row)


def _first_sessions(table: SessionTable, start: dt.date, count: int) -> list[Session]:
    first = start.isoformat()
    sessions = list(islice((session for session in table if session.date >= first), count))
    if len(sessions) < count:
        raise DataMissing(
            f"the synthetic market was to begin on {first} and last {count} sessions; the exchange's table has "
            f"{len(sessions)} of them: choose an earlier `data.start` or fewer `data.days`"
        )
    return sessions


def _minutes_between(
    path: PricePath, session: Session, day: Day, start_ns: int | None, end_ns: int | None
) -> Minutes | None:
    """The bars of a session that start within the range; None if there are none."""
    if (start_ns is not None and session.close_ns <= start_ns) or (end_ns is not None and session.open_ns >= end_ns):
        return None
    minutes = path.minutes(session, day)
    starts = minutes.start_ns
    first = 0 if start_ns is None else int(np.searchsorted(starts, start_ns))
    last = len(starts) if end_ns is None else int(np.searchsorted(starts, end_ns))
    if first >= last:
        return None
    if last - first == len(starts):
        return minutes
    return minutes.part(slice(first, last))


def _chunk(symbol: str, parts: list[Minutes], first_row: int) -> BarChunk:
    def prices(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.concatenate([getattr(part, name) for part in parts]) / _CENTS

    return BarChunk(
        symbol=symbol,
        start_ns=np.concatenate([part.start_ns for part in parts]),
        open=prices("open"),
        high=prices("high"),
        low=prices("low"),
        close=prices("close"),
        volume=np.concatenate([part.volume for part in parts]).astype(np.float64),
        first_row=first_row,
    )
