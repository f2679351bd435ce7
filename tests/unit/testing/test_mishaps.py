"""What happens to an account without its desk, and that all a broker tells of it fits together."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqd_core.api import EXACT, Activity, BrokerEvent, Fill, FillBusted, OrderReport, OrderStatus, Refused, Side
from mqd_core.testing.faults import PER_MINUTE, FaultKind, FaultPlan

NAME = "m1-abcdef-1-0-aaaa"
OPENING = Decimal(1000)


def holding(world: Any, *kinds: FaultKind, cash: str = "1000") -> Any:
    """A world that holds two shares bought at 10, in which these kinds strike from then on."""
    w = world(FaultPlan.always(*kinds), cash=cash)
    w.broker.submit(w.order())
    return w.trade()


def folded(movements: Iterable[BrokerEvent]) -> tuple[Decimal, dict[str, Decimal]]:
    """Cash and positions as a plain sum over the log says."""
    cash, shares = OPENING, {}
    for move in movements:
        if isinstance(move, Activity):
            cash, change = EXACT.add(cash, move.amount), move.quantity
        else:
            assert isinstance(move, Fill | FillBusted)
            is_buy = (move.side is Side.BUY) is isinstance(move, Fill)
            change = move.quantity if is_buy else -move.quantity
            cash = EXACT.subtract(cash, EXACT.multiply(change, move.price))
        shares[move.symbol] = EXACT.add(shares.get(move.symbol, Decimal(0)), change)
    return cash, {symbol: quantity for symbol, quantity in shares.items() if quantity}


def check_balance(w: Any) -> None:
    """Account, positions, activities and the truth tell one story."""
    truth, account = w.broker.truth(), w.broker.account()
    assert folded(truth.movements) == (truth.cash, truth.positions)
    assert [*w.broker.activities(None)] == [*truth.movements]
    assert account.cash == truth.cash
    assert {held.symbol: held.quantity for held in account.positions} == truth.positions
    assert w.broker.positions() == account.positions


def test_a_person_trades_by_hand(world: Any) -> None:
    """A foreign order fills: stream, activities, list of orders and account say so, and each fits the others."""
    w = holding(world, FaultKind.EXTERNAL_TRADE)
    w.minute()
    foreign = w.broker.truth().foreign
    assert len(foreign) == 2  # one in each minute in which the market traded
    assert all(name.startswith("manual-") for name in foreign)
    assert foreign <= {report.client_order_id for report in w.broker.orders(0)}
    assert {w.broker.find_order(name).status for name in foreign} == {OrderStatus.FILLED}
    assert foreign < {fill.client_order_id for fill in w.of(Fill)}
    check_balance(w)


def test_an_order_appears_under_the_desks_own_prefix(world: Any) -> None:
    """It looks like the desk's own, check letters included, and the desk never sent it."""
    from mqd_core.domain.identity import is_own  # the one thing that tells

    w = world(FaultPlan.always(FaultKind.ORPHAN_ORDER))
    w.trade()
    assert not w.fired  # nothing was ever sent here: whose prefix should it be
    w.broker.submit(w.order())
    w.minute()
    assert all(is_own(name, "abcdef") for name in w.broker.truth().foreign)
    assert w.fired[FaultKind.ORPHAN_ORDER] == len(w.broker.truth().foreign) == 1
    check_balance(w)


def test_the_broker_liquidates_and_blocks(world: Any) -> None:
    """The position is sold, working orders are canceled, and no order is taken for an hour."""
    w = world(FaultPlan.always(FaultKind.LIQUIDATION))
    w.broker.submit(w.order())
    w.broker.submit(w.order("rest", "1", limit_price=Decimal(1)))
    w.trade()
    assert w.broker.truth().positions == {}
    assert w.broker.account().blocked
    assert w.broker.find_order("rest").status is OrderStatus.CANCELED
    with pytest.raises(Refused, match="blocked"):
        w.broker.submit(w.order("more"))
    check_balance(w)
    w.broker.calm()
    assert not w.wait(3_600).broker.account().blocked


def test_the_account_is_blocked_for_a_while(world: Any) -> None:
    """Orders are refused, and the account says why."""
    w = world(FaultPlan.always(FaultKind.ACCOUNT_BLOCKED))
    w.wait(1).broker.calm()
    assert w.broker.account().blocked
    with pytest.raises(Refused):
        w.broker.submit(w.order())
    w.wait(1_800)
    assert not w.broker.account().blocked
    w.broker.submit(w.order())


def test_a_halted_symbol_fills_nothing(world: Any) -> None:
    """The venue is shown no bar of it until the halt is over."""
    w = world(FaultPlan.always(FaultKind.TRADING_HALT))
    w.trade()
    w.broker.calm()
    w.broker.submit(w.order())
    assert w.broker.is_halted("SPY", w.now)
    assert w.minute().of(Fill) == []
    w.wait(600)
    assert not w.broker.is_halted("SPY", w.now)
    assert len(w.minute().of(Fill)) == 1


def test_an_asset_becomes_untradable(world: Any) -> None:
    """The asset says so, and orders are refused."""
    w = world(FaultPlan.always(FaultKind.ASSET_UNTRADABLE))
    w.trade()
    assert not w.broker.assets(["SPY"])[0].tradable
    with pytest.raises(Refused, match="not tradable"):
        w.broker.submit(w.order())


def test_a_reverse_split_leaves_fewer_shares(world: Any) -> None:
    """The activity names the change; what is left can be sold, and no share more."""
    w = holding(world, FaultKind.SPLIT)
    w.broker.calm()
    (split,) = [event for event in w.broker.activities(None) if isinstance(event, Activity)]
    left = w.broker.truth().positions["SPY"]
    assert (split.kind, split.symbol, split.quantity) == ("SPLIT", "SPY", left - 2)
    check_balance(w)
    with pytest.raises(Refused, match="insufficient qty"):
        w.broker.submit(w.order("all", "2", side=Side.SELL))
    w.broker.submit(w.order("rest", str(left), side=Side.SELL))
    w.minute()
    assert w.broker.truth().positions == {}
    check_balance(w)


def test_money_moves_by_activity(world: Any) -> None:
    """A fee, a dividend and a transfer: each in the list, each in the cash."""
    w = holding(world, FaultKind.FEE, FaultKind.DIVIDEND, FaultKind.TRANSFER)
    for _ in range(5):
        w.minute()
    kinds = {event.kind for event in w.broker.activities(None) if isinstance(event, Activity)}
    assert kinds >= {"FEE", "DIV", "CSD"}
    assert {FaultKind.FEE, FaultKind.DIVIDEND, FaultKind.TRANSFER} == set(w.fired)
    check_balance(w)


def test_no_more_is_paid_out_than_is_there(world: Any) -> None:
    """A poor account is never overdrawn by a transfer."""
    plan = FaultPlan.always(FaultKind.TRANSFER)
    w = world(plan, cash="1")
    for _ in range(40):
        w.minute()
        assert w.broker.truth().cash >= 0


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.USER_CANCELS, OrderStatus.CANCELED), (FaultKind.USER_REPLACES, OrderStatus.REPLACED)],
)
def test_a_person_ends_our_order(world: Any, kind: FaultKind, status: OrderStatus) -> None:
    """The stream and every query say how it ended; one that filled before is left alone."""
    w = world(FaultPlan.always(kind))
    w.broker.submit(w.order())
    w.wait(300)
    assert w.broker.find_order(NAME).status is status
    assert w.statuses == ["new", status.value]
    w.broker.submit(w.order("second"))
    w.trade().wait(300)
    assert w.broker.find_order("second").status is OrderStatus.FILLED
    assert w.fired == {kind: 1}


def test_the_rest_of_a_partial_fill_is_canceled(world: Any) -> None:
    """One execution, then the end."""
    w = world(FaultPlan.always(FaultKind.PARTIAL_THEN_CANCEL), parts=2)
    w.broker.submit(w.order())
    w.trade()
    report = w.broker.find_order(NAME)
    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELED, 1)
    assert w.fired == {FaultKind.PARTIAL_THEN_CANCEL: 1}


def test_an_execution_is_busted(world: Any) -> None:
    """Shares and money go back, the order has filled less, and the list of activities says why."""
    w = holding(world, FaultKind.FILL_BUSTED).wait(600)
    (bust,) = w.of(FillBusted)
    assert bust.execution_id == w.of(Fill)[0].execution_id
    truth = w.broker.truth()
    assert (truth.cash, truth.positions, truth.busts) == (OPENING, {}, (bust,))
    report = w.broker.find_order(NAME)
    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELED, 0)
    # By the id of the fill the log is read on from the fill, so that the bust behind it is never missed.
    assert [*w.broker.activities(bust.execution_id)] == [bust]
    check_balance(w)


def test_what_was_sold_meanwhile_is_not_busted(world: Any) -> None:
    """No bust makes an account short."""
    w = holding(world, FaultKind.FILL_BUSTED)
    w.broker.calm()
    w.broker.submit(w.order("out", side=Side.SELL))
    w.trade().wait(600)
    assert w.of(FillBusted) == []
    assert w.broker.truth().positions == {}


def test_fills_behind_a_bust_count_without_it(world: Any) -> None:
    """Cumulative quantities go on from what is left."""
    w = world(FaultPlan.always(FaultKind.FILL_BUSTED), parts=2)
    w.broker.submit(w.order(quantity="4"))
    w.trade()
    w.broker.calm()
    busted = w.of(Fill)[0]
    w.broker._mishaps._clear = lambda symbol: None  # the rest works on
    w.wait(600).trade(12.0)
    assert [fill.cumulative_quantity for fill in w.of(Fill)] == [2, 2]
    report = w.broker.find_order(NAME)
    assert (report.filled_quantity, report.average_fill_price) == (2, 12)
    assert w.broker.truth().busts[0].quantity == busted.quantity
    check_balance(w)


ORDERS = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 30), st.floats(5, 15).map(lambda price: round(price, 2))),
    max_size=12,
)


def likely(seed: int) -> FaultPlan:
    """Every kind, at rates that let orders through."""
    return FaultPlan(seed, tuple((kind, 6.0 if kind in PER_MINUTE else 0.2) for kind in FaultKind))


def ask(w: Any, call: Any, *arguments: Any) -> None:
    """Call the broker, whatever the plan makes of it."""
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001  some faults are no error of a broker's
        w.heard.append(error)


def live(world: Any, seed: int, orders: list[tuple[Side, int, float]], plan: FaultPlan) -> Any:
    """Some minutes in which orders are sent, canceled and asked about, and the market moves."""
    w = world(plan, parts=1 + seed % 3)
    for number, (side, tenths, price) in enumerate(orders):
        name, quantity, broker = f"m1-abcdef-{number}-0-aaaa", Decimal(tenths) / 10, w.broker
        if side is Side.BUY or quantity <= broker.truth().positions.get("SPY", Decimal(0)):
            ask(w, broker.submit, w.order(name, str(quantity), side=side))
        if tenths % 4 == seed % 4:
            ask(w, broker.cancel, w.ref(name))
        for call, argument in ((broker.find_order, name), (broker.orders, 0), (broker.assets, ["SPY"])):
            ask(w, call, argument)
        w.minute(price)
        for call in (broker.clock, broker.account, broker.positions):
            ask(w, call)
        ask(w, broker.activities, None)
    return w


@settings(max_examples=60)
@given(st.integers(0, 10**6), ORDERS)
def test_whatever_happens_the_account_balances(world: Any, seed: int, orders: list[tuple[Side, int, float]]) -> None:
    """Under any plan the account is the sum of its log, to the last digit."""
    w = live(world, seed, orders, likely(seed))
    w.broker.calm()
    w.wait(700)
    check_balance(w)
    assert w.broker.truth().cash >= 0


@settings(max_examples=20)
@given(st.integers(0, 10**6), ORDERS)
def test_the_same_seed_is_the_same_day(world: Any, seed: int, orders: list[tuple[Side, int, float]]) -> None:
    """Everything heard, everything counted and everything true is the same again."""
    plan = FaultPlan(seed, tuple((kind, 0.5) for kind in FaultKind))
    one, two = (live(world, seed, orders, plan) for _ in range(2))
    assert [repr(event) for event in one.heard] == [repr(event) for event in two.heard]
    assert one.fired == two.fired
    assert one.broker.truth() == two.broker.truth()


def test_every_kind_fires_somewhere(world: Any) -> None:
    """Forty days under all kinds, each likely: none is left that never struck."""
    fired: set[FaultKind] = set()
    for seed in range(40):
        w = live(world, seed, [(Side.BUY, 20, 10.0), (Side.SELL, 5, 11.0)] * 6, likely(seed))
        fired |= set(w.wait(700).fired)
    assert set(FaultKind) - fired == set()


def test_a_report_of_a_foreign_order_comes_as_any_other(world: Any) -> None:
    """The stream tells of the fill and of the order, both under the foreign id."""
    w = holding(world, FaultKind.EXTERNAL_TRADE)
    told = [event.client_order_id for event in w.heard if isinstance(event, OrderReport | Fill)]
    assert told.count(next(iter(w.broker.truth().foreign))) == 2


def test_the_market_of_a_real_broker_goes_on_by_itself(world: Any) -> None:
    """Without a venue inside there is nothing to advance."""
    w = world(FaultPlan(0))
    w.obedient.venue = None
    with pytest.raises(RuntimeError, match="by itself"):
        w.broker.advance(w.now, [])
