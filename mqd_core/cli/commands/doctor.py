"""`mqd doctor`: looks at everything a run needs, and says what to do about what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import print_json, print_lines

if TYPE_CHECKING:
    from mqd_core.cli.checks import CheckRow


@click.command()
@config_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, config_path: Path) -> None:
    """Check set-up, logging, configuration, plugins and disk.

    Exit code 1 if a check fails; warnings do not count.
    """
    from mqd_core.logging.scrubbing import scrub

    rows = [replace(row, detail=scrub(row.detail)) for row in _rows(config_path)]
    failed = sum(row.status == "failed" for row in rows)
    if ctx.ensure_object(Invocation).as_json:
        print_json({"schema": 1, "ok": not failed, "checks": [asdict(row) for row in rows]})
    else:
        from mqd_core.cli.table import table_lines, text

        columns = (text("check"), text("status"), text("detail"))
        print_lines(table_lines(columns, [(row.check, row.status, row.detail) for row in rows]))
        print_lines(["", f"{failed} of {len(rows)} checks failed" if failed else "everything a run needs is there"])
    ctx.exit(1 if failed else 0)


def _rows(config_path: Path) -> Iterator[CheckRow]:
    from mqd_core.cli import checks
    from mqd_core.cli.logging_checks import logging_rows

    yield checks.python_row()
    yield from logging_rows()
    config, found = checks.configuration_rows(config_path)
    yield from found
    yield checks.secrets_row(config_path)
    if config is None:
        for check in ("plugins", "state folder", "log folder", "disk space", "store"):
            yield checks.CheckRow(check, "skipped", "needs the configuration")
    else:
        yield from checks.plugin_rows(config)
        yield from checks.state_rows(config)
        yield checks.store_row(config_path)
    yield checks.session_table_row()
