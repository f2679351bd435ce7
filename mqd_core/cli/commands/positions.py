"""`mqd positions`: what the desk holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import print_json, print_lines, print_pairs

if TYPE_CHECKING:
    from mqd_core.domain.projection import PositionView


@click.command()
@config_option
@json_option
@click.pass_context
def positions(ctx: click.Context, config_path: Path) -> None:
    """Show what the desk holds, by strategy and symbol."""
    from mqd_core.cli.desk_reader import read_desk, view_extras

    reading = read_desk(config_path)
    held = [] if reading.view is None else reading.view.positions
    extras = {} if reading.view is None else view_extras(reading.view)
    if ctx.ensure_object(Invocation).as_json:
        print_json({**reading.header(), **extras, "positions": [_object(position) for position in held]})
        return
    if held:
        print_lines([*_table(held), ""])
    elif reading.view is not None:
        print_lines(["no positions"])
    print_pairs([(name.replace("_", " "), ", ".join(values)) for name, values in extras.items() if values])
    print_lines([reading.as_of()])


def _table(held: Sequence[PositionView]) -> Iterator[str]:
    from mqd_core.app.notation import cents_text, decimal_text
    from mqd_core.cli.table import number, table_lines, text
    from mqd_core.domain.money import subtract

    columns = (
        text("strategy"),
        text("symbol"),
        number("quantity"),
        number("average price USD"),
        number("last price USD"),
        number("value USD"),
        number("open profit USD"),
        number("closed profit USD"),
        text("protection", optional=True),
    )
    return table_lines(
        columns,
        [
            (
                one.strategy_id,
                one.symbol,
                decimal_text(one.quantity),
                decimal_text(one.average_price),
                "" if one.mark is None else decimal_text(one.mark),
                cents_text(one.market_value),
                cents_text(subtract(one.market_value, one.cost)),
                cents_text(one.realized),
                one.protection,
            )
            for one in held
        ],
    )


def _object(position: PositionView) -> dict[str, Any]:
    from mqd_core.app.notation import cents_text
    from mqd_core.cli.desk_reader import plain_object

    return {**plain_object(position), "market_value": cents_text(position.market_value)}
