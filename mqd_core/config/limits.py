"""The `risk:` section: every limit that the pre-trade gate and the loss limits go by.

The defaults suit an account of $200 to $1,500 without margin. Under `risk:` a name ending in `_pct` is per cent (10 is
ten per cent), one in `_usd` US dollars. May not judge an order: the gate does that with these numbers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from pydantic import Field, model_validator

from mqd_core.config.document import KeyPath
from mqd_core.config.scalars import Flag, Number, WholeNumber
from mqd_core.config.sections import Section, inconsistent

#: More than a small account ever holds: a limit above it is a slip of the keyboard.
_MOST_USD: Final = Decimal(1_000_000)


class RiskSection(Section):
    """Limits on positions, orders, cash, losses and the rate of orders. No key can switch the gate off."""

    max_open_positions: WholeNumber = Field(
        default=1,
        ge=1,
        le=100,
        description="Most symbols that the account may hold at once; entry orders at work count as held.",
    )
    max_position_size_pct: Number = Field(
        default=Decimal("10.0"),
        gt=0,
        le=100,
        description="Most of the account's equity that one symbol may make up, entry orders at work included.",
    )
    max_gross_exposure_pct: Number = Field(
        default=Decimal(100),
        gt=0,
        le=100,
        description="Most of the account's equity that all positions together may make up, if every order at work, "
        "and every order whose fate is unknown, were filled.",
    )
    max_order_value_usd: Number = Field(
        default=Decimal(500),
        ge=1,
        le=_MOST_USD,
        description="Most that one entry order may be worth; the sizer keeps below it, the gate denies what is above.",
    )
    cash_reserve_usd: Number = Field(
        default=Decimal(0),
        ge=0,
        le=_MOST_USD,
        description="Cash that entries leave untouched, on top of what orders at work have reserved.",
    )
    risk_per_trade_pct: Number = Field(
        default=Decimal("1.0"),
        gt=0,
        le=100,
        description="Most of the account's equity that one trade may lose if its stop is hit; sizes entries that "
        "carry a stop.",
    )
    daily_loss_limit_usd: Number = Field(
        default=Decimal("50.0"),
        gt=0,
        le=_MOST_USD,
        description="Loss since the session's open, deposits set aside, at which entries are denied until the next "
        "session. Survives restarts.",
    )
    weekly_loss_limit_usd: Number = Field(
        default=Decimal("150.0"),
        gt=0,
        le=_MOST_USD,
        description="Loss since the open of the week's first session at which entries are denied until the next "
        "week. Survives restarts.",
    )
    circuit_breaker_enabled: Flag = Field(
        default=True, description="Whether a fall from the session's highest equity halts entries for a while."
    )
    circuit_breaker_loss_pct: Number = Field(
        default=Decimal("5.0"),
        gt=0,
        le=100,
        description="Fall from the session's highest equity at which the circuit breaker trips.",
    )
    halt_duration_minutes: WholeNumber = Field(
        default=30, ge=1, le=1440, description="How long entries stay denied after the circuit breaker has tripped."
    )
    price_collar_pct: Number = Field(
        default=Decimal("5.0"),
        gt=0,
        le=50,
        description="Farthest that a limit price may lie beyond the last close, on the side that costs money; farther "
        "is denied as a mistyped price.",
    )
    max_bar_age_seconds: WholeNumber = Field(
        default=120,
        ge=1,
        le=86_400,
        description="Oldest that a symbol's last bar may be, counted from the bar's end, when an order is decided; "
        "with older data entries are denied.",
    )
    duplicate_window_seconds: WholeNumber = Field(
        default=5,
        ge=1,
        le=3_600,
        description="A second order of the same strategy, symbol, side and quantity within this time is denied.",
    )
    max_orders_per_minute: WholeNumber = Field(
        default=10, ge=1, le=150, description="Most orders in any 60 seconds, over all strategies."
    )
    max_orders_per_session: WholeNumber = Field(
        default=200, ge=1, le=10_000, description="Most orders in one session, over all strategies."
    )

    @model_validator(mode="after")
    def _limits_fit_each_other(self) -> RiskSection:
        problems: list[tuple[KeyPath, str]] = []
        if self.daily_loss_limit_usd > self.weekly_loss_limit_usd:
            problems.append(_above("daily_loss_limit_usd", "weekly_loss_limit_usd", self))
        if self.max_position_size_pct > self.max_gross_exposure_pct:
            problems.append(_above("max_position_size_pct", "max_gross_exposure_pct", self))
        if self.max_orders_per_minute > self.max_orders_per_session:
            problems.append(_above("max_orders_per_minute", "max_orders_per_session", self))
        if problems:
            raise inconsistent(problems)
        return self


def _above(smaller: str, larger: str, section: RiskSection) -> tuple[KeyPath, str]:
    was, limit = getattr(section, smaller), getattr(section, larger)
    return (smaller,), f"is {was}; must not be above {larger}, which is {limit}"
