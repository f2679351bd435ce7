"""Commands that installed distributions add to `mqd`: listed from metadata, imported when they are called.

May not import a plugin to list it, nor let one take the name of a command of the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mqd_core.errors import PluginLoadError

if TYPE_CHECKING:
    from mqd_core.registry.standing import Standing


def contributed_commands() -> dict[str, str]:
    """Names of the commands that plugins offer, each with what the help says of it, sorted by name."""
    from mqd_core.registry.discovery import discover
    from mqd_core.registry.kinds import Kind
    from mqd_core.registry.standing import judge

    found = [one for one in discover() if one.kind is Kind.COMMAND]
    return {standing.found.name: _summary(standing) for standing in judge(found)}


def load_command(name: str) -> click.Command:
    """Import a plugin's command. Raises ConfigError in the plugin's name, whatever it does."""
    from mqd_core.api.records import CommandRecord
    from mqd_core.cli.configured import mentioned_in
    from mqd_core.cli.invocation import DEFAULT_CONFIG
    from mqd_core.registry.failure import attributed, raised_text
    from mqd_core.registry.kinds import Kind
    from mqd_core.registry.loader import Registry
    from mqd_core.registry.resolve import Wanted

    (loaded,) = Registry(allow=mentioned_in(DEFAULT_CONFIG).allow).load([Wanted(Kind.COMMAND, name)])
    package = loaded.found.target.partition(".")[0]
    with attributed(lambda error: f"{loaded.found.label}: loading it {raised_text(error, package)}"):
        command: object = loaded.record_as(CommandRecord).load()
    if not isinstance(command, click.Command):
        raise PluginLoadError(f"{loaded.found.label}: load() must return a click command, was {type(command).__name__}")
    return command


def _summary(standing: Standing) -> str:
    origin = f"from {standing.found.origin}"
    return origin if standing.status.usable else f"{origin}, {standing.status.value}: {standing.detail}"
