"""Orders, positions, the account and the rest as JSON objects: what REST and stream say of them. Decides nothing.

All numbers are strings, as the service sends them; times have up to nine decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from mqd_core.api import EXACT, ZERO, ratio
from mqd_plugin_alpaca_sandbox.exchange.account import Holding
from mqd_plugin_alpaca_sandbox.exchange.activities import FillActivity
from mqd_plugin_alpaca_sandbox.exchange.assets import ListedAsset
from mqd_plugin_alpaca_sandbox.exchange.exchange import Exchange
from mqd_plugin_alpaca_sandbox.exchange.notation import made_uuid, number_text, time_text
from mqd_plugin_alpaca_sandbox.exchange.order import Order, Update

Body: TypeAlias = dict[str, object]


def order_body(order: Order) -> Body:
    """An order. `qty` stays null for an order of an amount, `order_class` is empty for a simple one."""
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": time_text(order.created_ns),
        "updated_at": time_text(order.updated_ns),
        "submitted_at": time_text(order.created_ns),
        "filled_at": _time(order.filled_ns if order.status == "filled" else None),
        "expired_at": _time(order.expired_ns),
        "cancel_requested_at": _time(order.cancel_requested_ns),
        "canceled_at": _time(order.canceled_ns),
        "failed_at": _time(order.failed_ns),
        "replaced_at": _time(order.replaced_ns),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset_id,
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": _number(order.notional),
        "qty": _number(order.qty),
        "filled_qty": number_text(order.filled_qty),
        "filled_avg_price": _number(order.filled_average),
        "order_class": "",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": "buy_to_open" if order.is_buy else "sell_to_close",
        "time_in_force": order.time_in_force,
        "limit_price": _number(order.limit_price),
        "stop_price": _number(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": time_text(order.expires_ns),
    }


def update_body(update: Update) -> Body:
    """The data of a trade_updates message: quantity and price are those of this execution alone."""
    body: Body = {
        "at": time_text(update.ts_ns),
        "event_id": update.event_id,
        "event": update.event,
        "timestamp": time_text(update.ts_ns),
        "order": order_body(update.order),
    }
    if update.execution_id is not None:
        body["execution_id"] = update.execution_id
    if update.execution is not None:
        body["qty"] = number_text(update.execution.qty)
        body["price"] = number_text(update.execution.price)
        body["position_qty"] = number_text(update.execution.position_qty)
    return body


def account_body(exchange: Exchange, account_id: str) -> Body:
    """The account, without the day trader's members that the service removed in 2026."""
    power = number_text(exchange.admission.buying_power())
    value, equity = number_text(exchange.market_value()), number_text(exchange.equity())
    last = exchange.equity_curve[-1].equity_usd if exchange.equity_curve else exchange.settings.cash_usd
    return {
        "id": account_id,
        "account_number": f"PA{account_id[:10].upper().replace('-', '')}",
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "cash": number_text(exchange.account.cash),
        "buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": power,
        "options_buying_power": "0",
        "equity": equity,
        "last_equity": number_text(last),
        "portfolio_value": equity,
        "long_market_value": value,
        "short_market_value": "0",
        "position_market_value": value,
        "initial_margin": value,
        "maintenance_margin": value,
        "last_maintenance_margin": "0",
        "sma": "0",
        "multiplier": "1",
        "shorting_enabled": False,
        "accrued_fees": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "balance_asof": time_text(exchange.started_ns)[:10],
        "created_at": time_text(exchange.started_ns),
        "account_blocked": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "trade_suspended_by_user": False,
        "options_approved_level": 0,
        "options_trading_level": 0,
    }


def position_body(exchange: Exchange, holding: Holding) -> Body:
    """A position at last prices."""
    quote = exchange.quotes.quote(holding.symbol)
    last = ZERO if quote is None else quote.last
    before = exchange.quotes.previous_close.get(holding.symbol, last)
    value = EXACT.multiply(holding.qty, last)
    gain, gain_today = EXACT.subtract(value, holding.cost), EXACT.subtract(value, holding.day_cost)
    asset = exchange.assets.named(holding.symbol)
    return {
        "asset_id": asset.id,
        "symbol": holding.symbol,
        "exchange": asset.exchange,
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": number_text(holding.qty),
        "qty_available": number_text(exchange.admission.available(holding.symbol)),
        "avg_entry_price": number_text(holding.average_entry),
        "side": "long",
        "market_value": number_text(value),
        "cost_basis": number_text(holding.cost),
        "unrealized_pl": number_text(gain),
        "unrealized_plpc": number_text(ratio(gain, holding.cost)),
        "unrealized_intraday_pl": number_text(gain_today),
        "unrealized_intraday_plpc": number_text(ratio(gain_today, holding.day_cost)),
        "current_price": number_text(last),
        "lastday_price": number_text(before),
        "change_today": number_text(ratio(EXACT.subtract(last, before), before)),
    }


def asset_body(asset: ListedAsset) -> Body:
    """An asset."""
    extended = ["fractional_eh_enabled"] if asset.fractional_extended_hours else []
    return {
        "id": asset.id,
        "class": "us_equity",
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": f"{asset.symbol} (sandbox)",
        "status": "active",
        "tradable": asset.tradable,
        "marginable": True,
        "shortable": False,
        "easy_to_borrow": False,
        "borrow_status": "hard_to_borrow",
        "fractionable": asset.fractionable,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "100",
        "attributes": extended,
    }


def activity_body(activity: FillActivity) -> Body:
    """A fill in the account's history."""
    return {
        "id": activity.id,
        "activity_type": "FILL",
        "transaction_time": time_text(activity.ts_ns),
        "type": activity.type,
        "price": number_text(activity.price),
        "qty": number_text(activity.qty),
        "side": activity.side,
        "symbol": activity.symbol,
        "leaves_qty": number_text(activity.leaves_qty),
        "order_id": activity.order_id,
        "cum_qty": number_text(activity.cum_qty),
        "order_status": activity.order_status,
    }


def account_id(key_id: str) -> str:
    """The id of a key's account."""
    return made_uuid("account", key_id)


def _time(ts_ns: int | None) -> str | None:
    return None if ts_ns is None else time_text(ts_ns)


def _number(value: Decimal | None) -> str | None:
    return None if value is None else number_text(value)
