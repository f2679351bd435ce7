"""How old the view of a desk is, and how a record of it stands in JSON."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.cli.desk_reader import DeskReading, age_text, plain_object
from mqd_core.domain.projection import DeskView, LimitView

SECOND_NS = 1_000_000_000
NOON_NS = 1_737_288_000 * SECOND_NS  # 2025-01-19T12:00:00Z


def reading(*, age_seconds: int = 12, says_running: bool = True, is_held: bool = True) -> DeskReading:
    """A desk as of noon, looked at some seconds later."""
    view = DeskView(as_of_sequence=1955, as_of_ns=NOON_NS, running=says_running)
    return DeskReading("demo", view, is_held, NOON_NS + age_seconds * SECOND_NS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_ages_have_the_unit_a_person_would_use(seconds: int, text: str) -> None:
    """Seconds up to two minutes, minutes up to two hours, hours up to two days, then days."""
    assert age_text(seconds) == text


def test_a_view_says_how_old_it_is() -> None:
    """Time, sequence and age of the last commit that is seen."""
    assert reading().as_of() == "as of 2025-01-19 12:00:00 UTC, sequence 1955 (12 s ago)"
    assert reading().header() == {
        "schema": 1,
        "desk": "demo",
        "running": True,
        "as_of": {"sequence": 1955, "time": "2025-01-19T12:00:00Z", "age_seconds": 12},
    }


def test_made_up_data_may_lie_in_the_future() -> None:
    """A view of a time to come has no age."""
    future = reading(age_seconds=-5)

    assert future.as_of() == "as of 2025-01-19 12:00:00 UTC, sequence 1955"
    assert future.header()["as_of"]["age_seconds"] is None


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
