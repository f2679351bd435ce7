"""Facts and drafts for the gate's rules: a desk on which everything is allowed, but for what a test changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.market import Asset
from mqd_core.domain.orders import OrderDraft, OrderType, Side, TimeInForce
from mqd_core.domain.records import DeskState
from mqd_core.risk.rules import Denial

D = Decimal
NOTHING, TEN, THOUSAND = D(0), D(10), D(1000)
NOW_NS = 1_736_173_920_000_000_000


@dataclass
class Facts:
    """What a desk with $1,000 and nothing else says when it is asked; `asked` keeps what was."""

    now_ns: int = NOW_NS
    desk_state: DeskState = DeskState.READY
    equity: Decimal = THOUSAND
    cash_free: Decimal = THOUSAND
    gross_exposure: Decimal = NOTHING
    orders_this_session: int = 0
    session: str | None = None
    frozen: str | None = None
    limit: Denial | None = None
    age_ns: int = 0
    broker_asset: Asset = field(default_factory=lambda: Asset(symbol="SPY"))
    held_value: Decimal = NOTHING
    occupied: frozenset[str] = frozenset()
    held: Decimal = TEN
    working: bool = False
    opposite: bool = False
    sent_ns: tuple[int, ...] = ()
    alike_ns: tuple[int, ...] = ()

    def session_code(self) -> str | None:
        return self.session

    def freeze_text(self, _symbol: str) -> str | None:
        return self.frozen

    def limit_denial(self) -> Denial | None:
        return self.limit

    def bar_age_ns(self, _symbol: str) -> int:
        return self.age_ns

    def asset(self, _symbol: str) -> Asset:
        return self.broker_asset

    def value_held(self, _symbol: str) -> Decimal:
        return self.held_value

    def occupied_symbols(self) -> frozenset[str]:
        return self.occupied

    def book_quantity(self, _strategy_id: str, _symbol: str) -> Decimal:
        return self.held

    def has_working(self, _strategy_id: str, _symbol: str) -> bool:
        return self.working

    def has_opposite(self, _strategy_id: str, _symbol: str, _side: Side) -> bool:
        return self.opposite

    def orders_since(self, since_ns: int) -> int:
        return sum(1 for sent in self.sent_ns if sent > since_ns)

    def last_like(self, _draft: OrderDraft, since_ns: int) -> int | None:
        return max((sent for sent in self.alike_ns if sent > since_ns), default=None)


def make_draft(quantity: str | None = "1", **changes: Any) -> OrderDraft:
    """A market order to buy SPY at $100, but for `changes`; strings become decimals where decimals belong."""
    fields: dict[str, Any] = {
        "correlation_id": "c-1",
        "strategy_id": "s",
        "symbol": "SPY",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "reference_price": D(100),
        "quantity": None if quantity is None else D(quantity),
    }
    for name, value in changes.items():
        is_number = name in ("reference_price", "notional", "limit_price", "stop_price")
        fields[name] = D(value) if is_number and value is not None else value
    return OrderDraft(**fields)


@pytest.fixture
def facts() -> Callable[..., Facts]:
    """Makes facts of a desk."""
    return Facts


@pytest.fixture
def draft() -> Callable[..., OrderDraft]:
    """Makes drafts."""
    return make_draft
