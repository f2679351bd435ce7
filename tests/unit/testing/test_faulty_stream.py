"""Faults of the stream: what reaches the desk, and when."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.api import Fill, OrderReport, OrderStatus
from mqd_core.testing.faults import FaultKind, FaultPlan

NAME = "m1-abcdef-1-0-aaaa"


def filled(world: Any, *kinds: FaultKind, **options: Any) -> Any:
    """A world in which these kinds strike always, after one order was sent and the market has traded."""
    w = world(FaultPlan.always(*kinds), **options)
    w.broker.submit(w.order())
    return w.trade()


def story(w: Any) -> list[str]:
    """What was heard, a word each."""
    words = []
    for event in w.heard:
        if isinstance(event, Fill):
            words.append(f"fill {event.cumulative_quantity.normalize()}")
        elif isinstance(event, OrderReport):
            words.append(event.status.value)
        else:
            words.append(getattr(event, "state", type(event).__name__))
    return words


def test_a_dropped_event_never_comes(world: Any) -> None:
    """Nothing is heard, and the activities know."""
    w = filled(world, FaultKind.EVENT_DROPPED).wait(120)
    assert w.heard == []
    assert len([*w.broker.activities(None)]) == 1


def test_a_duplicated_event_comes_twice(world: Any) -> None:
    """The second is equal to the first."""
    w = filled(world, FaultKind.EVENT_DUPLICATED)
    assert story(w) == ["new", "fill 2"]
    fills = w.wait(30).of(Fill)
    assert len(fills) == 2
    assert fills[0] == fills[1]


def test_a_delayed_event_comes_within_a_minute(world: Any) -> None:
    """Nothing at once, all of it later."""
    w = filled(world, FaultKind.EVENT_DELAYED)
    assert w.heard == []
    assert sorted(story(w.wait(60))) == ["fill 2", "new"]


def test_a_reordered_event_comes_behind_the_next(world: Any) -> None:
    """With every event held back, they come when the hold ends; one held alone comes behind the next one."""
    w = filled(world, FaultKind.EVENT_REORDERED)
    assert story(w.wait(60)) == ["new", "fill 2"]
    rate = ((FaultKind.EVENT_REORDERED, 0.5),)
    for seed in range(50):
        w = world(FaultPlan(seed, rate))
        w.broker.submit(w.order())
        if story(w.trade()) == ["fill 2", "new"]:
            return
    pytest.fail("no seed of fifty had the fill before the new")


def test_a_fill_is_replayed_with_the_same_execution(world: Any) -> None:
    """A new and the same fill come again within half a minute."""
    w = filled(world, FaultKind.FILL_REPLAYED).wait(30)
    assert story(w)[:2] == ["new", "fill 2"]
    assert sorted(story(w)[2:]) == ["fill 2", "new"]
    assert len({fill.execution_id for fill in w.of(Fill)}) == 1


def test_a_fill_comes_before_its_new(world: Any) -> None:
    """The `new` behind the fill knows of nothing filled."""
    w = filled(world, FaultKind.FILL_BEFORE_NEW)
    assert story(w) == ["new", "fill 2", "new"]
    assert w.heard[-1].filled_quantity == 0


def test_a_cancel_comes_before_the_last_fill(world: Any) -> None:
    """The end, which knows how much has filled, and then the fill."""
    w = filled(world, FaultKind.END_BEFORE_FILL, parts=2)
    w.broker.cancel(w.ref())
    assert story(w) == ["new", "canceled", "fill 1"]
    assert w.heard[1].filled_quantity == Decimal(1)


def test_a_late_fill_is_news_to_the_end_of_its_order(world: Any) -> None:
    """The end comes first and does not count it; every query does."""
    w = filled(world, FaultKind.LATE_FILL, parts=2)
    w.broker.cancel(w.ref())
    assert story(w) == ["new", "canceled", "fill 1"]
    assert w.heard[1].filled_quantity == 0
    assert w.broker.find_order(NAME).filled_quantity == 1


def test_a_fill_that_waits_for_an_end_comes_by_itself(world: Any) -> None:
    """An order that filled has no other end to wait for: a minute later it is told."""
    w = filled(world, FaultKind.END_BEFORE_FILL)
    assert story(w) == ["new"]
    assert story(w.wait(60)) == ["new", "fill 2"]


def test_an_unknown_status_is_shown_for_a_while(world: Any) -> None:
    """Paused on the stream and to queries, then what it really is."""
    w = world(FaultPlan.always(FaultKind.STATUS_UNKNOWN))
    w.broker.submit(w.order())
    assert w.wait(2).broker.find_order(NAME).status is OrderStatus.PAUSED
    assert w.wait(60).broker.find_order(NAME).status is OrderStatus.NEW
    assert w.statuses == ["new", "paused", "new"]


def test_a_mute_stream_says_nothing_and_loses_all(world: Any) -> None:
    """No word of silence, and no event of its time comes later."""
    w = world(FaultPlan.always(FaultKind.STREAM_MUTE))
    w.minute()
    w.broker.calm()
    w.broker.submit(w.order())
    assert w.heard == []
    w.wait(121)
    w.broker.cancel(w.ref())
    assert story(w) == ["canceled"]


def test_a_lost_connection_is_told_and_comes_back_with_a_gap(world: Any) -> None:
    """Down, up, and nothing of what happened between."""
    w = world(FaultPlan.always(FaultKind.STREAM_DOWN))
    w.minute()
    w.broker.calm()
    w.broker.submit(w.order())
    w.wait(120)
    assert story(w) == ["down", "up"]
    w.broker.cancel(w.ref())
    assert story(w) == ["down", "up", "canceled"]


def test_a_desk_that_comes_back_hears_what_is_new(world: Any) -> None:
    """The desk before hears nothing more, and its broken connection is not mended in the new one."""
    w = world(FaultPlan.always(FaultKind.STREAM_DOWN))
    w.minute()
    w.broker.calm()
    before, w.heard = w.heard, []
    w.broker.close()
    w.broker.submit(w.order())
    assert w.broker.open(w.heard.append).cash == Decimal(1000)
    w.wait(120)
    assert (story(w), len(before)) == ([], 1)
    w.broker.cancel(w.ref())
    assert (story(w), len(before)) == (["canceled"], 1)
