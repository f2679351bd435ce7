"""What every command is told about its call, and the options that all of them share. May not import the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mqd_core.api.context import StorePlace

F = TypeVar("F", bound=Callable[..., Any])

#: Where a configuration is looked for; `mqd_core.config.DEFAULT_PATH`, without importing what checks it.
DEFAULT_CONFIG = Path("config/config.yaml")


@dataclass(slots=True)
class Invocation:
    """One call of `mqd`: how it answers, and what a failure may point to."""

    as_json: bool = False
    debug: bool = False
    #: Where log files are being written, once they are.
    log_dir: Path | None = None

    def store(self, config_path: Path) -> StorePlace:
        """The store of a configuration, for a contributed command (`CommandHost`). Raises ConfigError."""
        from mqd_core.cli.store_place import store_place

        return store_place(config_path)


def json_option(command: F) -> F:
    """Add --json: one object on stdout, everything else on stderr. With it comes --debug."""
    return debug_option(_flag("--json", "as_json", "Print one JSON object on stdout.")(command))


def debug_option(command: F) -> F:
    """Add --debug, which shows the traceback of an error."""
    return _flag("--debug", "debug", "Show the traceback of an error.")(command)


def _flag(option: str, attribute: str, meaning: str) -> Callable[[F], F]:
    """A flag that is kept in the Invocation and not handed to the command."""

    def note(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it
        if value:
            setattr(ctx.ensure_object(Invocation), attribute, True)

    return click.option(option, is_flag=True, expose_value=False, callback=note, help=meaning)


def wait_option(command: F) -> F:
    """Add --wait: how long a running desk may take to take a command."""
    option = click.option(
        "--wait",
        "wait_seconds",
        type=click.FloatRange(min=0),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a running desk may take to take it.",
    )
    return option(command)


def config_option(command: F) -> F:
    """Add --config."""
    option = click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(readable=False, path_type=Path),
        default=DEFAULT_CONFIG,
        show_default=True,
        metavar="FILE",
        help="The configuration.",
    )
    return option(command)
