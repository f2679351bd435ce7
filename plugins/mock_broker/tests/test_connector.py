"""The connector: only approved orders, cancels reported at once, every query answered from the venue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import NotSent, OrderRef, OrderStatus, Refused, SessionTable, xnys
from mqd_core.errors import SealedType
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.settings import MockBrokerSettings


@pytest.fixture
def context(bench, tmp_path):
    """A broker context of its own for each test."""
    return bench.context(tmp_path)


@pytest.fixture
def reported():
    """What the sink was told, in order."""
    return []


@pytest.fixture
def broker(context, reported):
    """An open connector with 1,000 USD."""
    connector = MockBrokerConnector(MockBrokerSettings(), context)
    connector.open(reported.append)
    yield connector
    connector.close()


def test_open_reports_the_account(bench, context):
    """Opening answers with number, cash and the desk's time."""
    account = MockBrokerConnector(MockBrokerSettings(starting_cash=250, account="ABC"), context).open(print)
    assert (account.account, account.cash, account.buying_power, account.ts) == ("ABC", 250, 250, bench.at(0))


def test_takes_only_what_the_gate_approved(bench, broker):
    """Something that merely looks like an order is not sent anywhere."""
    with pytest.raises(SealedType):
        broker.submit(bench.order().ref)
    assert broker.orders(0) == []


def test_cancel_is_reported_before_it_returns(bench, broker, reported, context):
    """The report that an order is canceled is at the sink when `cancel` returns, stamped with the desk's time."""
    broker.submit(bench.order(kind="limit", limit="90"))
    context.clock.time_ns = bench.at(7)
    broker.cancel(OrderRef(client_order_id="a", symbol="SPHD"))
    (report,) = reported
    assert (report.status, report.ts) == (OrderStatus.CANCELED, bench.at(7))
    assert broker.find_order("a").status is OrderStatus.CANCELED


def test_cancel_of_nothing_is_refused_and_not_reported(broker, reported):
    """A refused cancel raises and tells the sink nothing."""
    with pytest.raises(Refused):
        broker.cancel(OrderRef(client_order_id="a", symbol="SPHD"))
    assert reported == []


def test_queries_come_from_the_venue(bench, broker):
    """Orders, activities, positions, account and assets tell of what the venue did."""
    broker.submit(bench.order())
    (fill,) = bench.show(broker.venue, bench.bar(0, 100))
    assert list(broker.activities(None)) == [fill]
    assert list(broker.activities(fill.execution_id)) == []
    assert [report.client_order_id for report in broker.orders(bench.at(0))] == ["a"]
    (position,) = broker.positions()
    assert (position.symbol, position.quantity, position.average_price) == ("SPHD", 1, 100)
    assert broker.account().cash == Decimal(900)
    assert [asset.symbol for asset in broker.assets(["SPY", "no symbol"])] == ["SPY"]
    assert broker.find_order("b") is None


def test_clock_shows_the_exchanges_hours(bench, broker, context):
    """In session the next open is tomorrow's; after the close both are tomorrow's."""
    tomorrow = xnys().session_of_date("2024-01-09")
    clock = broker.clock()
    assert (clock.is_open, clock.next_open_ns, clock.next_close_ns) == (
        True,
        tomorrow.open_ns,
        bench.session.close_ns,
    )
    context.clock.time_ns = bench.session.close_ns
    clock = broker.clock()
    assert (clock.is_open, clock.next_open_ns, clock.next_close_ns) == (False, tomorrow.open_ns, tomorrow.close_ns)


def test_clock_at_the_end_of_the_table(bench, context):
    """Where the table of sessions ends, the market is closed and nothing is known of its next open."""
    connector = MockBrokerConnector(MockBrokerSettings(), context, SessionTable([bench.session]))
    assert connector.clock().next_open_ns is None
    context.clock.time_ns = bench.session.close_ns
    assert not connector.clock().is_open
    assert connector.clock().next_close_ns is None


@pytest.mark.parametrize("is_closed", [False, True])
def test_nothing_works_while_it_is_not_open(bench, context, is_closed):
    """Before `open` and after `close` no order leaves and no query pretends to an answer."""
    connector = MockBrokerConnector(MockBrokerSettings(), context)
    if is_closed:
        connector.open(print)
        connector.close()
    for call in (
        lambda: connector.submit(bench.order()),
        lambda: connector.cancel(OrderRef(client_order_id="a", symbol="SPHD")),
        lambda: connector.find_order("a"),
        lambda: connector.orders(0),
        lambda: connector.activities(None),
        connector.account,
        connector.positions,
    ):
        with pytest.raises(NotSent, match="not open"):
            call()


def test_capabilities_without_a_record(broker):
    """An account in the desk's process says that "not found" is final and that it has no record."""
    assert broker.capabilities.not_found_is_final
    assert not broker.capabilities.own_record
