"""Watchdog: silence with orders open is what it acts on, once, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mqd_core.app.watchdog import Watchdog
from mqd_core.domain.market import SECOND_NS
from mqd_core.runtime.heartbeat import Heartbeat, HeartbeatFile


@dataclass
class Watched:
    """A watchdog, its clock, and a store that says how many orders are open."""

    folder: Path
    now_ns: int = 0
    in_store: int | None = 0
    asked: int = 0
    file: HeartbeatFile = field(init=False)
    watchdog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        self.file = HeartbeatFile(self.folder)
        self.watchdog = Watchdog(self.file, 30.0, self.ask_store, lambda: self.now_ns)

    def ask_store(self) -> int | None:
        self.asked += 1
        return self.in_store

    def beat(self, sequence: int, open_orders: int = 1) -> None:
        self.file.write(Heartbeat(pid=7, run_id="r", sequence=sequence, open_orders=open_orders, written_ns=sequence))

    def look(self, seconds: int = 1) -> list[Heartbeat]:
        """Look once a second for that long; what it would act on."""
        found = []
        for _ in range(seconds):
            self.now_ns += SECOND_NS
            beat = self.watchdog.look()
            if beat is not None:
                found.append(beat)
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_silence_with_open_orders_is_acted_on_once(watched: Watched) -> None:
    """After thirty seconds without a change, and not before; then it has been said."""
    watched.beat(1)
    assert watched.look(30) == []
    (found,) = watched.look(60)
    assert (found.pid, found.sequence) == (7, 1)


def test_a_desk_that_lives_is_left_alone(watched: Watched) -> None:
    """Any change is a sign of life."""
    for sequence in range(5):
        watched.beat(sequence)
        assert watched.look(29) == []


def test_a_desk_without_orders_may_be_silent(watched: Watched) -> None:
    """Where neither the heartbeat nor the store knows of an order, there is nothing to look after."""
    watched.beat(1, open_orders=0)
    assert watched.look(100) == []
    assert watched.asked == 1


@pytest.mark.parametrize("in_store", [2, None])
def test_the_store_knows_of_later_orders(watched: Watched, in_store: int | None) -> None:
    """An intent that came after the last heartbeat counts; a store that nobody can read counts as one."""
    watched.in_store = in_store
    watched.beat(1, open_orders=0)
    assert len(watched.look(100)) == 1


def test_a_machine_that_slept_is_no_silent_desk(watched: Watched) -> None:
    """Hours between two looks count as one second: the desk slept, too."""
    watched.beat(1)
    watched.look(2)
    watched.now_ns += 8 * 3600 * SECOND_NS
    assert watched.look(20) == []


def test_no_heartbeat_is_no_desk(watched: Watched) -> None:
    """Before a desk starts, and after it ended in order, there is nothing to do."""
    assert watched.look(100) == []
    assert watched.watchdog.seen == set()
    watched.beat(1)
    watched.look(1)
    assert watched.watchdog.seen == {7}
    assert watched.watchdog.absent_ns == 0
    watched.file.clear()
    assert watched.look(100) == []
    assert watched.watchdog.absent_ns == 100 * SECOND_NS
