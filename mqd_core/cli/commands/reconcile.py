"""`mqd reconcile`: what books and broker differ in, and a person's word that the broker is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option, wait_option
from mqd_core.cli.printing import print_json, print_lines, print_pairs

if TYPE_CHECKING:
    from mqd_core.cli.desk_reader import DeskReading
    from mqd_core.domain.projection import DeskView


@click.command()
@config_option
@click.option("--accept", is_flag=True, help="Take the broker's account for right; needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the journal.")
@wait_option
@json_option
@click.pass_context
def reconcile(ctx: click.Context, config_path: Path, accept: bool, reason: str, wait_seconds: float) -> None:  # noqa: FBT001  a flag of the command line
    """Show what books and broker differ in, as last compared; with --accept let the desk take the broker's word."""
    if accept:
        from mqd_core.cli.commanding import give_command

        if not reason:
            raise click.UsageError("--accept needs --reason: the journal keeps why the books were changed", ctx)
        give_command(ctx, config_path, "accept", reason, wait_seconds)
        return
    from mqd_core.cli.desk_reader import read_desk

    reading = read_desk(config_path)
    if ctx.ensure_object(Invocation).as_json:
        print_json(_object(reading))
    elif reading.view is None:
        print_lines([reading.as_of()])
    else:
        print_pairs(_pairs(reading, reading.view))


def _pairs(reading: DeskReading, view: DeskView) -> Iterator[tuple[str, str]]:
    from mqd_core.app.notation import decimal_text
    from mqd_core.cli.desk_reader import moment, view_extras

    yield "state", f"{view.desk_state}: {view.desk_reason}" if view.desk_reason else view.desk_state
    for one in view.differences:
        books, broker = decimal_text(one.books), decimal_text(one.broker)
        since = moment(one.updated_ns)
        yield "differs", f"{one.symbol or 'cash'}: books {books}, broker {broker} ({one.state}, {since})"
    if not view.differences:
        yield "differs", "nothing, as last compared"
    for freeze in view.freezes:
        yield "frozen", f"{freeze.symbol} ({freeze.code}, {moment(freeze.updated_ns)}): {freeze.text}"
    if unprotected := view_extras(view)["unprotected"]:
        yield "unprotected", ", ".join(unprotected)
    yield "as of", reading.as_of().removeprefix("as of ")
    yield "next", _next(reading, view)


def _next(reading: DeskReading, view: DeskView) -> str:
    """What a person can do: `resume` ends a halt; `--accept`, which only a desk that runs takes, a difference."""
    steps = []
    if reading.is_halted or view.desk_state == "frozen":
        steps.append("`mqd resume --reason TEXT`")
    if view.differences or any(freeze.code == "external" for freeze in view.freezes):
        steps.append("`mqd reconcile --accept --reason TEXT` while the desk runs, to take the broker's word")
    return "; ".join(steps) or "nothing"


def _object(reading: DeskReading) -> dict[str, Any]:
    from mqd_core.cli.desk_reader import plain_object, view_extras

    view = reading.view
    if view is None:
        return {**reading.header(), "state": None, "reason": ""}
    return {
        **reading.header(),
        "state": view.desk_state,
        "reason": view.desk_reason,
        "differences": [plain_object(one) for one in view.differences],
        "freezes": [plain_object(one) for one in view.freezes],
        **view_extras(view),
    }
