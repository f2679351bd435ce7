"""The exchange and the account, outside the desk, so that they outlive one that dies: the mock venue behind faults.

May not know a desk.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path

from desk_simulation.plan import AWAITING, Plan
from desk_simulation.timeline import Timeline
from mqd_core.api import BrokerContext
from mqd_core.testing.faults import FaultKind, FaultPlan
from mqd_core.testing.faulty_broker import FaultyBroker
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.settings import MockBrokerSettings


class TrueClock:
    """The exchange's clock, which is right."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def now_ns(self) -> int:
        """True time."""
        return self._timeline.now_ns


def make_broker(plan: Plan, timeline: Timeline) -> FaultyBroker:
    """A broker with the faults of a plan, and an account of $1,000."""
    settings = MockBrokerSettings(
        starting_cash=Decimal(1000),
        partial_fill_pct=Decimal(plan.partial_fill_pct),
        regulatory_fees=FaultKind.FEE not in AWAITING and plan.seed % 2 == 0,
        seed=plan.seed,
    )
    clock = TrueClock(timeline)
    context = BrokerContext(clock=clock, log=logging.getLogger("exchange"), directory=Path(), secrets={})
    rates = tuple((FaultKind(kind), rate) for kind, rate in plan.broker)
    return FaultyBroker(MockBrokerConnector(settings, context), FaultPlan(plan.seed, rates), clock.now_ns)
