"""Reading an account whole, and a desk over threads that lives by such readings, end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from mqd_core.domain.events import (
    AccountSnapshot,
    Activity,
    Fill,
    HeldPosition,
    OrderReport,
    OrderStatus,
    StreamStatus,
    SubmitOutcome,
)
from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.orders import Side
from mqd_core.domain.records import BookMoved, DeskMoved, DeskState, SymbolMoved
from mqd_core.engine.effects import TakeSnapshot
from mqd_core.engine.settings import ReconcileSettings
from mqd_core.ports.broker import BrokerClock
from mqd_core.runtime.account_reading import ROUNDS_MAX, read_account
from mqd_core.runtime.live_run import GRACE_NS
from mqd_core.runtime.performer import EffectPerformer
from mqd_core.testing.bars import make_bars
from mqd_core.testing.engines import ScriptedStrategy, enter, make_slot

D = Decimal


def order(status: OrderStatus = OrderStatus.NEW, filled: str = "0") -> OrderReport:
    return OrderReport(
        ts=1,
        client_order_id="c",
        broker_order_id="b",
        symbol="SPY",
        side=Side.BUY,
        status=status,
        filled_quantity=D(filled),
    )


FEE = Activity(ts=1, activity_id="f-1", kind="FEE", amount=D(-1))
FILL = Fill(
    ts=1,
    client_order_id="c",
    broker_order_id="b",
    symbol="SPY",
    side=Side.BUY,
    quantity=D(1),
    price=D(5),
    cumulative_quantity=D(1),
    execution_id="e-1",
)


class PlainBroker:
    """Answers from lists; `orders` takes the next of its answers, the last one for ever."""

    venue: Any = None

    def __init__(self, *answers: Sequence[OrderReport], activities: Sequence[Any] = (), skew_ns: int = 0) -> None:
        self._answers = list(answers) or [()]
        self._activities = activities
        self._skew_ns = skew_ns
        self.asked: list[Any] = []
        self.time = 0

    def now_ns(self) -> int:
        self.time += 1
        return self.time

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        self.asked.append(since_ns)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def activities(self, after: str | None) -> Iterable[Any]:
        self.asked.append(after)
        return iter(self._activities)

    def positions(self) -> Sequence[HeldPosition]:
        return [HeldPosition(symbol="SPY", quantity=D(1), average_price=D(5))]

    def account(self) -> AccountSnapshot:
        return AccountSnapshot(ts=0, account="A", cash=D(9), buying_power=D(9))

    def clock(self) -> BrokerClock:
        return BrokerClock(now_ns=self.now_ns() + self._skew_ns, is_open=True)


def read(broker: PlainBroker, after: str | None = None) -> AccountSnapshot:
    return read_account(broker, 7, after, broker.now_ns)  # type: ignore[arg-type]  # it has what is called


class TestReading:
    def test_whole(self) -> None:
        """One answer holds orders, activities, positions and cash; what is asked for is where the desk left off."""
        broker = PlainBroker([order()], activities=[FILL, FEE, order()])
        account = read(broker, "e-0")
        assert (account.orders, account.activities, account.cursor) == ((order(),), (FILL, FEE), "f-1")
        assert (account.positions[0].symbol, account.cash, account.is_stable) == ("SPY", D(9), True)
        assert account.begun_ns < account.ts
        assert broker.asked == [7, "e-0", 7]

    def test_cursor_of_a_fill(self) -> None:
        """The cursor of an execution is its id; without any activity there is none."""
        assert read(PlainBroker(activities=[FEE, FILL])).cursor == "e-1"
        assert read(PlainBroker()).cursor == ""

    @pytest.mark.parametrize("moved", [order(OrderStatus.CANCELED), order(OrderStatus.PARTIALLY_FILLED, "1")])
    def test_again_while_orders_move(self, moved: OrderReport) -> None:
        """What was read while an order moved is read again: positions of before do not belong to orders of after."""
        broker = PlainBroker([order()], [moved])
        account = read(broker)
        assert (account.orders, account.is_stable) == ((moved,), True)
        assert broker.asked.count(7) == 3

    def test_never_still(self) -> None:
        """Orders that never stand still are told of as that, after five rounds."""
        moving = [[order(OrderStatus.PARTIALLY_FILLED, str(number))] for number in range(9)]
        broker = PlainBroker(*moving)
        assert not read(broker).is_stable
        assert broker.asked.count(7) == ROUNDS_MAX + 1

    @pytest.mark.parametrize(("skew_ns", "told"), [(0, 0), (5_000, 4_999), (-5_000, -4_999)])
    def test_clock(self, skew_ns: int, told: int) -> None:
        """The broker's clock may be anywhere within the call; only what lies outside of it is skew."""
        assert read(PlainBroker(skew_ns=skew_ns)).clock_skew_ns == told

    def test_clock_of_a_venue_in_process(self) -> None:
        """The clock of a venue in this process is the desk's own, and not asked."""
        broker = PlainBroker(skew_ns=10**12)
        broker.venue = object()
        assert read(broker).clock_skew_ns == 0

    def test_one_part_fails(self) -> None:
        """If any part fails nothing was read: it comes back as a stream that is down, inline too."""
        broker = PlainBroker()
        broker.positions = lambda: 1 / 0  # type: ignore[assignment,return-value]
        (event,) = EffectPerformer(broker).perform(TakeSnapshot(7), 3)  # type: ignore[arg-type]
        assert isinstance(event, StreamStatus)
        assert (event.ts, event.stream, event.state) == (3, "account", "down")
        assert "ZeroDivisionError" in event.text


@pytest.fixture
def broker(live: Any) -> Any:
    """A broker over an obedient venue that tells everything about its account, by the desk's own clock."""

    class WholeBroker(live.broker):  # type: ignore[misc,name-defined]  # the fixture's class
        time: Any

        def orders(self, since_ns: int) -> list[OrderReport]:
            self._call("orders")
            book = self.book
            return [*[known.report(0) for known in book.orders.values()], *book.foreign.values()]

        def activities(self, after: str | None) -> list[Any]:
            told = [getattr(one, "activity_id", "") or one.execution_id for one in self.book.activities]
            return self.book.activities[told.index(after) + 1 if after else 0 :]

        def positions(self) -> Sequence[HeldPosition]:
            return self.book.account(0).positions  # type: ignore[no-any-return]  # the venue of the fixture

        def clock(self) -> BrokerClock:
            return BrokerClock(now_ns=self.time.now_ns(), is_open=True)

    made = WholeBroker()
    made.called["orders"] = made.called["account"]
    return made


def answers(desk: Any) -> int:
    """How often the broker has told the account, or has not."""
    return len(desk.of(AccountSnapshot)) + len(desk.of(StreamStatus))


def pass_time(desk: Any, holds: Callable[[], object], seconds: int = 600) -> None:
    """Let the desk's time pass, second by second, until something holds."""
    for _ in range(seconds):
        if holds():
            return
        before = answers(desk)
        desk.time.go_to(desk.time.now_ns() + SECOND_NS)
        due_ns = desk.engine._desk.reconciler.due_ns
        # What is due at a minute's end waits some seconds for that minute's bars.
        if due_ns and due_ns + GRACE_NS <= desk.time.now_ns():
            desk.until(lambda before=before: answers(desk) > before or holds())
    assert holds()


def start(live: Any, broker: Any, *slots: Any, **changes: Any) -> Any:
    desk = live.desk(*slots, broker=broker, reconcile=ReconcileSettings(**changes))
    broker.time = desk.time
    return desk.start()


def test_a_desk_finds_a_fill_that_nobody_told(live: Any, broker: Any) -> None:
    """An execution whose news was lost is found by the next reading, and the books agree with the account."""
    desk = start(live, broker, make_slot(ScriptedStrategy({1: enter()})))
    assert desk.of(DeskMoved)[-1].after is DeskState.READY
    desk.play(make_bars([50.0]))
    desk.until(lambda: desk.of(SubmitOutcome))
    (identifier,) = broker.book.orders
    broker.book.fill(identifier, "1", "49", 0, "e-1")
    pass_time(desk, lambda: [move for move in desk.of(BookMoved) if move.cause == "fill"])
    desk.stop()
    assert (desk.engine.facts.cash, desk.engine.facts.desk_state) == (D(951), DeskState.READY)


def test_a_position_that_nothing_explains_halts_the_desk(live: Any, broker: Any) -> None:
    """First its symbol is frozen, then the desk is halted, over threads as at the bench; a failed call is nothing."""
    desk = start(live, broker, make_slot(ScriptedStrategy()))
    broker.errors["orders"] = [ConnectionError("reset")]
    broker.book.positions["SPY"] = D(3)
    pass_time(desk, lambda: desk.engine.facts.desk_state is DeskState.HALTED)
    desk.stop()
    assert [(one.symbol, one.state) for one in desk.of(SymbolMoved)] == [("SPY", "frozen")]
    assert [(one.stream, one.state) for one in desk.of(StreamStatus)] == [("account", "down")]
    assert "SPY: books 0, broker 3" in desk.engine.reason


def test_a_restart_takes_what_happened_meanwhile(live: Any, broker: Any) -> None:
    """What was filled and charged while no desk was there is booked before the new one is ready."""
    store = live.store()
    desk = live.desk(
        make_slot(ScriptedStrategy({1: enter()})), broker=broker, store=store, reconcile=ReconcileSettings()
    )
    broker.time = desk.time
    desk.start()
    desk.play(make_bars([50.0]))
    desk.until(lambda: desk.of(SubmitOutcome))
    desk.stop()
    (identifier,) = broker.book.orders
    broker.book.fill(identifier, "1", "49", 0, "e-1")
    broker.book.move_cash("FEE", "-0.01", 0)
    again = live.desk(
        make_slot(ScriptedStrategy()), broker=broker, store=store, time=desk.time, reconcile=ReconcileSettings()
    )
    again.start(live=False)
    # What it has just booked is left in peace for five seconds before it is compared.
    pass_time(again, again.source.is_live.is_set)
    again.stop()
    assert again.of(DeskMoved)[-1].after is DeskState.READY
    assert again.engine.facts.cash == D("950.99")
    assert structs.astuple(again.engine.facts.books[0])[:3] == ("scripted", "SPY", D(1))
