"""Exact money: the one border from float to Decimal, and every rounding by name and direction.

May not change the thread's decimal context, round without a direction, or compare a float with a Decimal.
Sums, differences and products of prices, quantities and cash go through EXACT, which refuses to lose a digit;
whatever cannot be exact (a quotient) goes through one of the named functions below.
"""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import lru_cache
from typing import Final

#: Add, subtract and multiply here: 38 digits, and a lost digit raises `decimal.Inexact` instead of passing unnoticed.
EXACT: Final = Context(prec=38, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
#: Used only inside the named functions of this module: a quotient has to be rounded somewhere.
_ROUNDED: Final = Context(prec=38, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_DOWN: Final = Context(prec=38, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow])
#: For products that have to be on one side of the true one: a fraction may have more digits than EXACT can hold.
_UP: Final = Context(prec=38, rounding=ROUND_CEILING, traps=[InvalidOperation, DivisionByZero, Overflow])

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
HUNDRED: Final = Decimal(100)
#: The smallest part of a share that Alpaca trades: nine decimals.
SHARE_STEP: Final = Decimal("0.000000001")
CENT: Final = Decimal("0.01")
#: More shares or dollars than an order of this desk can have: keeps every product of amounts and prices exact.
AMOUNT_MAX: Final = Decimal(100_000_000)
#: Cost basis keeps 18 decimals: a price of 9 times a quantity of 9.
_COST_STEP: Final = Decimal("1e-18")
#: SEC Rule 612 (17 CFR 242.612): quotes at or above $1 move in cents, below in hundredths of a cent.
_SUB_DOLLAR_TICK: Final = Decimal("0.0001")

add = EXACT.add
subtract = EXACT.subtract
multiply = EXACT.multiply


@lru_cache(maxsize=65_536)
def money(value: float) -> Decimal:
    """Turn a float of market data into the decimal it prints as: the one border between the two.

    `repr` gives the shortest decimal that reads back as the same float, so a price that was read from text with at
    most 15 digits comes back as exactly that text. Raises ValueError for NaN and infinities.
    """
    # Equal numbers share a place in the cache (1, 1.0 and numpy's; 0.0 and -0.0): they have to be one decimal too, or
    # what it prints as, and with it the decision hash, would depend on who asked first.
    number = Decimal(repr(float(value) + 0.0))
    if not number.is_finite():
        message = f"{value!r} is not a price or quantity"
        raise ValueError(message)
    return number


def is_amount(value: Decimal, step: Decimal) -> bool:
    """Whether a value can be an amount or a price: finite, above zero, at most AMOUNT_MAX, a multiple of `step`."""
    return value.is_finite() and ZERO < value <= AMOUNT_MAX and not _ROUNDED.remainder(value, step)


def floor9(value: Decimal) -> Decimal:
    """Round a quantity down to nine decimals, towards minus infinity."""
    return value.quantize(SHARE_STEP, ROUND_FLOOR, _ROUNDED)


def divide_down(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Divide once and round the quotient down to nine decimals; never more than the true quotient."""
    return _DOWN.divide(dividend, divisor).quantize(SHARE_STEP, ROUND_FLOOR, _ROUNDED)


def whole_down(value: Decimal) -> Decimal:
    """Round a quantity down to whole shares."""
    return value.quantize(ONE, ROUND_FLOOR, _ROUNDED)


def cents(value: Decimal) -> Decimal:
    """Round to cents, half to even: for results that people read, never for cash that is kept."""
    return value.quantize(CENT, ROUND_HALF_EVEN, _ROUNDED)


def cents_up(value: Decimal) -> Decimal:
    """Round up to the next cent: how regulatory fees of a day are charged."""
    return value.quantize(CENT, ROUND_CEILING, _ROUNDED)


def average_price(cost: Decimal, quantity: Decimal) -> Decimal:
    """Cost per share, half to even at nine decimals; zero for an empty book."""
    if not quantity:
        return ZERO
    return _ROUNDED.divide(cost, quantity).quantize(SHARE_STEP, ROUND_HALF_EVEN, _ROUNDED)


def share_of_cost(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The cost that leaves a book when `part` of `whole` shares leave it; all of it when all leave."""
    if part == whole:
        return cost
    product = _ROUNDED.multiply(cost, part)
    return _ROUNDED.divide(product, whole).quantize(_COST_STEP, ROUND_HALF_EVEN, _ROUNDED)


def percent_of(value: Decimal, percent: Decimal) -> Decimal:
    """`percent` per cent of `value`; exact, since a division by 100 only moves the point."""
    return EXACT.multiply(value, percent).scaleb(-2, EXACT)


def ratio(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quotient for people and reports, half to even at nine decimals; zero when the divisor is zero."""
    if not divisor:
        return ZERO
    return _ROUNDED.divide(dividend, divisor).quantize(SHARE_STEP, ROUND_HALF_EVEN, _ROUNDED)


def price_tick(price: Decimal) -> Decimal:
    """The smallest step of a price at this level (SEC Rule 612)."""
    return CENT if price >= ONE else _SUB_DOLLAR_TICK


def price_down(price: Decimal) -> Decimal:
    """Round a price down to its tick: a buy limit that may not become worse, a sell stop's counterpart."""
    return price.quantize(price_tick(price), ROUND_FLOOR, _ROUNDED)


def price_up(price: Decimal) -> Decimal:
    """Round a price up to its tick: a sell limit that may not become worse, a sell stop that may not come later."""
    return price.quantize(price_tick(price), ROUND_CEILING, _ROUNDED)


def stop_below(price: Decimal, fraction: Decimal) -> Decimal:
    """`price` times (1 - `fraction`) as a sell stop: rounded up to its tick, so that it may not come later."""
    return price_up(_UP.multiply(price, _UP.subtract(ONE, fraction)))


def is_on_tick(price: Decimal) -> bool:
    """Whether a price needs no rounding to its tick."""
    return price == price_down(price)
