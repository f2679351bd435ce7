"""`mqd backtest`: the same desk on historical data."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from mqd_core.cli.invocation import config_option, json_option

_DATE = click.DateTime(formats=["%Y-%m-%d"])
_SECOND_NS = 1_000_000_000


@click.command()
@config_option
@click.option("--from", "first", type=_DATE, metavar="DATE", help="First day, such as 2025-01-02 (UTC).")
@click.option("--to", "last", type=_DATE, metavar="DATE", help="Last day, itself included (UTC).")
@json_option
@click.pass_context
def backtest(ctx: click.Context, config_path: Path, first: datetime | None, last: datetime | None) -> None:
    """Run the same desk on historical data, in a store of its own."""
    from mqd_core.cli.trading import trade

    if first is not None and last is not None and last < first:
        raise click.BadParameter(f"{last:%Y-%m-%d} is before --from {first:%Y-%m-%d}", ctx, param_hint="'--to'")
    end = None if last is None else last + timedelta(days=1)
    trade(ctx, config_path, "backtest", window_ns=(_utc_ns(first), _utc_ns(end)))


def _utc_ns(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=timezone.utc).timestamp()) * _SECOND_NS
