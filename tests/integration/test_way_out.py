"""`mqd kill` and a venue that outlives the desk: beside one that trades and without one, everything is sold at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def flattened(desk: Any) -> None:
    """Kill the desk by the command; nothing works or is held at the venue afterwards."""
    killed = desk.desk.mqd("kill", "--config", "config.yaml", "--flatten", "--yes", "--json")
    assert killed.code == 0, killed.err
    account = desk.outsider().account
    assert (account.positions, account.working) == ({}, set())


def test_a_desk_that_died_holding_something(make_venue_desk: Callable[..., Any]) -> None:
    """The venue sells what the dead desk bought, and no start of the desk buys again before a person resumes it."""
    desk = make_venue_desk()
    # The fifth order buys, and its fill is booked.
    desk.kill_at("submit:after=5,commit:after=2")
    assert set(desk.outsider().account.positions) == {"SPHD"}
    flattened(desk)
    (sold,) = [fill for fill in desk.outsider().account.fills if fill["client_order_id"].startswith("emergency-")]
    assert sold["symbol"] == "SPHD"
    again = desk.desk.run()
    assert again.code == 5, again.err
    assert desk.outsider().account.positions == {}


def test_beside_a_desk_that_trades(make_venue_desk: Callable[..., Any]) -> None:
    """The desk that is connected hears of the halt, and leaves; nothing is bought behind the back of the command."""
    desk = make_venue_desk("doubtful")
    desk.desk.change(("days: 1}", "days: 1, pace: 40}"))
    with desk.desk.running("--json") as running:
        running.wait_for_text("Order filled", 3)
        flattened(desk)
        ended = running.end()
    assert ended.code == 5, ended.err
    assert desk.outsider().account.positions == {}
