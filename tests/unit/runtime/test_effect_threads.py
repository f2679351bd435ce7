"""EffectThreads: calls that block, in two lanes, with every answer on the bus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import (
    AccountSnapshot,
    BrokerEvent,
    CancelOutcome,
    Event,
    Fill,
    OrderReport,
    OrderStatus,
    Outcome,
    QueryOutcome,
    StreamStatus,
    SubmitOutcome,
)
from mqd_core.domain.market import Asset
from mqd_core.domain.orders import OrderRef, Side
from mqd_core.engine.effects import CancelOrder, QueryOrder, SubmitOrder, TakeSnapshot
from mqd_core.errors import NotSent, Refused, RunFailed
from mqd_core.ports.broker import BrokerCapabilities, BrokerClock, SimulatedVenue
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.effect_threads import EffectThreads
from mqd_core.testing.engines import approved_order

PATIENCE_SECONDS = 10.0


class CountingClock:
    """Each look is one nanosecond later than the one before."""

    def __init__(self) -> None:
        self._ticks = iter(range(1, 1_000_000))

    def now_ns(self) -> int:
        return next(self._ticks)


class BlockingBroker:
    """Does what a test says, when it says so: a call of a name in `gates` waits until that gate is opened."""

    capabilities = BrokerCapabilities(simulated=False)
    venue: SimulatedVenue | None = None

    def __init__(self, *gates: str) -> None:
        self.gates = {name: threading.Event() for name in gates}
        self.called = {name: threading.Event() for name in ("submit", "cancel", "find_order", "account")}
        self.calls: list[str] = []
        #: What the next calls of a name raise, one after the other; then they succeed.
        self.errors: dict[str, list[BaseException]] = {}

    def _call(self, name: str, subject: str) -> None:
        self.calls.append(f"{name} {subject}".strip())
        self.called[name].set()
        gate = self.gates.get(name)
        if gate is not None and not gate.wait(PATIENCE_SECONDS):
            raise AssertionError(f"nobody opened {name}")
        errors = self.errors.get(name)
        if errors:
            raise errors.pop(0)

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountSnapshot:
        return self.account()

    def submit(self, order: ApprovedOrder) -> OrderReport:
        self._call("submit", order.client_order_id)
        return report(order.client_order_id)

    def cancel(self, order: OrderRef) -> None:
        self._call("cancel", order.client_order_id)

    def find_order(self, client_order_id: str) -> OrderReport | None:
        self._call("find_order", client_order_id)
        return report(client_order_id) if client_order_id.startswith("known") else None

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        return ()

    def activities(self, after: str | None) -> Iterable[Fill]:
        return ()

    def account(self) -> AccountSnapshot:
        self._call("account", "")
        return AccountSnapshot(ts=3, account="A1", cash=Decimal(1000), buying_power=Decimal(1000))

    def positions(self) -> Sequence[Any]:
        return ()

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        return ()

    def clock(self) -> BrokerClock:
        return BrokerClock(now_ns=0, is_open=True)

    def close(self) -> None:
        """Nothing is open."""


def report(client_order_id: str) -> OrderReport:
    return OrderReport(
        ts=2,
        client_order_id=client_order_id,
        broker_order_id="b1",
        symbol="SPY",
        side=Side.BUY,
        status=OrderStatus.NEW,
        filled_quantity=Decimal(0),
    )


def submit(client_order_id: str = "order-1") -> SubmitOrder:
    return SubmitOrder(approved_order(client_order_id), 1)


def cancel(client_order_id: str = "order-1") -> CancelOrder:
    return CancelOrder(OrderRef(client_order_id=client_order_id, symbol="SPY"))


@contextmanager
def running(broker: BlockingBroker, **options: Any) -> Iterator[tuple[EffectThreads, OrderEventBus]]:
    bus = OrderEventBus(CountingClock())
    threads = EffectThreads(broker, bus, CountingClock(), **options)
    threads.start()
    try:
        yield threads, bus
    finally:
        for gate in broker.gates.values():
            gate.set()
        threads.close(PATIENCE_SECONDS)


def next_event(bus: OrderEventBus) -> Event:
    event = bus.take(PATIENCE_SECONDS)
    assert event is not None
    return event


def test_a_submission_comes_back_with_the_brokers_report() -> None:
    """What the broker says of the order is its outcome."""
    with running(BlockingBroker()) as (threads, bus):
        threads.hand_over(submit())
        outcome = next_event(bus)
    assert isinstance(outcome, SubmitOutcome)
    assert (outcome.client_order_id, outcome.outcome, outcome.attempt) == ("order-1", Outcome.ACCEPTED, 1)
    assert outcome.report == report("order-1")


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (Refused("no", "40310000"), Outcome.REFUSED, "40310000"),
        (NotSent("no route", "connect"), Outcome.NOT_SENT, "connect"),
        (TimeoutError("10 s"), Outcome.UNKNOWN, "TimeoutError"),
        (SystemExit(3), Outcome.UNKNOWN, "SystemExit"),
    ],
)
def test_errors_are_classified_as_they_are_inline(error: BaseException, outcome: Outcome, code: str) -> None:
    """A no is a no, no byte is no byte, and everything else leaves the outcome unknown; the lane goes on."""
    broker = BlockingBroker()
    broker.errors["submit"] = [error]
    with running(broker) as (threads, bus):
        threads.hand_over(submit())
        first = next_event(bus)
        threads.hand_over(submit("order-2"))
        second = next_event(bus)
        threads.check()
    assert isinstance(first, SubmitOutcome)
    assert (first.outcome, first.code) == (outcome, code)
    assert isinstance(second, SubmitOutcome)
    assert second.outcome is Outcome.ACCEPTED


def test_a_query_is_answered_behind_the_submission_before_it() -> None:
    """Submissions and queries are made in the order in which they were handed over."""
    broker = BlockingBroker("submit")
    with running(broker) as (threads, bus):
        threads.hand_over(submit())
        threads.hand_over(QueryOrder("known-1"))
        threads.hand_over(QueryOrder("lost-1"))
        assert broker.called["submit"].wait(PATIENCE_SECONDS)
        assert broker.calls == ["submit order-1"]
        broker.gates["submit"].set()
        answers = [next_event(bus) for _ in range(3)]
    assert broker.calls == ["submit order-1", "find_order known-1", "find_order lost-1"]
    assert [type(answer) for answer in answers] == [SubmitOutcome, QueryOutcome, QueryOutcome]
    assert [answer.outcome for answer in answers if isinstance(answer, QueryOutcome)] == [
        Outcome.FOUND,
        Outcome.NOT_FOUND,
    ]


def test_a_cancel_does_not_wait_for_a_submission_that_hangs() -> None:
    """Cancels have a lane of their own."""
    broker = BlockingBroker("submit")
    with running(broker) as (threads, bus):
        threads.hand_over(submit())
        assert broker.called["submit"].wait(PATIENCE_SECONDS)
        threads.hand_over(cancel())
        outcome = next_event(bus)
        assert isinstance(outcome, CancelOutcome)
        assert threads.in_flight == 1


def test_an_outcome_is_stamped_when_it_is_known() -> None:
    """Its time is that of the answer, not that of the call."""
    with running(BlockingBroker()) as (threads, bus):
        threads.hand_over(submit())
        outcome = next_event(bus)
    assert isinstance(outcome, SubmitOutcome)
    assert outcome.ts == 2


def test_in_flight_counts_until_the_answer_is_on_the_bus() -> None:
    """What is no longer in flight can be taken."""
    broker = BlockingBroker("submit")
    with running(broker) as (threads, bus):
        assert threads.in_flight == 0
        threads.hand_over(submit())
        threads.hand_over(submit("order-2"))
        assert threads.in_flight == 2
        broker.gates["submit"].set()
        next_event(bus)
        next_event(bus)
    assert threads.in_flight == 0


def test_a_snapshot_that_fails_is_told_and_no_account() -> None:
    """A failed query is no information and no end either: the engine, which is told of it, asks again."""
    broker = BlockingBroker()
    broker.errors["account"] = [ConnectionError("reset"), SystemExit(2)]
    with running(broker) as (threads, bus):
        for _ in range(3):
            threads.hand_over(TakeSnapshot())
        down, again, account = (next_event(bus) for _ in range(3))
    assert isinstance(down, StreamStatus)
    assert (down.stream, down.state) == ("account", "down")
    assert "ConnectionError: reset" in down.text
    assert isinstance(again, StreamStatus)
    assert isinstance(account, AccountSnapshot)


def test_after_the_close_nothing_is_begun() -> None:
    """What still waits for its lane is not sent: its fate is asked for at the next start."""
    broker = BlockingBroker("submit")
    with running(broker) as (threads, bus):
        threads.hand_over(submit())
        threads.hand_over(submit("order-2"))
        assert broker.called["submit"].wait(PATIENCE_SECONDS)
        threads.close()
        broker.gates["submit"].set()
        assert isinstance(next_event(bus), SubmitOutcome)
        threads.close(PATIENCE_SECONDS)
    assert broker.calls == ["submit order-1"]


def test_a_close_does_not_wait_for_a_call_that_hangs() -> None:
    """It comes back while the call is still being made."""
    broker = BlockingBroker("cancel")
    with running(broker) as (threads, _bus):
        threads.hand_over(cancel())
        assert broker.called["cancel"].wait(PATIENCE_SECONDS)
        threads.close(0.001)
        assert threads.in_flight == 1


def test_threads_that_were_never_started_can_be_closed() -> None:
    """A start that failed leaves nothing to wait for."""
    EffectThreads(BlockingBroker(), OrderEventBus(CountingClock()), CountingClock()).close(PATIENCE_SECONDS)


def test_a_lane_that_dies_ends_the_run() -> None:
    """What no broker can bring about is raised where the loop looks, and names the lane."""

    class Killed(BaseException):
        """Stands for the end of a thread."""

    def die(point: str) -> None:
        if point == "submit:before":
            raise Killed("here")

    with running(BlockingBroker(), probe=die) as (threads, _bus):
        threads.hand_over(submit())
        threads._orders._thread.join(PATIENCE_SECONDS)
        with pytest.raises(RunFailed, match=r"mqd-orders.*Killed: here"):
            threads.check()
