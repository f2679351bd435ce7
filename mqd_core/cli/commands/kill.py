"""`mqd kill`: the emergency stop, a process of its own that needs neither the desk's engine nor its store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import foreign_code, print_json, print_pairs, say

if TYPE_CHECKING:
    from mqd_core.app.emergency import KillReport
    from mqd_core.domain.events import OrderReport

PATIENCE_SECONDS = 30.0


@click.command()
@config_option
@click.option("--flatten", "flattens", is_flag=True, help="Close every position of the account at the market, too.")
@click.option("--yes", is_flag=True, help="Do not ask before positions are closed.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the HALT file.")
@click.option(
    "--seconds",
    "patience_seconds",
    type=click.FloatRange(min=1),
    default=PATIENCE_SECONDS,
    show_default=True,
    help="How long to ask until no order is open.",
)
@json_option
@click.pass_context
def kill(
    ctx: click.Context, config_path: Path, *, flattens: bool, yes: bool, reason: str, patience_seconds: float
) -> None:
    """Halt the desk and cancel every order of its account, whatever state the desk is in.

    Works while the desk runs, hangs or is gone, and with a store that is locked, broken or missing. Protective orders
    are canceled too: positions that stay are unprotected. Only `mqd resume` lets the desk trade again.
    """
    from mqd_core.app.emergency import KillRequest
    from mqd_core.app.emergency import kill as kill_desk
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.cli.person import person_name
    from mqd_core.errors import ConfigError
    from mqd_core.registry.loader import Registry
    from mqd_core.runtime.stopping import StopRequest, stop_on_signals

    person, stop = person_name(), StopRequest()
    words = reason or "mqd kill"
    try:
        config = guarded_config(config_path)
    except ConfigError:
        _halt_at_least(config_path, words, person)
        raise
    request = KillRequest(
        reason=words,
        person=person,
        patience_seconds=patience_seconds,
        may_flatten=(lambda: yes or _is_confirmed()) if flattens else None,
    )
    with foreign_code(), stop_on_signals(stop):
        report = kill_desk(config, Registry(allow=config.plugins.allow), request, stop)
    if ctx.ensure_object(Invocation).as_json:
        print_json({"schema": 1, "desk": config.desk.id, **report_object(report)})
    else:
        print_pairs(_pairs(report))
    say(*(f"mqd: {problem}" for problem in report.problems))
    ctx.exit(0 if report.is_complete else 1)


def _is_confirmed() -> bool:
    try:
        return click.confirm("Close every position of this account at the market?", err=True)
    except click.Abort:
        return False


def _halt_at_least(config_path: Path, reason: str, person: str) -> None:
    """Halt the desk although its configuration is not usable: where it keeps things can often be read all the same."""
    from mqd_core.app.emergency import write_halt
    from mqd_core.cli.configured import desk_folder
    from mqd_core.runtime.clocks import WallClock
    from mqd_core.runtime.halt_file import HaltFile, HaltNote

    folder = desk_folder(config_path)
    if folder is None:
        say("mqd: nothing was halted and nothing was canceled: the configuration does not say which desk it is")
        return
    problems: list[str] = []
    halt_file = HaltFile(folder)
    note = HaltNote(reason=reason, person=person, written_ns=WallClock().now_ns())
    if write_halt(halt_file, note, problems):
        say(f"mqd: {halt_file.path} is written; nothing was canceled at the broker:")
    say(*(f"mqd: {problem}" for problem in problems))


def _pairs(report: KillReport) -> Iterator[tuple[str, str]]:
    yield "halted", f"yes, by {report.halt_file}" if report.halted else "NO"
    yield "canceled", _outcomes(report.cancels) or "no order was open"
    yield "still open", "not known" if report.open_orders is None else str(report.open_orders)
    if report.closings is not None:
        yield "closed", _outcomes(report.closings) or "no position was reported"
    yield "next", "look at the broker; `mqd resume --reason TEXT` lets the desk trade again"


def _outcomes(reports: list[OrderReport]) -> str:
    return ", ".join(f"{one.side.value} {one.symbol} {one.status.value}" for one in reports)


def report_object(report: KillReport) -> dict[str, Any]:
    """The report as JSON has it."""
    from mqd_core.cli.desk_reader import plain_object

    closings = report.closings
    return {
        "halted": report.halted,
        "halt_file": str(report.halt_file),
        "broker": report.broker,
        "orders": [plain_object(one) for one in report.cancels],
        "open_orders": report.open_orders,
        "closings": None if closings is None else [plain_object(one) for one in closings],
        "problems": report.problems,
        "complete": report.is_complete,
    }
