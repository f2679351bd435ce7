"""Every way in which a CSV file can be wrong, and the line and words in which it is told."""

from __future__ import annotations

import math

import pytest

from mqd_core.api import DataFault, DataMissing, Timeframe

GOOD = "2013-10-04T13:30:00Z,1,2,0.5,1.5,100"
HEADER = "timestamp,open,high,low,close,volume"


def read(kit, **settings):
    """Read SPY.csv."""
    return kit.columns("SPY", session="all", **settings)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ("2013-10-04T13:31:00Z,1,2,0.5,abc,100", "column 'close' was 'abc'; a number such as 101.25 is allowed"),
        ("2013-10-04T13:31:00Z,,2,0.5,1.5,100", "column 'open' was ''; a number"),
        ("2013-10-04T13:31:00Z,1,null,0.5,1.5,100", "column 'high' was 'null'; a number"),
        ("2013-10-04T13:31:00Z,1,2,$0.5,1.5,100", "column 'low' was '$0.5'; a number"),
        ("2013-10-04T13:31:00Z,1,2,0.5,1.5,1_000", "column 'volume' was '1_000'; a number"),
        ('2013-10-04T13:31:00Z,1,2,0.5,1.5,"1,000"', "column 'volume' was '1,000'; a number"),
        ("2013-10-04T13:31:00Z,1,2,0.5,1.5, 100", "column 'volume' was ' 100'; a number"),
        ("2013-10-04T13:31:00,1,2,0.5,1.5,100", "column 'timestamp' was '2013-10-04T13:31:00'; a time with its offset"),
        ("04.10.2013 13:31,1,2,0.5,1.5,100", "column 'timestamp' was '04.10.2013 13:31'; a time with its offset"),
        ("2013-13-04T13:31:00Z,1,2,0.5,1.5,100", "column 'timestamp' was '2013-13-04T13:31:00Z'; a time"),
        ("1380893460,1,2,0.5,1.5,100", "column 'timestamp' was '1380893460'; a time"),
        (",1,2,0.5,1.5,100", "column 'timestamp' was ''; a time"),
        ("2013-10-04T13:31:00Z,1,2,0.5,1.5", "the header has 6 fields, the line has 5: '2013-10-04T13:31:00Z,1,2"),
        ("2013-10-04T13:31:00Z,1,2,0.5,1.5,100,9", "the header has 6 fields, the line has 7"),
        ("   ", "the header has 6 fields, the line has 1: '   '"),
        ("# a remark", "the header has 6 fields, the line has 1: '# a remark'"),
    ],
)
@pytest.mark.parametrize("before", [0, 3, 40_000])
def test_a_bad_row_is_named_by_its_line(kit, bad, text, before):
    """The error names the file, the line, the text of the field and what is allowed, far into the file too."""
    path = kit.write("SPY.csv", *[GOOD] * before, bad, GOOD)
    with pytest.raises(DataFault) as caught:
        read(kit)
    assert f"{path}:{before + 2}: {text}" in str(caught.value)


def test_empty_lines_are_passed_over_and_counted(kit):
    """An empty line is no bar, but it is a line: what comes after it is found where an editor shows it."""
    path = kit.folder / "SPY.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n\n\n{GOOD}\n{GOOD.replace('100', 'x')}\n", encoding="utf-8", newline="\n")
    with pytest.raises(DataFault, match=r"SPY\.csv:6: column 'volume' was 'x'"):
        read(kit)
    path.write_text(f"{HEADER}\n{GOOD}\n\n\n{GOOD}\n", encoding="utf-8", newline="\n")
    assert len(read(kit)["close"]) == 2


def test_rows_before_a_bad_one_were_yielded(kit):
    """A file is read as it is asked for: chunks before the block with the bad row come out first."""
    kit.write("SPY.csv", *[GOOD] * 60_000, GOOD.replace("1.5", "x"))
    provider = kit.provider(session="all")
    history = provider.history("SPY", Timeframe.MINUTE_1, None, None)
    assert len(next(history).close) == 32_768
    with pytest.raises(DataFault, match=r"SPY\.csv:60002: "):
        list(history)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"SPY\.csv is empty; a header line and one line for each bar belong there"),
        (b"\n\n", r"SPY\.csv is empty"),
        (b"\xef\xbb\xbf", r"SPY\.csv is empty"),
        (HEADER.encode(), r"SPY\.csv has no rows"),
        (f"{HEADER}\n".encode(), r"SPY\.csv has no rows"),
        (f"{HEADER}\n\n\n".encode(), r"SPY\.csv has no rows"),
    ],
)
def test_a_file_without_bars_is_missing_data(kit, content, text):
    """An empty file and a lonely header are told apart, and are errors of the configuration."""
    (kit.folder / "SPY.csv").write_bytes(content)
    with pytest.raises(DataMissing, match=text):
        read(kit)


def test_a_missing_column_lists_those_that_are_there(kit):
    """The error names the column, the near one, all that are there, and the key by which to say which one it is."""
    kit.write("SPY.csv", GOOD, header="timestamp,open,high,low,Close,vol")
    with pytest.raises(DataMissing) as caught:
        read(kit)
    text = str(caught.value)
    assert "there is no column 'close'; did you mean 'Close'?" in text
    assert "(columns there: 'timestamp', 'open', 'high', 'low', 'Close', 'vol')" in text
    assert "say which one it is by data.columns.close" in text


def test_a_column_that_the_settings_name_has_to_be_there(kit):
    """An optional column is missed when it was asked for by name."""
    kit.write("SPY.csv", GOOD)
    with pytest.raises(DataMissing, match="there is no column 'hours'"):
        read(kit, columns={"session": "hours"})


def test_semicolons_are_seen_in_the_list_of_columns(kit):
    """A file with other separators has one column, whose name shows it."""
    kit.write("SPY.csv", GOOD.replace(",", ";"), header=HEADER.replace(",", ";"))
    with pytest.raises(DataMissing, match="columns there: 'timestamp;open;high;low;close;volume'"):
        read(kit)


def test_a_column_that_is_there_twice_is_refused(kit):
    """Which of the two would be the close cannot be known."""
    kit.write("SPY.csv", f"{GOOD},9", header=f"{HEADER},close")
    with pytest.raises(DataMissing, match="2 columns are called 'close'; each must be there once"):
        read(kit)


def test_bytes_that_are_no_text_are_named_by_their_line(kit):
    """A byte that UTF-8 does not have is found in its line."""
    content = f"{HEADER}\n{GOOD}\n".encode() + b"2013-10-04T13:31:00Z,1,2,\xff,1,1\n"
    (kit.folder / "SPY.csv").write_bytes(content)
    with pytest.raises(DataFault, match=r"SPY\.csv:3: the line was not UTF-8 text: .*; save it as UTF-8"):
        read(kit)


def test_a_quote_that_never_ends_is_refused(kit):
    """The rest of the file would be one field."""
    kit.write("SPY.csv", GOOD, f'"{GOOD}', GOOD)
    with pytest.raises(DataFault, match=r"SPY\.csv:3: the header has 6 fields, the line has 1"):
        read(kit)


def test_a_field_without_end_is_refused(kit):
    """What no line of bars can be is said in words, and not as a parser's trace."""
    kit.write("SPY.csv", GOOD, "x" * 200_000)
    with pytest.raises(DataFault, match="not a CSV file that can be read: field larger than field limit"):
        read(kit)


def test_a_binary_file_called_csv_is_refused(kit):
    """A Parquet file under a CSV name is an error in words."""
    kit.write_parquet("SPY.parquet", close=[1.0]).rename(kit.folder / "SPY.csv")
    with pytest.raises((DataMissing, DataFault), match=r"SPY\.csv"):
        read(kit)


def test_a_header_after_empty_lines_is_the_header(kit):
    """Empty lines above the header are passed over, and counted."""
    path = kit.folder / "SPY.csv"
    path.write_text(f"\n\n{HEADER}\n{GOOD}\n{GOOD.replace('1.5', 'x')}\n", encoding="utf-8", newline="\n")
    with pytest.raises(DataFault, match=r"SPY\.csv:5: column 'close' was 'x'"):
        read(kit)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_of_windows_are_read(kit, newline, start):
    """A file saved on Windows reads as any other."""
    text = start + newline.join([HEADER, GOOD, GOOD]) + newline
    (kit.folder / "SPY.csv").write_bytes(text.encode("utf-8"))
    assert read(kit)["close"].tolist() == [1.5, 1.5]


def test_what_can_be_read_is_passed_on_unjudged(kit):
    """NaN, negative prices, high below low and rows out of order are for mqd's validator to refuse."""
    rows = ["2013-10-04T13:31:00Z,nan,-2,inf,1e3,0", GOOD]
    kit.write("SPY.csv", *rows)
    columns = read(kit)
    assert math.isnan(columns["open"][0])
    assert (columns["high"][0], columns["low"][0], columns["close"][0]) == (-2.0, math.inf, 1000.0)
    assert columns["start_ns"][0] > columns["start_ns"][1]


def test_a_bad_row_of_another_symbol_is_not_this_symbol_s_fault(kit):
    """In a file of several symbols only the rows of the symbol in hand are read."""
    path = kit.write("all.csv", f"{GOOD},SPY", f"{GOOD.replace('1.5', 'x')},IBM", header=f"{HEADER},symbol")
    assert kit.columns("SPY", "IBM", path=path, session="all")["close"].tolist() == [1.5]
    with pytest.raises(DataFault, match=r"all\.csv:3: column 'close' was 'x'"):
        kit.columns("IBM", "SPY", path=path, session="all")
