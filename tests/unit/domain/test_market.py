"""Market words: which symbols are accepted, and how long bars are."""

from __future__ import annotations

import pytest

from mqd_core.domain.market import MINUTE_NS, Timeframe, is_symbol


@pytest.mark.parametrize("text", ["A", "SPY", "BRK.B", "BTC/USD", "BF-B", "T2", "ABCDEFGHIJ", "X.ABC123"])
def test_symbols(text: str) -> None:
    """Tickers with or without a class, and pairs, are symbols."""
    assert is_symbol(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spy",
        "2X",
        ".B",
        "SPY.",
        "SPY..B",
        "A/B/C",
        "../X",
        "SPY B",
        "SPY\n",
        "ABCDEFGHIJK",
        "A.1234567",
        "ÄÖ",
        "SPY.b",
    ],
)
def test_what_is_no_symbol(text: str) -> None:
    """What could be a path, a line break or somebody's slip is no symbol."""
    assert not is_symbol(text)


def test_lengths() -> None:
    """Every timeframe has its length, in words that sort from short to long; a day is at most a day."""
    lengths = [frame.length_ns // MINUTE_NS for frame in Timeframe]
    assert lengths == [1, 2, 5, 15, 30, 60, 1440]
