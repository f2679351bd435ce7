"""Announces the sizer to mqd. Light: imports only the core's api and pydantic, until the sizer is built."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import Field

from mqd_core.api import PluginSettings, SizerContext, SizerRecord, hookimpl

if TYPE_CHECKING:
    from mqd_plugin_notional.sizer import NotionalPositionSizer


class NotionalSettings(PluginSettings):
    """The keys of the `sizer:` section beside its name. The limits themselves stand under `risk:`."""

    minimum_order_usd: Decimal = Field(
        default=Decimal(1),
        ge=0,
        description="Make no entry worth less than this, USD; the venue's own minimum applies as well",
    )


def _build(settings: NotionalSettings, context: SizerContext) -> NotionalPositionSizer:
    from mqd_plugin_notional.sizer import NotionalPositionSizer

    return NotionalPositionSizer(settings, context)


@hookimpl
def mqd_sizers() -> Iterator[SizerRecord[NotionalSettings]]:
    """Yield the one sizer of this distribution."""
    yield SizerRecord(
        name="notional",
        summary="As much as position size, risk per trade, order value and free cash allow, in fractions of shares",
        settings=NotionalSettings,
        factory=_build,
    )
