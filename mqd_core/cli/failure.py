"""What an error looks like to the person who typed the command, and which exit code it has.

One place for all commands. May not show a traceback unless asked, nor a secret ever.
"""

from __future__ import annotations

import sys
import traceback
from typing import Final

import click

from mqd_core.cli.invocation import Invocation
from mqd_core.cli.printing import is_terminal, print_json, say
from mqd_core.errors import ConfigError, MqdError

INTERRUPTED: Final = 130
_UNEXPECTED: Final = 1


def tell_error(error: MqdError, invocation: Invocation) -> int:
    """Say an error of the desk's own tree, a line for each problem; returns the exit code."""
    problems = error.problems if isinstance(error, ConfigError) else [str(error) or type(error).__name__]
    return _tell(type(error).__name__, error.exit_code, problems, invocation, error)


def tell_usage(error: click.ClickException, invocation: Invocation) -> int:
    """Say how a command was called wrongly; returns the exit code."""
    if invocation.as_json:
        print_json(_object(type(error).__name__, error.exit_code, [error.format_message()]))
    error.show()
    return error.exit_code


def tell_interrupted(error: click.Abort, invocation: Invocation) -> int:
    """Say that Ctrl-C ended the command, or that a question found nobody to answer it; returns the exit code."""
    if is_terminal(sys.stderr):
        say("")  # The cursor stands behind ^C, or behind a question.
    if isinstance(error.__cause__ or error.__context__, EOFError):
        text = "a question was asked and nobody answered; answer it, or take the suggestions with --yes"
        return _tell("UsageError", 2, [text], invocation, error)
    return _tell("Interrupted", INTERRUPTED, ["interrupted"], invocation, error)


def tell_unexpected(error: Exception, invocation: Invocation) -> int:
    """Say in one line what nobody foresaw, whose code it was, and where to read more; returns the exit code."""
    from mqd_core.cli.blame import culprit
    from mqd_core.registry.failure import cause_text

    if invocation.log_dir is not None:
        where = f"the traceback is in {invocation.log_dir}"
    else:
        where = "--debug shows the traceback"
    text = f"{culprit(error)}: {cause_text(error)} ({where})"
    return _tell(type(error).__name__, _UNEXPECTED, [text], invocation, error)


def _tell(kind: str, exit_code: int, problems: list[str], invocation: Invocation, error: BaseException) -> int:
    from mqd_core.logging.scrubbing import scrub

    scrubbed = [scrub(problem) for problem in problems]
    if invocation.as_json:
        print_json(_object(kind, exit_code, scrubbed))
    say(*(f"mqd: {line}" for problem in scrubbed for line in problem.splitlines()))
    if invocation.debug:
        say(scrub("".join(traceback.format_exception(type(error), error, error.__traceback__))).rstrip())
    return exit_code


def _object(kind: str, exit_code: int, problems: list[str]) -> dict[str, object]:
    return {"error": {"type": kind, "exit_code": exit_code, "problems": problems}}
