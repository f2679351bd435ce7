"""What can go wrong with an answer of Alpaca, besides that there is none. May not decide what it means for an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mqd_core.api import Ambiguous, BrokerError

_TEXT_MAX: Final = 300


class Answered(BrokerError):
    """Raised for an answer that is whole and no success: `status` is HTTP's, `code` Alpaca's own as text."""

    def __init__(self, status: int, body: Mapping[str, Any] | None, what: str) -> None:
        said = body or {}
        message = str(said.get("message") or "no reason was given")[:_TEXT_MAX]
        more = {name: said[name] for name in _TOLD if name in said}
        details = "".join(f", {name} {str(value)[:60]}" for name, value in more.items())
        super().__init__(f"Alpaca answered {status} to {what}: {message}{details}", str(said.get("code") or status))
        self.status = status
        self.reason = message
        #: Whether it had a body as Alpaca writes them; a page of something in between has not.
        self.is_plain = body is not None


class Unreadable(Ambiguous):
    """Raised for an answer that cannot be understood: whatever was asked for may have happened."""


#: What an error body says beyond its message.
_TOLD: Final = ("available", "existing_qty", "held_for_orders", "buying_power", "cost_basis", "reject_reason", "symbol")
