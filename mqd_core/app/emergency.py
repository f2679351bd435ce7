"""The kill switch: halts a desk and cancels its orders with neither its engine nor its store.

    HALT file -> cancel everything -> ask until nothing is open, twice -> close positions, if that is asked for

Needs the configuration, the broker's plugin and its keys, and nothing that the desk itself uses while it runs. Each
step is tried, whatever became of the one before it, and the report says what was done and what could not be. May not
open the store, take the lock, or wait for the desk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mqd_core.api.context import BrokerContext
from mqd_core.api.records import BrokerRecord
from mqd_core.app.factories import build, desk_places, plugin_log
from mqd_core.app.plugins import choose_broker
from mqd_core.config import Config
from mqd_core.domain.events import OrderReport, OrderStatus
from mqd_core.domain.market import SECOND_NS
from mqd_core.errors import MqdError
from mqd_core.logging.scrubbing import scrub
from mqd_core.ports.broker import EmergencyBroker
from mqd_core.registry.loader import Registry
from mqd_core.runtime.bounded_call import bounded_call
from mqd_core.runtime.clocks import WallClock, steady_ns
from mqd_core.runtime.halt_file import HaltFile, HaltNote
from mqd_core.runtime.stopping import StopRequest

#: How often the broker has to say in a row that nothing is open: an order may land between two answers.
QUIET_ANSWERS: Final = 2
_PAUSE_SECONDS: Final = 0.5
_OVER: Final = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.REPLACED}
)


@dataclass(slots=True)
class KillReport:
    """What a kill did, and what it could not do; `open_orders` is None where nobody could tell."""

    halt_file: Path
    halted: bool = False
    broker: str = ""
    cancels: list[OrderReport] = field(default_factory=list)
    open_orders: int | None = None
    #: None where positions were not to be closed.
    closings: list[OrderReport] | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether the desk is halted, nothing is open, and whatever else was asked for was done."""
        return self.halted and self.open_orders == 0 and not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRequest:
    """Who kills and why; `may_flatten` is asked once the orders are canceled, None where positions stay."""

    reason: str
    person: str
    patience_seconds: float
    may_flatten: Callable[[], bool] | None = None


def kill(config: Config, registry: Registry, request: KillRequest, stop: StopRequest) -> KillReport:
    """Do it; never raises for what a step ran into: that stands in the report."""
    halt_file = HaltFile(desk_places(config).root)
    report = KillReport(halt_file.path, broker=config.broker.name)
    note = HaltNote(reason=request.reason, person=request.person, written_ns=WallClock().now_ns())
    report.halted = write_halt(halt_file, note, report.problems)
    try:
        broker = _emergency_broker(config, registry)
    except MqdError as error:
        report.problems.append(f"the broker's emergency access could not be built: {error}")
        return report
    if broker is None:
        text = f"the broker {config.broker.name} has no emergency access: orders and positions at it stay as they are"
        report.problems.append(f"{text}. Cancel them there by hand, or let the desk do it (`mqd halt`)")
        return report
    _cancel_all(broker, report, request.patience_seconds, stop)
    if request.may_flatten is not None:
        _flatten(broker, report, request)
    return report


def write_halt(halt_file: HaltFile, note: HaltNote, problems: list[str]) -> bool:
    """Write the HALT file, or say why not."""
    try:
        halt_file.write(note)
    except OSError as error:
        problems.append(f"{halt_file.path} cannot be written: {error.strerror}; a desk that runs is not halted by it")
    return halt_file.is_set


def _emergency_broker(config: Config, registry: Registry) -> EmergencyBroker | None:
    """Raises MqdError."""
    chosen = choose_broker(config, registry)
    factory = chosen.loaded.record_as(BrokerRecord).emergency
    if factory is None:
        return None
    context = BrokerContext(
        clock=WallClock(),
        log=plugin_log("broker"),
        directory=desk_places(config).of_plugin("broker"),
        secrets=config.secrets,
        paper_trading=config.broker.paper_trading,
    )
    return build(chosen, factory, context, config)


def _cancel_all(broker: EmergencyBroker, report: KillReport, patience_seconds: float, stop: StopRequest) -> None:
    """Ask for cancels until the broker has said twice that nothing is open, or patience ends."""
    known: dict[str, OrderReport] = {}
    end, quiet, problem = steady_ns() + round(patience_seconds * SECOND_NS), 0, ""
    while True:
        left_seconds = max(0.1, (end - steady_ns()) / SECOND_NS)
        answer = _ask(broker.cancel_all, left_seconds)
        if isinstance(answer, str):
            problem, quiet = answer, 0
        else:
            known.update((one.client_order_id or one.broker_order_id, one) for one in answer)
            still_open = [one for one in answer if one.status not in _OVER]
            report.open_orders, problem = len(still_open), ""
            quiet = 0 if still_open else quiet + 1
        if quiet == QUIET_ANSWERS or stop or steady_ns() >= end:
            break
        stop.wait(_PAUSE_SECONDS)
    report.cancels = list(known.values())
    if problem:
        report.open_orders = None
        report.problems.append(f"the broker could not be asked to cancel: {problem}")
    elif quiet < QUIET_ANSWERS:
        text = f"{report.open_orders} orders were still open when patience ended" if report.open_orders else ""
        report.problems.append(f"{text or 'whether nothing is open was not confirmed'}; run `mqd kill` again")


def _flatten(broker: EmergencyBroker, report: KillReport, request: KillRequest) -> None:
    if request.may_flatten is not None and not request.may_flatten():
        report.problems.append("positions were not closed: nobody confirmed it")
        return
    # Once only: a second request could sell what the first one is selling.
    answer = _ask(broker.flatten_all, max(1.0, request.patience_seconds))
    if isinstance(answer, str):
        report.closings = []
        report.problems.append(f"closing the positions was asked for and not confirmed: {answer}; look at the broker")
        return
    report.closings = [*answer]
    refused = [one for one in answer if one.status in (OrderStatus.REJECTED, OrderStatus.CANCELED)]
    report.problems += [f"{one.symbol} was not closed: {one.text or one.code or one.status.value}" for one in refused]


def _ask(call: Callable[[], Sequence[OrderReport]], seconds: float) -> Sequence[OrderReport] | str:
    """What the broker answered, or what went wrong."""
    # A boundary: a broker's plugin may raise anything or hang, and the other steps are done all the same.
    try:
        return bounded_call(call, seconds)
    except (Exception, SystemExit) as error:  # noqa: BLE001  told in the report
        return scrub(f"{type(error).__name__}: {error}")
