"""The sizer's limits one by one, by numbers that can be checked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest


def test_position_size_limits_the_value(kit):
    """Ten per cent of $1,000 at $50 is two shares."""
    size = kit.sizer().size(kit.signal(), kit.view())
    assert size.quantity == Decimal(2)
    assert size.notional is None
    assert size.reason == "risk.max_position_size_pct allows 2.000000000 ($100.00 at $50 a share)"


def test_what_is_held_takes_its_part(kit):
    """With $60 of $100 held already there is room for $40."""
    assert kit.sizer().size(kit.signal(), kit.view(value_held="60")).quantity == Decimal("0.8")


def test_risk_limits_what_a_stop_may_lose(kit):
    """One per cent of $1,000 is $10; at a stop of 25 % each share of $50 risks $12.50."""
    size = kit.sizer().size(kit.signal(stop_loss="0.25"), kit.view())
    assert size.quantity == Decimal("0.8")
    assert size.reason == "risk.risk_per_trade_pct allows 0.800000000 ($10.00 at $12.50 a share)"


def test_risk_per_trade_is_per_cent_and_the_stop_a_fraction(kit):
    """risk_per_trade_pct 0.5 is half a per cent; stop_loss 0.5 is half the price."""
    view = kit.view(risk_per_trade_pct="0.5", position_limit_pct="100")
    assert kit.sizer().size(kit.signal(stop_loss="0.5"), view).quantity == Decimal("0.2")


def test_without_a_stop_risk_limits_nothing(kit):
    """A risk of a millionth of a per cent changes nothing for a signal without a stop."""
    assert kit.sizer().size(kit.signal(), kit.view(risk_per_trade_pct="0.000001")).quantity == Decimal(2)


def test_cash_is_measured_three_per_cent_above_the_close(kit):
    """$51.50 of free cash buys one share of $50, since a market order may pay up to 3 % more."""
    size = kit.sizer().size(kit.signal(), kit.view(cash_free="51.50"))
    assert size.quantity == Decimal(1)
    assert size.reason == "free cash allows 1.000000000 ($51.50 at $51.50 a share)"


def test_cash_is_measured_at_the_limit_of_a_limit_order(kit):
    """$48 of free cash buys one share at a limit of $48: nothing above the limit can be paid."""
    assert kit.sizer().size(kit.signal(limit="48"), kit.view(cash_free="48")).quantity == Decimal(1)


def test_cash_is_measured_above_the_stop_of_a_stop_order(kit):
    """A buy stop at $60 costs $60 and up to 3 % more."""
    assert kit.sizer().size(kit.signal(stop="60"), kit.view(cash_free="61.80")).quantity == Decimal(1)
    assert kit.sizer().size(kit.signal(stop="60", limit="61"), kit.view(cash_free="61")).quantity == Decimal(1)


def test_value_limits_are_measured_at_the_close_of_a_limit_order_too(kit):
    """A limit of $40 does not make the position limit of $100 at $50 allow more than two shares."""
    assert kit.sizer().size(kit.signal(limit="40"), kit.view()).quantity == Decimal(2)


def test_order_value_limits_one_order(kit):
    """With max_order_value_usd at $25 an order at $50 is half a share."""
    size = kit.sizer().size(kit.signal(), kit.view(order_value_limit="25"))
    assert size.quantity == Decimal("0.5")
    assert size.reason.startswith("risk.max_order_value_usd allows")


def test_quotients_are_floored_to_nine_decimals(kit):
    """$100 at $3 is 33.333333333 shares, never the rounded 33.333333334."""
    assert kit.sizer().size(kit.signal(), kit.view(price="3")).quantity == Decimal("33.333333333")
    assert kit.sizer().size(kit.signal(), kit.view(price="7")).quantity == Decimal("14.285714285")


def test_whole_shares_where_the_venue_has_no_fractions(kit):
    """$100 at $30 is three shares when the symbol is not fractionable."""
    view = kit.view(price="30", asset=kit.asset(fractionable=False))
    assert kit.sizer().size(kit.signal(), view).quantity == Decimal(3)


def test_less_than_one_whole_share_is_nothing(kit):
    """A share that costs more than the limit is not bought where fractions are not traded, and the reason says so."""
    size = kit.sizer().size(kit.signal(), kit.view(price="101", asset=kit.asset(fractionable=False)))
    assert size.quantity is None
    assert size.reason == (
        "nothing: risk.max_position_size_pct allows 0.990099009 ($100.00 at $101 a share); SPHD trades in whole shares"
    )


@pytest.mark.parametrize(
    ("fields", "bound"),
    [
        ({"value_held": "100"}, "risk.max_position_size_pct"),
        ({"value_held": "250"}, "risk.max_position_size_pct"),
        ({"cash_free": "0"}, "free cash"),
        ({"cash_free": "-12.34"}, "free cash"),
        ({"equity": "0"}, "risk.max_position_size_pct"),
        ({"equity": "-5"}, "risk.max_position_size_pct"),
    ],
)
def test_no_room_is_no_order(kit, fields, bound):
    """A limit that is used up, or passed, gives neither a quantity nor a notional, and is named."""
    size = kit.sizer().size(kit.signal(), kit.view(**fields))
    assert (size.quantity, size.notional) == (None, None)
    assert size.reason.startswith(f"nothing: {bound} allows ")


@pytest.mark.parametrize(("cash", "quantity"), [("1.03", "0.02"), ("1.029999", None)])
def test_an_order_below_the_venue_s_minimum_is_not_made(kit, cash, quantity):
    """An order worth exactly the minimum is made; below it there is none, and the reason has the numbers."""
    size = kit.sizer().size(kit.signal(), kit.view(cash_free=cash))
    assert size.quantity == (None if quantity is None else Decimal(quantity))
    assert ("the minimum is $1" in size.reason) is (quantity is None)


def test_a_minimum_of_one_s_own_is_kept(kit):
    """With minimum_order_usd at 25 an order worth $20 is not made, though the venue would take it."""
    assert kit.sizer(minimum_order_usd="25").size(kit.signal(), kit.view(value_held="80")).quantity is None
    assert kit.sizer(minimum_order_usd="20").size(kit.signal(), kit.view(value_held="80")).quantity is not None


def test_the_venue_s_minimum_stands_above_one_s_own(kit):
    """A minimum of 0 in the settings does not lift the venue's."""
    view = kit.view(value_held="80", asset=kit.asset(minimum="20.01"))
    assert kit.sizer(minimum_order_usd="0").size(kit.signal(), view).quantity is None


def test_the_minimum_is_measured_at_the_lower_of_close_and_limit(kit):
    """Two shares are worth $100 at the close, and $80 at the limit by which the venue may judge them."""
    view = kit.view(asset=kit.asset(minimum="90"))
    assert kit.sizer().size(kit.signal(), view).quantity == Decimal(2)
    assert kit.sizer().size(kit.signal(limit="40"), view).quantity is None


def test_of_equal_bounds_the_first_is_named(kit):
    """Where two limits allow the same, the reason is always the same one."""
    view = kit.view(order_value_limit="100", cash_free="103")
    assert kit.sizer().size(kit.signal(), view).reason.startswith("risk.max_position_size_pct")


def test_all_the_digits_that_fills_leave_in_cash_are_taken(kit):
    """Cash and equity of 18 decimals, as unrounded fills leave them, are sized exactly and not refused."""
    view = kit.view(equity="1234.123456789123456789", value_held="23.412345678912345678", price="84.275")
    # (123.4123456789123456789 - 23.412345678912345678) / 84.275 = 1.186591515...
    assert kit.sizer().size(kit.signal(), view).quantity == Decimal("1.186591515")
