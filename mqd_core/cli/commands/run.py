"""`mqd run`: trade by the configuration."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import config_option, json_option


@click.command()
@config_option
@click.option("--live", "live_account", metavar="ACCOUNT_NUMBER", help="Consent to trade real money of this account.")
@click.option("--watchdog", "is_watched", is_flag=True, help="Start `mqd watchdog` beside the desk.")
@json_option
@click.pass_context
def run(ctx: click.Context, config_path: Path, live_account: str | None, is_watched: bool) -> None:  # noqa: FBT001  a flag of the command line
    """Trade by the configuration until the data end or you stop it.

    Ctrl-C once finishes the step, waits for answers in flight and ends with exit code 0; twice leaves at once.
    """
    from mqd_core.cli.trading import trade

    if is_watched:
        from mqd_core.cli.guarded_config import guarded_config
        from mqd_core.cli.watching import start_watchdog

        guarded_config(config_path)  # A slip in the configuration is told before anything is started.
        start_watchdog(config_path)
    trade(ctx, config_path, "run", live_account=live_account)
