"""Turns configuration and built plugins into the numbers that the engine is made of. May not build a plugin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mqd_core.app.notation import decimal_text
from mqd_core.config import Config
from mqd_core.domain.identity import desk_letters
from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Asset, Timeframe
from mqd_core.domain.orders import OrderType, TimeInForce
from mqd_core.domain.sessions import xnys
from mqd_core.engine.settings import EngineSettings, ReconcileSettings, StrategySlot
from mqd_core.ports.broker import BrokerCapabilities
from mqd_core.ports.strategy import RiskRule, Sizer
from mqd_core.risk.facts import GateSettings
from mqd_core.risk.limits import LimitSettings

#: The feed's own bars: longer ones are made of these.
BASE: Timeframe = Timeframe.MINUTE_1


def traded_symbols(config: Config) -> tuple[str, ...]:
    """Symbols of the enabled strategies, in the order in which they first appear: their order inside a minute."""
    seen: dict[str, None] = {}
    for entry in config.strategies:
        if entry.enabled:
            seen.update(dict.fromkeys(entry.symbols))
    return tuple(seen)


def gate_settings(config: Config) -> GateSettings:
    """The `risk:` section as the gate reads it."""
    risk = config.risk
    return GateSettings(
        max_open_positions=risk.max_open_positions,
        max_position_size_pct=_canonical(risk.max_position_size_pct),
        max_gross_exposure_pct=_canonical(risk.max_gross_exposure_pct),
        max_order_value_usd=_canonical(risk.max_order_value_usd),
        price_collar_pct=_canonical(risk.price_collar_pct),
        max_bar_age_ns=risk.max_bar_age_seconds * SECOND_NS,
        max_orders_per_minute=risk.max_orders_per_minute,
        max_orders_per_session=risk.max_orders_per_session,
        duplicate_window_ns=risk.duplicate_window_seconds * SECOND_NS,
        cash_reserve_usd=_canonical(risk.cash_reserve_usd),
    )


def limit_settings(config: Config) -> LimitSettings:
    """The `risk:` section as the loss limits read it."""
    risk = config.risk
    breaker: Decimal | None = _canonical(risk.circuit_breaker_loss_pct) if risk.circuit_breaker_enabled else None
    return LimitSettings(
        daily_loss_limit_usd=_canonical(risk.daily_loss_limit_usd),
        weekly_loss_limit_usd=_canonical(risk.weekly_loss_limit_usd),
        circuit_breaker_loss_pct=breaker,
        halt_ns=risk.halt_duration_minutes * MINUTE_NS,
    )


def engine_settings(
    config: Config,
    *,
    account: str,
    assets: tuple[Asset, ...],
    slots: tuple[StrategySlot, ...],
    sizer: Sizer,
    rules: tuple[tuple[str, RiskRule], ...],
    can_stop: bool = True,
    reconciles: bool = False,
) -> EngineSettings:
    """Everything an engine needs to know before its first event.

    `reconciles`: whether the account can differ from the books and is held against them. One that lives in this
    process and is committed with the journal cannot.
    """
    risk, session = config.risk, config.session
    return EngineSettings(
        desk=desk_letters(config.desk.id, account),
        symbols=traded_symbols(config),
        timeframe=BASE,
        slots=slots,
        sizer=sizer,
        sizer_plugin=config.sizer.name,
        rules=rules,
        gate=gate_settings(config),
        limits=limit_settings(config),
        position_limit_pct=_canonical(risk.max_position_size_pct),
        risk_per_trade_pct=_canonical(risk.risk_per_trade_pct),
        order_value_limit=_canonical(risk.max_order_value_usd),
        sessions=xnys(),
        no_entry_minutes_after_open=session.no_entry_minutes_after_open,
        no_entry_minutes_before_close=session.no_entry_minutes_before_close,
        protection=config.protection.value,
        can_stop=can_stop,
        assets=assets,
        reconcile=ReconcileSettings(on_external=config.desk.on_external.value) if reconciles else None,
    )


def takes_stops(capabilities: BrokerCapabilities) -> bool:
    """Whether a broker takes the orders that protect a position."""
    return OrderType.STOP in capabilities.order_types and TimeInForce.DAY in capabilities.times_in_force


def lookback_in_feed_bars(slots: tuple[StrategySlot, ...]) -> int:
    """How many bars of the feed warm up every strategy; a day is counted as a regular session."""
    session_bars = 390
    needed = [0]
    for slot in slots:
        ratio = session_bars if slot.timeframe is Timeframe.DAY_1 else slot.timeframe.length_ns // BASE.length_ns
        needed.append(slot.lookback_bars * max(1, ratio))
    return max(needed)


def _canonical(value: Decimal) -> Decimal:
    """A number as plain digits: `50.0` and `50` mean the same, and have to lead to the same journal, byte for byte."""
    return Decimal(decimal_text(value))


def plain(settings: Any) -> dict[str, Any]:
    """A settings model as JSON knows it, for identities and digests; secrets stay masked."""
    values: dict[str, Any] = settings.model_dump(mode="json")
    return values
