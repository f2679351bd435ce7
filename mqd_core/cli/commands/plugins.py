"""`mqd plugins`: what is installed, and what one plugin says of itself."""

from __future__ import annotations

import click

from mqd_core.cli.lazy_group import Entry, LazyGroup

_HERE = "mqd_core.cli.commands."


@click.group(
    cls=LazyGroup,
    entries={
        "list": Entry(f"{_HERE}plugins_list", "list_plugins", "List what is installed; imports no plugin."),
        "show": Entry(f"{_HERE}plugins_show", "show", "Show what one plugin says of itself."),
    },
)
def plugins() -> None:
    """List what is installed, or show one plugin."""
