"""The synthetic market: the same on every machine, sound bars, half days, and something to trade for the demo."""

from __future__ import annotations

import hashlib
import itertools
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import MINUTE_NS, DataFault, DataMissing, SessionTable, Timeframe, xnys
from mqd_plugin_mock.settings import SyntheticSettings
from mqd_plugin_mock.synthetic import SyntheticMarket

COLUMNS = ("start_ns", "open", "high", "low", "close", "volume")


def columns(symbol: str = "SPHD", start_ns: int | None = None, end_ns: int | None = None, **settings) -> dict:
    """All bars of a market as whole columns."""
    market = SyntheticMarket(SyntheticSettings(**{"symbols": [symbol], **settings}))
    chunks = list(market.history(symbol, Timeframe.MINUTE_1, start_ns, end_ns))
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks] or [np.empty(0)]) for name in COLUMNS}


def digest(bars: dict) -> str:
    """SHA-256 of the columns as little-endian int64 and float64."""
    sha = hashlib.sha256()
    for name in COLUMNS:
        sha.update(bars[name].astype("<i8" if name == "start_ns" else "<f8").tobytes())
    return sha.hexdigest()


def equal(left: dict, right: dict) -> bool:
    """Whether two markets have the same bars."""
    return all(np.array_equal(left[name], right[name]) for name in COLUMNS)


class TestDeterminism:
    @pytest.mark.decision_hash
    @pytest.mark.parametrize(
        ("expected", "settings"),
        [
            ("15076af400ee98eb76f1469ec31001a67826febba1ecdbd60493097e14c420bd", {}),
            (
                "5382c3ffaa36e691db444229db5ba605a427d21638d8d52e91228ea1a41a7e35",
                {"symbol": "SPY", "seed": 0, "days": 30, "start": "2024-11-20", "start_price": 590},
            ),
            (
                "3e3169127e4cd7aea0fb505dff9dcbedaccc59d09aa85c05e284a5ac761fa251",
                {"symbol": "BRK.B", "seed": 2**62, "volatility_pct": 5, "shocks_per_day": 8, "days": 300},
            ),
        ],
    )
    def test_same_bars_on_every_machine(self, expected, settings):
        """A configuration has the bars it has always had, to the last bit."""
        assert digest(columns(**settings)) == expected

    def test_seed_and_symbol_matter(self):
        """Another seed, or another symbol, is another market."""
        digests = {digest(columns()), digest(columns(seed=8)), digest(columns("SPY"))}
        assert len(digests) == 3

    def test_longer_market_begins_alike(self):
        """More days do not change the first ones."""
        short, long = columns(days=3), columns(days=9)
        assert equal(short, {name: column[: len(short["open"])] for name, column in long.items()})

    @given(data=st.data())
    def test_part_of_the_market_is_the_same(self, data):
        """Asked for any range, the market has the bars of the whole that start in it, its start included."""
        whole = columns(days=4)
        first = int(whole["start_ns"][0]) - 2 * MINUTE_NS
        last = int(whole["start_ns"][-1]) + 2 * MINUTE_NS
        start, end = sorted((data.draw(st.integers(first, last)), data.draw(st.integers(first, last))))
        if data.draw(st.booleans()):
            start = int(data.draw(st.sampled_from(list(whole["start_ns"]))))
        kept = (whole["start_ns"] >= start) & (whole["start_ns"] < end)
        part = columns(days=4, start_ns=start, end_ns=end)
        assert equal(part, {name: column[kept] for name, column in whole.items()})


class TestBars:
    @given(
        settings=st.fixed_dictionaries(
            {
                "seed": st.integers(0, 10**6),
                "volatility_pct": st.sampled_from([0, "0.6", 5]),
                "shocks_per_day": st.integers(0, 8),
                "shock_pct": st.sampled_from(["0.01", "3.5", 10]),
                "start_price": st.sampled_from([None, 5, 43, 5_000]),
                "failed_shock_pct": st.sampled_from([0, 40, 100]),
            }
        )
    )
    def test_are_sound(self, settings):
        """Prices are positive, on the cent, high and low hold open and close; volume is whole; time goes up."""
        bars = columns(days=4, start="2024-11-27", **settings)
        assert (bars["low"] > 0).all()
        assert (bars["high"] >= np.maximum(bars["open"], bars["close"])).all()
        assert (bars["low"] <= np.minimum(bars["open"], bars["close"])).all()
        assert (np.diff(bars["start_ns"]) > 0).all()
        assert (bars["volume"] >= 1).all()
        assert (bars["volume"] == np.floor(bars["volume"])).all()
        for name in ("open", "high", "low", "close"):
            assert [float(f"{price:.2f}") for price in bars[name][:400]] == bars[name][:400].tolist()

    def test_are_in_sessions_and_half_days_are_short(self):
        """Every bar starts in a session of the exchange; the half day has its 210 minutes and no more."""
        bars = columns(start="2024-11-27", days=3, missing_minutes_pct=0, halt_pct=0)
        sessions = [session for session in xnys() if "2024-11-27" <= session.date <= "2024-12-02"]
        expected = [np.arange(session.open_ns, session.close_ns, MINUTE_NS) for session in sessions]
        assert [len(minutes) for minutes in expected] == [390, 210, 390]
        assert np.array_equal(bars["start_ns"], np.concatenate(expected))

    def test_some_minutes_have_none(self):
        """A part of the minutes has no bar, near the chance that is configured."""
        bars = columns(days=20, missing_minutes_pct=10, halt_pct=0)
        assert 0.08 < 1 - len(bars["open"]) / (20 * 390) < 0.12

    def test_halts_are_gaps_of_5_to_15_minutes(self):
        """With a halt in every session, each has one gap of that length."""
        bars = columns(days=20, missing_minutes_pct=0, halt_pct=100)
        steps = np.diff(bars["start_ns"]) // MINUTE_NS
        gaps = [step - 1 for step in steps.tolist() if 1 < step < 390]
        assert len(gaps) == 20
        assert set(gaps) <= set(range(5, 16))

    def test_volume_is_largest_at_open_and_close(self):
        """The first and the last half hour trade more than noon."""
        volume = columns(days=20, missing_minutes_pct=0, halt_pct=0, shocks_per_day=0)["volume"].reshape(20, 390)
        noon = volume[:, 180:210].mean()
        assert volume[:, :30].mean() > 2 * noon
        assert volume[:, -30:].mean() > 2 * noon
        assert 3_600 < volume.mean() < 4_400

    def test_market_does_not_run_away(self):
        """After years the price is still near where it began: levels revert."""
        bars = columns(days=2_500, start="2010-01-04")
        assert 0.5 < bars["close"][-1] / bars["open"][0] < 2
        assert bars["low"].min() > bars["open"][0] / 4


class TestChunks:
    def test_are_bounded_and_counted(self):
        """A chunk has at most 8,192 rows; each says where it begins, counted from 1."""
        market = SyntheticMarket(SyntheticSettings(days=400, start="2020-01-02"))
        chunks = list(market.history("SPHD", Timeframe.MINUTE_1, None, None))
        rows = [len(chunk.start_ns) for chunk in chunks]
        assert len(rows) > 3
        assert max(rows) <= 8_192
        assert [chunk.first_row for chunk in chunks] == [1, *(1 + total for total in itertools.accumulate(rows[:-1]))]
        for chunk in chunks:
            assert chunk.start_ns.dtype == np.int64
            assert {getattr(chunk, name).dtype for name in COLUMNS[1:]} == {np.dtype(np.float64)}

    def test_empty_range_has_none(self):
        """A range without a bar gives no chunk."""
        market = SyntheticMarket(SyntheticSettings())
        assert list(market.history("SPHD", Timeframe.MINUTE_1, 0, 1)) == []


class TestRefusals:
    def test_unknown_symbol(self):
        """A symbol that is not configured is named, with those that are."""
        with pytest.raises(DataMissing, match="has no SPY: it has SPHD"):
            SyntheticMarket(SyntheticSettings()).history("SPY", Timeframe.MINUTE_1, None, None)

    def test_other_timeframes(self):
        """It makes one-minute bars; the desk makes longer ones of them."""
        with pytest.raises(DataFault, match="1Min bars, 1Hour was asked for"):
            SyntheticMarket(SyntheticSettings()).history("SPHD", Timeframe.HOUR_1, None, None)

    def test_no_live_bars(self):
        """It has no live side and says so."""
        market = SyntheticMarket(SyntheticSettings())
        with pytest.raises(DataFault, match="history only"):
            market.live(["SPHD"], Timeframe.MINUTE_1, print)
        market.close()

    def test_end_of_the_exchanges_table(self):
        """More sessions than the table has are refused with what there is."""
        first = next(iter(xnys()))
        with pytest.raises(DataMissing, match="last 2 sessions; the exchange's table has 1"):
            SyntheticMarket(SyntheticSettings(start=first.date, days=2), SessionTable([first]))


def round_trips(bars: dict) -> list[float]:
    """Round trips of the VWAP rules, in plain floats: a check that there is something to trade, not of the rules."""
    window: deque[tuple[float, float]] = deque(maxlen=20)
    trips: list[float] = []
    paid, wish = None, ""
    for opened, high, low, close, volume in zip(*(bars[name].tolist() for name in COLUMNS[1:]), strict=True):
        if wish == "enter":
            paid = opened
        elif wish == "exit":
            trips.append(opened / paid - 1)
            paid = None
        wish = ""
        window.append(((high + low + close) / 3 * volume, volume))
        vwap = sum(product for product, _ in window) / sum(shares for _, shares in window)
        if paid is None:
            wish = "enter" if len(window) == 20 and close < vwap * 0.98 else ""
        elif close >= paid * 1.01 or close <= paid * 0.98:
            wish = "exit"
    return trips


def test_default_market_has_ten_round_trips_both_won_and_lost():
    """The configuration that a newcomer runs trades at least ten times, and not only with success."""
    trips = round_trips(columns())
    assert len(trips) >= 10
    assert any(trip > 0 for trip in trips)
    assert any(trip < 0 for trip in trips)


def test_the_rules_do_not_win_on_average():
    """Over many seeds the demonstration is no promise: the VWAP rules neither win nor lose much a trip."""
    trips = [trip for seed in range(20) for trip in round_trips(columns(seed=seed))]
    assert abs(sum(trips) / len(trips)) < 0.003
