"""Prices and volumes: arrow columns into float64, bit for bit the same from text, integers and decimals.

Reads what is written and judges no value: that a price is positive and a row in order is for mqd's data validator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from mqd_plugin_files.block import BadValue, Floats


def floats_of(column: pa.Array) -> Floats:
    """Return a column of text, float64, integers or decimals as float64, each the float nearest to what is written.

    Raises:
        BadValue: the first value that is no number, has no value, or does not fit a float64.
    """
    kind = column.type
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        # 84.27 as float32 is 84.2699966430664: no price that anybody quoted.
        allowed = "prices need 64 bits to be exact to the cent: write the column as double"
        raise BadValue(0, f"of type {kind}", allowed)
    refuse_nulls(column, "a number such as 101.25 is allowed")
    if pa.types.is_decimal(kind):
        # By way of text: arrow's own way from decimal to float is not correctly rounded.
        column = column.cast(pa.string())
    elif not (is_text(kind) or pa.types.is_integer(kind) or pa.types.is_float64(kind)):
        raise BadValue(0, f"of type {kind}", "numbers or their text are allowed")
    numbers = cast(column, lambda part: part.cast(pa.float64()), "a number such as 101.25 is allowed")
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def refuse_nulls(column: pa.Array, allowed: str) -> None:
    """Raise BadValue for the first place without a value."""
    if column.null_count:
        index = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise BadValue(index, "empty", allowed)


def cast(column: pa.Array, convert: Callable[[pa.Array], pa.Array], allowed: str) -> pa.Array:
    """Convert a column. Raises BadValue for the first value that arrow cannot convert."""
    try:
        return convert(column)
    except pa.ArrowInvalid:
        index = _first_failing(column, convert)
        raise BadValue(index, repr(column[index].as_py()), allowed) from None


def _first_failing(column: pa.Array, convert: Callable[[pa.Array], pa.Array]) -> int:
    """Halve the column until one value is left: what fails is arrow's own word, with no second grammar beside it."""
    first, count = 0, len(column)
    while count > 1:
        half = count // 2
        try:
            convert(column.slice(first, half))
        except pa.ArrowInvalid:
            count = half
        else:
            first, count = first + half, count - half
    return first
