"""`mqd compare`: two past runs side by side."""

from __future__ import annotations

import click

from mqd_core.cli.invocation import Invocation, json_option
from mqd_core.cli.printing import foreign_code, print_json, print_lines, print_pairs

_DIFFERENT = 1


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--common", is_flag=True, help="Compare only the time that both lived through.")
@json_option
@click.pass_context
def compare(ctx: click.Context, a: str, b: str, common: bool) -> None:  # noqa: FBT001 - click calls it
    """Compare two runs: decisions, fills, and the money that each difference made.

    A and B are run ids or run folders, such as a backtest and the paper run of the same days. Exit code 0: equal.
    1: different; the first difference is shown with its cause, and a line for each round trip that it changed.
    """
    from mqd_core.app.compared_runs import compare_runs, compared_object, compared_pairs, trip_cells
    from mqd_core.app.past_runs import find_run
    from mqd_core.cli.table import number, table_lines, text

    with foreign_code():
        found = compare_runs(find_run(a), find_run(b), common=common)
    if ctx.ensure_object(Invocation).as_json:
        print_json(compared_object(found))
    else:
        print_pairs(compared_pairs(found))
        rows = list(trip_cells(found))
        if rows:
            columns = (
                text("opened"),
                text("strategy"),
                text("symbol"),
                number("A USD"),
                number("B USD"),
                number("B less A USD"),
                text("cause"),
            )
            print_lines(["", *table_lines(columns, rows)])
    if not found.comparison.is_equal:
        ctx.exit(_DIFFERENT)
