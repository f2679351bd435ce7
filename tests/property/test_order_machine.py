"""The order table against a venue that knows what happened: whatever order news comes in, the two agree in the end.

The venue is this file's own and shares nothing with the table: it has shares, a status, and a list of all it ever said.
News is delivered late, twice, in any order, or not at all; then the desk asks, and must know what the venue knows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mqd_core.domain.order_state import Life, OrderStateMachine, Request, Trigger
from mqd_core.errors import IllegalTransition

SHARES: Final = 6
#: What the venue calls an order, and the word for it that the table has; it is over in the latter ones.
OPEN: Final = {"accepted": Trigger.ACKNOWLEDGED, "working": Trigger.NEW, "held": Trigger.PAUSED}
OVER: Final = {"canceled": Trigger.CANCELED, "expired": Trigger.EXPIRED, "rejected": Trigger.REJECTED}
LIVES: Final = {
    "accepted": {Life.PENDING},
    "working": {Life.WORKING},
    "held": {Life.PAUSED},
    "canceled": {Life.CANCELED},
    "expired": {Life.EXPIRED},
    "rejected": {Life.REJECTED},
    "filled": {Life.FILLED},
}


class OrderAndVenue(RuleBasedStateMachine):
    """One order for six shares, sent over a line that loses, repeats and reorders."""

    @initialize(is_lost=st.booleans())
    def submit(self, is_lost: bool) -> None:
        """The order may arrive at once, later, or never; the desk may be left without an answer."""
        self.machine = OrderStateMachine(Decimal(SHARES))
        self.status = ""
        self.filled = 0
        #: Everything the venue ever said: a word, or an execution with the total after it.
        self.said: list[tuple[Trigger, int, int]] = []
        self.cancels = 0
        self.applied = 0
        if is_lost:
            self.machine.apply(Trigger.AMBIGUOUS)
        else:
            self.arrive()

    # The venue

    @precondition(lambda self: not self.status)
    @rule()
    def arrive(self) -> None:
        """The order reaches the venue."""
        self.say("accepted")

    def say(self, status: str) -> None:
        self.status = status
        self.said.append(({**OPEN, **OVER}[status], 0, self.filled))

    @precondition(lambda self: self.status in ("accepted", "held"))
    @rule()
    def begin(self) -> None:
        """The venue works it."""
        self.say("working")

    @precondition(lambda self: self.status == "working")
    @rule()
    def hold(self) -> None:
        """The venue stops to work it, and keeps it."""
        self.say("held")

    @precondition(lambda self: self.status == "working")
    @rule(shares=st.integers(1, SHARES))
    def execute(self, shares: int) -> None:
        """Some of it fills."""
        shares = min(shares, SHARES - self.filled)
        self.filled += shares
        self.said.append((Trigger.FILL, shares, self.filled))
        if self.filled == SHARES:
            self.status = "filled"

    @precondition(lambda self: self.status in OPEN and self.cancels)
    @rule()
    def cancel(self) -> None:
        """The venue does what it was asked to."""
        self.say("canceled")

    @precondition(lambda self: self.status in OPEN)
    @rule(status=st.sampled_from(["expired", "rejected"]))
    def end(self, status: str) -> None:
        """The session is over, or the venue changes its mind."""
        self.say(status)

    @precondition(lambda self: self.status not in ("", *OPEN) and self.cancels)
    @rule()
    def refuse_cancel(self) -> None:
        """A cancel that came too late is refused."""
        self.said.append((Trigger.REQUEST_REJECTED, 0, self.filled))

    # The line

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Something that was said arrives: now, late, or again."""
        self.hear(*data.draw(st.sampled_from(self.said)))

    def hear(self, trigger: Trigger, shares: int, total: int) -> None:
        machine, before = self.machine, self.machine.cumulative
        if trigger is not Trigger.FILL:
            machine.apply(trigger)
            assert machine.cumulative == before
            return
        try:
            cell = machine.fill(Decimal(shares), Decimal(total))
        except IllegalTransition:
            # One in between is missing: nothing may have changed, and the desk asks.
            assert total > before + shares
            assert machine.cumulative == before
            return
        self.applied += machine.cumulative != before
        assert machine.cumulative in (before, total)
        assert not cell.halts

    # The desk

    @rule()
    def want_cancel(self) -> None:
        """Somebody wants it canceled."""
        self.cancels += self.machine.want_cancel()

    @precondition(lambda self: self.machine.request is not Request.NONE)
    @rule()
    def lose_answer(self) -> None:
        """The answer to a request is lost."""
        self.machine.apply(Trigger.AMBIGUOUS)

    @precondition(lambda self: not self.status)
    @rule()
    def give_up(self) -> None:
        """The venue was asked often enough and never knew it; it may arrive all the same."""
        self.machine.apply(Trigger.NOT_FOUND)
        assert self.machine.life is Life.ABANDONED

    @precondition(lambda self: self.status)
    @rule()
    def ask(self) -> None:
        """The desk asks what became of it: executions first, in their order, then the status."""
        for trigger, shares, total in self.said:
            if trigger is Trigger.FILL:
                self.hear(trigger, shares, total)
        machine = self.machine
        if self.status == "filled":
            machine.complete(Decimal(self.filled))
        else:
            machine.found({**OPEN, **OVER}[self.status])
        assert machine.cumulative == self.filled
        assert machine.life in LIVES[self.status] | ({Life.WORKING} if self.status == "accepted" else set())

    # What holds at any time

    @invariant()
    def nothing_is_made_up(self) -> None:
        """No share that the venue did not execute; what is left is the rest; over means over."""
        machine = getattr(self, "machine", None)
        if machine is None:
            return
        assert 0 <= machine.cumulative <= self.filled
        assert machine.leaves == (SHARES - machine.cumulative if machine.is_open else 0)
        if machine.life in (Life.FILLED, Life.CANCELED, Life.EXPIRED, Life.REJECTED):
            assert self.status
            assert machine.life in LIVES[self.status]
        if not machine.is_open:
            assert (machine.request, machine.cancel_wanted) == (Request.NONE, False)

    def teardown(self) -> None:
        """However it went, one question puts it right."""
        if getattr(self, "status", ""):
            self.ask()


OrderAndVenue.TestCase.settings = settings(max_examples=300, stateful_step_count=30, derandomize=True, deadline=None)
test_order_and_venue_agree = OrderAndVenue.TestCase
