"""Market time and trades, one step at a time: the port behind which prices come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mqd_plugin_alpaca_sandbox.exchange.quotes import Print


class Feed(Protocol):
    """What a market shows."""

    def step(self) -> tuple[int, Sequence[Print]]:
        """The market's time now, and the trades since the last step, in order of time and none after it."""
        ...
