"""Tables and texts: aligned, safe to print, the same everywhere."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from mqd_core.cli.printing import cell, is_terminal
from mqd_core.cli.table import number, table_lines, text


def test_numbers_stand_right_and_words_left() -> None:
    """Columns are as wide as their widest cell; lines have no trailing spaces."""
    lines = [*table_lines((text("symbol"), number("value USD")), [("SPY", "9.50"), ("BRK.B", "1,000.00")])]

    assert lines == ["symbol  value USD", "SPY          9.50", "BRK.B    1,000.00"]


def test_an_optional_column_without_cells_is_left_out() -> None:
    """A column that is optional appears only where a row has something in it."""
    columns = (text("order"), number("stop USD", optional=True), text("remark", optional=True))

    assert [*table_lines(columns, [("a", "", "x"), ("b", "", "")])] == ["order  remark", "a      x", "b"]
    assert [*table_lines(columns, [])] == ["order"]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_no_cell_can_break_a_table(rows: list[tuple[str, str]]) -> None:
    """Whatever a cell holds, a table has one printable line a row."""
    lines = [*table_lines((text("a"), number("b")), rows)]

    assert len(lines) == len(rows) + 1
    assert all(line.isprintable() for line in lines)


def test_control_characters_are_made_visible() -> None:
    """An escape sequence in a broker's words cannot reach the terminal."""
    assert cell("ok\x1b[2J\nforged: line\u202e") == "ok?[2J forged: line?"


def test_a_closed_stream_is_no_terminal() -> None:
    """Asking a stream that is closed or absent answers no."""
    closed = io.StringIO()
    closed.close()

    assert not is_terminal(closed)
    assert not is_terminal(None)
    assert not is_terminal(io.StringIO())
