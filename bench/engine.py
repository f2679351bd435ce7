"""How fast the whole engine is, beside a plain Python loop of the same rules over the same bars, run in turn.

    python bench/engine.py [--bars 1000000] [--symbols 1 10] [--rounds 3] [--profile]

Everything is switched on: validator, merge, strategy, sizer, gate, order table, simulated venue, books, loss limits,
decision chain, in-memory journal. Both make their bars on the way from the same synthetic columns; both must end with
the same trades and, to the cent, the same equity. Prints ratios: times of one machine mean little on another.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mqd_core.app.assembly import Assembly, Hooks
from mqd_core.config import Config, parse_config
from mqd_core.domain.journal import decode_body
from mqd_core.domain.records import Approved
from mqd_core.registry.loader import Registry
from mqd_core.runtime.memory_store import InMemoryStore

WINDOW, ENTRY, STOP, TARGET = 20, 0.003, 0.006, 0.002
LOOKBACK = 50


def configuration(symbols: list[str], bars: int, *, entry: float = ENTRY, protection: str = "strategy") -> Config:
    """A desk over this many synthetic bars; thresholds that make about two orders in a hundred bars."""
    strategy = {
        "name": "VWAPMeanReversionStrategy",
        "symbols": symbols,
        "lookback_bars": str(LOOKBACK),
        "parameters": {
            "vwap_window": str(WINDOW),
            "entry_threshold": str(entry),
            "stop_loss_pct": str(STOP),
            "take_profit_pct": str(TARGET),
        },
    }
    days = bars // len(symbols) // 390 + 1
    return parse_config(
        {
            "desk": {"id": "bench"},
            "protection": protection,
            "broker": {"name": "mock", "starting_cash": "1000"},
            "data": {
                "name": "synthetic",
                "symbols": symbols,
                "seed": "3",
                "days": str(days),
                "start": "2010-01-04",
                "start_price": "100",
                "missing_minutes_pct": "0",
                "halt_pct": "0",
                "shocks_per_day": "0",
                "volatility_pct": "1.4",
            },
            "sizer": {"name": "notional"},
            "store": {"name": "sqlite"},
            "strategies": [strategy],
            "risk": {
                "max_open_positions": str(len(symbols)),
                "max_position_size_pct": "10",
                "daily_loss_limit_usd": "500",
                "weekly_loss_limit_usd": "900",
                "circuit_breaker_loss_pct": "90",
                "max_orders_per_session": "10000",
                "max_orders_per_minute": "150",
                "duplicate_window_seconds": "1",
            },
            "session": {"no_entry_minutes_before_close": "0"},
        }
    )


@dataclass
class Figures:
    """One timing: nanoseconds in the loop, in loading besides, and what must agree."""

    loop_ns: float
    load_ns: float
    bars: int
    orders: int
    equity: float


def run_engine(config: Config) -> Figures:
    """One backtest through the composition root, its journal in memory."""
    with tempfile.TemporaryDirectory() as folder:
        journal = InMemoryStore()
        path = Path(folder)
        assembly = Assembly(config, Registry(), "backtest", "bench", path, (None, None), Hooks(journal=journal))
        try:
            system = assembly.build()
            gc.collect()
            system.run.run()
            rows = (decode_body(row.body) for row in journal.read(0) if row.kind == "Approved")
            orders = sum(1 for body in rows if isinstance(body, Approved))
            equity = float(system.engine.facts.equity)
            return Figures(system.run.loop_ns, system.run.load_ns, system.run.bars_taken, orders, equity)
        finally:
            assembly.close()


def columns_of(config: Config) -> list[Any]:
    """The same merged chunks that the engine reads, as memoryviews with the symbols' places."""
    from mqd_core.app.engine_settings import BASE, traded_symbols
    from mqd_core.domain.sessions import xnys
    from mqd_core.runtime.feed import BarFeed
    from mqd_core.runtime.validator import DataValidator

    with tempfile.TemporaryDirectory() as folder:
        assembly = Assembly(config, Registry(), "backtest", "bench", Path(folder), (None, None), Hooks())
        try:
            plugins, builder = assembly.plugins()
            symbols = traded_symbols(config)
            validator = DataValidator(BASE, xnys())
            provider = builder.data()
            name = plugins.data.use.name
            feed = BarFeed(provider, name, "", symbols, BASE, start_ns=None, end_ns=None, validator=validator)
            closes = np.array([session.close_ns for session in xnys()])
            chunks = []
            for chunk in feed.chunks():
                # The plain loop is told which bars end a session: the engine refuses orders there.
                is_last = np.isin(chunk.start_ns + BASE.length_ns, closes)
                columns = (chunk.symbol_index, is_last, chunk.open, chunk.high, chunk.low, chunk.close, chunk.volume)
                chunks.append(tuple(memoryview(column) for column in columns))
            return chunks
        finally:
            assembly.close()


def plain_loop(chunks: list[Any], symbols: int, entry: float) -> Figures:
    """The same rules in the plainest Python that is fast: floats, one dict-free list a symbol, no checks."""
    begin = time.perf_counter_ns()
    windows = [deque[tuple[float, float]]() for _ in range(symbols)]
    weighted, volumes = [0.0] * symbols, [0.0] * symbols
    held, paid, last = [0.0] * symbols, [0.0] * symbols, [0.0] * symbols
    pending, seen = [0.0] * symbols, [0] * symbols
    cash, orders, bars = 1000.0, 0, 0
    for chunk in chunks:
        for place, is_last, open_, high, low, close, volume in zip(*chunk):  # noqa: B905  columns are of one length
            bars += 1
            wanted = pending[place]
            if wanted:
                pending[place] = 0.0
                held[place] += wanted
                cash -= wanted * open_
                paid[place] = open_
            last[place] = close
            typical = (high + low + close) / 3 * volume
            window = windows[place]
            window.append((typical, volume))
            weighted[place] += typical
            volumes[place] += volume
            if len(window) > WINDOW:
                old, old_volume = window.popleft()
                weighted[place] -= old
                volumes[place] -= old_volume
            seen[place] += 1
            if seen[place] <= LOOKBACK or is_last:
                continue
            if held[place]:
                price = paid[place]
                if close >= price * (1 + TARGET) or close <= price * (1 - STOP):
                    pending[place] = -held[place]
                    orders += 1
            elif close < weighted[place] / volumes[place] * (1 - entry):
                equity = cash
                for quantity, mark in zip(held, last):  # noqa: B905
                    equity += quantity * mark
                pending[place] = min(equity * 0.1, cash / 1.03, equity * 0.01 / STOP) / close
                orders += 1
    equity = cash + sum(quantity * mark for quantity, mark in zip(held, last))  # noqa: B905
    return Figures(time.perf_counter_ns() - begin, 0, bars, orders, equity)


def measure(symbols: int, bars: int, rounds: int) -> None:
    """Alternate the two and print the medians and their ratio."""
    names = [f"S{number:02d}" for number in range(symbols)]
    busy, quiet = configuration(names, bars), configuration(names, bars, entry=0.5)
    stops = configuration(names, bars, protection="broker")
    chunks = columns_of(busy)
    rows = []
    for _ in range(rounds):
        engine, loop = run_engine(busy), plain_loop(chunks, symbols, ENTRY)
        idle, idle_loop = run_engine(quiet), plain_loop(chunks, symbols, 0.5)
        rows.append((engine, loop, idle, idle_loop, run_engine(stops)))
    best = [min(row[place].loop_ns / row[place].bars for row in rows) for place in range(5)]
    engine, loop = rows[0][0], rows[0][1]
    orders = engine.orders
    each = (best[0] - best[2]) * engine.bars / orders if orders else 0.0
    with_load = min((row[0].loop_ns + row[0].load_ns) / row[0].bars for row in rows)
    print(f"{symbols} symbol(s), {engine.bars} bars, {orders} orders ({100 * orders / engine.bars:.2f} in 100 bars)")
    print(f"  plain loop            {best[1]:8.0f} ns/bar   equity {loop.equity:.2f}  orders {loop.orders}")
    print(f"  engine                {best[0]:8.0f} ns/bar   equity {engine.equity:.2f}  ratio {best[1] / best[0]:.3f}")
    print(f"  engine, no orders     {best[2]:8.0f} ns/bar   ratio {best[3] / best[2]:.3f}")
    print(f"  cost of an order      {each / 1000:8.1f} us")
    sent = rows[0][4].orders
    print(f"  engine, stops resting {best[4]:8.0f} ns/bar   {sent} orders, ratio {best[1] / best[4]:.3f}")
    print(f"  engine with loading   {with_load:8.0f} ns/bar   ratio {best[1] / with_load:.3f}")
    alone = [sys.executable, __file__, "--alone", "--bars", str(bars), "--symbols", str(symbols)]
    peak = subprocess.run(alone, check=True, capture_output=True, text=True).stdout.strip()
    print(f"  peak memory, engine   {peak:>8}")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--symbols", type=int, nargs="*", default=[1, 10])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--alone", action="store_true", help="run the engine once and print its peak memory")
    arguments = parser.parse_args()
    if arguments.alone:
        run_engine(configuration([f"S{number:02d}" for number in range(arguments.symbols[0])], arguments.bars))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
        print(f"{peak:.0f} MB")
        return
    if arguments.profile:
        import cProfile

        names = [f"S{number:02d}" for number in range(arguments.symbols[0])]
        config = configuration(names, arguments.bars)
        cProfile.runctx("run_engine(config)", globals(), locals(), sort="tottime")
        return
    for symbols in arguments.symbols:
        measure(symbols, arguments.bars, arguments.rounds)


if __name__ == "__main__":
    main()
