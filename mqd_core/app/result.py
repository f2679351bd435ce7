"""The result object of a run, and the few lines of it that a person reads at its end. May not measure anything.

`result_object` is public: its keys, their order and their meaning are those of `schema` 1. Money is text in cents (half
to even), quantities and average prices are text in plain digits, percentages are numbers with four decimals, times are
UTC. Where there is nothing to say the value is null. `win_rate` is a fraction of the trades, between 0 and 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mqd_core.app.notation import cents_text, decimal_text, rounded, time_text
from mqd_core.app.trades import TradeWalk
from mqd_core.domain.contract import GAP
from mqd_core.domain.ledger import BookView
from mqd_core.domain.money import HUNDRED, ZERO, add, average_price, multiply, ratio, subtract

SCHEMA: Final = 1
#: Below this many trades, chance alone explains most results.
TRADES_MIN: Final = 30
_FINISHED: Final = "finished"
_ASKED: Final = "it was asked to stop; what is open goes on with the next start"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run knows of itself at its end; money in USD, times in UTC nanoseconds.

    `positions` pairs each book that holds something with its symbol's last close. `rejected_bars` counts bars that were
    kept out by code, and gaps. `reason` is finished, halted or signal.
    """

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
    """The result as JSON knows it; `stopped` and `reason` stand in it only where the run did not finish."""
    walk, profit = facts.walk, _net_profit(facts)
    result: dict[str, Any] = {
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
        "net_profit_pct": rounded(ratio(multiply(profit, HUNDRED), facts.start_equity), 4),
        "max_drawdown_pct": rounded(facts.max_drawdown_pct, 4),
        "win_rate": rounded(_win_rate(walk), 4),
        "sharpe": rounded(facts.sharpe, 4),
        "positions": [*_positions(facts)],
        "first_bar": time_text(facts.first_bar_ns) if facts.bars else None,
        "last_bar": time_text(facts.last_bar_ns) if facts.bars else None,
        "wall_seconds": rounded(facts.wall_seconds, 6),
        "load_seconds": rounded(facts.load_seconds, 6),
        "bars_per_second": rounded(facts.bars_per_second, 1),
        "decision_hash": facts.decision_hash,
        "report": None,
    }
    if facts.reason != _FINISHED:
        result["stopped"] = facts.reason
        result["reason"] = _why(facts)
    return result


def summary_rows(facts: RunFacts) -> list[tuple[str, str]]:
    """What a person reads at the end: names and texts, the result first, then what it was made of."""
    walk, profit = facts.walk, _net_profit(facts)
    rows = [("net profit", f"{_signed(profit)} USD, {_percent(ratio(multiply(profit, HUNDRED), facts.start_equity))}")]
    if facts.buy_and_hold_pct is not None:
        rows.append(("buy and hold", _percent(facts.buy_and_hold_pct)))
    paid = f", {_signed(facts.deposits)} USD of that paid in or out" if facts.deposits else ""
    rows += [
        ("equity", f"{cents_text(facts.start_equity)} to {cents_text(facts.end_equity)} USD{paid}"),
        ("max drawdown", _percent(facts.max_drawdown_pct, sign="")),
        ("trades", _trades_text(walk)),
        ("orders", f"{walk.orders:,} sent, {walk.fills:,} fills, {walk.rejected:,} rejected by the broker"),
        ("costs", f"{cents_text(walk.fees)} USD of fees"),
        ("signals", f"{walk.signals:,}, refused {_counted(walk.denied)}"),
        ("bars", _bars_text(facts)),
    ]
    if facts.positions:
        rows.append(("still held", "; ".join(_held_text(held) for held in _positions(facts))))
    if facts.reason != _FINISHED:
        rows.append(("stopped", f"{facts.reason}: {_why(facts)}"))
    if len(walk.trades) < TRADES_MIN:
        rows.append(("remark", f"fewer than {TRADES_MIN} trades: chance alone can explain this result"))
    return rows


def _net_profit(facts: RunFacts) -> Decimal:
    return subtract(subtract(facts.end_equity, facts.start_equity), facts.deposits)


def _win_rate(walk: TradeWalk) -> Decimal | None:
    won = sum(1 for trade in walk.trades if trade.profit > ZERO)
    return ratio(Decimal(won), Decimal(len(walk.trades))) if walk.trades else None


def _positions(facts: RunFacts) -> Iterator[dict[str, str]]:
    """What the account holds, by symbol: the broker sees the sum over strategies."""
    sums: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
    for book, close in facts.positions:
        quantity, cost, _ = sums.get(book.symbol, (ZERO, ZERO, close))
        sums[book.symbol] = add(quantity, book.quantity), add(cost, book.cost), close
    for symbol, (quantity, cost, close) in sums.items():
        if quantity:
            yield {
                "symbol": symbol,
                "quantity": decimal_text(quantity),
                "average_price": decimal_text(average_price(cost, quantity)),
                "market_value": cents_text(multiply(quantity, close)),
            }


def _why(facts: RunFacts) -> str:
    return _ASKED if facts.reason == "signal" else facts.walk.desk_reason


def _trades_text(walk: TradeWalk) -> str:
    rate = _win_rate(walk)
    if rate is None:
        return "none closed"
    return f"{len(walk.trades):,} closed, {rounded(multiply(rate, HUNDRED), 1)} % of them with a profit"


def _bars_text(facts: RunFacts) -> str:
    gaps = facts.rejected_bars.get(GAP, 0)
    counts = Counter({code: count for code, count in facts.rejected_bars.items() if code != GAP})
    return f"{facts.bars:,}, rejected {_counted(counts)}" + (f", gaps {gaps:,}" if gaps else "")


def _held_text(held: Mapping[str, str]) -> str:
    return (
        f"{held['quantity']} {held['symbol']} bought at {held['average_price']}, now worth {held['market_value']} USD"
    )


def _counted(counts: Counter[str]) -> str:
    """`none`, or the number of all and how many of each code, the most frequent first."""
    if not counts:
        return "none"
    codes = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"{sum(counts.values()):,} ({', '.join(f'{code} {count:,}' for code, count in codes)})"


def _signed(value: Decimal) -> str:
    text = cents_text(value)
    return text if text.startswith("-") else f"+{text}"


def _percent(value: Decimal | float, sign: str = "+") -> str:
    number = rounded(value, 2)
    return "not known" if number is None else f"{number:{sign}.2f} %"
