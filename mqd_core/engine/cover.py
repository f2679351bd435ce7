"""What the desk remembers of one book's protection. May hold no logic: `protection` keeps it true."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.domain.market import SECOND_NS
from mqd_core.domain.records import CoverState
from mqd_core.engine.order import PendingExit

#: How long an order may be without an answer, an entry's rest may work beside a fill, or a cancel may take, until the
#: desk acts on it: the five seconds within which a position is covered or somebody is told (failure model, I26).
CONFIRM_NS: Final = 5 * SECOND_NS
#: After the n-th failure in a row the next try waits this long; after the last one a person is told instead.
RETRY_NS: Final = tuple(seconds * SECOND_NS for seconds in (1, 5, 15, 60))
#: A stop that has rested for so long was no failure: what ends it later begins a new count.
RESTED_NS: Final = 60 * SECOND_NS


class Cover(msgspec.Struct, kw_only=True):
    """The protection of one book; it stays when the book is empty, since a bust may fill it again.

    `stop_loss` is the fraction of the entry's signal, None where it had none. `flatten` is the correlation id of a
    person's order to sell, empty without one. Times are engine times, 0 for none.
    """

    strategy_id: str
    symbol: str
    stop_loss: Decimal | None = None
    state: CoverState = CoverState.NONE
    #: The stop that the state was told of.
    order_id: str = ""
    #: Failures in a row, and before when not to try again.
    tries: int = 0
    retry_ns: int = 0
    #: When buys that still work are canceled, so that the stop may be sent.
    wait_ns: int = 0
    #: When to look again whatever happens.
    due_ns: int = 0
    #: When the book was last bought into: a price from before says nothing about the stop.
    filled_ns: int = 0
    flatten: str = ""
    #: An exit of the strategy whose stop, or entry, was found to be over while the desk recovered.
    postponed: PendingExit | None = None
    #: What a person was already told of this position.
    told: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How alerts call it."""
        return f"{self.strategy_id}:{self.symbol}"

    def forgive(self) -> None:
        """Try again at once, whatever failed before."""
        self.tries = self.retry_ns = 0

    def rest(self) -> None:
        """Forget what was about the position that has just ended."""
        self.state, self.order_id, self.flatten, self.told = CoverState.NONE, "", "", ()
        self.tries = self.retry_ns = self.wait_ns = self.due_ns = 0
