"""Laws of the sizer over any account: never above a limit, never less for more money, never negative."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import SHARE_STEP

usd = st.decimals("0", "5000", places=9)
money = st.decimals("-500", "5000", places=9)
prices = st.decimals("0.0001", "2000", places=4)
percents = st.decimals("0.01", "100", places=2)
stops = st.one_of(st.none(), st.decimals("0.0001", "0.9999", places=4))
limits = st.one_of(st.none(), st.decimals("0.01", "2000", places=2))


@st.composite
def cases(draw, kit):
    """A signal and a view of any shape."""
    view = kit.view(
        price=draw(prices),
        equity=draw(money),
        cash_free=draw(money),
        value_held=draw(usd),
        position_limit_pct=draw(percents),
        risk_per_trade_pct=draw(percents),
        order_value_limit=draw(st.one_of(st.none(), usd)),
        asset=kit.asset(fractionable=draw(st.booleans()), minimum=str(draw(st.integers(0, 5)))),
    )
    stop_loss, limit = draw(stops), draw(limits)
    return kit.signal(stop_loss and str(stop_loss), limit and str(limit)), view


def exact_bounds(signal, view):
    """The formulas of the design as fractions."""
    price, equity = Fraction(view.price), Fraction(view.equity)
    yield (equity * Fraction(view.position_limit_pct) / 100 - Fraction(view.value_held)) / price
    if signal.stop_loss is not None:
        yield equity * Fraction(view.risk_per_trade_pct) / (100 * Fraction(signal.stop_loss) * price)
    if view.order_value_limit is not None:
        yield Fraction(view.order_value_limit) / price
    yield Fraction(view.cash_free) / (Fraction(signal.limit_price) if signal.limit_price else Fraction("1.03") * price)


def quantity_of(kit, signal, view):
    """What is bought, nothing as zero."""
    return kit.sizer(minimum_order_usd="0").size(signal, view).quantity or Decimal(0)


@given(data=st.data())
def test_a_size_is_the_least_bound_floored(kit, data):
    """The quantity is the floor of the least bound, to nine decimals or whole shares, or nothing and says why."""
    signal, view = data.draw(cases(kit))
    size = kit.sizer().size(signal, view)
    least = min(exact_bounds(signal, view))
    step = Fraction(SHARE_STEP) if view.asset.fractionable else Fraction(1)
    floored = least // step * step
    worth = floored * min(Fraction(view.price), Fraction(signal.limit_price or view.price))
    if floored > 0 and worth >= max(Fraction(view.asset.minimum_notional_usd), 1):
        assert Fraction(size.quantity) == floored
    else:
        assert size.quantity is None
        assert size.reason.startswith("nothing: ")
    assert size.notional is None


@given(data=st.data())
def test_a_size_is_never_above_a_bound(kit, data):
    """Whatever is bought is positive and at most what each limit allows, in exact arithmetic."""
    signal, view = data.draw(cases(kit))
    quantity = kit.sizer().size(signal, view).quantity
    if quantity is not None:
        assert quantity > 0
        assert all(Fraction(quantity) <= bound for bound in exact_bounds(signal, view))
        assert quantity % (SHARE_STEP if view.asset.fractionable else 1) == 0


@given(data=st.data(), more=usd)
def test_more_money_never_buys_less(kit, data, more):
    """With more equity, more cash or less held, the quantity is at least the same."""
    signal, view = data.draw(cases(kit))
    before = quantity_of(kit, signal, view)
    for field in ("equity", "cash_free"):
        richer = kit.view(**{**vars(view), field: getattr(view, field) + more})
        assert quantity_of(kit, signal, richer) >= before
    freer = kit.view(**{**vars(view), "value_held": max(Decimal(0), view.value_held - more)})
    assert quantity_of(kit, signal, freer) >= before


@given(data=st.data())
def test_the_same_question_has_the_same_answer(kit, data):
    """A sizer keeps nothing between calls, reasons included."""
    signal, view = data.draw(cases(kit))
    sizer = kit.sizer()
    assert sizer.size(signal, view) == sizer.size(signal, view) == kit.sizer().size(signal, view)
