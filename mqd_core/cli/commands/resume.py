"""`mqd resume`: let a frozen or halted desk trade again."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import config_option, json_option, wait_option


@click.command()
@config_option
@click.option("--reason", required=True, metavar="TEXT", help="Why it may trade again; it stands in the journal.")
@wait_option
@json_option
@click.pass_context
def resume(ctx: click.Context, config_path: Path, reason: str, wait_seconds: float) -> None:
    """Let a frozen or halted desk trade again, and take its HALT file away.

    Look first: `mqd status` says why it stopped. Ends in exit code 5 where the desk is halted all the same.
    """
    from mqd_core.cli.commanding import give_command
    from mqd_core.errors import DeskHalted

    reading = give_command(ctx, config_path, "resume", reason, wait_seconds)
    if reading.is_halted:
        ctx.exit(DeskHalted.exit_code)
