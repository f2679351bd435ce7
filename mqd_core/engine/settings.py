"""What the engine is built with: numbers only, no plugin and no configuration object. May not hold behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Asset, Timeframe
from mqd_core.domain.sessions import SessionTable
from mqd_core.ports.strategy import RiskRule, Sizer, Strategy
from mqd_core.risk.facts import GateSettings
from mqd_core.risk.limits import LimitSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySlot:
    """One strategy object: what it trades, at which timeframe, and how many bars warm it up."""

    strategy_id: str
    plugin: str
    symbols: tuple[str, ...]
    timeframe: Timeframe
    lookback_bars: int
    strategy: Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveSettings:
    """How an order of unknown outcome is resolved (failure model: "not found, proven"). Times in nanoseconds."""

    backoff_ns: tuple[int, ...] = tuple(seconds * SECOND_NS for seconds in (1, 2, 4, 8, 16, 30))
    queries_min: int = 3
    quarantine_ns: int = MINUTE_NS
    #: How often an order is asked about at once until it moves; after that at the intervals above.
    asked_max: int = 3
    #: How often a cancel of unknown outcome is sent until a person has to look.
    cancels_max: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Everything the engine needs to know before its first event.

    `symbols` is the order of symbols inside a minute: as they first appear over the enabled strategies.
    `desk` are the six letters of client order ids. `is_simulation`: nothing here waits for a person.
    """

    desk: str
    symbols: tuple[str, ...]
    timeframe: Timeframe
    slots: tuple[StrategySlot, ...]
    sizer: Sizer
    sizer_plugin: str
    rules: tuple[tuple[str, RiskRule], ...]
    gate: GateSettings
    limits: LimitSettings
    position_limit_pct: Decimal
    risk_per_trade_pct: Decimal
    order_value_limit: Decimal | None
    sessions: SessionTable
    no_entry_minutes_after_open: int = 0
    no_entry_minutes_before_close: int = 0
    protection: str = "strategy"
    assets: tuple[Asset, ...] = ()
    resolve: ResolveSettings = ResolveSettings()
    quarantine_after: int = 1
