"""What is said of a cover: a record for each change of its state, and each alert once a position. May not send."""

from __future__ import annotations

from mqd_core.domain.ledger import Ledger
from mqd_core.domain.records import CoverState, ProtectionMoved, Severity
from mqd_core.engine.cover import Cover
from mqd_core.engine.order import Order
from mqd_core.engine.scribe import Scribe


class CoverTeller:
    """Moves the state of covers, on record."""

    def __init__(self, scribe: Scribe, ledger: Ledger) -> None:
        self._scribe = scribe
        self._ledger = ledger

    def tell(self, cover: Cover, state: CoverState, order: Order | None = None, code: str = "", text: str = "") -> None:
        """Record a state, and the order that it rests on, unless both were told before."""
        identifier = "" if order is None else order.approved.client_order_id
        if (state, identifier) == (cover.state, cover.order_id):
            return
        cover.state, cover.order_id = state, identifier
        self._scribe.records.append(
            ProtectionMoved(
                *self._scribe.stamp(),
                strategy_id=cover.strategy_id,
                symbol=cover.symbol,
                state=state,
                quantity=self._ledger.book(cover.strategy_id, cover.symbol).quantity,
                stop_price=None if order is None else order.approved.stop_price,
                client_order_id=identifier,
                code=code,
                text=text,
            )
        )

    def tell_once(self, cover: Cover, severity: Severity, alert: str, text: str) -> None:
        """Raise an alert unless it was raised about this position before."""
        if alert not in cover.told:
            cover.told += (alert,)
            self._scribe.alert(severity, alert, cover.name, text)

    def alarm(self, cover: Cover, code: str, text: str, alert: str = "unprotected") -> None:
        """The position is unprotected: a person has to know, and what can be done about it."""
        self.tell(cover, CoverState.UNPROTECTED, code=code, text=text)
        self.tell_once(cover, Severity.CRITICAL, alert, f"no stop covers the position: {text}; {advice(cover)}")

    def waive(self, cover: Cover, code: str, text: str) -> None:
        """The position will have no stop, and why."""
        self.tell(cover, CoverState.WAIVED, code=code, text=text)
        self.tell_once(cover, Severity.NOTICE, "protection_waived", f"no stop is kept for the position: {text}")


def advice(cover: Cover) -> str:
    """What a person can do."""
    return f"the command `flatten` for {cover.symbol} sells it"
