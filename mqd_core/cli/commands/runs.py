"""`mqd runs`: what was run before, in the folder `runs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import Invocation, json_option
from mqd_core.cli.printing import print_json, print_lines

if TYPE_CHECKING:
    from mqd_core.app.run_folder import RunListing


@click.command()
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many to show.")
@json_option
@click.pass_context
def runs(ctx: click.Context, last: int) -> None:
    """Show past runs and backtests of this folder, newest first."""
    from mqd_core.app.places import RUNS
    from mqd_core.app.run_folder import list_runs

    found = list_runs(RUNS)
    shown = found[:last]
    if ctx.ensure_object(Invocation).as_json:
        print_json({"schema": 1, "runs": [_object(run) for run in shown]})
    elif not found:
        print_lines([f"no runs in {RUNS.absolute()}"])
    else:
        print_lines(_table(shown))
        if len(found) > last:
            print_lines([f"{len(found) - last} older ones; --last shows more"])


def _table(shown: Sequence[RunListing]) -> Iterator[str]:
    from mqd_core.cli.table import number, table_lines, text

    columns = (
        text("run"),
        text("mode"),
        text("started UTC"),
        text("state"),
        number("net profit USD"),
        number("net profit %"),
        number("max drawdown %"),
        number("trades"),
        number("bars"),
    )
    keys = ("net_profit", "net_profit_pct", "max_drawdown_pct", "trades", "bars")
    return table_lines(
        columns,
        [
            (
                run.run_id,
                run.mode,
                run.started[:19].replace("T", " "),
                _state(run),
                *(_cell(run.result, key) for key in keys),
            )
            for run in shown
        ],
    )


def _state(run: RunListing) -> str:
    return str((run.result or {}).get("stopped") or run.state)


def _cell(result: dict[str, Any] | None, key: str) -> str:
    value = None if result is None else result.get(key)
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if isinstance(value, float) else str(value)


def _object(run: RunListing) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "mode": run.mode,
        "started": run.started,
        "state": run.state,
        "path": run.path.as_posix(),
        "result": run.result,
    }
