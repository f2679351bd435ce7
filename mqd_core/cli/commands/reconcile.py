"""`mqd reconcile`: what books and broker differ in, and a person's word that the broker is right."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option, wait_option
from mqd_core.cli.printing import print_json, print_pairs


@click.command()
@config_option
@click.option("--accept", is_flag=True, help="Take the broker's account for right; needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the journal.")
@wait_option
@json_option
@click.pass_context
def reconcile(ctx: click.Context, config_path: Path, accept: bool, reason: str, wait_seconds: float) -> None:  # noqa: FBT001  a flag of the command line
    """Show why the desk does not trust its books; with --accept let it take over what the broker says."""
    if accept:
        from mqd_core.cli.commanding import give_command

        if not reason:
            raise click.UsageError("--accept needs --reason: the journal keeps why the books were changed", ctx)
        give_command(ctx, config_path, "accept", reason, wait_seconds)
        return
    from mqd_core.cli.desk_reader import read_desk, view_extras

    reading = read_desk(config_path)
    view = reading.view
    state, why = (None, "") if view is None else (view.desk_state, view.desk_reason)
    extras = {} if view is None else view_extras(view)
    if ctx.ensure_object(Invocation).as_json:
        print_json({**reading.header(), "state": state, "reason": why, **extras})
        return
    differs = state in ("frozen", "halted")
    print_pairs(
        [
            ("state", f"{state}: {why}" if why else state or "no records yet"),
            *((name.replace("_", " "), ", ".join(values)) for name, values in extras.items() if values),
            ("as of", reading.as_of().removeprefix("as of ")),
            ("next", "`mqd reconcile --accept --reason TEXT`, or `mqd resume --reason TEXT`" if differs else "nothing"),
        ]
    )
