"""`mqd plugins list`: from metadata alone, so that a broken plugin is a row and not an error."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import print_json, print_lines, say


@click.command("list")
@config_option
@json_option
@click.pass_context
def list_plugins(ctx: click.Context, config_path: Path) -> None:
    """List what is installed; imports no plugin.

    STATUS: ok, configured (the configuration names it), conflict (two distributions claim the name), blocked (not in
    plugins.allow), incompatible (made for another mqd-core).
    """
    from mqd_core.cli.configured import mentioned_in
    from mqd_core.cli.table import table_lines, text
    from mqd_core.registry.report import rows

    if not config_path.exists() and ctx.get_parameter_source("config_path") is not click.core.ParameterSource.DEFAULT:
        raise click.BadParameter(f"{config_path} does not exist", ctx, param_hint="'--config'")
    mentioned = mentioned_in(config_path)
    found = rows(configured=mentioned.plugins, allow=mentioned.allow)
    if mentioned.problem:
        say(f"warning: {mentioned.problem}")
    if ctx.ensure_object(Invocation).as_json:
        print_json({"schema": 1, "plugins": [row.to_json() for row in found]})
        return
    columns = [text(name) for name in ("kind", "name", "distribution", "version", "status", "detail")]
    print_lines(table_lines(columns, [tuple(row.to_json().values()) for row in found]))
