"""The plugins of this repository, so that a missing one comes with the command that installs it.

Only for these: a command made up from a name that somebody mistyped would install whatever a stranger put there.
A test compares the table with the folders under `plugins/`.
"""

from __future__ import annotations

from typing import Final

from mqd_core.registry.kinds import Kind

#: (kind, name) -> the folder that holds it, in a copy of this repository.
SHIPPED: Final[dict[tuple[Kind, str], str]] = {
    (Kind.BROKER, "alpaca"): "./plugins/alpaca_broker",
    (Kind.BROKER, "mock"): "./plugins/mock_broker",
    (Kind.BROKER, "mock_venue"): "./plugins/mock_broker",
    (Kind.COMMAND, "sandbox"): "./plugins/alpaca_sandbox",
    (Kind.COMMAND, "store"): "./plugins/sqlite_store",
    (Kind.COMMAND, "venue"): "./plugins/mock_broker",
    (Kind.DATA_PROVIDER, "files"): "./plugins/file_data",
    (Kind.DATA_PROVIDER, "synthetic"): "./plugins/mock_broker",
    (Kind.SIZER, "notional"): "./plugins/notional_sizer",
    (Kind.STORE, "sqlite"): "./plugins/sqlite_store",
    (Kind.STRATEGY, "VWAPMeanReversionStrategy"): "./plugins/vwap_strategy",
}


def install_command(kind: Kind, name: str) -> str:
    """Return the command that installs a plugin of this repository, or "" for any other name."""
    folder = SHIPPED.get((kind, name))
    return f"pip install {folder}" if folder else ""
