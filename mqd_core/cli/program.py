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
from mqd_core.cli.contributed import contributed_commands, load_command
from mqd_core.cli.invocation import Invocation, debug_option
from mqd_core.cli.lazy_group import Entry, LazyGroup
from mqd_core.cli.printing import survive_encoding
from mqd_core.errors import MqdError


def _entry(name: str, summary: str, attribute: str = "") -> Entry:
    return Entry(f"mqd_core.cli.commands.{name}", attribute or name, summary)


_COMMANDS: Final = {
    "run": _entry("run", "Trade by the configuration until the data end or you stop it."),
    "backtest": _entry("backtest", "Run the same desk on historical data."),
    "status": _entry("status", "Show how the desk is doing."),
    "orders": _entry("orders", "Show its open orders, or all."),
    "positions": _entry("positions", "Show what it holds."),
    "runs": _entry("runs", "Show past runs, newest first."),
    "replay": _entry("replay", "Prove that a past run would decide the same again."),
    "compare": _entry("compare", "Show where two runs differ, why, and what it cost."),
    "halt": _entry("halt", "Let the desk open nothing more until you resume it."),
    "resume": _entry("resume", "Let a frozen or halted desk trade again."),
    "flatten": _entry("flatten", "Have the running desk close its positions."),
    "reconcile": _entry("reconcile", "Show what books and broker differ in; accept what the broker says."),
    "kill": _entry("kill", "Emergency: halt the desk and cancel its orders without it."),
    "watchdog": _entry("watchdog", "Watch a desk from outside; kill it when it is silent with orders open."),
    "init": _entry("init", "Write a first configuration.", "initialise"),
    "doctor": _entry("doctor", "Check set-up, logging, configuration, plugins and disk."),
    "config": _entry("config", "Check, show or describe the configuration.", "config"),
    "plugins": _entry("plugins", "List what is installed, or show one plugin.", "plugins"),
}


#: Where what plugins offer is kept during one call.
_CONTRIBUTED: Final = "mqd_core.cli.contributed"


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

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The core's commands, then those of plugins."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in _contributed(ctx) if name not in own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command of the core, else one of a plugin, imported now."""
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in _contributed(ctx):
            return load_command(cmd_name)
        return command

    def summary_of(self, ctx: click.Context, name: str) -> str:
        """The line beside a command in the help."""
        return super().summary_of(ctx, name) or _contributed(ctx).get(name, "")

    def invoke(self, ctx: click.Context) -> None:
        """Run the command; what it returns is nothing, so that only an exit code can end the process."""
        super().invoke(ctx)


def _contributed(ctx: click.Context) -> dict[str, str]:
    """Looked for once in a call, and only where the core's own commands do not do."""
    found: dict[str, str] | None = ctx.meta.get(_CONTRIBUTED)
    if found is None:
        found = ctx.meta[_CONTRIBUTED] = contributed_commands()
    return found


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
