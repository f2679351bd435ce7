"""A desk that dies at any moment, and is started again, ends exactly where one that never died does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mqd_core.testing.crashing import CrashingProbe, Ending, desk_config, run_once, run_with_crashes

SEEDS = 100


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ending, CrashingProbe]:
    """The run that nothing disturbs, and how many moments it could have died at."""
    folder = tmp_path_factory.mktemp("undisturbed")
    probe = CrashingProbe()
    return run_once(desk_config(folder), folder, probe), probe


def test_the_undisturbed_run_trades_and_passes_every_kind_of_moment(undisturbed: tuple[Ending, CrashingProbe]) -> None:
    """The scenario is worth crashing: it opens and closes positions, commits, and calls the broker."""
    ending, probe = undisturbed
    assert ending.trips >= 10
    assert ending.fills == ending.intents
    assert {"commit:before", "commit:after", "submit:before", "submit:after"} <= set(probe.points)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_crash_anywhere_changes_nothing(
    seed: int, undisturbed: tuple[Ending, CrashingProbe], tmp_path: Path
) -> None:
    """One to three crashes, at moments drawn from the seed, and the ending is that of the undisturbed run."""
    ending, probe = undisturbed
    draw = random.Random(seed)  # noqa: S311  a reproducible draw, nothing secret
    # The first crash may be anywhere but after the very end; later ones strike what is left, recovery included.
    last = probe.count - 1
    crashes = [frozenset({draw.randrange(last)}), *(frozenset({draw.randrange(40)}) for _ in range(draw.randint(0, 2)))]
    crashed, died = run_with_crashes(desk_config(tmp_path), tmp_path, crashes)
    assert died >= 1
    assert crashed == ending


@pytest.mark.slow
def test_a_crash_at_each_moment_of_one_order_changes_nothing(
    undisturbed: tuple[Ending, CrashingProbe], tmp_path: Path
) -> None:
    """From before the first intent is committed to after its fill is: every moment, one process killed at each."""
    ending, probe = undisturbed
    first = probe.points.index("submit:before")
    for moment in range(first - 3, first + 10):
        folder = tmp_path / str(moment)
        folder.mkdir()
        crashed, died = run_with_crashes(desk_config(folder), folder, [frozenset({moment})])
        assert died == 1
        assert crashed == ending, probe.points[moment]
