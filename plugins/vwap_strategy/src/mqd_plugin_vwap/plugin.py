"""Announces the strategy to mqd. Light: imports only the core's api and pydantic, until the strategy is built."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from mqd_core.api import PluginSettings, StrategyContext, StrategyRecord, hookimpl

if TYPE_CHECKING:
    from mqd_plugin_vwap.strategy import VWAPMeanReversionStrategy


def _is_fraction(value: Decimal) -> Decimal:
    """Refuse a percentage where a fraction is meant: 2 would be 200 %. Raises ValueError, which names the mistake."""
    if not 0 < value < 1:
        raise ValueError(f"was {value}: a fraction of a price, above 0 and below 1; two per cent is 0.02")
    return value


#: A part of a price between 0 and 1, to nine decimals. Not per cent: what stands under `risk:` is, these are not.
Fraction = Annotated[
    Decimal,
    AfterValidator(_is_fraction),
    Field(decimal_places=9, json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]


class VWAPSettings(PluginSettings):
    """The `parameters` of a VWAPMeanReversionStrategy entry."""

    vwap_window: int = Field(
        default=20, ge=2, le=10_000, description="Bars in the rolling VWAP; set lookback_bars to at least as many"
    )
    entry_threshold: Fraction = Field(
        default=Decimal("0.02"), description="Enter when the close is further than this below the VWAP (fraction of it)"
    )
    stop_loss_pct: Fraction = Field(
        default=Decimal("0.02"), description="Exit at a close this far below the entry price or lower (fraction of it)"
    )
    take_profit_pct: Fraction = Field(
        default=Decimal("0.01"), description="Exit at a close this far above the entry price or higher (fraction of it)"
    )


def _build(settings: VWAPSettings, context: StrategyContext) -> VWAPMeanReversionStrategy:
    from mqd_plugin_vwap.strategy import VWAPMeanReversionStrategy

    return VWAPMeanReversionStrategy(settings, context)


@hookimpl
def mqd_strategies() -> Iterator[StrategyRecord[VWAPSettings]]:
    """Yield the one strategy of this distribution."""
    yield StrategyRecord(
        name="VWAPMeanReversionStrategy",
        summary="Buys below the rolling volume-weighted average price, sells at a profit or a stop",
        settings=VWAPSettings,
        factory=_build,
    )
