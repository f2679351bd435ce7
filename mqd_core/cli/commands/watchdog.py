"""`mqd watchdog`: look after a desk from a process of its own, and kill it when it is silent with orders open."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import foreign_code, print_json, say

PATIENCE_SECONDS = 30.0


@click.command()
@config_option
@click.option(
    "--after",
    "silence_seconds",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Silence after which it acts; by default `desk.watchdog_seconds`.",
)
@click.option("--leave-with", type=int, metavar="PID", help="End when the desk of that process has ended in order.")
@json_option
@click.pass_context
def watchdog(ctx: click.Context, config_path: Path, silence_seconds: float | None, leave_with: int | None) -> None:
    """Watch the desk's heartbeat; a desk that is silent with orders open is halted and its orders are canceled.

    Run it beside the desk, or let `mqd run --watchdog` start it. It ends with exit code 5 when it had to act.
    """
    from mqd_core.app.emergency import KillRequest, kill
    from mqd_core.cli.commands.kill import report_object
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.cli.watching import watch
    from mqd_core.errors import DeskHalted
    from mqd_core.registry.loader import Registry
    from mqd_core.runtime.stopping import StopRequest, stop_on_signals

    config, stop = guarded_config(config_path), StopRequest()
    silence = silence_seconds or float(config.desk.watchdog_seconds)
    with foreign_code(), stop_on_signals(stop):
        beat = watch(config, lambda: _open_orders(config_path), silence, stop, leave_with)
        if beat is None:
            return
        reason = f"watchdog: no sign of life of process {beat.pid} (run {beat.run_id}) for {silence:g} s"
        say(f"mqd: {reason}")
        request = KillRequest(reason=reason, person="watchdog", patience_seconds=PATIENCE_SECONDS)
        report = kill(config, Registry(allow=config.plugins.allow), request, stop)
    if ctx.ensure_object(Invocation).as_json:
        print_json({"schema": 1, "desk": config.desk.id, "reason": reason, **report_object(report)})
    say(*(f"mqd: {problem}" for problem in report.problems))
    say(f"mqd: halted: {report.halted}; orders still open: {report.open_orders}")
    ctx.exit(DeskHalted.exit_code)


def _open_orders(config_path: Path) -> int | None:
    """How many orders are, or may be, alive by the desk's store; None where it cannot be read."""
    from mqd_core.cli.commands.orders import open_orders
    from mqd_core.cli.desk_reader import read_desk
    from mqd_core.errors import MqdError

    try:
        view = read_desk(config_path).view
    except MqdError:
        return None
    return 0 if view is None else len(open_orders(view))
