"""A desk that dies at the worst moments there are, one by one, beside a venue that remembers; and an outsider's proof.

The moments are those between the intent's commit and the venue's record, between that record and the desk's next
commit, and the same for a fill.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CHECKER = Path(__file__).with_name("checker.py")
#: When the process dies, and where that leaves the two.
MOMENTS = {
    "submit:before=5": "written down, and not at the venue",
    "submit:after=5": "at the venue, and its answer not written down",
    "submit:after=5,commit:before=2": "filled, and not booked",
    "submit:after=5,commit:after=2": "nothing in flight",
}


@pytest.mark.parametrize(
    ("moments", "not_found"), [*((moments, "final") for moments in MOMENTS), ("submit:before=5", "doubtful")]
)
def test_killed_at_the_worst_moments(
    make_venue_desk: Callable[..., Any], undisturbed_venue: Any, moments: str, not_found: str
) -> None:
    """The venue's record decides: what it has is found and booked once, what it has not is sent again or given up."""
    desk = make_venue_desk(not_found)
    desk.kill_at(moments)
    before = desk.check(is_over=False)
    assert before.window() == MOMENTS[moments]
    after = desk.finish(undisturbed_venue)
    lives = list(after.journal.lives.values())
    is_lost = moments == "submit:before=5"
    assert lives.count("abandoned") == (is_lost and not_found == "doubtful")
    assert after.sent_again() == (is_lost and not_found == "final")


def test_a_checker_that_can_find_something(make_venue_desk: Callable[..., Any], undisturbed_venue: Any) -> None:
    """Each invariant, broken by hand in what the outsider has read, is named by it: its silence says something."""
    desk = make_venue_desk()
    desk.finish(undisturbed_venue)

    def found_after(change: Callable[[Any], None]) -> str:
        check = desk.check(is_over=True)
        change(check)
        return "\n".join(check.faults())

    def second_name(check: Any) -> None:
        name, terms = check.account.tickets[0]
        check.account.tickets.append(("fresh", terms))
        check.journal.intents["fresh"] = check.journal.intents[name]

    assert "which no committed intent made" in found_after(
        lambda check: check.account.tickets.append(("alien", check.account.tickets[0][1]))
    )
    assert "became 2 orders" in found_after(second_name)
    assert "is at the venue as" in found_after(lambda check: check.account.tickets.__setitem__(0, changed(check, "7")))
    assert "I3 after" in found_after(lambda check: check.journal.moves.pop(5))
    assert "I4 the books end with" in found_after(lambda check: check.account.fills.pop())
    assert "I4 orders open at the desk" in found_after(lambda check: check.journal.lives.update(x="working"))


def changed(check: Any, quantity: str) -> tuple[str, tuple[Any, ...]]:
    """The first order at the venue, with another quantity."""
    name, terms = check.account.tickets[0]
    return name, (*terms[:4], quantity, *terms[5:])


def test_a_checker_that_reads_files(
    make_venue_desk: Callable[..., Any], undisturbed_venue: Any, tmp_path: Path
) -> None:
    """Lines that are missing at the end of the venue's record, or altered in its middle, are found by their effects."""
    desk = make_venue_desk()
    desk.finish(undisturbed_venue)
    checker = [sys.executable, str(CHECKER), str(desk.store)]
    sound = subprocess.run([*checker, str(desk.record)], capture_output=True, text=True, check=False)
    assert (sound.returncode, sound.stdout.split()[-2:]) == (0, ["0", "faults"])
    whole = desk.record.read_bytes().splitlines(keepends=True)
    copy = tmp_path / "account.jsonl"
    for lines in (1, 2, 3):
        copy.write_bytes(b"".join(whole[:-lines]))
        shortened = subprocess.run([*checker, str(copy)], capture_output=True, text=True, check=False)
        assert shortened.returncode == 1
        assert "I2 the books have" in shortened.stdout
    whole[10] = whole[10].replace(b"SPHD", b"SPHX")
    copy.write_bytes(b"".join(whole))
    altered = subprocess.run([*checker, str(copy)], capture_output=True, text=True, check=False)
    assert "I11 line 11 of the account's record is not what was written" in altered.stdout
