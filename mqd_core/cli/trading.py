"""What `mqd run` and `mqd backtest` share: logging on, signals taken, progress shown, and the outcome told.

May not trade: `app.running` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mqd_core.cli.invocation import Invocation
from mqd_core.cli.printing import foreign_code, print_json, print_pairs, say

if TYPE_CHECKING:
    from mqd_core.app.assembly import Mode
    from mqd_core.app.running import RunOutcome
    from mqd_core.config import Config


def trade(
    ctx: click.Context,
    config_path: Path,
    mode: Mode,
    window_ns: tuple[int | None, int | None] = (None, None),
    live_account: str | None = None,
) -> None:
    """Run a desk as the command line asks, print what became of it, and leave with its exit code."""
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.config.advice import config_warnings

    invocation = ctx.ensure_object(Invocation)
    config = guarded_config(config_path)
    _warn(str(problem) for problem in config_warnings(config))

    # Heavier: a slip in the configuration is told before.
    from mqd_core.app.assembly import NothingLeft
    from mqd_core.app.running import RunRequest, run_desk
    from mqd_core.cli.announced_stop import AnnouncedStop
    from mqd_core.cli.blame import culprit
    from mqd_core.cli.progress import shown_progress
    from mqd_core.cli.run_logging import logging_on
    from mqd_core.errors import RunFailed
    from mqd_core.registry.loader import Registry
    from mqd_core.runtime.stopping import stop_on_signals

    start_ns, end_ns = window_ns
    request = RunRequest(config=config, mode=mode, start_ns=start_ns, end_ns=end_ns, live_account=live_account)
    stop = AnnouncedStop()
    with (
        foreign_code(),
        logging_on(config, mode, invocation),
        stop_on_signals(stop),
        shown_progress(window_ns) as on_progress,
    ):
        try:
            outcome = run_desk(request, Registry(allow=config.plugins.allow), stop, on_progress)
        except NothingLeft:
            outcome = None
        except SystemExit as error:
            # Nobody but a plugin calls it in there, and no plugin may end the desk without a word.
            raise RunFailed(f"{culprit(error)}: it called sys.exit({error.code!r})") from error
    if outcome is None:
        _tell_nothing_left(config, invocation)
    else:
        _tell_outcome(outcome, mode, invocation)
        ctx.exit(outcome.exit_code)


def _tell_outcome(outcome: RunOutcome, mode: Mode, invocation: Invocation) -> None:
    if invocation.as_json:
        print_json(outcome.result)
    else:
        print_pairs(outcome.summary)
    _warn(outcome.warnings)
    if outcome.stopped and mode == "run":
        say("mqd: stopped; `mqd run` goes on from here")


def _warn(texts: Iterable[str]) -> None:
    from mqd_core.logging.scrubbing import scrub

    say(*(f"warning: {scrub(text)}" for text in texts))


def _tell_nothing_left(config: Config, invocation: Invocation) -> None:
    text = f"nothing left to trade: desk {config.desk.id} has read its data to their end"
    if invocation.as_json:
        print_json({"schema": 1, "mode": "run", "stopped": "nothing left", "reason": text})
    say(f"mqd: {text}")
