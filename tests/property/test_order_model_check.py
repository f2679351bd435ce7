"""A bounded model check: every interleaving of what can happen to an order for two shares, eight events deep.

Breadth first over everything that the machine is, states seen before taken once. An order begins sent, or denied; it
fills share by share, is canceled, replaced, busted, asked about; what happens may come twice, too early, or be lost.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

import pytest

from mqd_core.domain.order_state import SEEN, TABLE, Cell, Life, OrderStateMachine, Request, Trigger
from mqd_core.errors import IllegalTransition

ONE, TWO = Decimal(1), Decimal(2)
DEPTH = 8
BUSTS_MAX = 2
NAMES = [name for name in OrderStateMachine.__slots__ if name != "seen"]
WORDS = [trigger for trigger in Trigger if trigger not in (Trigger.FILL, Trigger.BUST)]

State: TypeAlias = tuple[object, ...]
Event: TypeAlias = tuple[str, Callable[[OrderStateMachine], object]]


def state_of(machine: OrderStateMachine) -> State:
    return tuple(getattr(machine, name) for name in NAMES)


def machine_of(state: State) -> OrderStateMachine:
    machine = OrderStateMachine(TWO)
    for name, value in zip(NAMES, state, strict=True):
        setattr(machine, name, value)
    return machine


def want_replace(machine: OrderStateMachine) -> bool:
    """What a desk that could replace would do: only while working, with nothing else outstanding."""
    if machine.life is Life.WORKING and machine.request is Request.NONE:
        machine.request = Request.REPLACE
        return True
    return False


def events(state: State) -> Iterator[Event]:
    """Everything that can happen next."""
    before = machine_of(state)
    filled = before.cumulative
    for trigger in WORDS:
        yield f"told {trigger.name}", lambda machine, trigger=trigger: machine.apply(trigger)  # type: ignore[misc]
        yield f"found {trigger.name}", lambda machine, trigger=trigger: machine.found(trigger)  # type: ignore[misc]
    yield "fill again", lambda machine: machine.fill(ONE, filled)
    yield "fill too early", lambda machine: machine.fill(ONE, filled + TWO)
    # One share too many is the least that shows; more are no other state.
    if filled <= TWO:
        yield "fill", lambda machine: machine.fill(ONE, filled + ONE)
    yield "complete", lambda machine: machine.complete(filled)
    yield "complete with more", lambda machine: machine.complete(filled + ONE)
    yield "bust of too much", lambda machine: machine.bust(filled + ONE)
    if before.busts < BUSTS_MAX and filled:
        yield "bust", lambda machine: machine.bust(ONE)
    yield "want cancel", lambda machine: machine.want_cancel()
    yield "want replace", want_replace


def cell_of(name: str, life: Life) -> tuple[Life, Trigger] | None:
    """The cell of the table that an event meets; None where it meets none."""
    words = {"fill": Trigger.FILL, "bust": Trigger.BUST, "bust of too much": Trigger.BUST}
    trigger = words.get(name) or Trigger.__members__.get(name.removeprefix("told "))
    return None if trigger is None else (life, trigger)


@dataclass
class Checked:
    """What was visited: the depth at which each state was first seen, what each leads to, the cells that were met."""

    depth_of: dict[State, int] = field(default_factory=dict)
    edges: dict[State, list[State]] = field(default_factory=dict)
    cells: set[tuple[Life, Trigger]] = field(default_factory=set)
    #: How many sequences of `DEPTH` events there are.
    paths: int = 0


def check() -> Checked:
    """Visit everything; each step is checked on its own, and taken once however many ways lead to it."""
    found = Checked()
    level: Counter[State] = Counter()
    for life in (Life.SUBMITTING, Life.DENIED):
        start = state_of(OrderStateMachine(TWO, life))
        found.depth_of[start], level[start] = 0, 1
    for _ in range(DEPTH):
        level = step(found, level)
    found.paths = level.total()
    while any(state not in found.edges for state in level):
        level = step(found, level)
    return found


def step(found: Checked, level: Counter[State]) -> Counter[State]:
    """One event more, in every state of a level."""
    reached: Counter[State] = Counter()
    for state, paths in level.items():
        if state not in found.edges:
            found.edges[state] = list(successors(state, found))
        for after in found.edges[state]:
            reached[after] += paths
            found.depth_of.setdefault(after, found.depth_of[state] + 1)
    return reached


def successors(state: State, found: Checked) -> Iterator[State]:
    """What each event makes of a state."""
    life = machine_of(state).life
    for name, happen in events(state):
        if (cell := cell_of(name, life)) is not None:
            found.cells.add(cell)
        machine = machine_of(state)
        try:
            answer = happen(machine)
        except IllegalTransition:
            assert name in ("fill too early", "bust of too much"), (name, state)
            assert state_of(machine) == state, "what cannot be may change nothing"
            continue
        obey(name, machine_of(state), machine, answer)
        yield state_of(machine)


def obey(name: str, before: OrderStateMachine, after: OrderStateMachine, answer: object) -> None:
    """The invariants of one step: conservation (I27), legality (I20), and what follows from being over."""
    assert Decimal(0) <= after.cumulative
    halts = isinstance(answer, Cell) and answer.halts
    if after.cumulative > TWO:
        assert after.life is Life.FILLED
        assert after.cumulative == before.cumulative or halts, "an overfill halts the desk"
    else:
        assert after.leaves == (TWO - after.cumulative if after.is_open else Decimal(0))
    grown = after.cumulative - before.cumulative
    assert grown == {"fill": ONE, "bust": -ONE}.get(name, Decimal(0)) or before.life in (Life.DENIED, *DOUBTFUL)
    assert (after.busts - before.busts) == (1 if grown < 0 else 0)
    assert not after.request_unknown or after.request is not Request.NONE
    if not after.is_open:
        assert (after.request, after.cancel_wanted) == (Request.NONE, False)
    if after.life is Life.DENIED:
        assert after.cumulative == 0
    if name == "fill again":
        assert answer is SEEN
        assert state_of(before) == state_of(after)
    if before.life in OVER and after.is_open:
        # Back from the dead only by the broker's word, never by the desk's; and to be canceled.
        assert name.startswith(("told", "found")), name
        assert after.cancel_wanted


#: In these lives no bust can be taken back from a book: the desk halts instead.
DOUBTFUL = (Life.SUBMITTING, Life.UNKNOWN)
OVER = frozenset(life for life in Life if life > Life.PAUSED)


def ends(found: Checked) -> set[State]:
    """States from which some way leads to an order that is over."""
    back: dict[State, set[State]] = {}
    for state, reached in found.edges.items():
        for after in reached:
            back.setdefault(after, set()).add(state)
    waiting = [state for state in found.depth_of if machine_of(state).life in OVER]
    ended = set(waiting)
    while waiting:
        for state in back.get(waiting.pop(), ()):
            if state not in ended:
                ended.add(state)
                waiting.append(state)
    return ended


@pytest.fixture(scope="module")
def checked() -> Checked:
    """All of it, once."""
    return check()


def test_every_interleaving_keeps_the_invariants(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    """No step from any state breaks conservation or legality; the number of states is part of the summary."""
    within = sum(depth <= DEPTH for depth in checked.depth_of.values())
    steps, deepest = sum(map(len, checked.edges.values())), max(checked.depth_of.values())
    summary = (
        f"order table: {within:,} states and {checked.paths:,} interleavings within {DEPTH} events; {steps:,} steps "
        f"between {len(checked.depth_of):,} states in all, none deeper than {deepest} events\n"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{summary}")
    assert within > 150
    assert checked.paths > 10**9
    # Nothing is left to find: the check went on until no event led anywhere new.
    assert set(checked.edges) == set(checked.depth_of)


def test_every_cell_of_the_table_is_met(checked: Checked) -> None:
    """Each of the 144 cells is met by an order that came there by itself."""
    assert checked.cells == {(life, trigger) for life in Life for trigger in Trigger}
    assert len(checked.cells) == sum(map(len, TABLE)) == 144


def test_every_order_can_end(checked: Checked) -> None:
    """From wherever an order may be, some way leads to its end."""
    assert ends(checked) == set(checked.depth_of)
