"""The result object of a run, and the few lines of it that a person reads at its end. May not measure anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mqd_core.app.notation import cents_text, decimal_text, time_text
from mqd_core.app.trades import TradeWalk
from mqd_core.domain.ledger import BookView
from mqd_core.domain.money import HUNDRED, multiply, ratio, subtract

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run knows of itself at its end; money in USD, times in UTC nanoseconds."""

    run_id: str
    mode: str
    bars: int
    walk: TradeWalk
    start_equity: Decimal
    end_equity: Decimal
    cash: Decimal
    deposits: Decimal
    positions: tuple[tuple[BookView, Decimal], ...]
    max_drawdown_pct: float
    sharpe: float | None
    buy_and_hold_pct: float | None
    first_bar_ns: int
    last_bar_ns: int
    wall_seconds: float
    load_seconds: float
    bars_per_second: float
    decision_hash: str
    reason: str
    rejected_bars: Mapping[str, int]
    is_synthetic: bool


def result_object(facts: RunFacts) -> dict[str, Any]:
    """The result as JSON knows it."""
    walk = facts.walk
    profit = subtract(subtract(facts.end_equity, facts.start_equity), facts.deposits)
    result = {
        "schema": SCHEMA,
        "run_id": facts.run_id,
        "mode": facts.mode,
        "bars": facts.bars,
        "signals": walk.signals,
        "orders": walk.orders,
        "fills": walk.fills,
        "trades": len(walk.trades),
        "denied": sum(walk.denied.values()),
        "rejected": walk.rejected,
        "start_equity": cents_text(facts.start_equity),
        "end_equity": cents_text(facts.end_equity),
        "cash": cents_text(facts.cash),
        "fees": cents_text(walk.fees),
        "net_profit": cents_text(profit),
        "net_profit_pct": _rounded(float(ratio(multiply(profit, HUNDRED), facts.start_equity)), 4),
        "max_drawdown_pct": _rounded(facts.max_drawdown_pct, 4),
        "win_rate": None,
        "sharpe": _rounded(facts.sharpe, 4),
        "positions": [
            {
                "symbol": book.symbol,
                "quantity": decimal_text(book.quantity),
                "average_price": decimal_text(book.average_price),
                "market_value": cents_text(multiply(book.quantity, close)),
            }
            for book, close in facts.positions
        ],
        "first_bar": time_text(facts.first_bar_ns) if facts.bars else None,
        "last_bar": time_text(facts.last_bar_ns) if facts.bars else None,
        "wall_seconds": _rounded(facts.wall_seconds, 6),
        "load_seconds": _rounded(facts.load_seconds, 6),
        "bars_per_second": _rounded(facts.bars_per_second, 1),
        "decision_hash": facts.decision_hash,
        "report": None,
    }
    if facts.reason != "finished":
        result["stopped"] = facts.reason
    return result


def summary_rows(facts: RunFacts) -> list[tuple[str, str]]:
    """What a person reads at the end: a name and a text for each row."""
    result = result_object(facts)
    return [(name, str(result[name])) for name in ("net_profit", "trades", "denied", "max_drawdown_pct")]


def _rounded(value: float | None, decimals: int) -> float | None:
    return round(value, decimals) if value is not None and math.isfinite(value) else None
