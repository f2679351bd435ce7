"""`mqd flatten`: have the running desk close positions."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import config_option, json_option, wait_option


@click.command()
@config_option
@click.argument("symbol", required=False)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the journal.")
@wait_option
@json_option
@click.pass_context
def flatten(ctx: click.Context, config_path: Path, symbol: str | None, reason: str, wait_seconds: float) -> None:
    """Have the running desk close its position in SYMBOL, or all of them.

    The desk does it as it does every exit, with its books right afterwards. Where no desk runs or it hangs,
    `mqd kill --flatten` closes them at the broker.
    """
    from mqd_core.cli.commanding import give_command

    arguments = (("symbol", symbol.upper()),) if symbol else ()
    give_command(ctx, config_path, "flatten", reason, wait_seconds, arguments=arguments)
