"""Desks that live through everything at once: seeds of faults and crashes, every invariant, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_simulation.plan import Plan, draw_plan
from desk_simulation.sweep import Failure, live, shrink, sweep, told
from desk_simulation.witness import Violation, Witness

from mqd_core.domain.journal import Entry
from mqd_core.domain.money import ZERO
from mqd_core.domain.records import OrderMoved

#: Chosen once: a run of the tests lives through the same lives as the run before it.
SEEDS = range(300)
WORKERS = 2
REGRESSIONS = Path(__file__).with_name("regressions.txt")


def known_seeds() -> list[int]:
    """The seeds that have failed before."""
    lines = REGRESSIONS.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.slow
def test_no_seed_breaks_an_invariant(tmp_path: Path) -> None:
    """Whatever strikes process, disk, feed, plugins and broker, money and orders are never lost, doubled or made up."""
    report = sweep([*known_seeds(), *SEEDS], WORKERS)
    print("\n".join(report.table()))
    failures = [told(failure, shrink(draw_plan(failure.seed), failure, tmp_path)) for failure in report.failures[:3]]
    assert not report.failures, "\n".join(failures)
    assert report.life.crashes > len(SEEDS) // 2
    assert report.life.fills > len(SEEDS)


def test_a_seed_is_one_life(tmp_path: Path) -> None:
    """The same seed leads to the same journal, to the last digit, in a second life."""
    first, failure = live(draw_plan(3), tmp_path)
    assert failure is None
    assert live(draw_plan(3), tmp_path)[0] == first


def test_a_plan_without_its_parts_is_an_undisturbed_life(tmp_path: Path) -> None:
    """What a plan is made of can be left out: nothing strikes then, and nobody is needed."""
    plan = next(plan for plan in map(draw_plan, range(100)) if len(plan.segments) == 1 and plan.parts())
    life, failure = live(plan.keeping(()), tmp_path)
    assert failure is None
    assert life is not None
    assert (life.processes, life.crashes, life.fired) == (1, 0, {})
    assert life.fills > 0


def test_a_failing_plan_is_made_small(tmp_path: Path) -> None:
    """Of all that struck, the shrinker keeps what is needed to fail in the same way, and says how to see it again."""
    plan = next(plan for plan in map(draw_plan, range(100)) if len(plan.parts()) >= 6)
    needed = set(plan.parts()[1:3])

    def fails(smaller: Plan, _folder: Path) -> tuple[None, Failure | None]:
        broken = needed <= set(smaller.parts())
        return None, Failure(plan.seed, "I4", "planted") if broken else None

    small = shrink(plan, Failure(plan.seed, "I4", "planted"), tmp_path, living=fails)
    assert set(small.parts()) == needed
    text = told(Failure(plan.seed, "I4", "planted"), small)
    assert f"python tests/simulation/run.py --seed {plan.seed} --only {','.join(small.parts())}" in text


def test_a_journal_that_makes_something_up_is_caught() -> None:
    """The witness knows an order that no intent was committed of."""
    moved = OrderMoved(
        1, 1, 1,
        correlation_id="c", client_order_id="m1-x", broker_order_id="", symbol="AAA", before="submitting",
        after="working", cumulative=ZERO,
    )  # fmt: skip
    with pytest.raises(Violation, match="I1: order m1-x moved, and no intent"):
        Witness().take([Entry(1, 1, moved)])
