"""`mqd replay`: prove that a past run would decide the same again."""

from __future__ import annotations

from pathlib import Path

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.printing import foreign_code, print_json, print_pairs, say

_DIFFERENT = 1


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@config_option
@click.option(
    "--using",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Decide by this configuration in the stead of the run's own.",
)
@json_option
@click.pass_context
def replay(ctx: click.Context, run: str | None, config_path: Path, using: Path | None) -> None:
    """Take a journal through a fresh engine and compare every record, byte for byte.

    RUN is a run's id or its folder; without it, the whole store of the configuration's desk is replayed. Exit code 0:
    identical. 1: different, and the first difference is shown. 3: it cannot be replayed.
    """
    from mqd_core.app.past_runs import desk_journal, find_run
    from mqd_core.app.replaying import replay as replay_run
    from mqd_core.app.replaying import replay_object, replay_rows
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.cli.progress import shown_progress

    other = None if using is None else guarded_config(using)
    with foreign_code(), shown_progress((None, None)) as on_progress:
        found = desk_journal(guarded_config(config_path)) if run is None else find_run(run)
        outcome = replay_run(found, other, on_progress)
    if ctx.ensure_object(Invocation).as_json:
        print_json(replay_object(outcome))
    else:
        print_pairs(replay_rows(outcome))
        if outcome.is_identical and outcome.causes:
            say(*(f"remark: {cause}, and it made no difference" for cause in outcome.causes))
    if not outcome.is_identical:
        ctx.exit(_DIFFERENT)
