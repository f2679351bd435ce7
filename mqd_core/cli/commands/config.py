"""`mqd config`: check the configuration, show what is in effect, describe what may stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mqd_core.cli.invocation import Invocation, config_option, json_option
from mqd_core.cli.lazy_group import LazyGroup
from mqd_core.cli.printing import foreign_code, print_json, print_lines, print_pairs, say

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mqd_core.registry.kinds import Kind


@click.group(cls=LazyGroup)
def config() -> None:
    """Check, show or describe the configuration."""


@config.command()
@config_option
@json_option
@click.pass_context
def check(ctx: click.Context, config_path: Path) -> None:
    """Say everything that is wrong with the configuration, and import the plugins it names.

    Exit code 3 if anything is wrong. Starts nothing.
    """
    from mqd_core.app.plugins import choose_plugins
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.config.advice import config_warnings
    from mqd_core.registry.loader import Registry

    loaded = guarded_config(config_path)
    registry = Registry(allow=loaded.plugins.allow)
    with foreign_code():
        chosen = choose_plugins(loaded, registry, for_backtest=False)
        if loaded.backtest_uses():
            choose_plugins(loaded, registry, for_backtest=True)
    warnings = [str(problem) for problem in config_warnings(loaded)]
    say(*(f"warning: {text}" for text in warnings))
    if ctx.ensure_object(Invocation).as_json:
        origins = [{"plugin": label, "from": origin} for label, origin in chosen.versions()]
        print_json({"schema": 1, "file": str(config_path), "ok": True, "plugins": origins, "warnings": warnings})
        return
    print_pairs(chosen.versions())
    print_lines([f"{config_path} is valid"])


@config.command()
@config_option
@json_option
@click.pass_context
def show(ctx: click.Context, config_path: Path) -> None:
    """Show everything that is in effect, defaults included, secrets masked."""
    from mqd_core.cli.guarded_config import guarded_config
    from mqd_core.cli.yaml_text import yaml_text

    masked = guarded_config(config_path).masked()
    if ctx.ensure_object(Invocation).as_json:
        print_json(masked)
    else:
        click.echo(yaml_text(masked), nl=False)


@config.command()
@json_option
def schema() -> None:
    """Print one JSON Schema of all keys, the installed plugins' included, for your editor."""
    from mqd_core.config.schema import merged_schema

    with foreign_code():
        models = _plugin_models()
    print_json(merged_schema(models))


def _plugin_models() -> Mapping[Kind, Mapping[str, type[BaseModel] | None]]:
    """The settings models of everything installed; None for a plugin that could not be asked, which is said."""
    from mqd_core.errors import ConfigError
    from mqd_core.registry.loader import Registry
    from mqd_core.registry.resolve import Wanted

    registry = Registry()
    models: dict[Kind, dict[str, Any]] = {}
    for found in registry.installed():
        try:
            (loaded,) = registry.load([Wanted(found.kind, found.name)])
        except ConfigError as error:
            say(*(f"warning: {problem}" for problem in error.problems))
            models.setdefault(found.kind, {})[found.name] = None
        else:
            models.setdefault(found.kind, {})[found.name] = getattr(loaded.record, "settings", None)
    return models
