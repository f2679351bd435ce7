"""Faults of a broker's answers: what the caller sees, and what is true."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.api import Ambiguous, Fill, NotSent, OrderStatus, Refused
from mqd_core.testing.faults import FaultKind, FaultPlan

NAME = "m1-abcdef-1-0-aaaa"


def beset(world: Any, *kinds: FaultKind, **options: Any) -> Any:
    """A world in which these kinds strike always."""
    return world(FaultPlan.always(*kinds), **options)


def test_without_faults_it_is_the_broker_inside(world: Any) -> None:
    """Order, fill, account and activities come through, and nothing is counted."""
    w = beset(world)
    assert w.broker.submit(w.order()).status is OrderStatus.NEW
    w.minute()
    assert [fill.quantity for fill in w.of(Fill)] == [Decimal(2)]
    assert w.broker.account().cash == Decimal(980)
    assert w.broker.positions()[0].quantity == Decimal(2)
    assert [*w.broker.activities(None)] == w.of(Fill)
    assert [*w.broker.activities(w.of(Fill)[0].execution_id)] == []
    assert [report.client_order_id for report in w.broker.orders(0)] == [NAME]
    assert w.broker.assets(["SPY"])[0].tradable
    assert w.broker.clock().now_ns == w.now
    assert not w.fired
    assert w.broker.venue is None
    assert (w.broker.capabilities.not_found_is_final, w.broker.capabilities.own_record) == (False, True)


@pytest.mark.parametrize(
    ("kind", "error", "is_taken"),
    [
        (FaultKind.ANSWER_LOST, TimeoutError, True),
        (FaultKind.GARBLED, ValueError, True),
        (FaultKind.DUPLICATE_REFUSED, Ambiguous, True),
        (FaultKind.NEVER_ARRIVED, TimeoutError, False),
        (FaultKind.NOT_SENT, NotSent, False),
        (FaultKind.RATE_LIMITED, Ambiguous, False),
        (FaultKind.REFUSED, Refused, False),
        (FaultKind.UNAUTHORIZED, Refused, False),
        (FaultKind.LANDS_LATE, TimeoutError, False),
    ],
)
def test_a_submission_fails_as_its_fault_says(
    world: Any, kind: FaultKind, error: type[Exception], is_taken: bool
) -> None:
    """The caller sees the error; whether the order is there is another matter."""
    w = beset(world, kind)
    with pytest.raises(error):
        w.broker.submit(w.order())
    assert w.fired == {kind: 1}
    assert (NAME in w.broker.truth().orders) is is_taken
    assert len(w.broker.truth().taken) == is_taken


def test_a_late_order_lands_after_a_query_has_missed_it(world: Any) -> None:
    """Not found, then there: the stream says so, and it fills."""
    w = beset(world, FaultKind.LANDS_LATE)
    with pytest.raises(TimeoutError):
        w.broker.submit(w.order())
    assert w.broker.find_order(NAME) is None
    w.wait(150)
    assert w.broker.find_order(NAME).status is OrderStatus.NEW
    assert w.statuses == ["new"]
    w.minute()
    assert w.broker.truth().positions == {"SPY": Decimal(2)}


def test_a_late_order_that_is_refused_never_existed(world: Any) -> None:
    """What lands under an id that is taken is refused, and nobody hears of it."""
    w = beset(world, FaultKind.LANDS_LATE)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            w.broker.submit(w.order())
    w.wait(150)
    assert [order.client_order_id for order in w.broker.truth().taken] == [NAME]


def test_a_server_error_may_or_may_not_have_taken_the_order(world: Any) -> None:
    """Over some ids both happen, and the caller sees the same."""
    w = beset(world, FaultKind.SERVER_ERROR)
    for number in range(20):
        with pytest.raises(Ambiguous):
            w.broker.submit(w.order(f"order-{number}"))
    assert 0 < len(w.broker.truth().orders) < 20


def test_an_accepted_order_is_rejected_later(world: Any) -> None:
    """The answer says new; seconds later the stream, and every query, say rejected."""
    w = beset(world, FaultKind.REJECTED_LATER)
    assert w.broker.submit(w.order()).status is OrderStatus.NEW
    w.wait(5)
    assert w.statuses == ["new", "rejected"]
    assert w.broker.find_order(NAME).status is OrderStatus.REJECTED
    w.minute()
    assert w.of(Fill) == []


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        (FaultKind.FIND_FAILS, lambda broker: broker.find_order(NAME)),
        (FaultKind.ORDERS_FAIL, lambda broker: broker.orders(0)),
        (FaultKind.ACTIVITIES_FAIL, lambda broker: broker.activities(None)),
        (FaultKind.ACCOUNT_FAILS, lambda broker: broker.account()),
        (FaultKind.ACCOUNT_FAILS, lambda broker: broker.positions()),
        (FaultKind.ASSETS_FAIL, lambda broker: broker.assets(["SPY"])),
    ],
)
def test_a_question_gets_no_answer(world: Any, kind: FaultKind, ask: Any) -> None:
    """No answer is an error, never an empty list."""
    w = beset(world, kind)
    with pytest.raises(TimeoutError, match="no answer to"):
        ask(w.broker)
    assert w.fired == {kind: 1}
    with pytest.raises(Ambiguous, match="429"):
        ask(beset(world, kind, FaultKind.RATE_LIMITED).broker)


def test_an_order_is_not_found_for_some_seconds(world: Any) -> None:
    """Eventual consistency: accepted, then "not found", then found."""
    w = beset(world, FaultKind.FIND_MISSES)
    w.broker.submit(w.order())
    assert w.broker.find_order(NAME) is None
    assert w.wait(10).broker.find_order(NAME).client_order_id == NAME


def test_the_list_of_orders_lags(world: Any) -> None:
    """A new order is missing for some seconds, then listed."""
    w = beset(world, FaultKind.ORDERS_LAG)
    w.broker.submit(w.order())
    assert w.broker.orders(0) == []
    assert len(w.wait(10).broker.orders(0)) == 1
    assert w.fired[FaultKind.ORDERS_LAG] == 1


def test_the_activities_lag(world: Any) -> None:
    """A fill is missing for some seconds, then listed."""
    w = beset(world, FaultKind.ACTIVITIES_LAG)
    w.broker.submit(w.order())
    w.minute()
    assert [*w.broker.activities(None)] == []
    assert len([*w.wait(30).broker.activities(None)]) == 1
    assert w.fired[FaultKind.ACTIVITIES_LAG] == 1


def test_balances_lag(world: Any) -> None:
    """Cash and positions are old for some seconds after a fill, dated now."""
    w = beset(world, FaultKind.BALANCES_LAG)
    w.broker.submit(w.order())
    w.minute()
    account = w.broker.account()
    assert (account.cash, account.positions, account.ts) == (Decimal(1000), (), w.now)
    assert w.broker.positions() == ()
    assert w.broker.truth().cash == Decimal(980)
    assert w.wait(30).broker.account().cash == Decimal(980)
    assert w.fired[FaultKind.BALANCES_LAG] == 2


def test_the_clock_is_off(world: Any) -> None:
    """The skew is at most a minute, and stays for an hour."""
    w = beset(world, FaultKind.CLOCK_SKEW)
    skew = w.broker.clock().now_ns - w.now
    assert 0 < abs(skew) <= 60 * 10**9
    assert w.wait(60).broker.clock().now_ns - w.now == skew


def test_a_cancel_is_refused(world: Any) -> None:
    """The order works on."""
    w = beset(world, FaultKind.CANCEL_REFUSED)
    w.broker.submit(w.order())
    with pytest.raises(Refused):
        w.broker.cancel(w.ref())
    assert w.broker.find_order(NAME).status is OrderStatus.NEW


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.CANCEL_ANSWER_LOST, OrderStatus.CANCELED), (FaultKind.CANCEL_NEVER_ARRIVED, OrderStatus.NEW)],
)
def test_a_cancel_gets_no_answer(world: Any, kind: FaultKind, status: OrderStatus) -> None:
    """Done or not, the caller cannot tell."""
    w = beset(world, kind)
    w.broker.submit(w.order())
    with pytest.raises(TimeoutError):
        w.broker.cancel(w.ref())
    assert w.broker.find_order(NAME).status is status


def test_a_cancel_that_was_taken_comes_too_late(world: Any) -> None:
    """The request returns, the order fills, and the cancel finds nothing left to cancel."""
    w = beset(world, FaultKind.CANCEL_LATE)
    w.broker.submit(w.order())
    w.broker.cancel(w.ref())
    w.trade()
    assert w.wait(120).broker.find_order(NAME).status is OrderStatus.FILLED
    assert w.statuses == ["new"]


def test_a_cancel_that_was_taken_comes_at_last(world: Any) -> None:
    """Within two minutes the order is canceled, and the stream says so."""
    w = beset(world, FaultKind.CANCEL_LATE)
    w.broker.submit(w.order())
    w.broker.cancel(w.ref())
    assert w.broker.find_order(NAME).status is OrderStatus.NEW
    assert w.wait(120).broker.find_order(NAME).status is OrderStatus.CANCELED
    assert w.statuses == ["new", "canceled"]
