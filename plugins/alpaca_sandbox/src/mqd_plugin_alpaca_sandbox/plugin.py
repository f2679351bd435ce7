"""What this distribution adds to mqd: the command `sandbox`. Light on purpose: the server is imported when called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mqd_core.api import CommandRecord, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def mqd_commands() -> Iterator[CommandRecord]:
    """Yield the command that runs the sandbox."""
    yield CommandRecord(name="sandbox", summary="Serves an account as Alpaca does, on this machine", load=_command)


def _command() -> click.Command:
    from mqd_plugin_alpaca_sandbox.command import sandbox

    return sandbox
