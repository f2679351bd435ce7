"""What `mqd halt`, `resume`, `reconcile --accept` and `flatten` share: deliver a command, and say what came of it.

May not judge a command: the desk does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mqd_core.cli.invocation import Invocation
from mqd_core.cli.printing import foreign_code, print_json, print_lines

if TYPE_CHECKING:
    from mqd_core.app.commanding import Delivery
    from mqd_core.cli.desk_reader import DeskReading

_TAKEN = {
    "desk": "the running desk has taken it",
    "journal": "the desk is not running; its journal has taken it",
    "halt_file": "the desk has no journal yet; its HALT file says so",
}


def give_command(
    ctx: click.Context,
    config_path: Path,
    name: str,
    reason: str,
    wait_seconds: float,
    *,
    arguments: tuple[tuple[str, str], ...] = (),
) -> DeskReading:
    """Give a command and wait until it is durable; prints the desk as it is then. Raises MqdError."""
    from mqd_core.app.commanding import command_desk, new_command
    from mqd_core.cli.desk_reader import read_desk
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.cli.person import person_name
    from mqd_core.registry.loader import Registry
    from mqd_core.runtime.stopping import StopRequest, stop_on_signals

    config, stop = guarded_config(config_path), StopRequest()
    command = new_command(name, reason, person_name(), arguments)
    with foreign_code(), stop_on_signals(stop):
        delivery = command_desk(config, Registry(allow=config.plugins.allow), command, wait_seconds, stop)
    reading = read_desk(config_path)
    _tell(ctx, name, delivery, reading)
    return reading


def _tell(ctx: click.Context, name: str, delivery: Delivery, reading: DeskReading) -> None:
    view = reading.view
    state, reason = (None, "") if view is None else (view.desk_state, view.desk_reason)
    if ctx.ensure_object(Invocation).as_json:
        taken = {"command": name, "command_id": delivery.command_id, "taken_by": delivery.by}
        print_json(
            {**reading.header(), **taken, "state": state, "reason": reason, "halt_file": reading.halt is not None}
        )
        return
    lines = [f"{name}: {_TAKEN[delivery.by]}"]
    if state is not None:
        lines.append(f"state  {state}: {reason}" if reason else f"state  {state}")
    print_lines(lines)
