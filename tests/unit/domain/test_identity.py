"""Identity: client order ids are short, lawful, told apart, recognised, and functions of the journal alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from hypothesis import example, given
from hypothesis import strategies as st

from mqd_core.domain.identity import base36, client_order_id, desk_letters, is_own

DESK = desk_letters("demo", "PA1234")
sequences = st.integers(0, 2**53)
ordinals = st.integers(0, 5_000)


@given(st.integers(0, 2**70))
def test_base36_reads_back(number: int) -> None:
    """A number in base 36 is read back by Python's own reader."""
    assert int(base36(number), 36) == number


@given(sequences, ordinals)
@example(2**53, 5_000)
def test_ids_are_lawful(sequence: int, ordinal: int) -> None:
    """An id has at most 32 characters of a to z, 0 to 9 and the hyphen, and is recognised as the desk's own."""
    identifier = client_order_id(DESK, sequence, ordinal)
    assert re.fullmatch(r"[a-z0-9-]{1,32}", identifier)
    assert is_own(identifier, DESK)


@given(st.tuples(sequences, ordinals), st.tuples(sequences, ordinals))
def test_ids_are_told_apart(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Two orders never share an id: it is one to one with (sequence, ordinal)."""
    assert (client_order_id(DESK, *one) == client_order_id(DESK, *other)) == (one == other)


@given(sequences, ordinals, st.data())
def test_a_changed_id_is_not_own(sequence: int, ordinal: int, data: st.DataObject) -> None:
    """Any other character in any one place makes an id that is not taken for the desk's own."""
    identifier = client_order_id(DESK, sequence, ordinal)
    place = data.draw(st.integers(0, len(identifier) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789").filter(lambda c: c != identifier[place]))
    assert not is_own(identifier[:place] + letter + identifier[place + 1 :], DESK)


def test_other_ids_are_not_own() -> None:
    """Ids of other desks, of other programs, and no id at all are not the desk's own."""
    other = desk_letters("demo", "PA9999")
    assert other != DESK
    assert not is_own(client_order_id(other, 7, 1), DESK)
    assert not any(is_own(text, DESK) for text in ("", "-", "m1", "web-1234", f"m1-{DESK}", f"m1-{DESK}-"))


def test_letters_stand_for_desk_and_account() -> None:
    """Six letters, the same for the same desk and account, in every process and whatever the hash seed."""
    program = "from mqd_core.domain.identity import *; print(client_order_id(desk_letters('demo', 'PA1234'), 12345, 6))"
    expected = client_order_id(DESK, 12345, 6)
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        result = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, encoding="utf-8", check=True
        )
        assert result.stdout.strip() == expected
    assert re.fullmatch(r"[a-z2-7]{6}", DESK)
    assert desk_letters("a", "bc") != desk_letters("ab", "c")
