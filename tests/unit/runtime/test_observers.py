"""ObserverThreads: observers see what was committed, and nothing that they do is felt by the desk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mqd_core.domain.events import FeedStatus
from mqd_core.domain.journal import SEGMENT_ORDINAL, Entry, Segment
from mqd_core.domain.records import Alert, Record, Severity
from mqd_core.runtime.observers import CAPACITY, FAILURES_MAX, ObserverThread, ObserverThreads

PATIENCE_SECONDS = 10.0


class Watcher:
    """Keeps what it was shown, and says when it has seen so many; `act` is called with each record."""

    def __init__(self, act: Callable[[Record], None] | None = None) -> None:
        self.seen: list[Record] = []
        self.threads: set[str] = set()
        self._act = act
        self._changed = threading.Condition()

    def on_record(self, record: Record) -> None:
        with self._changed:
            self.seen.append(record)
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()
        if self._act is not None:
            self._act(record)

    def wait_for(self, records: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= records, PATIENCE_SECONDS)


class Gate(Watcher):
    """Lets nothing pass until it is opened."""

    def __init__(self) -> None:
        self._gate = threading.Event()
        super().__init__(lambda _record: self._open_in_time())

    def open(self) -> None:
        self._gate.set()

    def _open_in_time(self) -> None:
        assert self._gate.wait(PATIENCE_SECONDS)


def alert(number: int) -> Alert:
    return Alert(number, 1, number, severity=Severity.NOTICE, code="test", subject="test", text="")


def entries(*numbers: int) -> tuple[Entry, ...]:
    return tuple(Entry(number, 1, alert(number)) for number in numbers)


def sequences(watcher: Watcher) -> list[int]:
    return [record.sequence for record in watcher.seen]


@contextmanager
def watching(*watchers: Watcher, capacity: int = CAPACITY) -> Iterator[ObserverThreads]:
    threads = ObserverThreads(capacity)
    threads.watch((f"observer:{place}", watcher) for place, watcher in enumerate(watchers))
    try:
        yield threads
    finally:
        threads.close(PATIENCE_SECONDS)


def raising(error: BaseException) -> Callable[[Record], None]:
    def act(_record: Record) -> None:
        raise error

    return act


def test_every_observer_sees_every_record_in_order_in_a_thread_of_its_own() -> None:
    """Two observers see the same, each elsewhere than the loop and than the other."""
    one, other = Watcher(), Watcher()
    with watching(one, other) as threads:
        for number in range(1, 201):
            threads.tell(entries(number))
    assert sequences(one) == sequences(other) == [*range(1, 201)]
    assert one.threads == {"mqd-observer-observer:0"}
    assert other.threads == {"mqd-observer-observer:1"}
    assert threads.remarks() == []


def test_events_and_segments_are_no_records() -> None:
    """Of what was committed, only what the engine decided and moved is shown."""
    segment = Segment(
        provider="p", settings="", timeframe="1Min", symbols=("SPY",), first_ns=0, last_ns=0, rows=1, digest=""
    )
    watcher = Watcher()
    with watching(watcher) as threads:
        threads.tell(
            (Entry(1, 0, FeedStatus(ts=1, code="up")), *entries(1), Entry(1, SEGMENT_ORDINAL, segment), *entries(2))
        )
    assert sequences(watcher) == [1, 2]


def test_without_observers_nothing_happens() -> None:
    """Telling nobody is allowed, before and after the observers are there."""
    threads = ObserverThreads()
    threads.tell(entries(1))
    threads.close()
    assert threads.remarks() == []


def test_a_slow_observer_misses_records_and_nobody_waits() -> None:
    """What there is no room for is dropped, the latest first, and counted; the others see everything."""
    slow, quick = Gate(), Watcher()
    with watching(slow, quick, capacity=3) as threads:
        threads.tell(entries(1))
        slow.wait_for(1)
        quick.wait_for(1)
        for number in range(2, 7):
            threads.tell(entries(number))
            quick.wait_for(number)
        slow.open()
    assert sequences(slow) == [1, 2, 3, 4]
    assert sequences(quick) == [1, 2, 3, 4, 5, 6]
    assert threads.remarks() == ["observer:0 missed 2 records"]


def test_a_batch_larger_than_the_room_is_cut() -> None:
    """The first records of it are shown."""
    slow = Gate()
    with watching(slow, capacity=2) as threads:
        threads.tell(entries(1))
        slow.wait_for(1)
        threads.tell(entries(2, 3, 4, 5))
        slow.open()
    assert sequences(slow) == [1, 2, 3]
    assert threads.remarks() == ["observer:0 missed 2 records"]


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3), KeyboardInterrupt()])
def test_what_an_observer_raises_stays_with_it(error: BaseException) -> None:
    """It is counted, the observer is shown what comes next, and the others notice nothing."""
    sick, well = Watcher(raising(error)), Watcher()
    with watching(sick, well) as threads:
        threads.tell(entries(1, 2, 3))
    assert sequences(sick) == sequences(well) == [1, 2, 3]
    assert threads.remarks() == ["observer:0 raised 3 times"]


def test_an_observer_that_raises_ten_times_is_left_alone() -> None:
    """It is shown nothing more, and what it missed from then on is not counted."""
    sick = Watcher(raising(ValueError("odd")))
    with watching(sick) as threads:
        threads.tell(entries(*range(1, 31)))
        sick.wait_for(FAILURES_MAX)
        threads.tell(entries(31))
    assert len(sick.seen) == FAILURES_MAX == 10
    assert threads.remarks() == ["observer:0 was shown nothing more after it had raised 10 times"]


def test_each_type_of_error_is_logged_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Of twelve records, each raising one of two errors, two lines say what was wrong and one that it is over."""

    def act(record: Record) -> None:
        raise (ValueError if record.sequence % 2 else KeyError)("odd")

    sick = Watcher(act)
    with watching(sick) as threads:
        threads.tell(entries(*range(1, 13)))
    told = [line for line in capfd.readouterr().err.splitlines() if "Plugin moved" in line]
    assert len(told) == 3
    assert [word for line in told for word in ("failed", "disabled") if word in line] == [
        "failed",
        "failed",
        "disabled",
    ]
    assert "test_observers.py" in told[0]


def test_the_end_waits_only_so_long_for_an_observer_that_hangs() -> None:
    """What still waits for it then is counted as missed, and what is told later is ignored."""
    hanging = Gate()
    thread = ObserverThread("observer:hanging", hanging)
    thread.start()
    thread.put([alert(1), alert(2), alert(3)])
    hanging.wait_for(1)
    thread.finish()
    thread.join(0.001)
    thread.put([alert(4)])
    assert thread.remarks() == ["observer:hanging missed 2 records"]
    hanging.open()
    thread._thread.join(PATIENCE_SECONDS)
    assert sequences(hanging) == [1]
