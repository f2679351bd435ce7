"""Messages of the stream as events: once each, exact, and doubtful where they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.api import Fill, OrderReport, OrderStatus
from mqd_plugin_alpaca.trade_updates import TradeUpdates


@pytest.fixture
def updates(made) -> TradeUpdates:
    """A memory of the stream that knows nothing yet."""
    return TradeUpdates(made.clock(), lambda _order: None, lambda *_what: None)


def filled(made: Any, total: str, status: str, execution: str, quantity: str, *, event: str = "partial_fill") -> Any:
    """An execution as the stream tells it."""
    order = made.order_json(status=status, filled_qty=total, filled_avg_price="450")
    return made.update(event, order, execution_id=execution, qty=quantity, price="450.01", position_qty=total)


def test_an_execution_comes_before_the_status(made, updates) -> None:
    """The fill, exact, with the order's total after it; then what the order is."""
    fill, report = updates.take(filled(made, "0.100000001", "partially_filled", "e1", "0.100000001")).events
    assert isinstance(fill, Fill)
    assert (fill.quantity, fill.cumulative_quantity) == (Decimal("0.100000001"), Decimal("0.100000001"))
    assert (fill.price, fill.execution_id, fill.client_order_id) == (Decimal("450.01"), "e1", "m1-order-1")
    assert isinstance(report, OrderReport)
    assert report.status is OrderStatus.PARTIALLY_FILLED


def test_a_replay_brings_nothing(made, updates) -> None:
    """pending_new, new, fill, and then new and fill again and again: one fill, and no order back from its end."""
    order = made.order_json
    script = [
        made.update("pending_new", order(status="pending_new")),
        made.update("new", order(status="new"), execution_id="e0"),
        filled(made, "0.3", "filled", "e1", "0.3", event="fill"),
    ]
    script += [made.update("new", order(status="new"), execution_id="e0"), script[2]] * 2
    events = [event for message in script for event in updates.take(message).events]
    assert len([one for one in events if isinstance(one, Fill)]) == 1
    assert [one.status.value for one in events if isinstance(one, OrderReport)] == ["acknowledged", "new", "filled"]


def test_a_late_execution_comes_after_the_end(made, updates) -> None:
    """A fill after canceled is told; a status with less filled than was heard is not."""
    first = filled(made, "0.2", "partially_filled", "e2", "0.1")
    ended = made.update("canceled", made.order_json(status="canceled", filled_qty="0.2", filled_avg_price="450"))
    late = filled(made, "0.1", "partially_filled", "e1", "0.1")
    events = [event for message in (first, ended, late) for event in updates.take(message).events]
    assert [type(one).__name__ for one in events] == ["Fill", "OrderReport", "OrderReport", "Fill"]


@pytest.mark.parametrize("event", ["order_cancel_rejected", "order_replace_rejected"])
def test_a_refused_request_is_no_status(made, updates, event: str) -> None:
    """The order goes on; the desk hears that its request was refused."""
    (report,) = updates.take(made.update(event, made.order_json(status="new"))).events
    assert report.status is OrderStatus.CANCEL_REJECTED


@pytest.mark.parametrize("event", ["trade_bust", "trade_correct", "restated", "quantum_leap", None])
def test_what_is_not_understood_is_doubted(made, updates, event: Any) -> None:
    """Busts, corrections and whatever comes next: the account is to be read."""
    heard = updates.take(made.update(event, made.order_json(status="new")))
    assert heard.doubt
    assert heard.order_id == "id-m1-order-1"


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {},
        {"event": "fill", "order": None},
        {"event": "fill", "order": {"id": "x"}},
        {"event": "new", "order": {"id": "x", "symbol": "SPY", "side": "sideways", "status": "new"}},
    ],
)
def test_what_cannot_be_read_is_doubted(updates, data: Any) -> None:
    """Nothing that the stream sends ends it."""
    heard = updates.take(data)
    assert heard.events == ()
    assert heard.doubt


@pytest.mark.parametrize("changes", [{"qty": "0"}, {"qty": "-1"}, {"qty": "9"}, {"price": "0"}, {"price": None}])
def test_an_execution_that_cannot_be_is_doubted(made, updates, changes: Any) -> None:
    """Nothing, less than nothing, more than the order's total, for free: not booked, but read."""
    heard = updates.take({**filled(made, "0.3", "filled", "e1", "0.3", event="fill"), **changes})
    assert heard.events == ()
    assert heard.doubt


def test_an_unknown_status_is_kept_as_paused(made, updates) -> None:
    """The order stays open."""
    (report,) = updates.take(made.update("new", made.order_json(status="levitating"))).events
    assert (report.status, report.code) == (OrderStatus.PAUSED, "levitating")
