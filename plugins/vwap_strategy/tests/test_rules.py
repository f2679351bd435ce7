"""The rules of the strategy, one by one, on bars made by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import OrderType, SignalAction, TimeInForce


def test_nothing_is_said_before_the_window_is_full(kit):
    """However far the close falls, there is no entry while fewer bars than the window were seen."""
    strategy, view = kit.strategy(vwap_window=5), kit.view()
    assert [strategy.on_bar(bar, view) for bar in kit.bars([100, 100, 100, 50])] == [()] * 4


def test_the_bar_that_fills_the_window_may_enter(kit):
    """The first decision is made on the bar with which the window is full, that bar included in it."""
    strategy, view = kit.strategy(vwap_window=5), kit.view()
    signals = [strategy.on_bar(bar, view) for bar in kit.bars([100, 100, 100, 100, 90])]
    assert signals[:4] == [()] * 4
    assert len(signals[4]) == 1


def test_an_entry_says_what_it_was_made_of(kit):
    """An entry is a market order for the day with both levels as exact fractions, and its indicator values."""
    strategy = kit.strategy(vwap_window=4, entry_threshold="0.02", stop_loss_pct="0.03", take_profit_pct="0.015")
    signals = [strategy.on_bar(bar, kit.view()) for bar in kit.bars([100, 100, 100, 96])]
    (signal,) = signals[-1]
    assert signal.action is SignalAction.ENTER
    assert signal.symbol == kit.symbol
    assert signal.order_type is OrderType.MARKET
    assert signal.time_in_force is TimeInForce.DAY
    assert (signal.stop_loss, signal.take_profit) == (Decimal("0.03"), Decimal("0.015"))
    assert signal.reason == (("close", 96.0), ("vwap", 99.0), ("threshold", 97.02), ("rule", "below_vwap"))


@pytest.mark.parametrize(
    ("close", "enters"),
    [(97.99, True), (98.0, False), (98.01, False), (97.99999999999999, True), (98.00000000000001, False)],
)
def test_a_close_on_the_threshold_is_no_entry(kit, close, enters):
    """The close must be below VWAP * (1 - threshold), exactly: an equal one, or one a float's step above, is not."""
    strategy, view = kit.strategy(vwap_window=2, entry_threshold="0.02"), kit.view()
    strategy.on_bar(kit.bar(100.0, 100.0), view)
    # All of the window's volume is in the first bar: its VWAP is 100, whatever the second closes at.
    assert bool(strategy.on_bar(kit.bar(close, 0.0), view)) is enters


def test_prices_are_weighted_by_volume_and_are_the_mean_of_high_low_and_close(kit):
    """VWAP is the sum of (high + low + close) / 3 * volume over the sum of volume."""
    strategy, view = kit.strategy(vwap_window=2, entry_threshold="0.000000001"), kit.view()
    strategy.on_bar(kit.bar(100.0, 300.0, high=104.0, low=99.0), view)
    (signal,) = strategy.on_bar(kit.bar(90.0, 100.0, high=95.0, low=88.0), view)
    assert dict(signal.reason)["vwap"] == pytest.approx((101 * 300 + 91 * 100) / 400)


def test_only_the_last_bars_count(kit):
    """A bar that has left the window has no part in the average."""
    strategy, view = kit.strategy(vwap_window=3), kit.view()
    said = [strategy.on_bar(bar, view) for bar in kit.bars([500, 100, 100, 100, 100, 97, 95])]
    assert [len(signals) for signals in said] == [0, 0, 1, 0, 0, 1, 1]
    assert [dict(said[number][0].reason)["vwap"] for number in (2, 5)] == pytest.approx([700 / 3, 297 / 3])
    assert dict(said[6][0].reason)["vwap"] == pytest.approx((100 + 97 + 95) / 3)


def test_a_window_without_volume_gives_no_entry(kit):
    """Without volume there is no VWAP, so nothing can be below it."""
    strategy, view = kit.strategy(vwap_window=3), kit.view()
    assert [strategy.on_bar(kit.bar(close, 0.0), view) for close in (100.0, 100.0, 100.0, 1.0)] == [()] * 4


def test_a_position_is_left_at_the_profit_and_not_before(kit):
    """With one per cent, a position bought at 100 is left at 101 exactly, and kept at a float's step below."""
    strategy, view = kit.strategy(vwap_window=2, take_profit_pct="0.01"), kit.view(kit.holding("100"))
    assert strategy.on_bar(kit.bar(100.99999999999999), view) == ()
    (signal,) = strategy.on_bar(kit.bar(101.0), view)
    assert signal.action is SignalAction.EXIT
    assert (signal.stop_loss, signal.take_profit) == (None, None)
    expected = (("close", 101.0), ("entry_price", "100"), ("threshold", "101.00"), ("rule", "take_profit"))
    assert signal.reason == expected


def test_a_position_is_left_at_the_stop_and_not_before(kit):
    """With two per cent, a position bought at 100 is left at 98 exactly, and kept at a float's step above."""
    strategy, view = kit.strategy(vwap_window=2, stop_loss_pct="0.02"), kit.view(kit.holding("100"))
    assert strategy.on_bar(kit.bar(98.00000000000001), view) == ()
    (signal,) = strategy.on_bar(kit.bar(98.0), view)
    assert signal.action is SignalAction.EXIT
    assert dict(signal.reason)["rule"] == "stop_loss"


def test_levels_are_those_of_decimals_and_not_of_floats(kit):
    """66.67 * 1.01 is 67.3367 in decimals, and 67.33670000000001 in floats: a close of 67.3367 takes the profit."""
    assert 66.67 * 1.01 > 67.3367
    strategy, view = kit.strategy(vwap_window=2, take_profit_pct="0.01"), kit.view(kit.holding("66.67"))
    (signal,) = strategy.on_bar(kit.bar(67.3367), view)
    assert dict(signal.reason)["rule"] == "take_profit"


def test_an_exit_does_not_wait_for_the_window(kit):
    """After a restart with too little history a stop still works on the first bar."""
    strategy = kit.strategy(vwap_window=500)
    (signal,) = strategy.on_bar(kit.bar(50.0), kit.view(kit.holding("100")))
    assert dict(signal.reason)["rule"] == "stop_loss"


def test_in_a_position_there_is_no_second_entry(kit):
    """A close far below the VWAP between the two levels says nothing while something is held."""
    strategy, view = kit.strategy(vwap_window=3, stop_loss_pct="0.5"), kit.view()
    for bar in kit.bars([100, 100, 100]):
        strategy.on_bar(bar, view)
    view.book = kit.holding("100")
    assert strategy.on_bar(kit.bar(60.0), view) == ()


def test_levels_follow_the_book(kit):
    """A further fill moves the average price, and with it both levels; a sold book ends them."""
    strategy, view = kit.strategy(vwap_window=2, take_profit_pct="0.01"), kit.view(kit.holding("100"))
    assert strategy.on_bar(kit.bar(100.5), view) == ()
    view.book = kit.holding("99.5", quantity="3")
    (signal,) = strategy.on_bar(kit.bar(100.5), view)
    assert ("threshold", "100.495") in signal.reason
    view.book = kit.flat()
    assert strategy.on_bar(kit.bar(100.5), view) == ()


def test_a_fill_changes_nothing_by_itself(kit):
    """The strategy learns of executions from the book alone."""
    strategy = kit.strategy()
    assert strategy.on_fill(None, kit.view()) is None


def test_the_window_is_filled_in_a_position_too(kit):
    """Bars seen while something was held count: after an exit the next entry needs no new warm-up."""
    strategy, view = kit.strategy(vwap_window=3), kit.view(kit.holding("100"))
    for bar in kit.bars([100, 100, 100]):
        assert strategy.on_bar(bar, view) == ()
    view.book = kit.flat()
    assert len(strategy.on_bar(kit.bar(90.0), view)) == 1
