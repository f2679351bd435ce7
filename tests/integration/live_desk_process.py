"""A desk on a live feed, in a process that a test may kill: real loop, real SQLite file, real mock broker.

The feed is a tape of the synthetic market that goes on when the desk has taken the last bar, and its time is the
desk's. Called with a folder, a moment (`submit:after`) and how often it has to come before the process waits for its
end; without a moment it runs to the end of the tape. Prints what it knows in one line of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mqd_core.api import BarChunk, DataProviderRecord, hookimpl
from mqd_core.app.assembly import Assembly
from mqd_core.app.hooks import Hooks
from mqd_core.config import Config, parse_config
from mqd_core.domain.journal import decode_body
from mqd_core.domain.market import MINUTE_NS, SECOND_NS, Bar, Timeframe
from mqd_core.engine.engine import Engine
from mqd_core.registry.loader import Registry
from mqd_plugin_mock.settings import SyntheticSettings
from mqd_plugin_mock.synthetic import SyntheticMarket

PATIENCE_SECONDS = 30.0
MARKET = {"symbols": ["SPHD"], "seed": "7", "days": "2"}


def desk_config(folder: Path, data: dict[str, Any]) -> Config:
    """The demonstration desk, made small, its state below `folder`."""
    parameters = {"vwap_window": "20", "entry_threshold": "0.01", "stop_loss_pct": "0.01", "take_profit_pct": "0.005"}
    strategy = {
        "name": "VWAPMeanReversionStrategy",
        "symbols": ["SPHD"],
        "lookback_bars": "50",
        "parameters": parameters,
    }
    return parse_config(
        {
            "desk": {"id": "live", "state_dir": str(folder / "var")},
            "broker": {"name": "mock", "starting_cash": "1000"},
            "data": data,
            "sizer": {"name": "notional"},
            "store": {"name": "sqlite", "path": "live.db"},
            "strategies": [strategy],
        }
    )


class Tape:
    """The synthetic market as a live source with history; its own clock, and the desk's.

    A tape that begins with a desk that has taken bars already goes on behind the last of them.
    """

    def __init__(self, settings: SyntheticSettings) -> None:
        self._market = SyntheticMarket(settings)
        self._now_ns = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._is_asked = False
        self.engine: Engine | None = None
        self.on_end: Callable[[str], None] = lambda _reason: None

    def now_ns(self) -> int:
        return self._now_ns

    def step(self, _point: str) -> None:
        """The desk has done something."""
        with self._changed:
            self._changed.notify_all()

    def start_at(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def history(
        self, symbol: str, timeframe: Timeframe, start_ns: int | None, end_ns: int | None
    ) -> Iterator[BarChunk]:
        with self._changed:
            self._is_asked = self.engine is not None
            self._changed.notify_all()
        return self._market.history(symbol, timeframe, start_ns, end_ns)

    def live(self, symbols: Sequence[str], timeframe: Timeframe, sink: Callable[[Bar], None]) -> None:
        engine = self.engine
        assert engine is not None
        # What would end while the desk reads history would be history: time goes on when it has been asked for.
        self._wait(lambda: self._is_asked)
        first_ns = engine.minute_ns + 1 if engine.bars else None
        for chunk in self._market.history(symbols[0], timeframe, first_ns, None):
            columns = (chunk.start_ns, chunk.open, chunk.high, chunk.low, chunk.close, chunk.volume)
            for row in zip(*(column.tolist() for column in columns), strict=True):
                expected = engine.bars + 1
                self._now_ns = row[0] + MINUTE_NS + SECOND_NS
                sink(Bar(symbols[0], *row))
                self._wait(lambda least=expected: engine.bars >= least)
                if self._is_closed:
                    return
        self.on_end("signal")
        self._wait(lambda: self._is_closed)

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _wait(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_closed or holds(), PATIENCE_SECONDS):
                self.on_end("the desk stands still")


class TapePlugin:
    """What a distribution with this source would register."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    @hookimpl
    def mqd_data_providers(self) -> Iterator[DataProviderRecord[SyntheticSettings]]:
        yield DataProviderRecord(
            name="tape",
            summary="A synthetic market, live",
            settings=SyntheticSettings,
            factory=lambda _settings, _context: self._tape,
            has_history=True,
            has_live=True,
            synthetic=True,
        )


def run(folder: Path, moment: str, times: int) -> None:
    """Run the desk; at that moment, say so and wait to be killed."""
    tape = Tape(SyntheticSettings.model_validate(MARKET))
    left = [times]

    def probe(point: str) -> None:
        if point == moment:
            left[0] -= 1
            if not left[0]:
                say({"moment": point})
                sys.stdin.read()
        tape.step(point)

    registry = Registry()
    registry.register(TapePlugin(tape), distribution="mqd-plugin-tape")
    hooks = Hooks(clock=tape, probe=probe)
    tape.on_end = hooks.stop.ask
    config = desk_config(folder, {"name": "tape", **MARKET})
    chunk = next(iter(tape.history("SPHD", Timeframe.MINUTE_1, None, None)))
    tape.start_at(int(chunk.start_ns[0]) - 60 * MINUTE_NS)
    run_folder = folder / "run"
    run_folder.mkdir(exist_ok=True)
    assembly = Assembly(config, registry, "run", "run", run_folder, (None, None), hooks)
    try:
        system = assembly.build()
        tape.engine = engine = system.engine
        if engine.bars:
            # A desk that died is started again half a minute after the last bar that it remembers.
            tape.start_at(engine.minute_ns + MINUTE_NS + 30 * SECOND_NS)
        reason = system.run.run()
        say(ending(system, reason))
    finally:
        assembly.close()


def ending(system: Any, reason: str) -> dict[str, Any]:
    """What became of the desk, by its engine, its venue and its journal."""
    bodies = [decode_body(row.body) for row in system.store.read(0)]
    facts = system.engine.facts
    return {
        "reason": reason,
        "bars": system.engine.bars,
        "cash": str(facts.cash),
        "trips": facts.trips,
        "hash": system.engine.decision_hash,
        "drawdown": round(system.curve.max_drawdown_pct, 9),
        "state": facts.desk_state.value,
        "kinds": [type(body).__name__ for body in bodies],
    }


def say(what: dict[str, Any]) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run(Path(sys.argv[1]), *(sys.argv[2:3] or [""]), times=int((sys.argv[3:4] or ["0"])[0]))
