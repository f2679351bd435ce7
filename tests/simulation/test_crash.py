"""A desk that dies at any moment, and is started again, ends exactly where one that never died does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

SEEDS = 100


def test_the_undisturbed_run_trades_and_passes_every_kind_of_moment(crashing: Any) -> None:
    """The scenario is worth crashing: it opens and closes positions, commits, and calls the broker."""
    assert crashing.undisturbed.trips >= 10
    if crashing.protection == "strategy":
        assert crashing.undisturbed.fills == crashing.undisturbed.intents
    else:
        # Most stops are canceled for an exit; some fill, and are the third order of their trip all the same.
        assert crashing.undisturbed.intents > crashing.undisturbed.fills == 2 * crashing.undisturbed.trips
        assert {"cancel:before", "cancel:after"} <= set(crashing.points)
    assert {"commit:before", "commit:after", "submit:before", "submit:after"} <= set(crashing.points)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_crash_anywhere_changes_nothing(seed: int, crashing: Any, tmp_path: Path) -> None:
    """One to three crashes, at moments drawn from the seed, and the ending is that of the undisturbed run."""
    draw = random.Random(seed)
    # The first crash may be anywhere but after the very end; later ones strike what is left, recovery included.
    last = len(crashing.points) - 1
    crashes = [frozenset({draw.randrange(last)}), *(frozenset({draw.randrange(40)}) for _ in range(draw.randint(0, 2)))]
    ending, died = crashing.run(tmp_path, crashes)
    assert died >= 1
    assert ending == crashing.undisturbed


@pytest.mark.slow
def test_a_crash_at_each_moment_of_one_order_changes_nothing(crashing: Any, tmp_path: Path) -> None:
    """From before the first intent is committed to after its fill is: every moment, one process killed at each."""
    first = crashing.points.index("submit:before")
    for moment in range(first - 3, first + 10):
        folder = tmp_path / str(moment)
        folder.mkdir()
        ending, died = crashing.run(folder, [frozenset({moment})])
        assert died == 1
        assert ending == crashing.undisturbed, crashing.points[moment]
