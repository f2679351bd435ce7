"""What the configuration may say of the simulated broker and of the synthetic market, field by field.

May not build anything: `plugin` hands these models to the factories.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mqd_core.api import PluginSettings, is_symbol

# Two decimals of a basis point: with prices of nine decimals a product still fits the exact context of money.
BasisPoints = Annotated[Decimal, Field(ge=0, le=1000, max_digits=6, decimal_places=2)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]


class MockBrokerSettings(PluginSettings):
    """The `broker` section with `name: mock`: an account of its own and the venue it trades on."""

    starting_cash: Decimal = Field(
        default=Decimal(1000),
        gt=0,
        le=10_000_000,
        max_digits=12,
        decimal_places=2,
        description="Cash of a new account, in USD. An account that goes on keeps the cash it has.",
    )
    account: str = Field(
        default="MOCK",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="Number of the account, as reports show it.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Seed of all that is left to chance at the venue (see partial_fill_pct).",
    )
    slippage_bps: BasisPoints = Field(
        default=Decimal(0),
        description="How much worse than the bar's price a market or stop order fills, in basis points.",
    )
    spread_bps: BasisPoints = Field(
        default=Decimal(0),
        description="Width of bid to ask in basis points; half of it is paid by whoever takes a price.",
    )
    participation_pct: Percent = Field(
        default=Decimal(0),
        description="The most an order may take of one bar's volume, in per cent; 0 takes any size.",
    )
    partial_fill_pct: Percent = Field(
        default=Decimal(0),
        description="Chance that an execution takes a random part only, in per cent (Alpaca's paper account: 10).",
    )
    limit_fill: Literal["touch", "through"] = Field(
        default="through",
        description="Inside a bar a limit fills when the price touches it, or only when it trades through it.",
    )
    latency_ms: int = Field(
        default=0,
        ge=0,
        le=3_600_000,
        description="Milliseconds from submission until an order can fill: it waits for a bar that starts after them.",
    )
    commission_per_order_usd: Decimal = Field(
        default=Decimal(0),
        ge=0,
        le=1000,
        max_digits=8,
        decimal_places=4,
        description="Commission of an order in USD, charged with its first execution.",
    )
    commission_per_share_usd: Decimal = Field(
        default=Decimal(0),
        ge=0,
        le=1000,
        max_digits=8,
        decimal_places=4,
        description="Commission of a share in USD, charged with each execution.",
    )
    regulatory_fees: bool = Field(
        default=False,
        description="Whether SEC, TAF and CAT fees are charged at each close, each rounded up to the cent.",
    )
    tradable: tuple[str, ...] = Field(
        default=(),
        description="The symbols that the venue lists; empty: every stock symbol.",
    )
    untradable: tuple[str, ...] = Field(
        default=(),
        description="Symbols that the venue knows and does not trade.",
    )
    whole_share_symbols: tuple[str, ...] = Field(
        default=(),
        description="Symbols that trade in whole shares only.",
    )
    record: str | None = Field(
        default=None,
        min_length=1,
        description="File in which the account is kept across runs; relative to the working directory. None: the "
        "account lives and dies with the desk's store.",
    )

    @model_validator(mode="after")
    def _known_symbols(self) -> MockBrokerSettings:
        for name in ("tradable", "untradable", "whole_share_symbols"):
            _check_symbols(name, getattr(self, name))
        return self


class SyntheticSettings(PluginSettings):
    """The `data` section with `name: synthetic`: a market that never was, the same on every machine.

    The shocks are made for demonstrations: sudden falls, most of which are bought back within the hour. No real market
    offers them in that number.
    """

    symbols: tuple[str, ...] = Field(
        default=("SPHD",),
        min_length=1,
        description="Symbols to make bars of; each has its own path.",
    )
    seed: int = Field(default=7, ge=0, lt=2**63, description="Seed of the whole market.")
    days: int = Field(default=5, ge=1, le=7_000, description="Number of sessions.")
    start: dt.date = Field(
        default=dt.date(2024, 1, 8),
        description="First date; if the exchange is closed that day, its next session.",
    )
    start_price: Decimal | None = Field(
        default=None,
        ge=5,
        le=5_000,
        decimal_places=2,
        description="Price at the first open, in USD, of every symbol. None: 20 to 120, by symbol and seed.",
    )
    volatility_pct: Percent = Field(
        default=Decimal("0.6"),
        le=5,
        description="Standard deviation of a day's way from open to close, in per cent, without shocks.",
    )
    overnight_gap_pct: Percent = Field(
        default=Decimal("0.5"),
        le=5,
        description="Standard deviation of the gap from a close to the next open, in per cent.",
    )
    mean_reversion_pct: Percent = Field(
        default=Decimal(5),
        description="How much of its distance from the first price an open gives back, in per cent of the distance.",
    )
    shocks_per_day: int = Field(
        default=4,
        ge=0,
        le=8,
        description="Sudden falls in a full session; a half day has half as many.",
    )
    shock_pct: Percent = Field(
        default=Decimal("3.5"),
        gt=0,
        le=10,
        description="Depth of a shock in per cent; each is between 0.8 and 1.2 times as deep.",
    )
    failed_shock_pct: Percent = Field(
        default=Decimal(40),
        description="Chance that a shock is followed by a second fall before it is bought back, in per cent.",
    )
    volume_per_minute: int = Field(
        default=4_000,
        ge=1,
        le=10_000_000,
        description="Average volume of a minute, in shares; more at open and close, most in a shock.",
    )
    missing_minutes_pct: Percent = Field(
        default=Decimal("0.5"),
        le=90,
        description="Chance that nothing trades in a minute, so that it has no bar, in per cent.",
    )
    halt_pct: Percent = Field(
        default=Decimal(5),
        description="Chance that a session has a trading halt of 5 to 15 minutes, in per cent.",
    )

    @model_validator(mode="after")
    def _known_symbols(self) -> SyntheticSettings:
        _check_symbols("symbols", self.symbols)
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"symbols must differ from each other, were {', '.join(self.symbols)}")
        return self


def _check_symbols(field: str, symbols: tuple[str, ...]) -> None:
    wrong = [symbol for symbol in symbols if not is_symbol(symbol)]
    if wrong:
        raise ValueError(
            f"{field}: {', '.join(map(repr, wrong))} is no symbol: 1 to 10 capitals and digits, as in BRK.B"
        )
