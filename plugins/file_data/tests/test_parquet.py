"""Types of Parquet columns, and files that are none."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from mqd_core.api import DataFault, DataMissing


@pytest.mark.parametrize(
    "column",
    [
        pa.array([84.27, 3.0]),
        pa.array(["84.27", "3"]),
        pa.array(["84.27", "3"], pa.large_string()),
        pa.array([Decimal("84.27"), Decimal("3.00")], pa.decimal128(10, 2)),
        pa.array(["84.27", "3"]).dictionary_encode(),
    ],
)
def test_prices_of_every_exact_type_give_the_same_float(kit, column):
    """84.27 is the float nearest to 84.27, whether it was a double, text or a decimal."""
    kit.write_parquet("SPY.parquet", close=column)
    assert kit.columns("SPY")["close"].tolist() == [84.27, 3.0]


def test_decimals_become_the_nearest_float(kit):
    """No decimal of four places comes out a bit beside the float that its text would give."""
    values = [Decimal(n) / 10_000 for n in range(1, 2_000_000, 997)]
    kit.write_parquet("SPY.parquet", close=pa.array(values, pa.decimal128(12, 4)))
    columns = kit.columns("SPY", session="all")
    assert columns["close"].tolist() == [float(str(value)) for value in values]


@pytest.mark.parametrize("kind", [pa.int16(), pa.int32(), pa.int64(), pa.uint32(), pa.uint64()])
def test_whole_volumes_of_every_width(kit, kind):
    """Integers of any width are volumes."""
    kit.write_parquet("SPY.parquet", volume=pa.array([3200, 1], kind))
    assert kit.columns("SPY")["volume"].tolist() == [3200.0, 1.0]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float16()])
def test_prices_that_are_not_exact_are_refused(kit, kind):
    """84.27 in 32 bits is 84.2699966: the error says how to write it."""
    values = pa.array(np.array([84.27]).astype(np.float16 if kind == pa.float16() else np.float32))
    kit.write_parquet("SPY.parquet", close=values)
    with pytest.raises(DataFault, match=r"column 'close' was of type \w+; prices need 64 bits"):
        kit.columns("SPY")


def test_other_types_are_refused(kit):
    """A column of truth values is no price."""
    kit.write_parquet("SPY.parquet", open=[True])
    with pytest.raises(DataFault, match="column 'open' was of type bool; numbers or their text are allowed"):
        kit.columns("SPY")


def test_an_empty_place_is_named_by_its_row(kit):
    """A price without a value is found in its row, far into the file too."""
    prices = pa.array([1.0] * 40_000 + [None, 1.0])
    path = kit.write_parquet("SPY.parquet", low=prices)
    with pytest.raises(DataFault) as caught:
        kit.columns("SPY", session="all")
    assert f"{path}, row 40001: column 'low' was empty; a number such as 101.25 is allowed" in str(caught.value)


def test_a_volume_that_no_float_holds_is_refused(kit):
    """2**53 + 1 shares would be rounded."""
    kit.write_parquet("SPY.parquet", volume=pa.array([1, 2**53 + 1], pa.int64()))
    with pytest.raises(DataFault, match=r"row 2: column 'volume' was 9007199254740993"):
        kit.columns("SPY")


def test_a_missing_column_lists_those_that_are_there(kit):
    """As for CSV: which is missing, and which there are."""
    kit.write_parquet("SPY.parquet", close=None, last=[1.0])
    with pytest.raises(DataMissing, match=r"there is no column 'close'.*columns there: 'timestamp', 'open', .*'last'"):
        kit.columns("SPY")


def test_a_file_without_rows_is_missing_data(kit):
    """A schema alone is no bar."""
    kit.write_parquet("SPY.parquet", timestamp=pa.array([], pa.timestamp("us", "UTC")))
    with pytest.raises(DataMissing, match=r"SPY\.parquet has no rows"):
        kit.columns("SPY")


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", DataMissing, r"SPY\.parquet is empty"),
        (b"timestamp,open\n" * 10, DataFault, "not a Parquet file that can be read"),
    ],
)
def test_what_is_no_parquet_file_is_refused(kit, content, error, text):
    """An empty file is missing data; another kind of file is a fault."""
    (kit.folder / "SPY.parquet").write_bytes(content)
    with pytest.raises(error, match=text):
        kit.columns("SPY")


def test_a_damaged_file_is_a_fault_that_names_the_row(kit):
    """Where the pages of a file are garbled, the error says from which row on."""
    path = kit.write_parquet("SPY.parquet", close=np.random.default_rng(1).random(5_000))
    content = bytearray(path.read_bytes())
    content[4:20_000] = b"\xff" * (20_000 - 4)
    path.write_bytes(bytes(content))
    with pytest.raises(DataFault, match=r"SPY\.parquet, row 1 could not be read"):
        kit.columns("SPY")
