"""Executions that the broker counts and does not tell: worked out of its average, confirmed by the true ones, once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mqd_core.domain.events import Fill, OrderReport, OrderStatus, TimerFired
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.money import ZERO
from mqd_core.domain.order_state import Life
from mqd_core.domain.orders import Side
from mqd_core.domain.records import Alert, BookMoved
from mqd_core.engine.gaps import GAP_PREFIX, confirm, gap_of, worked_out
from mqd_core.engine.order import Order
from mqd_core.engine.snapshot import decode_state

D = Decimal
Make = Callable[..., Any]
S = OrderStatus
CENTS = st.decimals(min_value=D("0.01"), max_value=D(500), places=2)
SHARES = st.decimals(min_value=D("0.001"), max_value=D(50), places=3)


def told(desk: Any, filled: str, average: str | None, status: OrderStatus = S.PARTIALLY_FILLED) -> OrderReport:
    """A status with an average price."""
    price = None if average is None else D(average)
    report: OrderReport = structs.replace(desk.report(status, filled), average_fill_price=price)
    return report


def insist(desk: Any, report: OrderReport, seconds: int = 20) -> Any:
    """Let the broker say the same for so long, with no execution."""
    for _ in range(seconds):
        desk.bench.enter(structs.replace(report, ts=desk.now_ns))
        desk.bench.enter(TimerFired(ts=desk.now_ns + SECOND_NS))
    return desk


def codes(desk: Any) -> list[str]:
    return [alert.code for alert in desk.bench.of(Alert)]


def books(desk: Any) -> list[tuple[str, Decimal]]:
    return [(move.cause, move.cash) for move in desk.bench.of(BookMoved)]


class TestWorkedOut:
    def test_after_asking(self, in_flight: Make) -> None:
        """It is asked for first; five seconds later it is booked at what the average leaves for it, and told."""
        desk = in_flight().work()
        desk.fills("4", "4")
        insist(desk, told(desk, "10", "50.6"), 4)
        assert desk.held == D(4)
        insist(desk, told(desk, "10", "50.6"))
        assert (desk.held, desk.life, desk.engine.facts.cash) == (D(10), Life.FILLED, D(494))
        assert codes(desk).count("execution_worked_out") == 1
        assert (desk.state, desk.order.executions[-1]) == ("ready", f"{GAP_PREFIX}{desk.id}-10")

    def test_with_the_end(self, in_flight: Make) -> None:
        """An end that tells of more than is known ends the order once that is booked."""
        desk = in_flight().work()
        insist(desk, told(desk, "6", "50", S.CANCELED))
        assert (desk.held, desk.life) == (D(6), Life.CANCELED)

    def test_late(self, in_flight: Make) -> None:
        """A late one of an order that is over is booked too."""
        desk = in_flight().work()
        desk.say(S.CANCELED)
        insist(desk, told(desk, "6", "50", S.CANCELED))
        assert (desk.held, desk.life) == (D(6), Life.CANCELED)

    @pytest.mark.parametrize("average", [None, "1"])
    def test_not_possible(self, in_flight: Make, average: str | None) -> None:
        """Without an average, or where it would leave no price, a person is told and the desk frozen."""
        desk = in_flight().work()
        desk.fills("4", "4")
        insist(desk, told(desk, "10", average))
        assert (desk.held, desk.state) == (D(4), "frozen")
        assert "execution_worked_out" not in codes(desk)

    def test_never_after_a_bust(self, in_flight: Make) -> None:
        """What a bust took back is not booked again because the broker still counts it."""
        desk = in_flight().work()
        desk.fills("4", "4", "e-1")
        desk.busts("4", "e-1")
        insist(desk, told(desk, "4", "50"))
        assert desk.held == ZERO
        assert "execution_worked_out" not in codes(desk)


class TestConfirmed:
    def rounded(self, in_flight: Make) -> Any:
        """A desk that has worked out an execution of 3 at an average that does not divide."""
        desk = in_flight().work()
        insist(desk, told(desk, "3", "50.333333333"))
        assert desk.held == D(3)
        return desk

    def test_once_complete(self, in_flight: Make) -> None:
        """The true executions book nothing but, when they are all there, what rounding had cost, and their fees."""
        desk = self.rounded(in_flight)
        desk.bench.enter(structs.replace(desk.fill("1", "1", "t-1", "50"), fee=D("0.01")))
        assert desk.engine.facts.cash == D(1000) - 3 * D("50.333333333") - D("0.01")
        for _ in range(2):
            desk.bench.enter(desk.fill("2", "3", "t-2", "50.5"))
        assert (desk.held, desk.engine.facts.cash) == (D(3), D(1000) - D(151) - D("0.01"))
        assert [cause for cause, _ in books(desk)].count("fill_corrected") == 2
        assert (desk.order.gaps, desk.order.spent) == ((), D(151))

    def test_told_by_another_name(self, in_flight: Make) -> None:
        """The same execution by another name, as stream and history may have it, confirms nothing twice."""
        desk = self.rounded(in_flight)
        for name in ("t-1", "u-1", ""):
            desk.bench.enter(desk.fill("1", "1", name, "50"))
        assert desk.order.gaps[0].quantity_left == D(2)

    def test_reaches_beyond(self, in_flight: Make) -> None:
        """Of a true execution that reaches beyond what was worked out, only the rest is new."""
        desk = self.rounded(in_flight)
        desk.bench.enter(desk.fill("5", "5", "t-1", "50"))
        assert (desk.held, desk.engine.facts.cash) == (D(5), D(750))

    def test_none_of_it(self, in_flight: Make) -> None:
        """One that comes behind what was worked out is an execution like any other."""
        desk = self.rounded(in_flight)
        desk.bench.enter(desk.fill("2", "5", "t-9", "50"))
        assert (desk.held, len(desk.order.gaps)) == (D(5), 1)

    def test_over_a_restart(self, in_flight: Make) -> None:
        """What is unconfirmed is remembered over a restart."""
        desk = self.rounded(in_flight)
        (saved,) = decode_state(desk.engine.snapshot()).orders
        assert Order.restored(saved, desk.order.approved, None).gaps == desk.order.gaps


@given(st.lists(st.tuples(SHARES, CENTS), min_size=1, max_size=6), st.integers(0, 5), st.sampled_from(Side))
def test_a_gap_costs_in_the_end_what_the_executions_cost(
    executions: list[tuple[Decimal, Decimal]], known: int, side: Side
) -> None:
    """However many executions were missing, worked out and confirmed they cost exactly what they truly cost."""
    known = min(known, len(executions) - 1)
    fills, cumulative, cost = [], ZERO, ZERO
    for number, (quantity, price) in enumerate(executions):
        cumulative, cost = cumulative + quantity, cost + quantity * price
        fills.append(
            Fill(
                ts=1,
                client_order_id="o",
                broker_order_id="b",
                symbol="SPY",
                side=side,
                quantity=quantity,
                price=price,
                cumulative_quantity=cumulative,
                execution_id=f"e-{number}",
            )
        )
    before = fills[known - 1].cumulative_quantity if known else ZERO
    spent = sum((fill.quantity * fill.price for fill in fills[:known]), ZERO)
    average = (cost / cumulative).quantize(D("1e-9"))
    report = OrderReport(
        ts=1,
        client_order_id="o",
        broker_order_id="b",
        symbol="SPY",
        side=side,
        status=OrderStatus.FILLED,
        filled_quantity=cumulative,
        average_fill_price=average,
    )
    made = worked_out(report, before, spent, 2)
    if made is None:
        assert average * cumulative - spent <= D("1e-6")
        return
    fill, is_exact = made
    booked = fill.price * fill.quantity
    assert is_exact is (booked == average * cumulative - spent)
    gaps, cash = (gap_of(fill),), ZERO
    for true in fills:
        confirmed = confirm(gaps, true, cumulative)
        assert confirmed.fill is None
        gaps, cash = confirmed.gaps, cash + confirmed.cash
    assert gaps == ()
    paid = booked - cash if side is Side.BUY else booked + cash
    assert paid == cost - spent


def test_without_an_average_nothing_is_worked_out(in_flight: Make) -> None:
    """A report that tells no average price leaves nothing to work out."""
    desk = in_flight().work()
    assert worked_out(told(desk, "3", None), ZERO, ZERO, 1) is None
