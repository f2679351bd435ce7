"""A hand-made view and the sizer under test."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from mqd_core.api import Asset, OrderType, Signal, SignalAction, SizerContext
from mqd_plugin_notional.plugin import NotionalSettings
from mqd_plugin_notional.sizer import NotionalPositionSizer


@dataclass
class View:
    """An account as a sizer is shown it: by default $1,000, all of it free, at a price of $50."""

    price: Decimal = Decimal(50)
    equity: Decimal = Decimal(1000)
    cash_free: Decimal = Decimal(1000)
    value_held: Decimal = Decimal(0)
    position_limit_pct: Decimal = Decimal(10)
    risk_per_trade_pct: Decimal = Decimal(1)
    order_value_limit: Decimal | None = None
    asset: Asset = field(default_factory=lambda: Asset(symbol="SPHD"))


@dataclass(frozen=True)
class Kit:
    """Makers of what a test needs."""

    def sizer(self, **settings: object) -> NotionalPositionSizer:
        return NotionalPositionSizer(NotionalSettings.model_validate(settings), SizerContext())

    def view(self, **fields: object) -> View:
        exact = {name: Decimal(value) if isinstance(value, str) else value for name, value in fields.items()}
        return View(**exact)

    def asset(self, *, fractionable: bool = True, minimum: str = "1") -> Asset:
        return Asset(symbol="SPHD", fractionable=fractionable, minimum_notional_usd=Decimal(minimum))

    def signal(self, stop_loss: str | None = None, limit: str | None = None, stop: str | None = None) -> Signal:
        types = {
            (False, False): OrderType.MARKET,
            (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP,
            (True, True): OrderType.STOP_LIMIT,
        }
        return Signal(
            action=SignalAction.ENTER,
            symbol="SPHD",
            order_type=types[limit is not None, stop is not None],
            limit_price=None if limit is None else Decimal(limit),
            stop_price=None if stop is None else Decimal(stop),
            stop_loss=None if stop_loss is None else Decimal(stop_loss),
        )


@pytest.fixture(scope="session")
def kit() -> Kit:
    """Makers of signals, views and sizers."""
    return Kit()
