"""How old the view of a desk is, and how a record of it stands in JSON."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mqd_core.cli.desk_reader import DeskReading, age_text, plain_object
from mqd_core.domain.projection import DeskView, LimitView
from mqd_core.runtime.halt_file import HaltNote

SECOND_NS = 1_000_000_000
NOON_NS = 1_737_288_000 * SECOND_NS  # 2025-01-19T12:00:00Z
#: Data of long ago, committed in 2026.
COMMITTED_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01T00:00:00Z


def reading(*, age_seconds: int = 12, says_running: bool = True, is_held: bool = True) -> DeskReading:
    """A desk as of noon of its data, looked at some seconds after that was committed."""
    view = DeskView(as_of_sequence=1955, as_of_ns=NOON_NS, running=says_running)
    return DeskReading("demo", view, is_held, COMMITTED_NS + age_seconds * SECOND_NS, COMMITTED_NS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_ages_have_the_unit_a_person_would_use(seconds: int, text: str) -> None:
    """Seconds up to two minutes, minutes up to two hours, hours up to two days, then days."""
    assert age_text(seconds) == text


def test_a_view_says_how_old_it_is() -> None:
    """The data's time and the sequence, and by the wall clock when that was committed: the two may be years apart."""
    assert reading().as_of() == "as of data time 2025-01-19 12:00:00 UTC, sequence 1955, committed 12 s ago"
    assert reading().header() == {
        "schema": 1,
        "desk": "demo",
        "running": True,
        "as_of": {
            "sequence": 1955,
            "time": "2025-01-19T12:00:00Z",
            "committed": "2026-01-01T00:00:00Z",
            "age_seconds": 12,
        },
    }


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    """What seems to have been committed in a time to come was committed now."""
    assert reading(age_seconds=-5).as_of().endswith("committed 0 s ago")


def test_a_halt_file_is_a_halt_whatever_the_journal_says() -> None:
    """A desk is halted by its state or by the file alone."""
    ready = reading()
    assert not ready.is_halted
    assert replace(ready, halt=HaltNote(reason="killed")).is_halted
    halted = DeskReading("demo", DeskView(as_of_sequence=1, desk_state="halted"), False, NOON_NS)
    assert halted.is_halted
    assert halted.as_of() == "as of data time 1970-01-01 00:00:00 UTC, sequence 1"


def test_a_new_desk_has_no_records() -> None:
    """A desk that never committed anything says how records come about."""
    new = DeskReading("demo", None, running=False, now_ns=NOON_NS)

    assert "no records yet" in new.as_of()
    assert new.header()["as_of"] is None
    assert not new.crashed


@pytest.mark.parametrize(
    ("says_running", "is_held", "crashed"),
    [(True, True, False), (True, False, True), (False, False, False), (False, True, False)],
)
def test_a_run_that_never_ended_and_that_nobody_holds_crashed(says_running: bool, is_held: bool, crashed: bool) -> None:
    """The journal alone cannot tell a running desk from one that was killed; the lock can."""
    assert reading(says_running=says_running, is_held=is_held).crashed is crashed


def test_records_become_plain_json() -> None:
    """Decimals are text without exponents, times UTC text under a name without a unit."""
    limit = LimitView(
        limit="daily",
        state="fired",
        loss=Decimal("5E+1"),
        level=Decimal("950.00"),
        until_ns=None,
        session="2025-01-17",
        updated_ns=NOON_NS,
    )

    assert plain_object(limit) == {
        "limit": "daily",
        "state": "fired",
        "loss": "50",
        "level": "950",
        "until": None,
        "session": "2025-01-17",
        "updated": "2025-01-19T12:00:00Z",
    }
