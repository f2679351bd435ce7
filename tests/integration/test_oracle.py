"""The whole engine against one small loop that shares no code with it, over real bars, to the last digit of cash."""

from __future__ import annotations

import csv
from collections import deque
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mqd_core.app.assembly import Assembly, Hooks
from mqd_core.config import parse_config
from mqd_core.domain.events import Fill
from mqd_core.domain.journal import decode_body
from mqd_core.registry.loader import Registry

ENTRY, STOP, TARGET, WINDOW, LOOKBACK = Fraction("0.002"), Fraction("0.004"), Fraction("0.002"), 20, 50
WIDE = Context(prec=60)


def read_rows(folder: Path, symbols: list[str]) -> list[tuple[int, int, dict[str, str]]]:
    """Regular-session rows of all symbols as (start, place of the symbol, row), in the order of the feed."""
    rows = []
    for place, symbol in enumerate(symbols):
        with (folder / f"{symbol}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["session"] == "regular":
                    moment = datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00"))
                    rows.append((int(moment.timestamp()), place, row))
    return sorted(rows, key=lambda row: row[:2])


def exact_loop(  # noqa: C901  one loop on purpose: nothing to trust but itself
    rows: list[tuple[int, int, dict[str, str]]], symbols: list[str]
) -> tuple[list[Any], Decimal, Decimal]:
    """Fills, cash and equity of the rules, computed the plain way; prices, quantities and cash are exact."""
    cash, fills = Decimal(1000), []
    held = {symbol: Decimal(0) for symbol in symbols}
    paid, last, seen = dict(held), dict(held), dict.fromkeys(symbols, 0)
    pending: dict[str, tuple[Decimal, Decimal]] = {}
    windows: dict[str, deque[tuple[Fraction, Fraction]]] = {symbol: deque(maxlen=WINDOW) for symbol in symbols}
    minutes: dict[int, list[tuple[str, dict[str, str]]]] = {}
    for start, place, row in rows:
        minutes.setdefault(start, []).append((symbols[place], row))
    for start, bars in minutes.items():
        for symbol, row in bars:
            if symbol in pending:
                quantity, _ = pending.pop(symbol)
                price = Decimal(row["open"])
                cash = WIDE.subtract(cash, WIDE.multiply(quantity, price))
                held[symbol], paid[symbol] = WIDE.add(held[symbol], quantity), price
                fills.append((start, symbol, quantity, price))
        # October 2013: New York is four hours behind UTC, the session ends at 20:00 UTC.
        left = 72_000 - (start + 60) % 86_400
        for symbol, row in bars:
            high, low, close = (Decimal(row[name]) for name in ("high", "low", "close"))
            last[symbol], volume = close, Fraction(row["volume"])
            windows[symbol].append(((Fraction(high) + Fraction(low) + Fraction(close)) / 3 * volume, volume))
            seen[symbol] += 1
            if seen[symbol] <= LOOKBACK or symbol in pending or left <= 0:
                continue
            if held[symbol]:
                entry = Fraction(paid[symbol])
                if Fraction(close) >= entry * (1 + TARGET) or Fraction(close) <= entry * (1 - STOP):
                    pending[symbol] = (-held[symbol], Decimal(0))
                continue
            vwap = sum(x for x, _ in windows[symbol]) / sum(v for _, v in windows[symbol])
            if left > 300 and Fraction(close) < vwap * (1 - ENTRY):
                equity = Fraction(cash) + sum(Fraction(held[name]) * Fraction(last[name]) for name in symbols)
                free = Fraction(cash) - sum(Fraction(cost) for _, cost in pending.values())
                price = Fraction(close)
                bounds = (
                    equity / 10 / price,
                    equity / 100 / (STOP * price),
                    free / (price * Fraction("1.03")),
                    500 / price,
                )
                least = min(bounds)
                units = least.numerator * 10**9 // least.denominator
                quantity = Decimal(units).scaleb(-9, WIDE)
                cost = WIDE.multiply(WIDE.multiply(quantity, close), Decimal("1.03"))
                pending[symbol] = (quantity, cost)
    equity = cash
    for symbol in symbols:
        equity = WIDE.add(equity, WIDE.multiply(held[symbol], last[symbol]))
    return fills, cash, equity


def by_minute(
    rows: list[tuple[int, int, dict[str, str]]], symbols: list[str]
) -> dict[int, list[tuple[str, dict[str, str]]]]:
    """The rows of each minute, with their symbols."""
    minutes: dict[int, list[tuple[str, dict[str, str]]]] = {}
    for start, place, row in rows:
        minutes.setdefault(start, []).append((symbols[place], row))
    return minutes


def exact_loop_with_stops(  # noqa: C901  a second one on purpose: it shares nothing with the first but the rules
    rows: list[tuple[int, int, dict[str, str]]], symbols: list[str]
) -> tuple[list[Any], Decimal, Decimal]:
    """The same with a stop that rests from the minute after the entry's fill on, is gone each night and canceled first.

    A stop sells at its price, or at an open below it; what it sells inside a minute is known at the minute's end.
    """
    cash, fills = Decimal(1000), []
    held = {symbol: Decimal(0) for symbol in symbols}
    paid, last, seen = dict(held), dict(held), dict.fromkeys(symbols, 0)
    pending: dict[str, tuple[Decimal, Decimal]] = {}
    stops: dict[str, Decimal] = {}
    windows: dict[str, deque[tuple[Fraction, Fraction]]] = {symbol: deque(maxlen=WINDOW) for symbol in symbols}

    def trade(ts: int, symbol: str, quantity: Decimal, price: Decimal) -> None:
        nonlocal cash
        cash = WIDE.subtract(cash, WIDE.multiply(quantity, price))
        held[symbol], paid[symbol] = WIDE.add(held[symbol], quantity), price
        fills.append((ts, symbol, quantity, price))

    for start, bars in by_minute(rows, symbols).items():
        for symbol, row in bars:
            opened, low = Decimal(row["open"]), Decimal(row["low"])
            if symbol in pending:
                trade(start, symbol, pending.pop(symbol)[0], opened)
                if held[symbol]:
                    exact = WIDE.multiply(opened, 1 - Decimal("0.004"))
                    stops[symbol] = exact.quantize(Decimal("0.01"), ROUND_CEILING)
            elif held[symbol] and low <= stops[symbol]:
                is_gap = opened <= stops[symbol]
                trade(start if is_gap else start + 60, symbol, -held[symbol], min(opened, stops[symbol]))
        left = 72_000 - (start + 60) % 86_400
        for symbol, row in bars:
            high, low, close = (Decimal(row[name]) for name in ("high", "low", "close"))
            last[symbol], volume = close, Fraction(row["volume"])
            windows[symbol].append(((Fraction(high) + Fraction(low) + Fraction(close)) / 3 * volume, volume))
            seen[symbol] += 1
            if seen[symbol] <= LOOKBACK or symbol in pending or left <= 0:
                continue
            if held[symbol]:
                entry = Fraction(paid[symbol])
                if Fraction(close) >= entry * (1 + TARGET) or Fraction(close) <= entry * (1 - STOP):
                    pending[symbol] = (-held[symbol], Decimal(0))
                continue
            vwap = sum(x for x, _ in windows[symbol]) / sum(v for _, v in windows[symbol])
            if left > 300 and Fraction(close) < vwap * (1 - ENTRY):
                equity = Fraction(cash) + sum(Fraction(held[name]) * Fraction(last[name]) for name in symbols)
                free = Fraction(cash) - sum(Fraction(cost) for _, cost in pending.values())
                price = Fraction(close)
                by_cash = free / (price * Fraction("1.03"))
                least = min(equity / 10 / price, equity / 100 / (STOP * price), by_cash, 500 / price)
                quantity = Decimal(least.numerator * 10**9 // least.denominator).scaleb(-9, WIDE)
                pending[symbol] = (quantity, WIDE.multiply(WIDE.multiply(quantity, close), Decimal("1.03")))
    equity = cash
    for symbol in symbols:
        equity = WIDE.add(equity, WIDE.multiply(held[symbol], last[symbol]))
    return fills, cash, equity


def engine_run(
    folder: Path, symbols: list[str], tmp_path: Path, protection: str
) -> tuple[list[Any], Decimal, Decimal, str]:
    """The same through plugins, feed, engine, venue and journal."""
    config = parse_config(
        {
            "desk": {"id": "oracle"},
            "protection": protection,
            "broker": {"name": "mock", "starting_cash": "1000"},
            "data": {"name": "files", "path": str(folder), "symbols": symbols, "format": "csv"},
            "sizer": {"name": "notional"},
            "store": {"name": "sqlite"},
            "strategies": [
                {
                    "name": "VWAPMeanReversionStrategy",
                    "symbols": symbols,
                    "lookback_bars": str(LOOKBACK),
                    "parameters": {
                        "vwap_window": str(WINDOW),
                        "entry_threshold": "0.002",
                        "stop_loss_pct": "0.004",
                        "take_profit_pct": "0.002",
                    },
                }
            ],
            "risk": {"max_open_positions": "4"},
        }
    )
    assembly = Assembly(config, Registry(), "backtest", "oracle", tmp_path, (None, None), Hooks())
    try:
        system = assembly.build()
        assert system.run.run() == "finished"
        bodies = [decode_body(row.body) for row in system.store.read(0)]
        fills = [
            (body.ts // 10**9, body.symbol, body.quantity if body.side.value == "buy" else -body.quantity, body.price)
            for body in bodies
            if isinstance(body, Fill)
        ]
        facts = system.engine.facts
        return fills, facts.cash, facts.equity, system.engine.decision_hash
    finally:
        assembly.close()


@pytest.mark.parametrize("protection", ["strategy", "broker"])
@pytest.mark.parametrize("symbols", [["SPY"], ["SPY", "IBM", "BAC", "AIG"]], ids=["one", "four"])
def test_fills_cash_and_equity_equal_an_independent_loop(
    shared_data: Path, tmp_path: Path, symbols: list[str], protection: str
) -> None:
    """Same fills at the same times and prices, same quantities to nine decimals, same cash to the last digit."""
    folder = shared_data / "minute_trades"
    loop = exact_loop if protection == "strategy" else exact_loop_with_stops
    fills, cash, equity = loop(read_rows(folder, symbols), symbols)
    theirs, their_cash, their_equity, _ = engine_run(folder, symbols, tmp_path, protection)
    assert len(fills) >= 10
    assert sorted(theirs) == sorted(fills)
    assert their_cash == cash
    assert their_equity.quantize(Decimal("0.01"), ROUND_FLOOR) == equity.quantize(Decimal("0.01"), ROUND_FLOOR)
    assert their_equity == equity
