"""The order table: all 144 cells do what the failure model says, and nothing else; quantities, requests, cancels.

`CELLS` is written down from the failure model and read here by rules of this file's own, not by the module's.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.domain.order_state import (
    HARD_TERMINAL,
    OPEN_LIVES,
    SOFT_TERMINAL,
    TABLE,
    Cell,
    Life,
    OrderStateMachine,
    Request,
    Trigger,
    state_diagram,
    state_table,
)
from mqd_core.errors import IllegalTransition

TEN, FIVE, ZERO = Decimal(10), Decimal(5), Decimal(0)

# Columns: acknowledged, new, fill, canceled, expired, rejected, replaced, paused, request rejected, ambiguous, not
# found, bust. One word for each effect: a life to go to, fill, alert, query, halt, freeze, resurrect, adjust; clear and
# doubt the request; a dot for nothing but a count.
CELLS = {
    "SUBMITTING": "PENDING | WORKING | fill,WORKING | CANCELED | EXPIRED | REJECTED | REPLACED,alert | PAUSED"
    " | query,alert | UNKNOWN | ABANDONED | query,halt",
    "UNKNOWN": "PENDING | WORKING | fill,WORKING | CANCELED | EXPIRED | REJECTED | REPLACED,alert | PAUSED"
    " | query,alert | . | ABANDONED | query,halt",
    "PENDING": ". | WORKING | fill,WORKING | CANCELED | EXPIRED | REJECTED | REPLACED | PAUSED"
    " | clear,query | doubt,query | query,halt | adjust,halt",
    "WORKING": ". | . | fill | CANCELED | EXPIRED | REJECTED,alert | REPLACED | PAUSED"
    " | clear,query | doubt,query | query,halt | adjust,halt",
    "PAUSED": ". | WORKING | fill | CANCELED | EXPIRED | REJECTED,alert | REPLACED | ."
    " | clear,query | doubt,query | query,halt | adjust,halt",
    "FILLED": ". | . | fill,alert,halt | . | . | alert,halt | query,alert | ."
    " | clear | clear | . | adjust,alert,halt,query",
    "CANCELED": "query | query | fill,alert | . | . | alert | query,alert | query"
    " | clear | clear | . | adjust,alert,halt",
    "EXPIRED": "query | query | fill,alert | . | . | alert | query,alert | query"
    " | clear | clear | . | adjust,alert,halt",
    "REJECTED": "query,alert | query,alert | fill,alert,freeze | . | . | . | query,alert | query,alert"
    " | clear | . | . | adjust,alert,halt",
    "REPLACED": ". | . | fill,alert | . | . | . | . | . | clear | . | . | adjust,alert,halt",
    "ABANDONED": "resurrect,alert | resurrect,alert | fill,alert,freeze | CANCELED | EXPIRED | REJECTED | query,alert"
    " | resurrect,alert | query,alert | . | . | adjust,alert,halt",
    "DENIED": "halt | halt | halt | halt | halt | halt | halt | halt | halt | . | . | halt",
}
ALL_CELLS = list(product(Life, Trigger))


def words_of(life: Life, trigger: Trigger) -> set[str]:
    """What the failure model says that this event does in this life."""
    return set(CELLS[life.name].split("|")[trigger].strip().split(","))


def machine_in(life: Life, quantity: Decimal | None = TEN, filled: Decimal = ZERO) -> OrderStateMachine:
    """A machine that has come to a life, with a cancel outstanding where one can be."""
    machine = OrderStateMachine(quantity, life)
    machine.cumulative = filled
    if machine.is_open and life > Life.UNKNOWN:
        machine.request = Request.CANCEL
    return machine


def state_of(machine: OrderStateMachine) -> tuple[object, ...]:
    """Everything that the machine is."""
    return tuple(getattr(machine, name) for name in OrderStateMachine.__slots__)


def happen(machine: OrderStateMachine, trigger: Trigger) -> Cell:
    """Let an event happen; fills and busts are of five shares."""
    if trigger is Trigger.FILL:
        return machine.fill(FIVE, machine.cumulative + FIVE)
    if trigger is Trigger.BUST:
        return machine.bust(FIVE)
    return machine.apply(trigger)


def test_every_life_and_trigger_is_in_the_model() -> None:
    """The table of this file has twelve lives and twelve events, as the module has."""
    assert list(CELLS) == [life.name for life in Life]
    assert all(len(row.split("|")) == len(Trigger) == 12 for row in CELLS.values())
    assert set(Life) == OPEN_LIVES | HARD_TERMINAL | SOFT_TERMINAL


@pytest.mark.parametrize(("life", "trigger"), ALL_CELLS, ids=lambda value: value.name.lower())
class TestCell:
    def test_says(self, life: Life, trigger: Trigger) -> None:
        """What the cell asks of the engine is what the failure model says."""
        cell, words = TABLE[life][trigger], words_of(life, trigger)
        assert cell.applies_fill == ("fill" in words)
        assert cell.alerts == ("alert" in words)
        assert cell.queries == ("query" in words)
        assert cell.halts == ("halt" in words)
        assert cell.freezes == ("freeze" in words)
        assert cell.resurrects == ("resurrect" in words)
        assert cell.adjusts == ("adjust" in words)
        assert cell.clears_request == ("clear" in words)
        assert cell.doubts_request == ("doubt" in words)
        assert (cell.next_life.name if cell.next_life else None) == next((w for w in words if w in CELLS), None)

    def test_does(self, life: Life, trigger: Trigger) -> None:
        """What the machine becomes is what the failure model says, and nothing else of it changes."""
        words, machine = words_of(life, trigger), machine_in(life, filled=FIVE if trigger is Trigger.BUST else ZERO)
        had_request = machine.request is not Request.NONE
        expected = {name: getattr(machine, name) for name in OrderStateMachine.__slots__}
        target = next((Life[word] for word in words if word in CELLS), life)
        if "resurrect" in words:
            opened = {Trigger.ACKNOWLEDGED: Life.PENDING, Trigger.NEW: Life.WORKING, Trigger.PAUSED: Life.PAUSED}
            target, expected["cancel_wanted"] = opened[trigger], True
        expected["life"] = target
        if "fill" in words:
            expected["cumulative"] = FIVE
        if "adjust" in words:
            expected |= {"cumulative": ZERO, "busts": 1}
        if "clear" in words or target in HARD_TERMINAL | SOFT_TERMINAL:
            expected |= {"request": Request.NONE, "request_unknown": False}
        if "doubt" in words:
            expected["request_unknown"] = had_request
        if words == {"."}:
            expected["seen"] = 1
        assert happen(machine, trigger) == TABLE[life][trigger]
        assert {name: getattr(machine, name) for name in OrderStateMachine.__slots__} == expected

    def test_twice(self, life: Life, trigger: Trigger) -> None:
        """The same event again changes no quantity, and fills are counted once."""
        machine = machine_in(life, filled=FIVE if trigger is Trigger.BUST else ZERO)
        happen(machine, trigger)
        filled = machine.cumulative
        if trigger is Trigger.FILL and TABLE[life][trigger].applies_fill:
            before = state_of(machine)
            assert machine.fill(FIVE, FIVE).code == "="
            assert machine.seen == 1
            machine.seen = 0
            assert state_of(machine) == before
        elif trigger is Trigger.BUST and TABLE[life][trigger].adjusts:
            before = state_of(machine)
            with pytest.raises(IllegalTransition, match="cannot be taken"):
                machine.bust(FIVE)
            assert state_of(machine) == before
        else:
            happen(machine, trigger)
        assert machine.cumulative == filled


class TestFills:
    @pytest.mark.parametrize("life", [life for life in Life if life not in HARD_TERMINAL], ids=lambda life: life.name)
    def test_completes(self, life: Life) -> None:
        """The fill that makes an order whole makes it FILLED, however late it comes, and clears what was asked for."""
        machine = machine_in(life, filled=FIVE)
        machine.cancel_wanted = True
        cell = machine.fill(FIVE, TEN)
        assert (machine.life, machine.cumulative, machine.leaves) == (Life.FILLED, TEN, ZERO)
        assert (machine.request, machine.cancel_wanted) == (Request.NONE, False)
        assert cell.alerts == (life in SOFT_TERMINAL)

    @pytest.mark.parametrize("life", [life for life in Life if life is not Life.DENIED], ids=lambda life: life.name)
    def test_overfills(self, life: Life) -> None:
        """More shares than were asked for are in the account: applied, alarmed, and the desk halts."""
        machine = machine_in(life, filled=FIVE)
        cell = machine.fill(TEN, Decimal(15))
        assert (machine.life, machine.cumulative) == (Life.FILLED, Decimal(15))
        assert cell.applies_fill
        assert cell.alerts
        assert cell.halts

    def test_duplicate(self) -> None:
        """A fill that is known, or older than what is known, is counted and changes nothing, in every life."""
        for life in Life:
            machine = machine_in(life, filled=FIVE)
            for cumulative in (FIVE, Decimal(3)):
                assert machine.fill(Decimal(3), cumulative).code == "="
            assert (machine.life, machine.cumulative, machine.seen) == (life, FIVE, 2)

    def test_missing(self) -> None:
        """A fill that does not follow on what is known is refused, in words, and changes nothing."""
        for life in Life:
            machine = machine_in(life, filled=Decimal(1))
            before = state_of(machine)
            with pytest.raises(IllegalTransition, match="an execution in between is missing"):
                machine.fill(FIVE, TEN)
            assert state_of(machine) == before

    def test_denied_order_that_fills(self) -> None:
        """An order that never left cannot fill: nothing is applied and the desk halts."""
        machine = machine_in(Life.DENIED)
        assert machine.fill(FIVE, FIVE).halts
        assert (machine.life, machine.cumulative) == (Life.DENIED, ZERO)

    @pytest.mark.parametrize("quantity", ["6", "0", "-1"])
    def test_bust_of_what_never_was(self, quantity: str) -> None:
        """A bust of more than has filled, or of nothing, is refused and changes nothing."""
        machine = machine_in(Life.WORKING, filled=FIVE)
        before = state_of(machine)
        with pytest.raises(IllegalTransition, match=f"a bust of {quantity}"):
            machine.bust(Decimal(quantity))
        assert state_of(machine) == before

    @pytest.mark.parametrize("trigger", [Trigger.FILL, Trigger.BUST])
    def test_apply_takes_no_quantities(self, trigger: Trigger) -> None:
        """A fill or a bust without its quantity is refused, and changes nothing."""
        machine = machine_in(Life.WORKING)
        before = state_of(machine)
        with pytest.raises(IllegalTransition, match="carries a quantity"):
            machine.apply(trigger)
        assert state_of(machine) == before

    @given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
    def test_conservation(self, parts: list[int], data: st.DataObject) -> None:
        """Executions in any order, each any number of times, never lose or double a share."""
        sums = [sum(parts[: count + 1]) for count in range(len(parts))]
        fills = [(Decimal(part), Decimal(total)) for part, total in zip(parts, sums, strict=True)]
        machine = OrderStateMachine(Decimal(sums[-1]))
        for quantity, cumulative in data.draw(st.lists(st.sampled_from(fills), max_size=20)) + fills:
            before = state_of(machine)[:-1]
            try:
                machine.fill(quantity, cumulative)
            except IllegalTransition:
                assert state_of(machine)[:-1] == before
            assert machine.cumulative in {ZERO, *map(Decimal, sums)}
            assert machine.leaves == Decimal(sums[-1]) - machine.cumulative
        assert (machine.life, machine.cumulative) == (Life.FILLED, Decimal(sums[-1]))


class TestNotional:
    def test_completes_by_status_only(self) -> None:
        """How many shares a notional order is for is known when its status says that it is complete, and not before."""
        machine = machine_in(Life.WORKING, quantity=None)
        machine.fill(FIVE, FIVE)
        assert (machine.life, machine.leaves) == (Life.WORKING, None)
        assert machine.complete(FIVE).next_life is Life.FILLED
        assert (machine.life, machine.leaves) == (Life.FILLED, ZERO)

    def test_asks_for_what_is_missing(self) -> None:
        """A status that knows of more shares than are known completes nothing and asks."""
        machine = machine_in(Life.WORKING, quantity=None, filled=FIVE)
        assert machine.complete(TEN).queries
        assert machine.life is Life.WORKING

    @pytest.mark.parametrize("life", list(Life), ids=lambda life: life.name)
    def test_old_or_late(self, life: Life) -> None:
        """A completion older than what is known, or of an order that is over, is counted and changes nothing."""
        machine = machine_in(life, quantity=None, filled=FIVE)
        assert machine.complete(Decimal(3)).code == "="
        assert (machine.life, machine.seen) == (life, 1)
        if not machine.is_open:
            assert machine.complete(FIVE).code == "="
            assert machine.life is life

    def test_nothing_is_not_complete(self) -> None:
        """An order of which nothing is known to have filled is not complete, whatever the status says."""
        machine = machine_in(Life.WORKING, quantity=None)
        assert machine.complete(ZERO).code == "="
        assert machine.life is Life.WORKING


class TestFound:
    @pytest.mark.parametrize(
        ("life", "trigger"),
        [cell for cell in ALL_CELLS if cell[1] not in (Trigger.FILL, Trigger.BUST)],
        ids=lambda value: value.name.lower(),
    )
    def test_answer(self, life: Life, trigger: Trigger) -> None:
        """An answer does what a report does, but that an order believed dead and doubted is taken back when open."""
        machine, told = machine_in(life), machine_in(life)
        opens = trigger in (Trigger.ACKNOWLEDGED, Trigger.NEW, Trigger.PAUSED)
        answer, reported = machine.found(trigger), told.apply(trigger)
        if opens and reported.queries and life not in OPEN_LIVES:
            assert answer.resurrects
            assert answer.alerts
            assert machine.is_open
            assert machine.cancel_wanted
        else:
            assert answer == reported
            assert state_of(machine) == state_of(told)

    def test_busted_order_that_works_on(self) -> None:
        """A filled order whose execution was busted is what the broker says when asked: open again, to be canceled."""
        machine = machine_in(Life.FILLED, filled=TEN)
        assert machine.found(Trigger.NEW).code == "="
        machine.bust(FIVE)
        assert machine.found(Trigger.NEW).resurrects
        assert (machine.life, machine.leaves, machine.cancel_wanted) == (Life.WORKING, FIVE, True)

    def test_busted_order_that_was_filled_again(self) -> None:
        """Once it has all it asked for, or too much, nothing of it can be open: an old word changes nothing."""
        for again in (FIVE, TEN):
            machine = machine_in(Life.FILLED, filled=TEN)
            machine.bust(FIVE)
            machine.fill(again, FIVE + again)
            assert machine.found(Trigger.NEW).code == "="
            assert machine.life is Life.FILLED


class TestCancel:
    @pytest.mark.parametrize("life", list(Life), ids=lambda life: life.name)
    def test_may_be_asked_for(self, life: Life) -> None:
        """A cancel is sent once the broker has the order, remembered before, and pointless when the order is over."""
        machine = OrderStateMachine(TEN, life)
        assert machine.want_cancel() == (life in (Life.PENDING, Life.WORKING, Life.PAUSED))
        assert machine.cancel_wanted == (life in (Life.SUBMITTING, Life.UNKNOWN))
        assert (machine.request is Request.CANCEL) == (life in (Life.PENDING, Life.WORKING, Life.PAUSED))

    def test_not_twice(self) -> None:
        """A second cancel is sent only after the outcome of the first was lost."""
        machine = OrderStateMachine(TEN, Life.WORKING)
        assert machine.want_cancel()
        assert not machine.want_cancel()
        machine.apply(Trigger.AMBIGUOUS)
        assert machine.request_unknown
        assert machine.want_cancel()
        assert not machine.request_unknown

    def test_waits_for_a_replacement(self) -> None:
        """While a replacement is outstanding a cancel is remembered: the broker would refuse it."""
        machine = OrderStateMachine(TEN, Life.WORKING)
        machine.request = Request.REPLACE
        assert not machine.want_cancel()
        assert machine.cancel_wanted
        machine.apply(Trigger.REQUEST_REJECTED)
        assert machine.want_cancel()


def test_generated_documents_hold_every_cell() -> None:
    """The table that is printed has every cell in its place, and the diagram every change of life."""
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in state_table().splitlines()[2:]]
    assert rows == [[life.name, *(cell.code for cell in TABLE[life])] for life in Life]
    diagram = state_diagram()
    for life, trigger in ALL_CELLS:
        cell = TABLE[life][trigger]
        if cell.next_life is not None:
            assert f"{life.name} --> {cell.next_life.name}: " in diagram
        if cell.applies_fill and life is not Life.FILLED:
            assert f"{life.name} --> FILLED: " in diagram
    assert "ABANDONED --> PENDING: acknowledged" in diagram
