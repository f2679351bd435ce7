"""OrderEventBus: nothing is lost in silence, nothing overtakes, and nobody waits for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.events import Event, FeedStatus, StreamStatus
from mqd_core.runtime.bus import CAPACITY, OrderEventBus

#: No test waits as long as this unless it fails.
PATIENCE_SECONDS = 10.0


class StoppedClock:
    def now_ns(self) -> int:
        return 7


def news(number: int, source: str = "one") -> FeedStatus:
    return FeedStatus(ts=number, code=source)


def numbers(events: list[Event | None]) -> list[int]:
    return [event.ts for event in events if isinstance(event, FeedStatus)]


def taken(bus: OrderEventBus) -> list[Event]:
    events: list[Event] = []
    while (event := bus.take(0.0)) is not None:
        events.append(event)
    return events


def test_events_leave_in_the_order_of_their_arrival() -> None:
    """First in, first out."""
    bus = OrderEventBus(StoppedClock())
    for number in range(100):
        bus.put(news(number))
    assert len(bus) == 100
    assert numbers([*taken(bus)]) == [*range(100)]


def test_an_empty_bus_gives_nothing_when_the_time_is_over() -> None:
    """A timeout is no event."""
    assert OrderEventBus(StoppedClock()).take(0.001) is None


def test_one_who_waits_is_woken_by_an_event() -> None:
    """An event from another thread ends a wait at once."""
    bus = OrderEventBus(StoppedClock())
    got: list[Event | None] = []
    taker = threading.Thread(target=lambda: got.append(bus.take(PATIENCE_SECONDS)))
    taker.start()
    bus.put(news(1))
    taker.join(PATIENCE_SECONDS)
    assert numbers(got) == [1]


def test_one_who_waits_is_woken_by_the_close() -> None:
    """Whoever waits when the bus is closed gets nothing, and goes."""
    bus = OrderEventBus(StoppedClock())
    got: list[Event | None] = []
    taker = threading.Thread(target=lambda: got.append(bus.take(PATIENCE_SECONDS)))
    taker.start()
    bus.close()
    taker.join(PATIENCE_SECONDS)
    assert got == [None]


def test_a_closed_bus_takes_nothing_in_and_gives_what_it_has() -> None:
    """What waited can still be taken; what comes late is ignored."""
    bus = OrderEventBus(StoppedClock())
    bus.put(news(1))
    bus.close()
    bus.put(news(2))
    assert numbers([*taken(bus)]) == [1]
    assert bus.take(PATIENCE_SECONDS) is None


def test_a_full_bus_drops_everything_and_says_so_once_in_its_place() -> None:
    """All that waited is gone, the newest event stays, and the notice stands before it."""
    bus = OrderEventBus(StoppedClock(), capacity=3)
    for number in range(4):
        bus.put(news(number))
    notice, newest, *rest = taken(bus)
    assert notice == StreamStatus(
        ts=7, stream="inbox", state="overflow", text="the desk did not keep up: 3 events that waited were dropped"
    )
    assert newest == news(3)
    assert rest == []
    assert bus.dropped == 3
    assert bus.take(0.0) is None


def test_two_overflows_before_anybody_looks_are_one_notice() -> None:
    """The notice counts all that was dropped since the last one."""
    bus = OrderEventBus(StoppedClock(), capacity=2)
    for number in range(5):
        bus.put(news(number))
    notice, newest = taken(bus)
    assert isinstance(notice, StreamStatus)
    assert "4 events" in notice.text
    assert newest == news(4)


def test_the_default_bound_is_ten_thousand() -> None:
    """So many events wait, and one more is too many."""
    bus = OrderEventBus(StoppedClock())
    for number in range(CAPACITY):
        bus.put(news(number))
    assert bus.dropped == 0
    bus.put(news(CAPACITY))
    assert bus.dropped == CAPACITY == 10_000


@pytest.mark.parametrize("wrong", [None, {"ts": 1}, "stop", 3])
def test_what_is_no_event_stays_outside(wrong: Any) -> None:
    """A plugin that puts something else hears of it in its own thread; the loop never sees it."""
    bus = OrderEventBus(StoppedClock())
    with pytest.raises(TypeError, match="takes events"):
        bus.put(wrong)
    assert len(bus) == 0


def test_many_threads_lose_nothing_and_keep_their_own_order() -> None:
    """Every event of every thread arrives once, and those of one thread in its order."""
    bus = OrderEventBus(StoppedClock())
    sources = [f"thread-{place}" for place in range(8)]
    together = threading.Barrier(len(sources))

    def put_all(source: str) -> None:
        together.wait(PATIENCE_SECONDS)
        for number in range(1_000):
            bus.put(news(number, source))

    threads = [threading.Thread(target=put_all, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    events = [bus.take(PATIENCE_SECONDS) for _ in range(8_000)]
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    for source in sources:
        assert [event.ts for event in events if isinstance(event, FeedStatus) and event.code == source] == [
            *range(1_000)
        ]
    assert bus.take(0.0) is None


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_each_event_is_taken_or_counted(actions: list[bool], capacity: int) -> None:
    """Whatever is put and taken in whatever order, what was not taken was dropped and told, and order is kept."""
    bus = OrderEventBus(StoppedClock(), capacity=capacity)
    seen: list[Event] = []
    put = 0
    for is_put in actions:
        if is_put:
            bus.put(news(put))
            put += 1
        elif (event := bus.take(0.0)) is not None:
            seen.append(event)
    seen += taken(bus)
    order = numbers([*seen])
    assert order == sorted(order)
    assert len(order) + bus.dropped == put
    assert bool(bus.dropped) is any(isinstance(event, StreamStatus) for event in seen)
