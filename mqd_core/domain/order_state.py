"""The life of an order: states, events and the one table that says what each event does in each state.

Theory of operation
-------------------
An order has three orthogonal parts, and most races of trading disappear once they are kept apart:

* **life**: where the order is. SUBMITTING (decided and journaled, no answer yet), UNKNOWN (sent or perhaps not, the
  answer was lost), PENDING (the broker has it), WORKING (the venue has it), PAUSED (open, but not working now);
  and the terminal ones.
* **quantity**: `cumulative`, how much has filled. It comes from fills only and only grows. "Partially filled" is no
  state: it is `0 < cumulative < quantity`.
* **request**: what is outstanding on our side: NONE, CANCEL or REPLACE, with a flag when the answer to the request
  itself was ambiguous.

Two kinds of terminal life. *Hard*: DENIED never left the process; FILLED has all it asked for. *Soft*: CANCELED,
EXPIRED, REJECTED, REPLACED, ABANDONED. A venue may report a fill after any of those (the cancel and the fill crossed
on the wire), and shares that were bought are in the account whatever we believed. **Late fills are therefore legal
rows of the table**, applied and alarmed, never dropped.

Rules of this module: everything that decides a transition is in `TABLE`; there is no default branch, every cell is
written down; an event that a cell calls impossible asks for a halt rather than guessing; a method either applies an
event whole or leaves the order as it was. "Old" events (a cumulative quantity not above the one already applied) are
counted and change nothing, which is what makes every event safe to deliver twice.

May not know money, brokers, clocks or who listens. `docs/STATE_MACHINE.md` is generated from `TABLE`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import Final, NamedTuple

from mqd_core.domain.money import EXACT, ZERO
from mqd_core.errors import IllegalTransition


class Life(IntEnum):
    """Where an order is. Integers, because the table is indexed by them on the hot path."""

    SUBMITTING = 0
    UNKNOWN = 1
    PENDING = 2
    WORKING = 3
    PAUSED = 4
    FILLED = 5
    CANCELED = 6
    EXPIRED = 7
    REJECTED = 8
    REPLACED = 9
    ABANDONED = 10
    DENIED = 11


class Trigger(IntEnum):
    """What can happen to an order: the columns of the table."""

    ACKNOWLEDGED = 0
    NEW = 1
    FILL = 2
    CANCELED = 3
    EXPIRED = 4
    REJECTED = 5
    REPLACED = 6
    PAUSED = 7
    REQUEST_REJECTED = 8
    AMBIGUOUS = 9
    NOT_FOUND = 10
    BUST = 11


class Request(IntEnum):
    """What this desk has asked of the broker about a working order and not yet seen answered."""

    NONE = 0
    CANCEL = 1
    REPLACE = 2


OPEN_LIVES: Final = frozenset({Life.SUBMITTING, Life.UNKNOWN, Life.PENDING, Life.WORKING, Life.PAUSED})
HARD_TERMINAL: Final = frozenset({Life.FILLED, Life.DENIED})
SOFT_TERMINAL: Final = frozenset({Life.CANCELED, Life.EXPIRED, Life.REJECTED, Life.REPLACED, Life.ABANDONED})


class Cell(NamedTuple):
    """What one event does in one life; `code` is how the table is written, the rest is what the engine acts on."""

    code: str
    next_life: Life | None
    applies_fill: bool
    alerts: bool
    queries: bool
    halts: bool
    freezes: bool
    resurrects: bool
    adjusts: bool
    clears_request: bool
    doubts_request: bool


# The notation of a cell, by words separated by blanks:
#   =        nothing but a count         >LIFE    go to that life        F    apply the fill (then FILLED when complete)
#   A        alert                       Q        ask the broker for a snapshot of the order and apply it
#   H        halt the desk               freeze   freeze the desk        adj  append a reversing row for a busted fill
#   R0       the outstanding request is over      R?   its outcome is unknown
#   resurrect  an order believed dead is open: take it back, alert, and cancel it at once
_ROWS: Final[dict[Life, tuple[str, ...]]] = {
    #                ACKNOWLEDGED  NEW        FILL         CANCELED     EXPIRED    REJECTED    REPLACED
    #                PAUSED        REQUEST_REJECTED        AMBIGUOUS    NOT_FOUND              BUST
    Life.SUBMITTING: (">PENDING", ">WORKING", "F >WORKING", ">CANCELED", ">EXPIRED", ">REJECTED", ">REPLACED A",
                      ">PAUSED", "Q A", ">UNKNOWN", ">ABANDONED", "Q H"),
    Life.UNKNOWN: (">PENDING", ">WORKING", "F >WORKING", ">CANCELED", ">EXPIRED", ">REJECTED", ">REPLACED A",
                   ">PAUSED", "Q A", "=", ">ABANDONED", "Q H"),
    Life.PENDING: ("=", ">WORKING", "F >WORKING", ">CANCELED", ">EXPIRED", ">REJECTED", ">REPLACED",
                   ">PAUSED", "R0 Q", "R? Q", "Q H", "adj H"),
    Life.WORKING: ("=", "=", "F", ">CANCELED", ">EXPIRED", ">REJECTED A", ">REPLACED",
                   ">PAUSED", "R0 Q", "R? Q", "Q H", "adj H"),
    Life.PAUSED: ("=", ">WORKING", "F", ">CANCELED", ">EXPIRED", ">REJECTED A", ">REPLACED",
                  "=", "R0 Q", "R? Q", "Q H", "adj H"),
    Life.FILLED: ("=", "=", "F A H", "=", "=", "A H", "Q A",
                  "=", "R0", "R0", "=", "adj A H Q"),
    Life.CANCELED: ("Q", "Q", "F A", "=", "=", "A", "Q A",
                    "Q", "R0", "R0", "=", "adj A H"),
    Life.EXPIRED: ("Q", "Q", "F A", "=", "=", "A", "Q A",
                   "Q", "R0", "R0", "=", "adj A H"),
    Life.REJECTED: ("Q A", "Q A", "F A freeze", "=", "=", "=", "Q A",
                    "Q A", "R0", "=", "=", "adj A H"),
    Life.REPLACED: ("=", "=", "F A", "=", "=", "=", "=",
                    "=", "R0", "=", "=", "adj A H"),
    Life.ABANDONED: ("resurrect A", "resurrect A", "F A freeze", ">CANCELED", ">EXPIRED", ">REJECTED", "Q A",
                     "resurrect A", "Q A", "=", "=", "adj A H"),
    Life.DENIED: ("H", "H", "H", "H", "H", "H", "H",
                  "H", "H", "=", "=", "H"),
}  # fmt: skip


def _cell(code: str) -> Cell:
    words = code.split()
    target = next((word[1:] for word in words if word.startswith(">")), None)
    return Cell(
        code=code,
        next_life=Life[target] if target else None,
        applies_fill="F" in words,
        alerts="A" in words,
        queries="Q" in words,
        halts="H" in words,
        freezes="freeze" in words,
        resurrects="resurrect" in words,
        adjusts="adj" in words,
        clears_request="R0" in words,
        doubts_request="R?" in words,
    )


#: Every cell, indexed by life and then by trigger.
TABLE: Final[tuple[tuple[Cell, ...], ...]] = tuple(tuple(_cell(code) for code in _ROWS[life]) for life in Life)
#: What a duplicate or an old event does: nothing, whatever the cell says.
SEEN: Final = _cell("=")
_ASK: Final = _cell("Q")
_COMPLETED: Final = _cell(">FILLED")
_TAKEN_BACK: Final = _cell("resurrect A")
_RESURRECTED: Final = {
    Trigger.ACKNOWLEDGED: Life.PENDING,
    Trigger.NEW: Life.WORKING,
    Trigger.PAUSED: Life.PAUSED,
}


class OrderStateMachine:
    """The three-part state of one order. Nothing else may change an order's life, cumulative quantity or request.

    `quantity` is None for a notional order: how much it will be is known only when its status says it is complete.
    """

    __slots__ = ("busts", "cancel_wanted", "cumulative", "life", "quantity", "request", "request_unknown", "seen")

    def __init__(self, quantity: Decimal | None, life: Life = Life.SUBMITTING) -> None:
        self.life = life
        self.quantity = quantity
        self.cumulative = ZERO
        self.request = Request.NONE
        self.request_unknown = False
        #: A cancel asked for before the broker's id was known; sent as soon as it is.
        self.cancel_wanted = False
        #: How many busts this order has seen: part of a fill's identity, since a bust sets the cumulative back.
        self.busts = 0
        #: Events that changed nothing: duplicates, and what was older than what is already applied.
        self.seen = 0

    @property
    def is_open(self) -> bool:
        """Whether the order is, or may be, alive at the broker."""
        return self.life <= Life.PAUSED

    @property
    def leaves(self) -> Decimal | None:
        """Shares still to fill while open; zero when terminal; None for an open notional order."""
        if self.life > Life.PAUSED:
            return ZERO
        return None if self.quantity is None else EXACT.subtract(self.quantity, self.cumulative)

    def apply(self, trigger: Trigger) -> Cell:
        """Apply any event but a fill or a bust; returns what the engine has to do besides.

        Raises IllegalTransition for FILL and BUST, which carry a quantity and have methods of their own.
        """
        if trigger in (Trigger.FILL, Trigger.BUST):
            message = f"{trigger.name} carries a quantity: call fill() or bust()"
            raise IllegalTransition(message)
        cell = TABLE[self.life][trigger]
        if cell.code == "=":
            self.seen += 1
            return cell
        if cell.resurrects:
            return self._resurrect(trigger, cell)
        if cell.next_life is not None:
            self._enter(cell.next_life)
        if cell.clears_request:
            self.request, self.request_unknown = Request.NONE, False
        if cell.doubts_request and self.request is not Request.NONE:
            self.request_unknown = True
        return cell

    def found(self, trigger: Trigger) -> Cell:
        """Apply a status that the broker gave when it was asked for, which settles what a cell's Q asks about.

        An order believed dead that is open is taken back; the same words unasked may be old, and only make one ask.
        """
        cell = TABLE[self.life][trigger]
        # Of an order that has all it asked for, nothing can be open, whatever was busted before it had it again.
        is_short = self.quantity is None or self.cumulative < self.quantity
        is_doubted = cell.queries or (self.life is Life.FILLED and self.busts > 0 and is_short)
        if self.life > Life.PAUSED and trigger in _RESURRECTED and is_doubted:
            return self._resurrect(trigger, _TAKEN_BACK)
        return self.apply(trigger)

    def fill(self, quantity: Decimal, cumulative: Decimal) -> Cell:
        """Apply an execution of `quantity` shares that brought the order to `cumulative`.

        A cumulative not above the known one is a duplicate and changes nothing. Raises IllegalTransition when the
        two do not fit (a fill in between is missing): the caller then asks the broker and applies what is missing.
        """
        if cumulative <= self.cumulative:
            self.seen += 1
            return SEEN
        if EXACT.add(self.cumulative, quantity) != cumulative:
            message = (
                f"a fill of {quantity} brings {self.cumulative} to {cumulative}: an execution in between is missing"
            )
            raise IllegalTransition(message)
        cell = TABLE[self.life][Trigger.FILL]
        if not cell.applies_fill:
            return cell
        self.cumulative = cumulative
        if self.quantity is not None and cumulative > self.quantity:
            # More shares than were asked for: as impossible in a working order as in a filled one.
            self._enter(Life.FILLED)
            return TABLE[Life.FILLED][Trigger.FILL]
        if cumulative == self.quantity:
            self._enter(Life.FILLED)
        elif cell.next_life is not None:
            self.life = cell.next_life
        return cell

    def complete(self, cumulative: Decimal) -> Cell:
        """Apply a status that says the order is done: the only way in which a notional order completes.

        When the status knows of more than has been applied, the missing executions have to be asked for first.
        """
        if cumulative > self.cumulative:
            return _ASK
        if self.life <= Life.PAUSED and cumulative == self.cumulative and cumulative > ZERO:
            self._enter(Life.FILLED)
            return _COMPLETED
        self.seen += 1
        return SEEN

    def bust(self, quantity: Decimal) -> Cell:
        """Take back an execution of `quantity` shares that the venue declared never to have happened.

        Raises IllegalTransition when so much has not filled: whatever it was, it is not taken back twice.
        """
        cell = TABLE[self.life][Trigger.BUST]
        if cell.adjusts:
            if not ZERO < quantity <= self.cumulative:
                message = f"a bust of {quantity} cannot be taken from the {self.cumulative} that have filled"
                raise IllegalTransition(message)
            self.cumulative = EXACT.subtract(self.cumulative, quantity)
            self.busts += 1
        return cell

    def want_cancel(self) -> bool:
        """Ask for a cancel; True when the request can be sent now, False when it is remembered or pointless.

        A request whose outcome is unknown may be sent again: a second cancel does no harm.
        """
        if self.life > Life.PAUSED or (self.request is Request.CANCEL and not self.request_unknown):
            return False
        if self.life <= Life.UNKNOWN or self.request is Request.REPLACE:
            self.cancel_wanted = True
            return False
        self.request, self.request_unknown, self.cancel_wanted = Request.CANCEL, False, False
        return True

    def _resurrect(self, trigger: Trigger, cell: Cell) -> Cell:
        """Take back an order that was believed dead; whoever asked for it was told so, hence it is to be canceled."""
        self.life, self.cancel_wanted = _RESURRECTED[trigger], True
        return cell

    def _enter(self, life: Life) -> None:
        self.life = life
        if life > Life.PAUSED:
            self.request, self.request_unknown, self.cancel_wanted = Request.NONE, False, False


def state_diagram() -> str:
    """The table's changes of life as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> SUBMITTING"]
    for life in Life:
        targets: dict[Life, list[str]] = {}
        for trigger in Trigger:
            cell = TABLE[life][trigger]
            target = _RESURRECTED.get(trigger) if cell.resurrects else cell.next_life
            if target is not None:
                targets.setdefault(target, []).append(trigger.name.lower())
            if cell.applies_fill and life is not Life.FILLED:
                targets.setdefault(Life.FILLED, []).append("fill, complete")
        lines += [f"    {life.name} --> {target.name}: {', '.join(words)}" for target, words in targets.items()]
    lines += [f"    {life.name} --> [*]" for life in sorted(HARD_TERMINAL)]
    return "\n".join(lines)


def state_table() -> str:
    """The table as Markdown, one row a life, one column a trigger."""
    head = "| life | " + " | ".join(trigger.name.lower().replace("_", " ") for trigger in Trigger) + " |"
    rule = "|---" * (len(Trigger) + 1) + "|"
    rows = [f"| {life.name} | " + " | ".join(f"`{cell.code}`" for cell in TABLE[life]) + " |" for life in Life]
    return "\n".join([head, rule, *rows])
