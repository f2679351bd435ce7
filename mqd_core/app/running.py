"""One run from start to result: `mqd run` and `mqd backtest`, by the same code. The command line calls `run_desk`.

May not print: what a person should see comes back in the outcome.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mqd_core import __version__
from mqd_core.app.assembly import Assembly, Mode, System
from mqd_core.app.hooks import Hooks
from mqd_core.app.journal_log import JournalLog
from mqd_core.app.live_consent import check_consents
from mqd_core.app.places import RUNS, new_run_id
from mqd_core.app.result import RunFacts, result_object, summary_rows
from mqd_core.app.run_folder import RunFolder
from mqd_core.app.trades import TradeWalk
from mqd_core.config import Config
from mqd_core.domain.journal import Entry, decode_body
from mqd_core.domain.records import DeskState
from mqd_core.errors import DeskHalted
from mqd_core.logging import get_logger
from mqd_core.logging.catalogue import PLUGIN_LOADED
from mqd_core.registry.loader import Registry
from mqd_core.runtime.live_run import LiveRun
from mqd_core.runtime.observers import ObserverThreads
from mqd_core.runtime.performer import Probe, no_probe
from mqd_core.runtime.simulated_run import Progress
from mqd_core.runtime.stopping import StopRequest

_EXIT_DONE: Final = 0
_EXIT_FAILED: Final = 1


@dataclass(slots=True, kw_only=True)
class RunRequest:
    """What is asked for. Times are UTC nanoseconds, the end excluded; None means all there is."""

    config: Config
    mode: Mode
    start_ns: int | None = None
    end_ns: int | None = None
    live_account: str | None = None
    probe: Probe = no_probe


@dataclass(slots=True, kw_only=True)
class RunOutcome:
    """What became of it: the result object, the exit code, and what a person should read."""

    result: dict[str, Any]
    exit_code: int
    folder: Path
    summary: list[tuple[str, str]]
    warnings: list[str] = field(default_factory=list)
    stopped: str = ""


def run_desk(
    request: RunRequest,
    registry: Registry,
    stop: StopRequest,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunOutcome:
    """Run a desk until its data end, it is halted or asked to stop. Raises MqdError; nothing is left half done."""
    config, is_run = request.config, request.mode == "run"
    if is_run:
        check_consents(config, request.live_account)
    run_id = new_run_id(request.mode)
    log = JournalLog(run_id)
    observers = ObserverThreads()

    def committed(entries: tuple[Entry, ...]) -> None:
        log.write(entries)
        observers.tell(entries)

    hooks = Hooks(
        stop=stop,
        on_progress=on_progress,
        on_committed=committed if is_run else _later,
        on_rejected=log.rejected,
        on_gaps=log.gaps,
        on_timing=log.timing if is_run else None,
        probe=request.probe,
    )
    folder = RunFolder.create(RUNS, run_id)
    window = request.start_ns, request.end_ns
    assembly = Assembly(config, registry, request.mode, run_id, folder.path, window, hooks, request.live_account)
    started = False
    try:
        system = assembly.build()
        started = True
        folder.write_start(config.masked(), _versions(system))
        _log_plugins(system)
        if is_run:
            # Lines of an order that an earlier process made need its symbol and side.
            log.remember(_entries(system))
        observers.watch(system.observers)
        reason = system.run.run()
        observers.close()
        log.gaps(system.validator.gaps)
        outcome = _outcome(request, system, folder, reason, log)
        outcome.warnings += observers.remarks()
    finally:
        observers.close(patience_seconds=0.0)
        assembly.close()
        if not started:
            # Whatever it was, Ctrl-C included: a start that failed leaves no run behind.
            folder.discard()
    return outcome


def _log_plugins(system: System) -> None:
    log = get_logger(PLUGIN_LOADED.stream)
    for chosen in system.plugins.all():
        found = chosen.loaded.found
        fields = {
            "kind": chosen.use.kind.value,
            "plugin": chosen.use.name,
            "distribution": found.distribution,
            "version": found.version,
            "target": found.target,
        }
        log.info(PLUGIN_LOADED.message, extra=fields)


def _outcome(request: RunRequest, system: System, folder: RunFolder, reason: str, log: JournalLog) -> RunOutcome:
    walk, engine = TradeWalk(), system.engine
    for entry in _entries(system):
        walk.take(entry)
        if request.mode == "backtest":
            log.write((entry,))
    exit_code = _EXIT_FAILED if walk.plugin_faults else _EXIT_DONE
    if reason == "halted":
        exit_code = DeskHalted.exit_code
    facts = _facts(system, folder.path.name, request.mode, reason, walk)
    result = result_object(facts)
    folder.write_end(result, walk.trades, system.curve.session_closes)
    places = [("run folder", str(folder.path)), ("logs", str(request.config.logging.log_dir))]
    if request.mode == "run":
        places.append(("store", str(system.places.store)))
    warnings = [str(problem) for problem in system.warnings]
    if reason == "halted":
        warnings.append(f"the desk is halted: {engine.reason}")
    if system.is_synthetic:
        warnings.append("the market was synthetic: this result says how the desk works, not what it would earn")
    warnings += walk.fault_texts
    warnings += _left_open(system)
    return RunOutcome(
        result=result,
        exit_code=exit_code,
        folder=folder.path,
        summary=[*summary_rows(facts), *places],
        warnings=warnings,
        stopped=reason if reason == "signal" else "",
    )


def _left_open(system: System) -> list[str]:
    """What a person should know of a desk that was stopped while it ran live."""
    run, engine = system.run, system.engine
    if not isinstance(run, LiveRun):
        return []
    open_ends: list[str] = []
    if run.unanswered:
        text = f"the broker had not answered {run.unanswered} of the desk's calls; the next start asks for what became"
        open_ends.append(f"{text} of them")
    if engine.facts.desk_state in (DeskState.FROZEN, DeskState.HALTED):
        open_ends.append(f"the desk is {engine.facts.desk_state.value}: {engine.reason}")
    return open_ends


def _entries(system: System) -> Iterator[Entry]:
    """The whole journal of the book, decoded."""
    for row in system.store.read(0):
        yield Entry(row.sequence, row.ordinal, decode_body(row.body))


def _facts(system: System, run_id: str, mode: Mode, reason: str, walk: TradeWalk) -> RunFacts:
    engine, run, curve = system.engine, system.run, system.curve
    facts = engine.facts
    seconds = run.loop_ns / 1e9
    return RunFacts(
        run_id=run_id,
        mode=mode,
        bars=engine.bars,
        walk=walk,
        start_equity=facts.opening_cash,
        end_equity=facts.equity,
        cash=facts.cash,
        deposits=facts.deposits,
        positions=tuple((book, facts.close_of(book.symbol)) for book in facts.books),
        max_drawdown_pct=curve.max_drawdown_pct,
        sharpe=curve.sharpe,
        buy_and_hold_pct=curve.buy_and_hold_pct,
        first_bar_ns=run.first_bar_ns,
        last_bar_ns=engine.minute_ns,
        wall_seconds=seconds,
        load_seconds=run.load_ns / 1e9,
        bars_per_second=run.bars_taken / seconds if seconds else 0.0,
        decision_hash=engine.decision_hash,
        reason=reason,
        rejected_bars=dict(system.validator.counts),
        is_synthetic=system.is_synthetic,
    )


def _versions(system: System) -> dict[str, str]:
    return {
        "mqd-core": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **dict(system.plugins.versions()),
    }


def _later(_entries: tuple[Entry, ...]) -> None:
    """A backtest's lines are written after its loop, from its journal."""
