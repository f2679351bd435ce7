"""A desk's store for a command that a plugin contributes: settings checked, the desk's lock within reach.

Loads the store's plugin and no other. May not open the store: that is the command's.
"""

from __future__ import annotations

from pathlib import Path

from mqd_core.api.context import StoreContext, StorePlace
from mqd_core.app.factories import desk_places
from mqd_core.app.places import DeskLock
from mqd_core.app.plugins import choose_store
from mqd_core.cli.guarded_config import guarded_config
from mqd_core.cli.printing import foreign_code
from mqd_core.logging import LogStream, get_logger
from mqd_core.registry.loader import Registry


def store_place(config_path: Path) -> StorePlace:
    """The store that a configuration names. Raises ConfigError."""
    config = guarded_config(config_path)
    places = desk_places(config)
    with foreign_code():
        chosen = choose_store(config, Registry(allow=config.plugins.allow))
    return StorePlace(
        desk=config.desk.id,
        plugin=chosen.use.name,
        settings=chosen.settings,
        context=StoreContext(log=get_logger(LogStream.SYSTEM), directory=places.store),
        hold=lambda: DeskLock(places, "mqd store"),
    )
