"""The command line. `mqd --help` must answer at once: nothing heavy is imported before a command needs it.

In the order of use: `program` (the root group), `lazy_group` and `contributed` (which commands there are),
`invocation` (what every command is told), `commands` (a module for each), `failure` (what an error looks like).
Every command prints its result on stdout and all else on stderr. May not trade or decide: that is what `app` runs.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["main"]


def main(*, prog_name: str = "mqd") -> NoReturn:
    """Run the command that the process was called with, and end the process with its exit code."""
    from mqd_core.cli.program import program

    program.main(prog_name=prog_name)
    raise AssertionError("a command ends the process")
