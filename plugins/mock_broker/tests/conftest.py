"""What the tests of the simulated broker are written in: minutes of one session, bars, orders, venues."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.api import (
    MINUTE_NS,
    ApprovedOrder,
    Bar,
    BrokerContext,
    BrokerEvent,
    DataContext,
    OrderType,
    Session,
    Side,
    TimeInForce,
    xnys,
)
from mqd_core.risk.facts import GateSettings

# Only the gate makes approved orders, so these tests have one of their own.
from mqd_core.risk.gate import PreTradeRiskGate
from mqd_plugin_mock.settings import MockBrokerSettings
from mqd_plugin_mock.venue import MockVenue


class StandingClock:
    """A clock that shows what it is set to."""

    def __init__(self, now_ns: int) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns


class SilentLog:
    def debug(self, message, /, *, extra=None):
        pass

    info = warning = error = debug


class Bench:
    """Minutes are counted from the open of Monday 2024-01-08; bars last one minute."""

    def __init__(self) -> None:
        session = xnys().session_of_date("2024-01-08")
        assert session is not None
        self.session: Session = session
        wide = Decimal(10**9)
        self._gate = PreTradeRiskGate(
            GateSettings(
                max_open_positions=10**6,
                max_position_size_pct=wide,
                max_gross_exposure_pct=wide,
                max_order_value_usd=None,
                price_collar_pct=wide,
                max_bar_age_ns=10**18,
                max_orders_per_minute=10**6,
                max_orders_per_session=10**6,
                duplicate_window_ns=0,
            )
        )
        self.last_minute = (session.close_ns - session.open_ns) // MINUTE_NS - 1

    def at(self, minute: int) -> int:
        """UTC nanoseconds of the start of a minute."""
        return self.session.open_ns + minute * MINUTE_NS

    def bar(
        self,
        minute: int,
        opened: float,
        high: float | None = None,
        low: float | None = None,
        close: float | None = None,
        *,
        volume: float = 1_000.0,
        symbol: str = "SPHD",
    ) -> Bar:
        """A bar; what is not given is the open."""
        high, low = (opened if price is None else price for price in (high, low))
        return Bar(symbol, self.at(minute), opened, high, low, opened if close is None else close, volume)

    def order(
        self,
        name: str = "a",
        side: str = "buy",
        quantity: str | None = "1",
        kind: str = "market",
        *,
        minute: int = 0,
        symbol: str = "SPHD",
        tif: str = "day",
        notional: str | None = None,
        limit: str | None = None,
        stop: str | None = None,
        reference: str = "100",
        submitted_ns: int | None = None,
    ) -> ApprovedOrder:
        """An order that the gate let through at the start of a minute."""
        return self.approve(
            client_order_id=name,
            strategy_id="test",
            symbol=symbol,
            side=Side(side),
            order_type=OrderType(kind),
            time_in_force=TimeInForce(tif),
            quantity=_decimal(None if notional is not None else quantity),
            notional=_decimal(notional),
            limit_price=_decimal(limit),
            stop_price=_decimal(stop),
            reference_price=Decimal(reference),
            submitted_ns=self.at(minute) if submitted_ns is None else submitted_ns,
        )

    def approve(self, **fields: object) -> ApprovedOrder:
        """An order of these fields, whatever they say."""
        return self._gate.reinstate(fields)

    def venue(self, **settings: object) -> MockVenue:
        """A venue with these settings, on the sessions of New York."""
        return MockVenue(MockBrokerSettings(**settings), xnys())

    def holding(self, quantity: str, price: float = 100.0, **settings: object) -> MockVenue:
        """A venue whose account has bought that much in minute 0."""
        venue = self.venue(**settings)
        venue.submit(self.order("first", quantity=quantity, reference=str(price)))
        assert len(self.show(venue, self.bar(0, price))) == 1
        return venue

    @staticmethod
    def show(venue: MockVenue, *bars: Bar) -> Sequence[BrokerEvent]:
        """Let the venue see the bars of one minute."""
        return venue.advance(bars[0].start_ns + MINUTE_NS, bars)

    def context(self, directory: Path) -> BrokerContext:
        """A context whose clock stands at the open; set `context.clock.time_ns` to move it."""
        return BrokerContext(clock=StandingClock(self.at(0)), log=SilentLog(), directory=directory, secrets={})

    def data_context(self, directory: Path) -> DataContext:
        """A context of a data provider."""
        return DataContext(clock=StandingClock(self.at(0)), log=SilentLog(), directory=directory, secrets={})


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Builders of bars, orders and venues; it keeps nothing between tests."""
    return Bench()


@pytest.fixture
def remote(bench: Bench, tmp_path: Path) -> Iterator[Any]:
    """An account whose venue is a process of its own; it is ended with the test."""
    account = runpy.run_path(str(Path(__file__).with_name("remote_account.py")))["RemoteAccount"](bench, tmp_path)
    try:
        yield account
    finally:
        account.end()
