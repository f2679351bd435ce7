"""Floats of market data and exact decimals meet at one border: what must and what must not type-check. Never run."""

from __future__ import annotations

from decimal import Decimal

from mqd_core.api import EXACT, Bar, cents, floor9, money


def crosses_the_border(bar: Bar) -> Decimal:
    """A close becomes money at the border."""
    return cents(EXACT.multiply(money(bar.close), Decimal(2)))


def rounds_a_float(bar: Bar) -> Decimal:
    """A float may not be rounded as if it were money."""
    return floor9(bar.close)  # type: ignore[arg-type]


def multiplies_a_float(bar: Bar, quantity: Decimal) -> None:
    """A float may not be multiplied with a quantity."""
    quantity * bar.close  # type: ignore[operator]


def adds_a_float(bar: Bar, cash: Decimal) -> None:
    """A float may not be added to cash."""
    cash + bar.close  # type: ignore[operator]
