"""The connector against the sandbox, over real sockets: what was taken is found, what was missed is read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.api import Ambiguous, Fill, OrderRef, OrderStatus, OrderType, Refused, Side, TimeInForce
from mqd_core.runtime.account_reading import read_account
from mqd_core.runtime.clocks import WallClock
from mqd_plugin_alpaca.emergency import AlpacaEmergency

NOW = WallClock().now_ns


def whole_account(connector: Any) -> Any:
    """The account as the desk's reconciliation reads it."""
    return read_account(connector, 0, None, NOW)


def limit(venue: Any, name: str = "m1-a", price: str = "90", **changes: Any) -> Any:
    """An order that rests below the market."""
    return venue.order(name, order_type=OrderType.LIMIT, limit_price=Decimal(price), **changes)


def test_an_order_fills_and_every_view_agrees(venue) -> None:
    """The stream tells it once; orders, activities, positions and cash say the same, to the last digit."""
    connector, heard = venue.connect()
    report = connector.submit(venue.order(quantity=Decimal("0.123456789")))
    heard.wait(lambda: "filled" in heard.statuses)
    (fill,) = heard.fills
    assert (fill.quantity, fill.client_order_id) == (Decimal("0.123456789"), "m1-a")
    account = whole_account(connector)
    (held,) = account.positions
    assert (held.symbol, held.quantity) == ("SPY", Decimal("0.123456789"))
    (told,) = [one for one in account.activities if isinstance(one, Fill)]
    assert (told.client_order_id, told.broker_order_id) == ("m1-a", report.broker_order_id)
    assert (told.quantity, told.cumulative_quantity) == (fill.quantity, fill.cumulative_quantity)
    assert told.price == fill.price
    assert account.is_stable
    assert account.cursor == told.execution_id
    assert [one.status for one in account.orders] == [OrderStatus.FILLED]
    assert list(connector.activities(account.cursor)) == []
    assert connector.executions(OrderRef(client_order_id="", symbol="SPY", broker_order_id=told.broker_order_id)) == (
        told,
    )


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_order_that_was_taken_behind_an_error_is_found(venue, status: int) -> None:
    """The outcome is in doubt, the order is there, and sending it again under its id gives the same one."""
    connector, _ = venue.connect()
    venue.fault("answer", method="POST", path="/v2/orders", status=status, body="<html>", taken=True)
    with pytest.raises(Ambiguous):
        connector.submit(limit(venue))
    found = connector.find_order("m1-a")
    assert found is not None
    again = connector.submit(limit(venue))
    assert again.broker_order_id == found.broker_order_id
    assert len(connector.orders(0)) == 1


def test_an_order_whose_answer_never_comes_is_in_doubt(venue) -> None:
    """Taken, and no answer in time."""
    connector, _ = venue.connect(read_timeout_seconds=0.3, deadline_seconds=0.3)
    venue.fault("delay", method="POST", path="/v2/orders", seconds=1, taken=True)
    with pytest.raises(Ambiguous):
        connector.submit(limit(venue))
    assert connector.find_order("m1-a") is not None


def test_an_error_without_the_order_is_not_found(venue) -> None:
    """The same doubt, and nothing there."""
    connector, _ = venue.connect()
    venue.fault("answer", method="POST", path="/v2/orders", status=504, body="", taken=False)
    with pytest.raises(Ambiguous):
        connector.submit(limit(venue))
    assert connector.find_order("m1-a") is None


def test_a_fill_that_the_stream_loses_is_read(venue) -> None:
    """The account tells what the stream did not."""
    connector, heard = venue.connect()
    venue.fault("lose", event="fill")
    connector.submit(venue.order())
    heard.wait(lambda: bool(heard.statuses))
    (told,) = [one for one in whole_account(connector).activities if isinstance(one, Fill)]
    assert told.cumulative_quantity == Decimal("0.3")
    assert heard.fills == []


def test_a_fill_that_is_repeated_is_told_once(venue) -> None:
    """As Alpaca's stream has done in production."""
    connector, heard = venue.connect()
    venue.fault("repeat", event="fill")
    connector.submit(venue.order())
    connector.submit(limit(venue, "m1-b"))
    heard.wait(lambda: any(getattr(one, "client_order_id", "") == "m1-b" for one in heard.events))
    assert len(heard.fills) == 1


def test_a_mute_stream_is_made_anew(venue) -> None:
    """Connected, and not a word of an order that was taken: told as silent, then a new connection."""
    connector, heard = venue.connect(silence_seconds=0.3)
    venue.fault("mute")
    connector.submit(limit(venue))
    connector.cancel(OrderRef(client_order_id="m1-a", symbol="SPY"))
    heard.wait(lambda: heard.states[-2:] == ["down", "up"])
    assert "silent" in heard.states


def test_a_cut_is_a_gap(venue) -> None:
    """Down, then up; what happened since comes over the new connection."""
    connector, heard = venue.connect()
    venue.fault("cut", event="new")
    connector.submit(limit(venue))
    heard.wait(lambda: heard.states == ["up", "down", "up"])
    connector.submit(venue.order("m1-b"))
    heard.wait(lambda: bool(heard.fills))


def test_an_update_without_data_is_doubted(venue) -> None:
    """As seen on the wire: nothing where an update should be."""
    connector, heard = venue.connect()
    venue.fault("null", event="new")
    connector.submit(limit(venue))
    heard.wait(lambda: "doubtful" in heard.states)
    connector.submit(venue.order("m1-b"))
    heard.wait(lambda: bool(heard.fills))


def test_a_status_that_nobody_knows_stays_open(venue) -> None:
    """Paused, and told by name."""
    connector, heard = venue.connect()
    venue.fault("alter", event="new", order={"status": "quarantined"})
    connector.submit(limit(venue))
    heard.wait(lambda: "paused" in heard.statuses)
    assert "unknown_status" in heard.states


def test_a_cancel_ends_an_order(venue) -> None:
    """Asked for, then told; an order that has filled refuses."""
    connector, heard = venue.connect()
    connector.submit(limit(venue, quantity=Decimal(2), time_in_force=TimeInForce.GTC))
    reference = OrderRef(client_order_id="m1-a", symbol="SPY")
    connector.cancel(reference)
    heard.wait(lambda: "canceled" in heard.statuses)
    connector.submit(venue.order("m1-b"))
    heard.wait(lambda: "filled" in heard.statuses)
    with pytest.raises(Refused, match="filled"):
        connector.cancel(OrderRef(client_order_id="m1-b", symbol="SPY"))


def test_the_refusals_of_the_venue_are_told(venue) -> None:
    """Too little money, shares that are not held, a fraction that is to outlive the day."""
    connector, _ = venue.connect()
    for changes in (
        {"quantity": Decimal(50)},
        {"side": Side.SELL, "quantity": Decimal(1)},
        {"time_in_force": TimeInForce.GTC, "order_type": OrderType.LIMIT, "limit_price": Decimal(90)},
    ):
        with pytest.raises(Refused):
            connector.submit(venue.order(**changes))
    assert connector.orders(0) == []


def test_a_second_connection_waits(venue) -> None:
    """The account has one stream: who comes second is told why, and is up when the first has left."""
    first, heard_first = venue.connect()
    heard_first.wait(lambda: heard_first.states == ["up"])
    _, heard = venue.connect()
    heard.wait(lambda: "down" in heard.states)
    assert "connection of this account" in heard.events[0].text
    first.close()
    heard.wait(lambda: heard.states[-1] == "up")


def test_the_way_out(venue) -> None:
    """Everything canceled, everything sold, with the keys alone, beside a desk that is connected."""
    connector, heard = venue.connect()
    connector.submit(venue.order())
    heard.wait(lambda: bool(heard.fills))
    connector.submit(limit(venue, "m1-b"))
    emergency = AlpacaEmergency(venue.settings(), venue.context())
    assert {one.client_order_id for one in emergency.cancel_all()} == {"m1-b"}
    heard.wait(lambda: "canceled" in heard.statuses)
    assert emergency.cancel_all() == []
    (closing,) = emergency.flatten_all()
    assert (closing.symbol, closing.side, closing.quantity) == ("SPY", Side.SELL, Decimal("0.3"))
    heard.wait(lambda: len(heard.fills) == 2)
    assert connector.positions() == ()


def test_assets_and_the_clock(venue) -> None:
    """What trades is known, what does not exist is left out, and the market is open."""
    connector, _ = venue.connect()
    (spy,) = connector.assets(["SPY", "GONE"])
    assert (spy.symbol, spy.tradable, spy.fractionable) == ("SPY", True, True)
    assert connector.clock().is_open


def test_the_wrong_keys_do_not_open_it(venue) -> None:
    """The start ends with Alpaca's answer."""
    from mqd_core.api import Secret

    with pytest.raises(Refused, match="401"):
        venue.connect(api_secret=Secret("wrong"))
