"""`mqd plugins show`: imports one plugin's light module and prints its record. Builds nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mqd_core.cli.invocation import Invocation, json_option
from mqd_core.cli.printing import foreign_code, print_json, print_lines, print_pairs
from mqd_core.registry.kinds import Kind

if TYPE_CHECKING:
    from mqd_core.registry.details import Details, Setting


@click.command()
@click.argument("kind", type=click.Choice([kind.value for kind in Kind], case_sensitive=False))
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, kind: str, name: str) -> None:
    """Show what one plugin says of itself: what it is, what can be set, what it can do."""
    from mqd_core.registry.details import describe
    from mqd_core.registry.loader import Registry
    from mqd_core.registry.resolve import Wanted

    with foreign_code():
        (loaded,) = Registry().load([Wanted(Kind(kind), name)])
    details = describe(loaded)
    if ctx.ensure_object(Invocation).as_json:
        print_json({"schema": 1, **details.to_json()})
        return
    print_pairs(_pairs(details))
    if details.settings:
        print_lines(["", *_settings(details.settings)])


def _pairs(details: Details) -> Iterator[tuple[str, str]]:
    yield details.kind.replace("_", " "), details.name
    yield "summary", details.summary
    yield "from", f"{details.distribution} {details.version} ({details.target})"
    for name, value in details.capabilities.items():
        yield name.replace("_", " "), value if isinstance(value, str) else json.dumps(value)
    if not details.settings:
        yield "settings", "none"


def _settings(settings: tuple[Setting, ...]) -> Iterator[str]:
    from mqd_core.cli.table import table_lines, text

    columns = [text(name) for name in ("setting", "type", "default", "limits", "meaning")]
    return table_lines(columns, [(one.name, one.type, _default(one), one.limits, one.description) for one in settings])


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    return setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
