"""The venue's process: opens the account, says on its standard output that it is ready or why not, and serves.

Called with nothing; the settings come on its standard input. What it says later goes to its log. It holds the record's
lock for all its life, so that two of them never keep one account, and outlives the desk that started it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import msgspec

from mqd_core.api import StoreError, xnys
from mqd_plugin_mock.record import AccountRecord
from mqd_plugin_mock.remote.clerk import Clerk
from mqd_plugin_mock.remote.endpoint import Endpoint, new_secret, remove_endpoint, write_endpoint
from mqd_plugin_mock.remote.messages import Welcome
from mqd_plugin_mock.remote.served_venue import ServedVenue
from mqd_plugin_mock.remote.server import VenueServer
from mqd_plugin_mock.remote.settings import MockVenueSettings
from mqd_plugin_mock.remote.setup import VenuePlace, setup_digest

#: How long the venue before this one may take to leave.
_PATIENCE_SECONDS: Final = 3.0


class Ready(msgspec.Struct, frozen=True):
    """What the process says of its start: `error` is empty where it serves, else the error's class, with its text."""

    error: str = ""
    text: str = ""


def main() -> int:
    """Serve one account until the end; returns the exit code."""
    text = sys.stdin.read()
    with ExitStack() as opened:
        try:
            server = _open(text, opened)
        except StoreError as error:
            _say(Ready(type(error).__name__, str(error)))
            return 1
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: server.end("a signal asked for it"))
        _log(f"process {os.getpid()} serves on port {server.port}")
        _say(Ready())
        try:
            server.serve()
        except StoreError as error:
            _log(f"ended: {error}")
            return 1
        _log(f"ended: {server.reason}")
    return 0


def _open(text: str, opened: ExitStack) -> VenueServer:
    """Open the account and the port, and write down where they are; raises StoreError."""
    settings = MockVenueSettings.model_validate_json(text)
    place = VenuePlace(Path(settings.record or ""))
    venue = ServedVenue(settings, xnys(), AccountRecord(place.record, _PATIENCE_SECONDS))
    venue.open()
    opened.callback(venue.close)
    secret, setup = new_secret(), setup_digest(text)

    def welcome() -> Welcome:
        return Welcome(setup, venue.heard, venue.working, os.getpid())

    server = VenueServer(secret, welcome, Clerk(venue).answer, settings.idle_seconds)
    endpoint = Endpoint(port=server.port, secret=secret, process=os.getpid())
    try:
        write_endpoint(place.endpoint, endpoint)
    except OSError as error:
        raise StoreError(f"{place.endpoint} cannot be written: {error}") from error
    opened.callback(remove_endpoint, place.endpoint, endpoint)
    return server


def _say(ready: Ready) -> None:
    """Tell whoever started this process, who then listens no more."""
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    # Whatever else would be printed: nobody reads it, and a closed pipe must not end an account.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _log(text: str) -> None:
    """One line to the log, which is this process's standard error."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251  a log's line, no decision
    sys.stderr.write(f"{now} {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
