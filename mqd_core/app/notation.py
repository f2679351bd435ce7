"""How results, logs and tables write decimals and times: one notation, read by programs and people alike.

May not round but to cents, and not by the thread's decimal context.
"""

from __future__ import annotations

import math
from decimal import Decimal

from mqd_core.domain.money import EXACT, cents
from mqd_core.logging.line import timestamp_text


def decimal_text(value: Decimal) -> str:
    """A decimal in plain digits: no exponent, no trailing zeros, no negative zero."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def cents_text(value: Decimal) -> str:
    """USD with two decimals, half to even, no negative zero."""
    return format(EXACT.plus(cents(value)), "f")


def time_text(time_ns: int) -> str:
    """UTC nanoseconds since 1970 as `2025-01-19T18:30:45Z`; with six decimals where they are not zero."""
    text = timestamp_text(time_ns)
    return text.replace(".000000Z", "Z")


def rounded(value: Decimal | float | None, decimals: int) -> float | None:
    """A statistic as JSON has it: None for what is no finite number, no negative zero."""
    number = None if value is None else float(value)
    return None if number is None or not math.isfinite(number) else round(number, decimals) + 0.0
