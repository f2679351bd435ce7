"""Scenarios with a name, undisturbed and died in at many points; `tox -e simulation` dies at every one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_simulation.crash import Blow
from desk_simulation.exhaustive import die, die_all, double, single
from desk_simulation.plan import Plan
from desk_simulation.scenarios import CANONICAL, NAMED, TWICE
from desk_simulation.sweep import live
from desk_simulation.world import World
from msgspec.structs import replace

from mqd_core.domain.money import ZERO

WORKERS = 2
#: Of all points of a scenario, every so many is died at here, other ones in each scenario.
EVERY = 37


def lived(plan: Plan, folder: Path) -> World:
    """A life to its end, every invariant held."""
    world = World(plan, folder)
    world.live()
    return world


@pytest.mark.parametrize("name", [*CANONICAL, *NAMED])
def test_an_undisturbed_scenario_trades_and_comes_to_rest(name: str, tmp_path: Path) -> None:
    """Each scenario sends orders and fills some, and holds all invariants without any crash."""
    world = lived((CANONICAL | NAMED)[name], tmp_path)
    assert world.witness.booked
    assert world.life.crashes == 0


@pytest.mark.slow
def test_a_crash_at_many_points_of_each_scenario_breaks_nothing() -> None:
    """A process that dies anywhere leaves behind what the next one can go on from."""
    dead = die_all(list(single([*CANONICAL, *NAMED], EVERY)), WORKERS)
    assert not dead.failures, "\n".join(f"{death.command}: {failure.text}" for death, failure in dead.failures[:3])
    assert len(dead.lengths) > 200


@pytest.mark.slow
def test_a_second_crash_during_the_recovery_breaks_nothing() -> None:
    """A recovery that dies is recovered from like anything else."""
    firsts = die(list(single(TWICE, 101)))
    dead = die_all(list(double(firsts, 1, 41)), WORKERS)
    assert not dead.failures, "\n".join(f"{death.command}: {failure.text}" for death, failure in dead.failures[:3])
    assert len(dead.lengths) > 50


def test_an_order_that_the_venue_took_before_the_desk_died_is_adopted(tmp_path: Path) -> None:
    """Killed between the venue's record and its own commit, the desk finds its order and books its fill once."""
    plan = replace(CANONICAL["market buy"], blows=((0, Blow("crash", 1, "post:after")),))
    world = lived(plan, tmp_path)
    assert world.life.crashes == 1
    (first, *_) = world.broker.truth().taken
    assert world.sent[first.client_order_id] == 1
    assert world.witness.lives[first.client_order_id] == "filled"


def test_an_order_that_never_left_is_given_up_and_not_sent_again(tmp_path: Path) -> None:
    """Killed after the commit of an intent and before its first byte, the desk proves that there is no order."""
    plan = replace(CANONICAL["market buy"], blows=((0, Blow("crash", 1, "post:before")),))
    world = lived(plan, tmp_path)
    first = next(iter(world.witness.approved))
    assert world.sent[first] == 0
    assert world.witness.lives[first] == "abandoned"


def test_a_halt_while_holding_lets_the_position_be_sold(tmp_path: Path) -> None:
    """A halted desk buys nothing, and an exit still leaves."""
    world = lived(NAMED["halt while holding"], tmp_path)
    assert world.witness.codes["halted:person"] == 1
    assert world.broker.truth().positions == {}


def test_an_exit_whose_answer_is_lost_is_sent_once(tmp_path: Path) -> None:
    """Nobody knows whether it arrived: it is asked about, and the position is sold once."""
    world = lived(NAMED["exit whose answer is lost"], tmp_path)
    assert set(world.sent.values()) == {1}
    assert world.broker.truth().positions == {}


def test_a_day_stop_expires_with_its_session(tmp_path: Path) -> None:
    """What rested until the close is over in the books too, and the position can be sold the next day."""
    world = lived(NAMED["day stop at the change of session"], tmp_path)
    assert sorted(world.witness.lives.values()) == ["expired", "filled", "filled"]
    assert all(quantity == ZERO for quantity in world.witness.positions.values())


@pytest.mark.slow
def test_the_shipped_pragmas_change_nothing(tmp_path: Path) -> None:
    """A life on a real disk, synchronous as shipped, is the life in memory."""
    plan = replace(CANONICAL["market buy"], blows=((0, Blow("crash", 300)),))
    on_disk = World(plan, tmp_path, is_fast=False).live()
    fast, failure = live(plan, tmp_path)
    assert failure is None
    assert on_disk == fast
