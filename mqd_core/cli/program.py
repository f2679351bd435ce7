"""The root of the command line: which commands there are, and what becomes of an error in any of them.

A boundary: whatever a command or a plugin raises ends here, in words and an exit code. May not import a command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from mqd_core import __version__
from mqd_core.cli.invocation import Invocation, debug_option
from mqd_core.cli.lazy_group import Entry, LazyGroup
from mqd_core.cli.printing import survive_encoding
from mqd_core.errors import MqdError

_COMMANDS: Final = {
    "run": Entry("mqd_core.cli.commands.run", "run", "Trade by the configuration until the data end or you stop it."),
    "backtest": Entry("mqd_core.cli.commands.backtest", "backtest", "Run the same desk on historical data."),
}


class Program(LazyGroup):
    """The root group: turns every error into words and an exit code, on whichever way it was called."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - the same
        **extra: Any,
    ) -> Any:
        """Run one command and end the process with its exit code."""
        survive_encoding()
        debug = os.environ.get("MQD_DEBUG") == "1"  # noqa: TID251 - a switch for whoever debugs mqd itself
        invocation = Invocation(as_json="--json" in (sys.argv[1:] if args is None else args), debug=debug)

        def run() -> object:
            return super(Program, self).main(
                args,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                obj=invocation,
                **extra,
            )

        if not standalone_mode:
            return run()
        sys.exit(_exit_code(run, invocation))

    def invoke(self, ctx: click.Context) -> None:
        """Run the command; what it returns is nothing, so that only an exit code can end the process."""
        super().invoke(ctx)


def _exit_code(run: Callable[[], object], invocation: Invocation) -> int:
    from mqd_core.cli import failure

    try:
        code = run()
    except MqdError as error:
        return failure.tell_error(error, invocation)
    except click.Abort as error:
        return failure.tell_interrupted(error, invocation)
    except click.ClickException as error:
        return failure.tell_usage(error, invocation)
    except Exception as error:  # noqa: BLE001 - the last boundary: nobody but a person is left to tell
        return failure.tell_unexpected(error, invocation)
    return code if isinstance(code, int) else 0


@click.group(cls=Program, entries=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mqd", message="%(prog)s %(version)s")
@debug_option
def program() -> None:
    """MiniQuantDesk: a trading desk for small accounts, assembled from plugins."""
