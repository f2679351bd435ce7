"""Desks that are killed, stopped for a while and starved, beside a venue that remembers; checked by an outsider.

The desk and the venue are processes, the store and the account's record are files, the wire is a socket. After every
death the outsider reads both sides' files; after the last start both have to agree, and the decisions are those of a
desk that nobody disturbed. `tox -e kill` kills 200 times.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_killed_at_random_moments(make_venue_desk: Callable[..., Any], undisturbed_venue: Any, request: Any) -> None:
    """However often a desk dies, each intent is one order at most, each fill is booked once, and the books balance."""
    kills, rng, began = request.config.getoption("--kills"), Random(20_260), time.monotonic()
    windows, totals = Counter[str](), Counter[str]()
    while totals["kills"] < kills:
        not_found = ("final", "doubtful")[totals["books"] % 2]
        desk = make_venue_desk(not_found)
        deaths = 0
        while totals["kills"] < kills and desk.killed_at(rng):
            deaths += 1
            totals["kills"] += 1
            if desk.store.exists() and desk.record.exists():
                windows[desk.check(is_over=False).window()] += 1
            else:
                windows["before there was anything"] += 1
        check = desk.finish(undisturbed_venue) if deaths else None
        if check is not None:
            lives = Counter(check.journal.lives.values())
            totals.update({"books": 1, "orders": len(check.account.tickets), "fills": len(check.account.fills)})
            totals["intents"] += len(check.journal.intents)
            totals["abandoned"] += lives["abandoned"]
            totals["sent again"] += check.sent_again()
            totals[f"books, {not_found}"] += 1
        desk.stop_venue()
    show("where a kill found the desk", windows)
    show(f"in {time.monotonic() - began:.0f} s", totals)
    assert totals["orders"] == totals["fills"]


def show(title: str, counts: Counter[str]) -> None:
    """Print a table of counts."""
    lines = [f"  {count:6,} {name}" for name, count in sorted(counts.items())]
    sys.stdout.write("\n".join(["", title, *lines, ""]))
