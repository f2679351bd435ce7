"""Money: the border from float to Decimal, every rounding and its direction, and no trust in the thread's context."""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, Inexact, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain import money as m

if TYPE_CHECKING:
    from collections.abc import Callable

amounts = st.decimals(min_value=0, max_value=10_000_000, places=9)
signed = st.decimals(min_value=-10_000_000, max_value=10_000_000, places=9)
positive = st.decimals(min_value=Decimal("0.000000001"), max_value=1_000_000, places=9)
prices = st.decimals(min_value=Decimal("0.0001"), max_value=1_000_000, places=6)


class TestBorder:
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_reads_back(self, value: float) -> None:
        """The decimal of a float is the one that the float prints as, and reads back as the same float."""
        assert float(m.money(value)) == value
        assert value == 0.0 or str(m.money(value)) == str(Decimal(repr(value)))

    @given(st.integers(0, 999_999_999), st.integers(0, 6))
    def test_text_survives(self, digits: int, places: int) -> None:
        """A price of at most 15 digits that came as text comes out as the same number."""
        price = Decimal(digits).scaleb(-places)
        assert m.money(float(str(price))) == price

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_no_number(self, value: float) -> None:
        """What is no number is refused by name."""
        with pytest.raises(ValueError, match="is not a price or quantity"):
            m.money(value)

    def test_history_does_not_matter(self) -> None:
        """Equal numbers give one decimal, to the last printed digit, whichever of them was asked for first."""
        for first, second in ((1, 1.0), (1.0, 1), (True, 1.0), (0.0, -0.0), (-0.0, 0.0)):
            m.money.cache_clear()
            assert str(m.money(first)) == str(m.money(second))

    def test_other_floats(self) -> None:
        """A float of a library's own class, which prints in another way, is the float that it is."""

        class Loud(float):
            def __repr__(self) -> str:
                return f"Loud({float(self)})"

        m.money.cache_clear()
        assert m.money(Loud(1.5)) == Decimal("1.5")


class TestExact:
    def test_refuses_to_lose_a_digit(self) -> None:
        """A sum or product that needs more than 38 digits raises instead of being rounded."""
        long = Decimal("1234567890123456789.123456789")
        assert m.multiply(long, Decimal("1.5")) == Decimal("1851851835185185183.6851851835")
        with pytest.raises(Inexact):
            m.multiply(long, long)
        with pytest.raises(Inexact):
            m.add(Decimal("1e30"), Decimal("1e-9"))

    @given(signed, signed)
    def test_is_arithmetic(self, one: Decimal, other: Decimal) -> None:
        """Sums, differences and products are those of fractions."""
        assert Fraction(m.add(one, other)) == Fraction(one) + Fraction(other)
        assert Fraction(m.subtract(one, other)) == Fraction(one) - Fraction(other)
        assert Fraction(m.multiply(one, other)) == Fraction(one) * Fraction(other)


class TestRounding:
    @given(signed, positive)
    def test_divide_down(self, dividend: Decimal, divisor: Decimal) -> None:
        """A division rounds down once: never above the true quotient, and less than one step below it."""
        quotient, true = Fraction(m.divide_down(dividend, divisor)), Fraction(dividend) / Fraction(divisor)
        assert quotient <= true < quotient + Fraction(m.SHARE_STEP)

    @given(st.decimals(-1000, 1000, places=12))
    def test_floor9(self, value: Decimal) -> None:
        """A quantity rounds down to nine decimals, towards minus infinity."""
        floored = m.floor9(value)
        assert floored <= value < floored + m.SHARE_STEP
        assert floored.as_tuple().exponent == -9

    @pytest.mark.parametrize(
        ("function", "value", "expected"),
        [
            (m.cents, "0.125", "0.12"),
            (m.cents, "0.135", "0.14"),
            (m.cents, "-0.125", "-0.12"),
            (m.cents_up, "0.121", "0.13"),
            (m.cents_up, "0.12", "0.12"),
            (m.whole_down, "3.999999999", "3"),
            (m.price_down, "145.129", "145.12"),
            (m.price_up, "145.121", "145.13"),
            (m.price_down, "0.98769", "0.9876"),
            (m.price_up, "0.99991", "1.0000"),
            (m.price_down, "1.0099", "1.00"),
        ],
    )
    def test_named(self, function: Callable[[Decimal], Decimal], value: str, expected: str) -> None:
        """Each named rounding goes its own way: cents half to even, fees up, prices to their tick."""
        assert function(Decimal(value)) == Decimal(expected)

    @given(prices)
    def test_ticks(self, price: Decimal) -> None:
        """A price lies between its two ticks, less than one tick from either; on a tick both are the price."""
        down, up, tick = m.price_down(price), m.price_up(price), m.price_tick(price)
        assert down <= price <= up
        assert price - down < tick
        assert up - price < tick
        assert m.is_on_tick(price) == (down == price) == (up == price)

    def test_ticks_change_at_one_dollar(self) -> None:
        """At a dollar and above a price moves in cents, below in hundredths of a cent."""
        assert m.price_tick(Decimal(1)) == Decimal("0.01")
        assert m.price_tick(Decimal("0.9999")) == Decimal("0.0001")

    @given(amounts, positive)
    def test_average_price(self, cost: Decimal, quantity: Decimal) -> None:
        """An average price is off by half a step at most; an empty book has none."""
        average = Fraction(m.average_price(cost, quantity))
        assert abs(average - Fraction(cost) / Fraction(quantity)) <= Fraction(m.SHARE_STEP) / 2
        assert m.average_price(cost, m.ZERO) == m.ZERO

    @given(st.lists(positive, min_size=1, max_size=12), amounts)
    def test_cost_leaves_whole(self, parts: list[Decimal], cost: Decimal) -> None:
        """Whatever parts a book is sold in, their costs add up to its cost: the last part takes all that is left."""
        left, whole, removed = cost, m.ZERO, m.ZERO
        for part in parts:
            whole = m.add(whole, part)
        for part in parts:
            share = m.share_of_cost(left, part, whole)
            left, whole, removed = m.subtract(left, share), m.subtract(whole, part), m.add(removed, share)
        assert (left, removed) == (m.ZERO, cost)

    @given(signed, st.decimals(0, 100, places=2))
    def test_percent_is_exact(self, value: Decimal, percent: Decimal) -> None:
        """A percentage loses nothing: dividing by a hundred moves the point."""
        assert Fraction(m.percent_of(value, percent)) == Fraction(value) * Fraction(percent) / 100

    def test_ratio(self) -> None:
        """A ratio rounds half to even at nine decimals, and is zero where there is nothing to divide by."""
        assert m.ratio(Decimal(2), Decimal(3)) == Decimal("0.666666667")
        assert m.ratio(Decimal(2), m.ZERO) == m.ZERO
        with pytest.raises(DivisionByZero):
            m.divide_down(Decimal(2), m.ZERO)


class TestAmount:
    @pytest.mark.parametrize(
        ("value", "is_one"),
        [
            ("0.000000001", True),
            ("100000000", True),
            ("100000000.000000001", False),
            ("0", False),
            ("-1", False),
            ("0.0000000001", False),
            ("1e-400", False),
            ("1e400", False),
            ("0." + "1" * 60, False),
            ("NaN", False),
            ("sNaN", False),
            ("Infinity", False),
        ],
    )
    def test_amounts(self, value: str, is_one: bool) -> None:
        """An amount is finite, above zero, of nine decimals at the most, up to a hundred million; nothing else is."""
        assert m.is_amount(Decimal(value), m.SHARE_STEP) is is_one


def test_the_context_of_the_thread_does_not_matter() -> None:
    """Every function gives the same in a thread whose context has two digits and traps everything."""
    value, other = Decimal("123456.789012345"), Decimal("7.654321")
    functions: list[Callable[[], object]] = [
        lambda: m.money(123456.789),
        lambda: m.floor9(value),
        lambda: m.divide_down(value, other),
        lambda: m.average_price(value, other),
        lambda: m.share_of_cost(value, other, Decimal(9)),
        lambda: m.percent_of(value, other),
        lambda: m.price_up(value),
        lambda: m.is_on_tick(value),
        lambda: m.is_amount(value, m.SHARE_STEP),
        lambda: m.multiply(m.add(value, other), m.subtract(value, other)),
        lambda: m.cents(m.ratio(value, other)),
    ]
    expected = [function() for function in functions]
    m.money.cache_clear()
    with localcontext(Context(prec=2, traps=[Inexact])):
        assert [function() for function in functions] == expected
