"""A live desk in a thread: real loop, real engine, real threads; time, feed and broker are the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from mqd_core.domain.events import AccountSnapshot, BrokerEvent, Event, Fill, RunStarted, SubmitOutcome
from mqd_core.domain.journal import Entry
from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Bar, Timeframe
from mqd_core.domain.orders import OrderRef
from mqd_core.domain.sessions import xnys
from mqd_core.engine.effects import CancelOrder, SubmitOrder
from mqd_core.engine.engine import Engine
from mqd_core.engine.settings import StrategySlot
from mqd_core.errors import Refused
from mqd_core.ports.broker import BrokerCapabilities
from mqd_core.ports.data import BarChunk
from mqd_core.risk.approved import ApprovedOrder
from mqd_core.runtime.bus import OrderEventBus
from mqd_core.runtime.clock_watch import ClockWatch
from mqd_core.runtime.effect_threads import EffectThreads
from mqd_core.runtime.equity_curve import EquityCurve
from mqd_core.runtime.live_curve import LiveCurve
from mqd_core.runtime.live_feed import LiveFeed
from mqd_core.runtime.live_run import LiveParts, LiveRun
from mqd_core.runtime.live_validator import LiveValidator
from mqd_core.runtime.memory_store import InMemoryStore
from mqd_core.runtime.performer import EffectPerformer
from mqd_core.runtime.simulated_run import Progress
from mqd_core.runtime.stopping import StopRequest
from mqd_core.runtime.validator import Gap, Rejection
from mqd_core.testing.bars import session_of
from mqd_core.testing.engines import FixedSizer, make_settings
from mqd_core.testing.venues import ObedientVenue

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
#: Ends the source's `live()` as if it had nothing more to say.
END = object()


class FakeTime:
    """A wall clock and a steady one that stand still until a test moves them."""

    def __init__(self, now_ns: int) -> None:
        self.wall_ns, self.steady = now_ns, 1_000 * SECOND_NS
        #: While a test holds it, the loop waits wherever it asks what time it is.
        self.held = threading.RLock()

    def now_ns(self) -> int:
        with self.held:
            return self.wall_ns

    def steady_ns(self) -> int:
        return self.steady

    def go_to(self, now_ns: int) -> None:
        """Let time pass."""
        passed = max(0, now_ns - self.wall_ns)
        self.steady += passed
        self.wall_ns += passed


class ScriptedFeed:
    """A source that hands over what a test pushes, from the thread in which `live` was called; has given history."""

    def __init__(self, history: Sequence[Bar] = (), fault: Exception | None = None) -> None:
        self._history = history
        self._fault = fault
        self._pushed: SimpleQueue[Any] = SimpleQueue()
        self.is_live = threading.Event()
        self.closes = 0
        self.thread = ""

    def push(self, what: object) -> None:
        self._pushed.put(what)

    def history(self, *_asked: Any) -> Iterator[BarChunk]:
        raise NotImplementedError

    def warm_up(self, now_ns: int) -> tuple[Bar, ...]:
        """What the desk is given as history that was complete at that time."""
        if self._fault is not None:
            raise self._fault
        return tuple(bar for bar in self._history if bar.start_ns + MINUTE_NS <= now_ns)

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[Any], None]) -> None:
        self.thread = threading.current_thread().name
        self.is_live.set()
        while (what := self._pushed.get()) is not END:
            if isinstance(what, BaseException):
                raise what
            sink(what)

    def close(self) -> None:
        self.closes += 1
        self.push(END)


class VenueAdapter:
    """The obedient venue as one in this process."""

    def __init__(self, inner: ObedientVenue) -> None:
        self._inner = inner
        self.minutes: list[tuple[int, tuple[str, ...]]] = []

    @property
    def working(self) -> int:
        return sum(1 for known in self._inner.orders.values() if known.is_open)

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        if bars:
            self.minutes.append((now_ns, tuple(bar.symbol for bar in bars)))
        return self._inner.advance(bars)  # type: ignore[return-value]

    def state(self) -> bytes:
        return b"venue"

    def restore(self, state: bytes) -> None:
        assert state == b"venue"


class TestBroker:
    """A broker over an obedient venue: in this process, or one whose calls are made by threads and may block.

    It has what the loop calls. `gates` are calls that wait until the test opens them; `errors` are raised by the next
    calls of a name.
    """

    __test__ = False

    def __init__(self, *gates: str, in_process: bool = False, cash: str = "1000") -> None:
        self.book = ObedientVenue(cash)
        self.adapter = VenueAdapter(self.book)
        self.venue: Any = self.adapter if in_process else None
        self.capabilities = BrokerCapabilities(simulated=in_process, not_found_is_final=in_process)
        self.gates = {name: threading.Event() for name in gates}
        self.errors: dict[str, list[BaseException]] = {}
        self.calls: list[str] = []
        self.called = {name: threading.Event() for name in ("submit", "cancel", "find_order", "account")}
        self.sink: Callable[[BrokerEvent], None] = lambda _event: None

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self.called[name].set()
        if name in self.gates:
            assert self.gates[name].wait(PATIENCE_SECONDS), f"nobody opened {name}"
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountSnapshot:
        self.sink = sink
        return self.book.account(0)

    def submit(self, order: ApprovedOrder) -> Any:
        self._call("submit")
        (outcome,) = self.book.perform(SubmitOrder(order, 1), order.submitted_ns)
        assert isinstance(outcome, SubmitOutcome)
        if outcome.report is None:
            raise TimeoutError("the answer was lost")
        return outcome.report

    def cancel(self, order: OrderRef) -> None:
        self._call("cancel")
        if not self.book.orders[order.client_order_id].is_open:
            raise Refused("it is over")
        for event in [*self.book.perform(CancelOrder(order), 0)][1:]:
            self.sink(event)  # type: ignore[arg-type]

    def find_order(self, client_order_id: str) -> Any:
        self._call("find_order")
        known = self.book.orders.get(client_order_id)
        return None if known is None else known.report(0)

    def activities(self, after: str | None) -> Iterable[Fill]:
        return [fill for known in self.book.orders.values() for fill in known.fills]

    def account(self) -> AccountSnapshot:
        self._call("account")
        return self.book.account(0)

    def close(self) -> None:
        """Nothing is open."""


class DurableStore(InMemoryStore):
    """Keeps its snapshots for a restart; raises `fails` instead of committing."""

    durable = True
    fails: Exception | None = None

    def commit(self, batch: Any) -> Any:
        if self.fails is not None:
            raise self.fails
        return super().commit(batch)


class LiveDesk:
    """One live run in a thread of its own, from `start` to `stop`."""

    def __init__(
        self,
        *slots: StrategySlot,
        broker: TestBroker | None = None,
        feed: ScriptedFeed | None = None,
        store: DurableStore | None = None,
        time: FakeTime | None = None,
        capacity: int = 10_000,
        probe: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> None:
        self.time = time or FakeTime(session_of().open_ns - 60 * MINUTE_NS)
        #: The machine's clocks, which stand still unless a test lets them jump.
        self.machine = FakeTime(self.time.now_ns())
        self.broker = broker or TestBroker(in_process=True)
        self.source = feed or ScriptedFeed()
        self.store = store or DurableStore()
        self.engine = Engine(make_settings(slots, settings.pop("sizer", FixedSizer()), **settings))
        snapshot = self.store.latest_snapshot()
        if snapshot is not None:
            self.engine.restore(snapshot.engine)
        self.bus = OrderEventBus(self.time, capacity)
        self.entries: list[Entry] = []
        self.rejections: list[Rejection] = []
        self.gaps: list[Gap] = []
        self.timings: list[str] = []
        self.progress: list[Progress] = []
        self.stop_request = StopRequest()
        self._probe = probe or (lambda _point: None)
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)
        self.reason = ""
        self.error: BaseException | None = None
        self.run = LiveRun(self._parts())

    def _parts(self) -> LiveParts:
        symbols = [instrument.symbol for instrument in self.engine.instruments]
        connector: Any = self.broker
        effects: EffectPerformer | EffectThreads
        if connector.venue is None:
            effects = EffectThreads(connector, self.bus, self.time, self._passed)
            connector.open(self.bus.put)
        else:
            effects = EffectPerformer(connector, self._passed)
            connector.open(effects.sink)
        self.validator = LiveValidator(
            symbols,
            Timeframe.MINUTE_1,
            xnys(),
            stale_after_ns=2 * MINUTE_NS,
            on_rejected=lambda told: self._keep(self.rejections, told),
            on_gaps=lambda told: self._keep(self.gaps, told),
        )
        self.curve = EquityCurve(len(symbols), Timeframe.MINUTE_1, xnys(), float(self.broker.book.cash))
        started = RunStarted(
            ts=self.time.now_ns(), run_id="r", desk_id="d", mode="run", book=1, configuration="", feed="live test"
        )
        self.feed = LiveFeed(
            self.source, "data_provider:test", symbols, Timeframe.MINUTE_1, bus=self.bus, clock=self.time
        )
        return LiveParts(
            engine=self.engine,
            broker=connector,
            effects=effects,
            bus=self.bus,
            feed=self.feed,
            store=self.store,
            validator=self.validator,
            curve=LiveCurve(self.curve, symbols, Timeframe.MINUTE_1),
            stop=self.stop_request,
            started=started,
            warm_up=self.source.warm_up,
            identity="live test",
            clock=self.time,
            steady_ns=self.time.steady_ns,
            watch=ClockWatch(self.machine, self.machine.steady_ns),
            tick_seconds=0.002,
            probe=self._passed,
            on_committed=lambda entries: self._keep(self.entries, entries),
            on_progress=lambda progress: self._keep(self.progress, (progress,)),
            on_timing=lambda kind, _order_id, _duration_ns: self._keep(self.timings, (kind,)),
        )

    def _keep(self, kept: list[Any], told: Iterable[Any]) -> None:
        with self._changed:
            kept.extend(told)
            self._changed.notify_all()

    def _passed(self, point: str) -> None:
        self._probe(point)
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self.reason = self.run.run()
        except BaseException as error:  # noqa: BLE001  what ends the loop is the test's to look at
            self.error = error
        with self._changed:
            self._changed.notify_all()

    # What a test does

    def start(self, *, live: bool = True) -> LiveDesk:
        """Start the loop, and wait until bars may come."""
        self._thread.start()
        if live:
            assert self.source.is_live.wait(PATIENCE_SECONDS), self.error
        return self

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds that the loop brings about."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.error is not None or holds(), PATIENCE_SECONDS), "it never held"
        if self.error is not None:
            raise self.error

    def play(self, bars: Iterable[Bar], delay_ns: int = SECOND_NS) -> None:
        """Let bars come, each so long after its end, and wait until all are taken."""
        taken = self.taken
        for count, bar in enumerate(bars, taken + 1):
            self.push(bar, delay_ns)
            self.wait_for(count)

    def push(self, bar: Bar, delay_ns: int = SECOND_NS) -> None:
        """Let a bar come so long after its end."""
        self.time.go_to(bar.start_ns + MINUTE_NS + delay_ns)
        self.source.push(bar)

    @property
    def taken(self) -> int:
        """How many bars were shown to the engine or kept out."""
        return self.engine.bars + len(self.rejections)

    def wait_for(self, bars: int) -> None:
        """Wait until so many bars are taken."""
        self.until(lambda: self.taken >= bars)

    def put(self, event: Event) -> None:
        """Hand an event to the inbox, and wait until it is taken."""
        before = self.engine.sequence
        self.bus.put(event)
        self.until(lambda: self.engine.sequence > before)

    def stop(self) -> str:
        """Ask the run to stop, wait for its end, close what the desk would close; raises what ended the loop."""
        self.stop_request.ask("signal")
        self.join()
        if self.error is not None:
            raise self.error
        return self.reason

    def join(self) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        self.feed.close()

    def leave(self) -> None:
        """Whatever the test did: leave no thread behind."""
        for gate in self.broker.gates.values():
            gate.set()
        if self._thread.ident is not None:
            self.stop_request.ask("test over")
            self.join()

    def of(self, kind: type[T]) -> list[T]:
        """All events or records of one kind that are committed, in order."""
        return [entry.body for entry in self.entries if isinstance(entry.body, kind)]

    @property
    def kinds(self) -> list[str]:
        """The kinds of all committed events, in order."""
        return [type(entry.body).__name__ for entry in self.entries if not entry.ordinal]


@pytest.fixture
def live() -> Iterator[SimpleNamespace]:
    """Makes live desks, and what they are made of; those that were started are gone at the end of the test."""
    desks: list[LiveDesk] = []

    def desk(*slots: StrategySlot, **options: Any) -> LiveDesk:
        desks.append(LiveDesk(*slots, **options))
        return desks[-1]

    yield SimpleNamespace(desk=desk, broker=TestBroker, feed=ScriptedFeed, store=DurableStore, time=FakeTime, end=END)
    for made in desks:
        made.leave()
