"""`mqd status`: how a desk is doing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import print_json, print_lines, print_pairs

if TYPE_CHECKING:
    from mqd_core.cli.desk_reader import DeskReading
    from mqd_core.domain.projection import DeskView, LimitView


@click.command()
@config_option
@json_option
@click.pass_context
def status(ctx: click.Context, config_path: Path) -> None:
    """Show how the desk is doing, while it runs or not."""
    from mqd_core.cli.desk_reader import read_desk

    reading = read_desk(config_path)
    if ctx.ensure_object(Invocation).as_json:
        print_json(_object(reading))
    elif reading.view is None:
        print_lines([reading.as_of(), *(f"HALT file  {note.reason}" for note in [reading.halt] if note is not None)])
    else:
        print_pairs(_pairs(reading, reading.view))
        if reading.view.limits:
            print_lines(["", *_limits(reading.view.limits)])


def _pairs(reading: DeskReading, view: DeskView) -> Iterator[tuple[str, str]]:
    from mqd_core.app.notation import cents_text
    from mqd_core.cli.commands.orders import open_orders
    from mqd_core.cli.desk_reader import view_extras

    working = "runs now" if reading.running else "is not running"
    if reading.crashed:
        working = "ended without saying so; `mqd run` recovers it"
    yield "desk", f"{reading.desk}, {working}"
    yield "state", f"{view.desk_state}: {view.desk_reason}" if view.desk_reason else view.desk_state
    if reading.halt is not None:
        yield "HALT file", f"{reading.halt.reason}; `mqd resume --reason TEXT` takes it away"
    for name, values in view_extras(view).items():
        if values:
            yield name.replace("_", " "), ", ".join(values)
    yield "as of", reading.as_of().removeprefix("as of ")
    yield "run", view.run_id
    yield "equity", f"{cents_text(view.equity)} USD"
    yield "cash", f"{cents_text(view.cash)} USD"
    yield "positions", str(len(view.positions))
    yield "open orders", str(len(open_orders(view)))


def _limits(limits: list[LimitView]) -> Iterator[str]:
    from mqd_core.app.notation import cents_text
    from mqd_core.cli.desk_reader import moment
    from mqd_core.cli.table import number, table_lines, text

    columns = (
        text("limit"),
        text("state"),
        number("loss USD", optional=True),
        number("fires at equity USD"),
        text("until", optional=True),
    )
    return table_lines(
        columns,
        [
            (
                one.limit,
                one.state,
                cents_text(one.loss) if one.loss else "",
                cents_text(one.level),
                moment(one.until_ns) if one.until_ns else "",
            )
            for one in limits
        ],
    )


def _object(reading: DeskReading) -> dict[str, Any]:
    from mqd_core.app.notation import cents_text
    from mqd_core.cli.commands.orders import open_orders
    from mqd_core.cli.desk_reader import plain_object, view_extras

    view, halt = reading.view, None if reading.halt is None else plain_object(reading.halt)
    if view is None:
        return {**reading.header(), "state": None, "halt_file": halt}
    return {
        **reading.header(),
        "halt_file": halt,
        **view_extras(view),
        "crashed": reading.crashed,
        "state": view.desk_state,
        "reason": view.desk_reason,
        "run_id": view.run_id,
        "equity": cents_text(view.equity),
        "cash": cents_text(view.cash),
        "positions": len(view.positions),
        "open_orders": len(open_orders(view)),
        "limits": [plain_object(limit) for limit in view.limits],
    }
