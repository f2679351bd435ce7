"""Chunks: their size, their rows, and memory that does not grow with the file."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqd_core.api import Timeframe
from mqd_plugin_files.chunks import CHUNK_ROWS, ChunkBuilder

COLUMNS = ("start_ns", "open", "high", "low", "close", "volume")
MINUTE_US = 60 * 10**6
OPEN_US = 1_380_893_400 * 10**6


def big_parquet(path, rows, group=100_000):
    """Write that many bars, some row groups of them, without holding them all."""
    schema = pa.schema([("timestamp", pa.timestamp("us", "UTC")), *((name, pa.float64()) for name in COLUMNS[1:])])
    with pa_parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, rows, group):
            count = min(group, rows - first)
            numbers = pa.array(np.arange(first, first + count, dtype=np.float64))
            times = pa.array(OPEN_US + np.arange(first, first + count) * MINUTE_US, schema[0].type)
            writer.write_table(pa.table([times, *[numbers] * 5], schema=schema))


def big_csv(path, rows):
    """Write that many bars, line by line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for number in range(rows):
            file.write(f"{OPEN_US + number * MINUTE_US},{number},{number},{number},{number},{number}\n")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(kit, kind):
    """Reading 600,000 bars takes no more memory, arrow's and Python's, than a few chunks and blocks."""
    rows = 600_000
    (big_csv if kind == "csv" else big_parquet)(kit.folder / f"SPY.{kind}", rows)
    provider = kit.provider("SPY", session="all", timestamp_unit="us")
    tracemalloc.start()
    read = arrow_most = 0
    for chunk in provider.history("SPY", Timeframe.MINUTE_1, None, None):
        assert chunk.close[0] == read
        read += len(chunk.close)
        arrow_most = max(arrow_most, pa.total_allocated_bytes())
    _, python_most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == rows
    assert python_most < 16 * 2**20
    assert arrow_most < 48 * 2**20


def test_chunks_are_of_one_size_and_count_rows(kit):
    """All chunks but the last have 32,768 rows, whatever the blocks they were read in, and know their first row."""
    big_csv(kit.folder / "SPY.csv", 70_000)
    big_parquet(kit.folder / "IBM.parquet", 70_000, group=9_999)
    for symbol in ("SPY", "IBM"):
        chunks = kit.chunks(symbol, session="all", timestamp_unit="us")
        assert [len(chunk.start_ns) for chunk in chunks] == [CHUNK_ROWS, CHUNK_ROWS, 70_000 - 2 * CHUNK_ROWS]
        assert [chunk.first_row for chunk in chunks] == [1, 1 + CHUNK_ROWS, 1 + 2 * CHUNK_ROWS]
        for chunk in chunks:
            assert chunk.start_ns.dtype == np.int64
            assert all(getattr(chunk, name).dtype == np.float64 for name in COLUMNS[1:])


def test_a_range_is_not_read_to_the_end_of_the_file(kit):
    """What lies a block beyond the range is not looked at: a fault there is not this range's."""
    big_csv(kit.folder / "SPY.csv", 70_000)
    with (kit.folder / "SPY.csv").open("a", encoding="utf-8", newline="\n") as file:
        file.write("nonsense,1,1,1,1,1\n")
    end_ns = (OPEN_US + 10 * MINUTE_US) * 1_000
    (chunk,) = kit.chunks("SPY", session="all", timestamp_unit="us", end_ns=end_ns)
    assert len(chunk.close) == 10


@given(sizes=st.lists(st.integers(0, 3 * CHUNK_ROWS), max_size=6))
@settings(max_examples=30)
def test_rows_come_out_once_and_in_order(sizes):
    """However rows are handed in, they come out once, in order, in full chunks and one rest."""
    builder, chunks, first = ChunkBuilder("SPY"), [], 0
    for size in sizes:
        rows = np.arange(first + 1, first + size + 1, dtype=np.int64)
        numbers = rows.astype(np.float64)
        chunks += builder.add((rows, rows * 60, numbers, numbers, numbers, numbers, numbers))
        first += size
    chunks += builder.rest()
    assert not list(builder.rest())
    total = sum(sizes)
    full, rest = divmod(total, CHUNK_ROWS)
    assert [len(chunk.close) for chunk in chunks] == [CHUNK_ROWS] * full + [rest] * (rest > 0)
    joined = np.concatenate([chunk.close for chunk in chunks]) if chunks else np.array([])
    assert np.array_equal(joined, np.arange(1, total + 1))
    assert all(chunk.first_row == int(chunk.close[0]) for chunk in chunks)


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(rows=st.lists(st.tuples(floats, floats, floats, floats, st.integers(0, 2**53)), min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_and_doubles_give_the_same_bits(kit, rows):
    """Any float, written as Python writes it, is read from CSV bit for bit as from Parquet."""
    times = [OPEN_US + number * MINUTE_US for number in range(len(rows))]
    lines = [f"{time},{','.join(map(repr, row))}" for time, row in zip(times, rows, strict=True)]
    kit.write("SPY.csv", *lines)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS[1:])}
    kit.write_parquet("IBM.parquet", timestamp=pa.array(times, pa.timestamp("us", "UTC")), **columns)
    csv = kit.columns("SPY", session="all", timestamp_unit="us")
    parquet = kit.columns("IBM", session="all")
    assert all(csv[name].tobytes() == parquet[name].tobytes() for name in COLUMNS)
