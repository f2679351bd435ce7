"""`mqd orders`: what the desk has asked of its broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import print_json, print_lines

if TYPE_CHECKING:
    from decimal import Decimal

    from mqd_core.domain.projection import DeskView, OrderView


@click.command()
@config_option
@click.option("--all", "every", is_flag=True, help="Show those that have ended, too.")
@json_option
@click.pass_context
def orders(ctx: click.Context, config_path: Path, every: bool) -> None:  # noqa: FBT001 - click calls it
    """Show orders that are open, oldest first."""
    from mqd_core.cli.desk_reader import plain_object, read_desk

    reading = read_desk(config_path)
    view = reading.view
    chosen = [] if view is None else view.orders if every else open_orders(view)
    chosen = sorted(chosen, key=lambda order: order.created_ns)
    if ctx.ensure_object(Invocation).as_json:
        print_json({**reading.header(), "orders": [plain_object(order) for order in chosen]})
        return
    if chosen:
        print_lines([*_table(chosen), ""])
    elif view is not None:
        print_lines(["no orders" if every else "no open orders; --all shows those that have ended"])
    print_lines([reading.as_of()])


def open_orders(view: DeskView) -> list[OrderView]:
    """Orders that may still fill: those without an answer among them."""
    from mqd_core.domain.order_state import OPEN_LIVES

    names = {life.name.lower() for life in OPEN_LIVES}
    return [order for order in view.orders if order.state in names]


def _table(chosen: Sequence[OrderView]) -> Iterator[str]:
    from mqd_core.cli.desk_reader import moment
    from mqd_core.cli.table import number, table_lines, text

    columns = (
        text("created"),
        text("strategy"),
        text("symbol"),
        text("side"),
        text("type"),
        number("quantity"),
        number("amount USD", optional=True),
        number("limit USD", optional=True),
        number("stop USD", optional=True),
        number("filled"),
        text("state"),
        text("order"),
        text("remark", optional=True),
    )
    return table_lines(
        columns,
        [
            (
                moment(order.created_ns),
                order.strategy_id,
                order.symbol,
                order.side,
                order.order_type,
                _number(order.quantity),
                _number(order.notional),
                _number(order.limit_price),
                _number(order.stop_price),
                _number(order.filled_quantity),
                order.state,
                order.client_order_id,
                order.text,
            )
            for order in chosen
        ],
    )


def _number(value: Decimal | None) -> str:
    from mqd_core.app.notation import decimal_text

    return "" if value is None else decimal_text(value)
