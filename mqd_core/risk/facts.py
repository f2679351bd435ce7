"""What the gate is told and what it answers: settings, facts of a desk, denials, and the protocol of added rules.

May not hold a rule, nor know how a fact is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from mqd_core.domain.ledger import BookView
from mqd_core.domain.market import Asset
from mqd_core.domain.money import ZERO
from mqd_core.domain.orders import OrderDraft, OrderRef, Side
from mqd_core.domain.records import DeskState


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order may not be: a stable code, and a sentence with what was measured."""

    code: str
    text: str


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `risk:` section as the gate reads it. `_pct` is per cent of equity, or of the price for the collar."""

    max_open_positions: int
    max_position_size_pct: Decimal
    max_gross_exposure_pct: Decimal
    max_order_value_usd: Decimal | None
    price_collar_pct: Decimal
    max_bar_age_ns: int
    max_orders_per_minute: int
    max_orders_per_session: int
    duplicate_window_ns: int
    cash_reserve_usd: Decimal = ZERO


class GateFacts(Protocol):
    """What the rules may ask about the desk; each is computed when asked."""

    @property
    def now_ns(self) -> int:
        """Engine time."""
        ...

    @property
    def desk_state(self) -> DeskState:
        """What the desk may do."""
        ...

    @property
    def equity(self) -> Decimal:
        """Cash plus holdings at their last closes, USD."""
        ...

    @property
    def cash_free(self) -> Decimal:
        """Cash less what open buys may still cost, USD."""
        ...

    @property
    def gross_exposure(self) -> Decimal:
        """Everything held and everything open entries may still buy, USD."""
        ...

    @property
    def orders_this_session(self) -> int:
        """Orders sent since the session opened."""
        ...

    def session_code(self) -> str | None:
        """Why the time of the session allows no entry, if it does not."""
        ...

    def freeze_text(self, symbol: str) -> str | None:
        """Why nothing may be bought in the symbol, if it is frozen."""
        ...

    def limit_denial(self) -> Denial | None:
        """Why a loss limit allows no entry, if one does not."""
        ...

    def bar_age_ns(self, symbol: str) -> int:
        """How long ago the symbol's last bar ended."""
        ...

    def asset(self, symbol: str) -> Asset:
        """What the broker says of the symbol."""
        ...

    def value_held(self, symbol: str) -> Decimal:
        """What the account holds of the symbol, pending entries included, USD."""
        ...

    def occupied_symbols(self) -> frozenset[str]:
        """Symbols held, or with entries pending."""
        ...

    def book_quantity(self, strategy_id: str, symbol: str) -> Decimal:
        """What the strategy holds of the symbol, shares."""
        ...

    def has_working(self, strategy_id: str, symbol: str) -> bool:
        """Whether an order of the book is, or may be, alive."""
        ...

    def has_opposite(self, strategy_id: str, symbol: str, side: Side) -> bool:
        """Whether another strategy works the other side of the symbol."""
        ...

    def orders_since(self, since_ns: int) -> int:
        """Orders sent after that time."""
        ...

    def last_like(self, draft: OrderDraft, since_ns: int) -> int | None:
        """When the same order was sent after that time, if it was."""
        ...


class AccountView(Protocol):
    """What a risk rule of a plugin may see of account and desk."""

    @property
    def now_ns(self) -> int:
        """Engine time."""
        ...

    @property
    def session(self) -> str:
        """Date of the current session, empty outside one."""
        ...

    @property
    def cash(self) -> Decimal:
        """Cash of the account."""
        ...

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their last closes."""
        ...

    @property
    def books(self) -> Sequence[BookView]:
        """All books that hold something."""
        ...

    @property
    def working(self) -> Sequence[OrderRef]:
        """All orders that are not terminal."""
        ...

    @property
    def trips(self) -> int:
        """Round trips closed since the book was opened."""
        ...


class RiskRule(Protocol):
    """A rule beside the gate's own; may only deny."""

    def check(self, draft: OrderDraft, view: AccountView) -> Denial | None:
        """Deny, or say nothing."""
        ...
