"""Real market data, where it lies beside the checkout: CSV and Parquet alike, sessions, daylight saving time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mqd_core.api import Timeframe

EQUITIES = ("AIG", "BAC", "FOXA", "IBM", "NWSA", "SHY", "SPY", "TWX")
REGULAR_ROWS = {"SPY": 6 * 390, "IBM": 6 * 390 - 2, "AIG": 6 * 390 - 1, "SHY": 780 - 57 - 77, "TWX": 3 * 390 - 3 + 6}


def ns(text: str) -> int:
    """Nanoseconds of a UTC time."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 10**9


@pytest.mark.parametrize("symbol", EQUITIES)
@pytest.mark.parametrize("session", ["regular", "all"])
def test_csv_and_parquet_give_the_same_bits(kit, shared_data, symbol, session):
    """Every column of every chunk is bit for bit the same from both files, and so is the first row's number."""
    path = shared_data / "minute_trades"
    csv = kit.chunks(symbol, path=path, format="csv", session=session)
    parquet = kit.chunks(symbol, path=path, format="parquet", session=session)
    assert len(csv) == len(parquet) > 0
    for one, other in zip(csv, parquet, strict=True):
        assert one.first_row == other.first_row
        for name in ("start_ns", "open", "high", "low", "close", "volume"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@pytest.mark.parametrize("symbol", EQUITIES)
def test_the_session_column_and_the_exchange_s_hours_agree(kit, shared_data, symbol):
    """Without a session column the table of the exchange picks the same bars: 09:30 is in, the 16:00 print is out."""
    path = shared_data / "minute_trades"
    by_column = kit.columns(symbol, path=path)
    lines = (path / f"{symbol}.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith(",session")
    kit.write(f"{symbol}.csv", *(line.rpartition(",")[0] for line in lines[1:]))
    by_hours = kit.columns(symbol)
    assert all(np.array_equal(by_column[name], by_hours[name]) for name in by_column)


@pytest.mark.parametrize(("symbol", "rows"), REGULAR_ROWS.items())
def test_regular_bars_are_as_many_as_were_counted(kit, shared_data, symbol, rows):
    """Six days of 390 minutes, less those in which nothing traded."""
    assert len(kit.columns(symbol, path=shared_data / "minute_trades")["start_ns"]) == rows


def test_the_first_bar_is_the_one_in_the_file(kit, shared_data):
    """SHY, 2008-03-07 09:30 in New York: the second row of the file, with its prices and volume."""
    (chunk,) = kit.chunks("SHY", path=shared_data / "minute_trades")
    assert (chunk.symbol, chunk.first_row) == ("SHY", 2)
    assert int(chunk.start_ns[0]) == ns("2008-03-07 14:30:00")
    row = (chunk.open[0], chunk.high[0], chunk.low[0], chunk.close[0], chunk.volume[0])
    assert row == (84.26, 84.28, 84.23, 84.27, 3200.0)


def test_the_session_moves_with_daylight_saving_time(kit, shared_data):
    """SHY on both sides of the change of 2008-03-09: open at 14:30 UTC on the Friday, at 13:30 on the Monday."""
    starts = kit.columns("SHY", path=shared_data / "minute_trades")["start_ns"]
    friday, monday = starts[starts < ns("2008-03-08 00:00:00")], starts[starts >= ns("2008-03-08 00:00:00")]
    assert ns("2008-03-07 14:30:00") <= friday.min() < friday.max() < ns("2008-03-07 21:00:00")
    assert ns("2008-03-10 13:30:00") <= monday.min() < monday.max() < ns("2008-03-10 20:00:00")
    assert monday.min() < ns("2008-03-10 14:30:00")


def test_local_times_of_new_york_are_the_same_instants(kit, shared_data):
    """The file rewritten with New York's wall clock, without offsets, reads the same across the change of clocks."""
    path = shared_data / "minute_trades"
    expected = kit.columns("SHY", path=path, session="all")["start_ns"]
    lines = (path / "SHY.csv").read_text(encoding="utf-8").splitlines()[1:]
    local = []
    for line in lines:
        text, _, rest = line.partition(",")
        utc = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
        hours = 5 if utc < dt.datetime(2008, 3, 9, 7, tzinfo=dt.timezone.utc) else 4
        local.append(f"{(utc - dt.timedelta(hours=hours)).strftime('%Y-%m-%d %H:%M:%S')},{rest}")
    kit.write("SHY.csv", *local, header="timestamp,open,high,low,close,volume,session")
    starts = kit.columns("SHY", timezone="America/New_York", session="all")["start_ns"]
    assert np.array_equal(starts, expected)


def test_many_symbols_from_one_provider(kit, shared_data):
    """One provider reads each of its symbols from its file, interleaved, and nothing of the others."""
    path = shared_data / "minute_trades"
    provider = kit.provider(*EQUITIES, path=path)
    histories = {symbol: provider.history(symbol, Timeframe.MINUTE_1, None, None) for symbol in EQUITIES}
    chunks = {symbol: next(history) for symbol, history in reversed(histories.items())}
    for symbol, chunk in chunks.items():
        assert chunk.symbol == symbol
        assert np.array_equal(chunk.close, kit.columns(symbol, path=path)["close"])
    provider.close()


def test_a_market_that_never_closes(kit, shared_data):
    """BTC/USD has no session column; with `session: all` every minute is there, weekends and nights included."""
    files = {"BTC/USD": shared_data / "crypto" / "BTCUSD_coinbase_minute.csv"}
    csv = kit.columns("BTC/USD", files=files, session="all")
    assert len(csv["start_ns"]) == 12_423
    assert csv["volume"][0] == 1.13872
    files = {"BTC/USD": shared_data / "crypto" / "BTCUSD_coinbase_minute.parquet"}
    parquet = kit.columns("BTC/USD", files=files, session="all")
    assert all(csv[name].tobytes() == parquet[name].tobytes() for name in csv)


def test_a_range_cuts_at_its_ends(kit, shared_data):
    """[start, end) holds its start and not its end."""
    start, end = ns("2013-10-07 13:30:00"), ns("2013-10-07 20:00:00")
    chunks = kit.chunks("SPY", path=shared_data / "minute_trades", start_ns=start, end_ns=end)
    starts = np.concatenate([chunk.start_ns for chunk in chunks])
    assert (len(starts), int(starts[0]), int(starts[-1])) == (390, start, end - 60 * 10**9)


def test_days_of_the_settings_are_whole_days_both_included(kit, shared_data):
    """`from` 2013-10-07 `to` 2013-10-08 are the two sessions of these days."""
    settings = {"from": "2013-10-07", "to": "2013-10-08"}
    starts = kit.columns("SPY", path=shared_data / "minute_trades", **settings)["start_ns"]
    assert len(starts) == 2 * 390
    assert ns("2013-10-07 13:30:00") == starts[0]
    assert ns("2013-10-08 19:59:00") == starts[-1]
