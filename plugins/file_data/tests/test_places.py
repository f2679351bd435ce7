"""Which file is read for a symbol, and what is said when there is none."""

from __future__ import annotations

import os
import sys

import numpy as np
import pyarrow as pa
import pytest

from mqd_core.api import DataMissing, Timeframe

BAR = "2013-10-04T13:30:00Z,1,2,0.5,1.5,100"


def test_a_folder_holds_one_file_for_each_symbol(kit):
    """IBM.csv is IBM's, and BTC/USD is in BTC_USD.csv."""
    kit.write("IBM.csv", BAR)
    kit.write("BTC_USD.csv", BAR.replace("1.5", "1.75"))
    assert kit.columns("IBM", "BTC/USD")["close"].tolist() == [1.5]
    assert kit.columns("BTC/USD", "IBM")["close"].tolist() == [1.75]


def test_where_a_folder_has_both_parquet_is_read(kit):
    """With both files there, `auto` takes Parquet, every time; `format: csv` takes the other."""
    kit.write("SPY.csv", BAR)
    kit.write_parquet("SPY.parquet", close=[7.0])
    assert kit.columns("SPY")["close"].tolist() == [7.0]
    assert kit.columns("SPY", format="csv")["close"].tolist() == [1.5]
    assert kit.columns("SPY", format="parquet")["close"].tolist() == [7.0]


def test_a_listed_file_goes_before_the_folder(kit):
    """A symbol under `files` is read from there, the others from the folder."""
    kit.write("SPY.csv", BAR)
    kit.write("IBM.csv", BAR)
    path = kit.write("other.csv", BAR.replace("1.5", "1.25"))
    settings = {"path": kit.folder, "files": {"SPY": path}}
    assert kit.columns("SPY", "IBM", **settings)["close"].tolist() == [1.25]
    assert kit.columns("IBM", "SPY", **settings)["close"].tolist() == [1.5]


def test_the_format_can_be_said_where_the_name_does_not(kit):
    """A file without a known ending is read as what the settings say."""
    path = kit.write("bars.txt", BAR)
    assert len(kit.columns("SPY", path=path, format="csv")["close"]) == 1
    with pytest.raises(DataMissing, match=r"ends neither in \.csv nor in \.parquet; say which it is by data\.format"):
        kit.columns("SPY", path=path)


def test_one_file_of_one_symbol_needs_no_column_of_symbols(kit):
    """With a single symbol configured, a file is that symbol's."""
    assert len(kit.columns("SPY", path=kit.write("bars.csv", BAR))["close"]) == 1


def test_one_file_of_several_symbols_is_told_apart_by_its_column(kit):
    """Each symbol's rows are its own, in their order, with their rows in the file."""
    lines = [f"2013-10-04T13:{30 + n}:00Z,1,2,0.5,{1 + n / 100},100,{'IBM' if n % 2 else 'SPY'}" for n in range(6)]
    path = kit.write("all.csv", *lines, header="timestamp,open,high,low,close,volume,symbol")
    assert kit.columns("SPY", "IBM", path=path)["close"].tolist() == [1.0, 1.02, 1.04]
    assert kit.columns("IBM", "SPY", path=path)["close"].tolist() == [1.01, 1.03, 1.05]
    assert kit.chunks("IBM", "SPY", path=path)[0].first_row == 2


def test_the_same_from_parquet(kit):
    """A symbol column, plain or as a dictionary, tells rows apart in Parquet too."""
    for symbols in (["SPY", "IBM", None], pa.array(["SPY", "IBM", None]).dictionary_encode()):
        path = kit.write_parquet("all.parquet", close=[1.0, 2.0, 3.0], symbol=symbols)
        assert kit.columns("IBM", "SPY", path=path)["close"].tolist() == [2.0]


def test_a_file_of_several_symbols_without_a_column_is_refused(kit):
    """SPY's bars are never taken for IBM's."""
    path = kit.write("all.csv", BAR)
    for settings in ({"path": path}, {"files": {"SPY": path, "IBM": path}}):
        with pytest.raises(DataMissing, match="several symbols are read from it, without a column 'symbol'"):
            kit.columns("SPY", "IBM", **settings)


def test_a_symbol_that_is_not_in_its_file_is_missing(kit):
    """The error names the symbols that are there."""
    path = kit.write("all.csv", f"{BAR},QQQ", f"{BAR},DIA", header="timestamp,open,high,low,close,volume,symbol")
    with pytest.raises(DataMissing, match=r"all\.csv has no row of SPY in column 'symbol' \(there: DIA, QQQ\)"):
        kit.columns("SPY", path=path)


def test_a_missing_file_is_named_with_what_is_there(kit):
    """The error says what was looked for and where, what is near, and what else is there."""
    kit.write("SPYG.csv", BAR)
    kit.write("QQQ.csv", BAR)
    with pytest.raises(DataMissing) as caught:
        kit.columns("SPY")
    text = str(caught.value)
    assert f"there is no SPY.parquet and no SPY.csv in {kit.folder}; did you mean 'SPYG'?" in text
    assert "(CSV and Parquet files there: QQQ.csv, SPYG.csv)" in text
    with pytest.raises(DataMissing, match=r"there is no SPY\.parquet in "):
        kit.columns("SPY", format="parquet")


def test_a_full_folder_is_not_listed_whole(kit):
    """Of many files the error lists the first, and counts the others."""
    for number in range(40):
        kit.write(f"A{number:02}.csv", BAR)
    with pytest.raises(DataMissing, match=r"A00\.csv, .*, A11\.csv and 28 more\)"):
        kit.columns("SPY")


def test_an_empty_folder_holds_nothing(kit):
    """The error says so in words."""
    with pytest.raises(DataMissing, match="files there: nothing"):
        kit.columns("SPY")


def test_a_missing_folder_is_named_with_what_is_beside_it(kit):
    """A mistyped folder is found again by its neighbours' names."""
    (kit.folder / "minute_bars").mkdir()
    with pytest.raises(DataMissing) as caught:
        kit.columns("SPY", path=kit.folder / "minute_bar")
    text = str(caught.value)
    assert "does not exist; did you mean 'minute_bars'?" in text
    assert "holds: minute_bars)" in text
    with pytest.raises(DataMissing, match="and there is no folder"):
        kit.columns("SPY", path=kit.folder / "no" / "such")


def test_a_missing_listed_file_is_named_by_its_key(kit):
    """The error says which entry under `files` it is."""
    with pytest.raises(DataMissing, match=r"data\.files\.SPY .*x\.csv does not exist"):
        kit.columns("SPY", files={"SPY": kit.folder / "x.csv"})
    with pytest.raises(DataMissing, match="is a folder; name the file in it"):
        kit.columns("SPY", files={"SPY": kit.folder})


def test_a_symbol_that_is_not_configured_is_refused(kit):
    """A strategy's symbol has to be among the provider's."""
    with pytest.raises(DataMissing, match=r"QQQQ is not among data\.symbols \(SPY, QQQ\); did you mean 'QQQ'"):
        kit.provider("SPY", "QQQ").history("QQQQ", Timeframe.MINUTE_1, None, None)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of this kind are POSIX")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["SPY.csv", "SPY.parquet"])
def test_a_file_that_may_not_be_read_is_named(kit, name):
    """Without permission the error says which file could not be opened."""
    path = kit.write("SPY.csv", BAR) if name.endswith("csv") else kit.write_parquet(name, close=[1.0])
    path.chmod(0)
    with pytest.raises(DataMissing, match="could not be opened"):
        kit.columns("SPY")


@pytest.mark.parametrize("name", ["SPY.csv", "SPY.parquet"])
def test_a_folder_in_the_place_of_a_file_is_named(kit, name):
    """What is no file cannot be opened as one."""
    (kit.folder / name).mkdir()
    with pytest.raises(DataMissing, match="could not be opened"):
        kit.columns("SPY")


def test_columns_can_be_called_otherwise(kit):
    """Names from the settings are looked for instead of the usual ones; other columns are left alone."""
    header = "Date,Open,High,Low,Last,Adj,Shares"
    kit.write("SPY.csv", "2013-10-04T13:30:00Z,1,2,0.5,1.5,9,100", header=header)
    names = {"timestamp": "Date", "open": "Open", "high": "High", "low": "Low", "close": "Last", "volume": "Shares"}
    columns = kit.columns("SPY", columns=names)
    assert columns["close"].tolist() == [1.5]
    assert np.array_equal(columns["volume"], [100.0])
