"""The order that a broker accepts comes from the gate alone: what must and what must not type-check. Never run.

mypy reports an ignore that is not needed, so each `type: ignore` here proves that the line is an error.
"""

from __future__ import annotations

from mqd_core.api import ApprovedOrder, BrokerConnector, Denial, OrderDraft, OrderRef, OrderReport


def submits_what_was_approved(broker: BrokerConnector, order: ApprovedOrder) -> OrderReport:
    """An approved order may be sent."""
    return broker.submit(order)


def submits_a_draft(broker: BrokerConnector, draft: OrderDraft) -> OrderReport:
    """A draft may not be sent: nothing has measured it against the limits."""
    return broker.submit(draft)  # type: ignore[arg-type]


def submits_an_unread_verdict(broker: BrokerConnector, verdict: ApprovedOrder | Denial) -> OrderReport:
    """A verdict may not be sent before it was looked at."""
    return broker.submit(verdict)  # type: ignore[arg-type]


def submits_after_reading(broker: BrokerConnector, verdict: ApprovedOrder | Denial) -> OrderReport | None:
    """A verdict that turned out to be an approval may be sent."""
    return broker.submit(verdict) if isinstance(verdict, ApprovedOrder) else None


def cancels_by_reference(broker: BrokerConnector, order: ApprovedOrder) -> None:
    """An order is canceled by its reference."""
    broker.cancel(order.ref)
    broker.cancel(order)  # type: ignore[arg-type]


def changes_what_was_approved(order: ApprovedOrder, reference: OrderRef) -> None:
    """Neither an approved order nor a reference to one changes."""
    order.quantity = None  # type: ignore[misc]
    reference.symbol = "SPY"  # type: ignore[misc]


class Looser(ApprovedOrder):  # type: ignore[misc]
    """An approved order may not be subclassed."""
