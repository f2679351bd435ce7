"""`mqd halt`: let the desk open nothing more until a person resumes it."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import config_option, json_option, wait_option


@click.command()
@config_option
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the journal.")
@wait_option
@json_option
@click.pass_context
def halt(ctx: click.Context, config_path: Path, reason: str, wait_seconds: float) -> None:
    """Halt the desk: nothing that buys leaves, and working entries are canceled, until `mqd resume`.

    Exits and protective orders go on. A halt outlives the process; a desk that is not running is halted in its journal.
    """
    from mqd_core.cli.commanding import give_command

    give_command(ctx, config_path, "halt", reason, wait_seconds)
