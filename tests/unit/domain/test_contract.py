"""MarketDataContract: which bars are kept out and by which code, which gaps count, and when a bar is late."""

from __future__ import annotations

import datetime as dt
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.contract import MarketDataContract, utc_text
from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Bar, Timeframe
from mqd_core.domain.sessions import xnys

NAN, INF = math.nan, math.inf
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1.0, 2.0, INF, -INF, NAN])


def utc(text: str) -> int:
    """Nanoseconds of a time of UTC written as `2013-11-29T18:00`."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND_NS


START = utc("2013-10-07T14:00")
GOOD = Bar("SPY", START, 10.0, 11.0, 9.0, 10.5, 300.0)


def contract(timeframe: Timeframe = Timeframe.MINUTE_1, stale_after_ns: int = 0) -> MarketDataContract:
    return MarketDataContract(timeframe, xnys(), stale_after_ns)


def code_of(bar: Bar, previous: Bar | None = None) -> str | None:
    """The code with which a bar is kept out after another one."""
    violation = contract().check(bar, None if previous is None else previous.start_ns, previous)
    return None if violation is None else violation.code


class TestNumbers:
    def test_a_sound_bar(self) -> None:
        """A bar whose prices lie in its range passes, also if all of them are one price, however small."""
        assert code_of(GOOD) is None
        assert code_of(Bar("SPY", START, 7.0, 7.0, 7.0, 7.0, 1.0)) is None
        assert code_of(Bar("SPY", START, 5e-324, 5e-324, 5e-324, 5e-324, 5e-324)) is None

    @pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
    @pytest.mark.parametrize(
        ("value", "code"), [(NAN, "not_a_number"), (INF, "infinite"), (-INF, "infinite"), (-1.0, "non_positive")]
    )
    def test_no_quantity(self, name: str, value: float, code: str) -> None:
        """A number that no price or volume can be keeps the bar out, and the text names the column and the value."""
        violation = contract().check(msgspec.structs.replace(GOOD, **{name: value}), None, None)
        assert violation is not None
        assert (violation.code, name in violation.text, repr(value) in violation.text) == (code, True, True)

    @pytest.mark.parametrize("zero", [0.0, -0.0])
    def test_zero(self, zero: float) -> None:
        """A price of zero is no price; a volume of zero has a code of its own, as sources fill quiet minutes so."""
        assert code_of(msgspec.structs.replace(GOOD, low=zero)) == "non_positive"
        assert code_of(msgspec.structs.replace(GOOD, volume=zero)) == "zero_volume"

    @pytest.mark.parametrize(
        "change", [{"high": 10.4}, {"high": 9.9}, {"low": 10.1}, {"low": 12.0}, {"open": 11.1}, {"close": 8.9}]
    )
    def test_range(self, change: dict[str, float]) -> None:
        """Open and close lie between low and high, ends included."""
        assert code_of(msgspec.structs.replace(GOOD, **change)) == "high_low"

    def test_first_code(self) -> None:
        """Of several faults the first in the order of codes is told: numbers before their order in time."""
        wrong = msgspec.structs.replace(GOOD, open=-1.0, high=INF, volume=NAN)
        assert code_of(wrong, GOOD) == "not_a_number"
        assert code_of(msgspec.structs.replace(wrong, volume=1.0), GOOD) == "infinite"
        assert code_of(msgspec.structs.replace(GOOD, volume=0.0), GOOD) == "zero_volume"

    @given(st.tuples(FLOATS, FLOATS, FLOATS, FLOATS, FLOATS))
    def test_what_passes(self, numbers: tuple[float, float, float, float, float]) -> None:
        """Exactly those bars pass whose numbers are finite and positive and whose prices lie in their range."""
        open_, high, low, close, _ = numbers
        is_sound = all(0 < number < INF for number in numbers) and low <= open_ <= high and low <= close <= high
        assert (code_of(Bar("SPY", START, *numbers)) is None) == is_sound


class TestOrder:
    def test_later(self) -> None:
        """A bar passes if it starts later than the one before, by however little."""
        assert code_of(msgspec.structs.replace(GOOD, start_ns=START + 1), GOOD) is None

    def test_earlier(self) -> None:
        """An earlier bar is out of order, and the text says after which bar it came."""
        violation = contract().check(GOOD, START + MINUTE_NS, None)
        assert violation is not None
        assert (violation.code, "2013-10-07T14:01:00Z" in violation.text) == ("out_of_order", True)

    def test_again(self) -> None:
        """The same bar again is a duplicate; also where the content of the first is no longer known."""
        assert code_of(GOOD, msgspec.structs.replace(GOOD)) == "duplicate"
        again = contract().check(GOOD, START, None)
        assert again is not None
        assert again.code == "duplicate"

    def test_revised(self) -> None:
        """The same start with other content is a revision, told by its changes."""
        violation = contract().check(msgspec.structs.replace(GOOD, close=10.25, volume=301.0), START, GOOD)
        assert violation is not None
        assert violation.code == "revised"
        assert violation.text.endswith("close 10.5 to 10.25, volume 300.0 to 301.0")

    def test_before_time(self) -> None:
        """A start before 1970 is a time that a source did not fill in, also on a first bar."""
        assert code_of(msgspec.structs.replace(GOOD, start_ns=-(2**63))) == "out_of_order"
        assert code_of(msgspec.structs.replace(GOOD, start_ns=0)) is None


class TestGap:
    @pytest.mark.parametrize(
        ("before", "after", "missing"),
        [
            ("2013-10-07T14:00", "2013-10-07T14:01", 0),
            ("2013-10-07T14:00", "2013-10-07T14:02", 1),
            ("2013-10-07T19:59", "2013-10-08T13:30", 0),  # over a night
            ("2013-10-07T19:57", "2013-10-08T13:33", 5),  # two at the end, three at the beginning
            ("2013-10-04T19:59", "2013-10-07T13:30", 0),  # over a weekend
            ("2013-10-07T19:59", "2013-10-09T13:30", 390),  # a whole session
            ("2013-10-07T19:57", "2013-10-09T13:33", 395),
            ("2013-11-29T17:59", "2013-12-02T14:30", 0),  # a half day
            ("2013-10-07T12:00", "2013-10-07T13:00", 0),  # before the open
            ("2013-10-07T12:00", "2013-10-07T13:33", 3),
            ("2013-10-07T19:58", "2013-10-07T22:00", 1),  # into the evening
            ("1990-01-02T15:00", "1990-01-03T15:00", 0),  # before the table
            ("2008-03-07T20:59", "2008-03-10T13:30", 0),  # New York changes to summer time
        ],
    )
    def test_minutes(self, before: str, after: str, missing: int) -> None:
        """Minutes count as missing inside sessions, and there alone."""
        note = contract().gap(utc(after), utc(before))
        assert (0 if note is None else note.missing) == missing
        assert note is None or (note.code, f"{missing} " in note.text) == ("gap", True)

    @pytest.mark.parametrize(
        ("timeframe", "before", "after", "missing"),
        [
            (Timeframe.HOUR_1, "2013-10-07T19:00", "2013-10-08T13:00", 0),  # aligned to the hour
            (Timeframe.HOUR_1, "2013-10-07T19:30", "2013-10-08T13:30", 0),  # aligned to the open
            (Timeframe.HOUR_1, "2013-10-07T15:30", "2013-10-07T18:30", 2),
            (Timeframe.MINUTE_5, "2013-10-07T15:30", "2013-10-07T15:35", 0),
            (Timeframe.MINUTE_5, "2013-10-07T15:30", "2013-10-07T15:45", 2),
            (Timeframe.DAY_1, "2013-10-04T04:00", "2013-10-07T04:00", 0),  # stamped with New York's midnight
            (Timeframe.DAY_1, "2013-10-04T13:30", "2013-10-07T13:30", 0),  # with the open
            (Timeframe.DAY_1, "2013-10-04T00:00", "2013-10-08T00:00", 1),  # with the date alone
            (Timeframe.DAY_1, "2013-10-04T04:00", "2013-10-04T05:00", 0),
            (Timeframe.DAY_1, "2013-10-04T19:59", "2013-10-07T19:59", 0),  # with the last minute
            (Timeframe.DAY_1, "2013-10-04T04:00", "2013-10-08T13:30", 1),  # one of each
        ],
    )
    def test_longer_bars(self, timeframe: Timeframe, before: str, after: str, missing: int) -> None:
        """Longer bars are counted in steps from the one before; of days there is one a session."""
        assert contract(timeframe).missing_bars(utc(after), utc(before)) == missing

    def test_first_bar(self) -> None:
        """Nothing is missing before the first bar."""
        assert contract().gap(START, None) is None

    @given(st.integers(0, 3_000), st.integers(1, 3_000), st.integers(1, 3_000))
    def test_gaps_add_up(self, offset: int, first: int, second: int) -> None:
        """A bar between two others halves the gap: the parts miss what the whole does, less the bar itself."""
        begin = START + offset * MINUTE_NS
        middle, end = begin + first * MINUTE_NS, begin + (first + second) * MINUTE_NS
        missing = contract().missing_bars
        in_session = xnys().session_at(middle) is not None
        assert missing(middle, begin) + missing(end, middle) + in_session == missing(end, begin)


class TestStale:
    def test_limit(self) -> None:
        """A live bar is late once it arrives later after its end than it may, and the text says how late."""
        end = START + MINUTE_NS
        checked = contract(stale_after_ns=5 * SECOND_NS)
        assert checked.stale(GOOD, end + 5 * SECOND_NS) is None
        assert checked.stale(GOOD, end - SECOND_NS) is None
        note = checked.stale(GOOD, end + 90 * SECOND_NS)
        assert note is not None
        assert (note.code, note.text) == ("stale", "it arrived 90.0 s after its end; allowed are 5.0 s")


class TestTimeText:
    def test_known(self) -> None:
        """A time is ISO 8601 in UTC; what is no time of int64 is shown as the number it is."""
        assert utc_text(START) == "2013-10-07T14:00:00Z"
        assert utc_text(START + 1_500_000) == "2013-10-07T14:00:00.001500Z"
        assert utc_text(-1) == "-1 ns"
        assert utc_text(2**63) == "9223372036854775808 ns"

    @given(st.integers(-(2**80), 2**80))
    def test_any(self, ts_ns: int) -> None:
        """Every number has a text: a message about a wrong time must not fail over it."""
        assert utc_text(ts_ns)
