"""What the engine is built with: numbers only, no plugin and no configuration object. May not hold behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Asset, Timeframe
from mqd_core.domain.money import CENT
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
    #: How far apart answers of "not found" have to be to count as several.
    spacing_ns: int = 5 * SECOND_NS
    #: How long the broker's activities may lag behind its orders before a missing execution is worked out.
    gap_ns: int = 5 * SECOND_NS
    #: How often an exit that never left is sent anew.
    attempts_max: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """When the books are compared with the broker's account, and what a difference means (failure model, section 6).

    Times in nanoseconds, amounts in USD. `on_external` is `desk.on_external`: freeze, adopt or ignore.
    """

    on_external: str = "freeze"
    #: How often the account is read: always, while orders are open in a session, and after an order has ended.
    account_ns: int = MINUTE_NS
    open_orders_ns: int = 30 * SECOND_NS
    after_end_ns: int = 2 * SECOND_NS
    #: How soon it is read again while something differs, and when an answer that never came is given up.
    confirm_ns: int = 5 * SECOND_NS
    lost_ns: int = 5 * MINUTE_NS
    #: What traded so shortly before the account was read is not compared: the broker may not show it yet.
    recent_ns: int = 5 * SECOND_NS
    #: A difference is believed after so many readings over so long a time.
    passes_min: int = 3
    passes_ns: int = 15 * SECOND_NS
    #: Cash may differ by a cent, and by one more for each fill: brokers round. Up to `fee_window_usd` it may wait for
    #: fees until the next session opens; above both limits the desk halts.
    cash_step_usd: Decimal = CENT
    fee_window_usd: Decimal = Decimal(1)
    cash_halt_usd: Decimal = Decimal(5)
    cash_halt_pct: Decimal = Decimal("0.5")
    #: The broker's clock may be so far off, with a warning or not at all.
    skew_warn_ns: int = 2 * SECOND_NS
    skew_freeze_ns: int = 30 * SECOND_NS
    #: More starts than this within so long a time, none of them ended in order, are a crash loop.
    starts_max: int = 3
    starts_ns: int = 10 * MINUTE_NS


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
    #: Whether the broker takes DAY stop orders; without them no position can have one.
    can_stop: bool = True
    assets: tuple[Asset, ...] = ()
    resolve: ResolveSettings = ResolveSettings()
    #: None where the venue is in this process and committed with the journal: there nothing can differ.
    reconcile: ReconcileSettings | None = None
    quarantine_after: int = 1
