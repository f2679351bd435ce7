"""Timestamps: text, numbers, time zones, starts and ends, and what is left of the day."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from mqd_core.api import DataFault, DataMissing

OPEN_NS = 1_380_893_400 * 10**9  # 2013-10-04 13:30:00 UTC, 09:30 in New York


def row(timestamp):
    """A line of a CSV file with this timestamp."""
    return f"{timestamp},1,2,0.5,1.5,100"


@pytest.mark.parametrize(
    "text",
    [
        "2013-10-04T13:30:00Z",
        "2013-10-04 13:30:00Z",
        "2013-10-04T13:30Z",
        "2013-10-04T13:30:00.000000000Z",
        "2013-10-04T13:30:00+00:00",
        "2013-10-04T09:30:00-04:00",
        "2013-10-04T09:30:00-0400",
        "2013-10-04T19:00:00+05:30",
    ],
)
@pytest.mark.parametrize("timezone", [None, "Asia/Tokyo"])
def test_text_with_an_offset_is_that_instant(kit, text, timezone):
    """An offset in the text is the time's own, whether or not the settings name a zone."""
    kit.write("SPY.csv", row(text))
    assert kit.columns("SPY", timezone=timezone)["start_ns"].tolist() == [OPEN_NS]


@pytest.mark.parametrize("text", ["2013-10-04T09:30:00", "2013-10-04 09:30:00", "2013-10-04 09:30"])
def test_local_text_is_read_by_the_clocks_of_its_zone(kit, text):
    """Without an offset the settings' zone says which instant it is."""
    kit.write("SPY.csv", row(text))
    assert kit.columns("SPY", timezone="America/New_York")["start_ns"].tolist() == [OPEN_NS]


def test_local_text_without_a_zone_is_refused(kit):
    """What 09:30 means is never guessed."""
    kit.write("SPY.csv", row("2013-10-04T09:30:00"))
    with pytest.raises(DataFault, match=r"SPY\.csv:2: .* set data\.timezone for local times"):
        kit.columns("SPY")


def test_local_and_absolute_times_do_not_mix(kit):
    """A file has one kind of timestamps; the first of another kind is named."""
    kit.write("SPY.csv", row("2013-10-04T09:30:00"), row("2013-10-04T09:31:00-04:00"))
    with pytest.raises(DataFault, match=r"SPY\.csv:3: .*; a local time such as 2013-10-04T09:30:00 is allowed"):
        kit.columns("SPY", timezone="America/New_York")


@pytest.mark.parametrize(("unit", "zeros"), [("s", 0), ("ms", 3), ("us", 6), ("ns", 9)])
def test_whole_numbers_are_counted_from_1970(kit, unit, zeros):
    """Seconds to nanoseconds, as text and as integers."""
    number = OPEN_NS // 10 ** (9 - zeros)
    kit.write("SPY.csv", row(number))
    assert kit.columns("SPY", timestamp_unit=unit)["start_ns"].tolist() == [OPEN_NS]
    kit.write_parquet("IBM.parquet", timestamp=pa.array([number], pa.int64()))
    assert kit.columns("IBM", timestamp_unit=unit)["start_ns"].tolist() == [OPEN_NS]


def test_whole_numbers_without_a_unit_are_refused(kit):
    """Seconds and milliseconds look alike; the error says which setting is missing."""
    kit.write_parquet("SPY.parquet", timestamp=pa.array([OPEN_NS // 10**9], pa.int64()))
    with pytest.raises(DataMissing, match=r"column 'timestamp': the timestamps are whole numbers; say by data"):
        kit.columns("SPY")


def test_numbers_of_another_unit_are_seen(kit):
    """Milliseconds read as seconds are beyond all calendars; seconds read as milliseconds are in January 1970."""
    kit.write("SPY.csv", row(OPEN_NS // 10**6))
    with pytest.raises(DataFault, match=r"was 1380893400000; in s since 1970 .* beyond the year 2262"):
        kit.columns("SPY", timestamp_unit="s")
    kit.write("SPY.csv", row(OPEN_NS // 10**9))
    with pytest.raises(DataMissing, match=r"from 1970-01-16T23:34Z to 1970-01-16T23:34Z, .*data\.timestamp_unit"):
        kit.columns("SPY", timestamp_unit="ms")


def test_text_where_numbers_are_announced_is_refused(kit):
    """With timestamp_unit set, a date is a bad value and not guessed at."""
    kit.write("SPY.csv", row("2013-10-04T13:30:00Z"))
    with pytest.raises(DataFault, match="a whole number of ms since 1970 is allowed"):
        kit.columns("SPY", timestamp_unit="ms")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_timestamps_of_every_unit(kit, unit):
    """With a zone of their own they are instants; without one they are read by the settings' zone."""
    utc = dt.datetime(2013, 10, 4, 13, 30, tzinfo=dt.timezone.utc)
    for zone in ("UTC", "America/New_York"):
        kit.write_parquet("SPY.parquet", timestamp=pa.array([utc], pa.timestamp(unit, zone)))
        assert kit.columns("SPY")["start_ns"].tolist() == [OPEN_NS]
    local = dt.datetime(2013, 10, 4, 9, 30)  # noqa: DTZ001  the case under test
    kit.write_parquet("SPY.parquet", timestamp=pa.array([local], pa.timestamp(unit)))
    assert kit.columns("SPY", timezone="America/New_York")["start_ns"].tolist() == [OPEN_NS]
    with pytest.raises(DataMissing, match=r"the timestamps have no time zone; say by data\.timezone"):
        kit.columns("SPY")


def test_parquet_text_is_read_as_text(kit):
    """Timestamps written as strings follow the rules of CSV."""
    texts = pa.array(["2013-10-04T13:30:00Z"])
    for column in (texts, texts.cast(pa.large_string()), texts.dictionary_encode()):
        kit.write_parquet("SPY.parquet", timestamp=column)
        assert kit.columns("SPY")["start_ns"].tolist() == [OPEN_NS]


def test_an_end_is_a_minute_after_its_start(kit):
    """With stamp: end the bar of 09:31 started at 09:30, and is the first of the session."""
    kit.write("SPY.csv", *(row(f"2013-10-04T{time}:00Z") for time in ("13:30", "13:31", "20:00", "20:01")))
    assert kit.columns("SPY", stamp="end")["start_ns"].tolist() == [OPEN_NS, OPEN_NS + 389 * 60 * 10**9]
    assert len(kit.columns("SPY", stamp="start")["start_ns"]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2013-11-03T01:30:00", "2013-11-03T01:30:00, which comes twice on the clocks of America/New_York"),
        ("2013-03-10T02:30:00", "2013-03-10T02:30:00, which does not exist on the clocks of America/New_York"),
    ],
)
def test_times_that_clocks_show_twice_or_never_are_refused(kit, text, words):
    """In the night in which clocks change, local times are not guessed at; the hours around are read."""
    good = [f"{text[:11]}{time}:00" for time in ("00:59", "03:00", "12:00")]
    kit.write("SPY.csv", *(row(time) for time in good))
    starts = kit.columns("SPY", timezone="America/New_York", session="all")["start_ns"]
    assert len(starts) == 3
    kit.write("SPY.csv", *(row(time) for time in (*good, text)))
    with pytest.raises(DataFault) as caught:
        kit.columns("SPY", timezone="America/New_York", session="all")
    assert f"SPY.csv:5: column 'timestamp' was {words}" in str(caught.value)


def test_local_times_over_years_are_those_of_the_standard_library(kit):
    """Every hour of four years, read by New York's clocks, is what zoneinfo makes of it."""
    first = np.datetime64("2011-01-01T00:00:00", "s")
    local = first + np.arange(4 * 365 * 24) * np.timedelta64(3600, "s")
    unclear = {"03-13T02", "11-06T01", "03-11T02", "11-04T01", "03-10T02", "11-03T01", "03-09T02", "11-02T01"}
    texts = [text for text in local.astype(str).tolist() if text[5:13] not in unclear]
    kit.write("SPY.csv", *(row(text) for text in texts))
    zone = ZoneInfo("America/New_York")
    expected = [int(dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 10**9 for text in texts]
    assert kit.columns("SPY", timezone="America/New_York", session="all")["start_ns"].tolist() == expected


@pytest.mark.parametrize("value", [dt.date(2013, 10, 4), True, 1.5])
def test_columns_of_other_types_are_refused(kit, value):
    """Dates, booleans and floats are no times of bars."""
    kit.write_parquet("SPY.parquet", timestamp=[value])
    with pytest.raises(DataFault, match=r"column 'timestamp' was of type .*; timestamps, whole numbers or text"):
        kit.columns("SPY")


def test_a_timestamp_without_a_value_is_named_by_its_row(kit):
    """An empty place in a Parquet column is found in its row."""
    times = pa.array([OPEN_NS, None], pa.timestamp("ns", "UTC"))
    kit.write_parquet("SPY.parquet", timestamp=times)
    with pytest.raises(DataFault, match=r"SPY\.parquet, row 2: column 'timestamp' was empty; a time such as"):
        kit.columns("SPY")


def test_times_beyond_int64_are_refused(kit):
    """The year 3000 does not fit nanoseconds."""
    kit.write_parquet("SPY.parquet", timestamp=pa.array([32_503_680_000], pa.timestamp("s", "UTC")))
    with pytest.raises(DataFault, match="a time between 1678 and 2261 is allowed"):
        kit.columns("SPY")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"from": "2013-10-05"}, r"none is left from data\.from \(2013-10-05\) to data\.to \(the end\)"),
        ({"to": "2013-10-03"}, r"none is left from data\.from \(the beginning\) to data\.to \(2013-10-03\)"),
    ],
)
def test_days_without_a_bar_are_missing_data(kit, settings, text):
    """The error says which days there are and which were asked for."""
    kit.write("SPY.csv", row("2013-10-04T13:30:00Z"))
    with pytest.raises(DataMissing, match=f"1 rows of SPY, from 2013-10-04T13:30Z to 2013-10-04T13:30Z, and {text}"):
        kit.columns("SPY", **settings)


def test_a_range_without_a_bar_is_empty_and_no_error(kit):
    """A desk that looks for bars before a time, to warm up, gets none where there are none."""
    kit.write("SPY.csv", row("2013-10-04T13:30:00Z"))
    assert kit.chunks("SPY", end_ns=OPEN_NS) == []
    assert kit.chunks("SPY", start_ns=OPEN_NS + 1) == []


def test_sessions_that_are_not_regular_are_missing_data(kit):
    """By the column or by the exchange's hours: the error says what is there and what to set."""
    header = "timestamp,open,high,low,close,volume,session"
    kit.write("SPY.csv", f"{row('2013-10-04T13:30:00Z')},pre", header=header)
    with pytest.raises(DataMissing, match=r"none is 'regular' in column 'session' \(there: pre\); set data\."):
        kit.columns("SPY")
    kit.write("SPY.csv", row("2013-10-05T13:30:00Z"))
    with pytest.raises(DataMissing, match="none starts in a regular session of the exchange"):
        kit.columns("SPY")
    assert len(kit.columns("SPY", session="all")["close"]) == 1
