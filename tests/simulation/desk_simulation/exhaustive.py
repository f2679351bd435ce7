"""A crash at every point of a scenario, and a second one at every point of the recovery from the first.

May not leave a point out but where it says so.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

import msgspec

from desk_simulation.crash import Blow
from desk_simulation.plan import Plan
from desk_simulation.scenarios import CANONICAL, NAMED
from desk_simulation.sweep import Failure, live, workspace

CHUNK = 50


class Death(msgspec.Struct, frozen=True):
    """One life of a scenario: at which point each process dies, counted from 1."""

    scenario: str
    points: tuple[int, ...] = ()

    @property
    def plan(self) -> Plan:
        """The scenario's plan with these deaths."""
        plan = CANONICAL.get(self.scenario) or NAMED[self.scenario]
        blows = tuple((process, Blow("crash", point)) for process, point in enumerate(self.points))
        return msgspec.structs.replace(plan, blows=blows)

    def __str__(self) -> str:
        points = " ".join(map(str, self.points))
        return f"scenario {self.scenario!r}, crash at {points or 'no point'}"

    @property
    def command(self) -> str:
        """How to see it again."""
        points = f" --crash {' '.join(map(str, self.points))}" if self.points else ""
        return f'python tests/simulation/run.py --scenario "{self.scenario}"{points}'


class Dead(msgspec.Struct):
    """What came of some deaths: how long each process lived, and what failed."""

    lengths: list[tuple[Death, list[int]]] = msgspec.field(default_factory=list)
    failures: list[tuple[Death, Failure]] = msgspec.field(default_factory=list)


def die(deaths: Sequence[Death]) -> Dead:
    """Live through these, one after the other."""
    dead = Dead()
    with workspace() as folder:
        for death in deaths:
            life, failure = live(death.plan, Path(folder))
            if failure is not None:
                dead.failures.append((death, failure))
            elif life is not None:
                dead.lengths.append((death, life.lengths))
    return dead


def die_all(deaths: Sequence[Death], workers: int) -> Dead:
    """The same in several processes."""
    if workers < 2:
        return die(deaths)
    chunks = [deaths[first : first + CHUNK] for first in range(0, len(deaths), CHUNK)]
    dead = Dead()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(die, chunks):
            dead.lengths += part.lengths
            dead.failures += part.failures
    return dead


def single(names: Sequence[str], every: int = 1) -> Iterator[Death]:
    """A crash at every point of each scenario; or at every `every`-th, another set of points in each scenario."""
    for number, name in enumerate(names):
        lived = die([Death(name)])
        if lived.failures:
            raise AssertionError(f"{name} fails without a crash: {lived.failures[0][1].text}")
        yield from (Death(name, (point,)) for point in range(1 + number % every, lived.lengths[0][1][0] + 1, every))


def double(firsts: Dead, every_first: int, every_second: int = 1, recovery_points: int = 250) -> Iterator[Death]:
    """A second crash in the recovery from each of these first ones, as far as `recovery_points` reach.

    Of first crashes every `every_first`-th is taken: most of them leave the same behind, since a transaction has many
    statements and one commit.
    """
    taken = firsts.lengths[::every_first]
    return chain.from_iterable(
        (
            Death(death.scenario, (*death.points, point))
            for point in range(1, _reach(lengths, recovery_points), every_second)
        )
        for death, lengths in taken
    )


def _reach(lengths: list[int], most: int) -> int:
    return min(lengths[1], most) + 1 if len(lengths) > 1 else 1
