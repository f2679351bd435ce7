"""Where a connector can be asked for one order's executions, it is not asked for all of the account's."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from mqd_core.domain.events import Fill, OrderReport, OrderStatus, Outcome, QueryOutcome
from mqd_core.domain.orders import Side
from mqd_core.engine.effects import QueryOrder
from mqd_core.runtime.performer import EffectPerformer

REPORT = OrderReport(
    ts=1,
    client_order_id="mine",
    broker_order_id="theirs",
    symbol="SPY",
    side=Side.BUY,
    status=OrderStatus.FILLED,
    filled_quantity=Decimal(1),
)


def fill(client_order_id: str) -> Fill:
    return Fill(
        ts=1,
        client_order_id=client_order_id,
        broker_order_id="theirs",
        symbol="SPY",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(450),
        cumulative_quantity=Decimal(1),
    )


class Broker:
    capabilities = SimpleNamespace(not_found_is_final=False)

    def find_order(self, _client_order_id: str) -> OrderReport:
        return REPORT

    def activities(self, _after: Any) -> list[Fill]:
        return [fill("other"), fill("mine")]


class Teller(Broker):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def activities(self, _after: Any) -> list[Fill]:
        raise AssertionError("all activities were read for one order")

    def executions(self, order: Any) -> list[Fill]:
        self.asked.append(order.broker_order_id)
        return [fill("mine")]


def query(broker: Any) -> QueryOutcome:
    (outcome,) = EffectPerformer(broker).perform(QueryOrder("mine"), 5)
    assert isinstance(outcome, QueryOutcome)
    return outcome


def test_one_orders_executions_are_asked_for_by_its_id() -> None:
    """By the broker's id, where the connector offers it."""
    teller = Teller()
    outcome = query(teller)
    assert (outcome.outcome, outcome.fills, teller.asked) == (Outcome.FOUND, (fill("mine"),), ["theirs"])


def test_others_are_left_out_of_all_activities() -> None:
    """Where it does not, all are read, and only that order's are told."""
    assert query(Broker()).fills == (fill("mine"),)
