"""What the desk's side hands to the venue's process when it starts it, and where both find things.

May not start anything.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import msgspec

from mqd_plugin_mock.remote.settings import MockVenueSettings


class VenuePlace(msgspec.Struct, frozen=True):
    """Files of one account: all of them beside its record. The path is absolute."""

    record: Path

    @property
    def endpoint(self) -> Path:
        """Where the venue that runs can be found."""
        return self.record.with_name(f"{self.record.name}.venue")

    @property
    def log(self) -> Path:
        """What the venue's process has to say that nobody asks for."""
        return self.record.with_name(f"{self.record.name}.log")


def place_of(settings: MockVenueSettings, directory: Path) -> VenuePlace:
    """Where the account of a configuration is kept: in the broker's own folder unless it says otherwise."""
    return VenuePlace((directory / "account.jsonl" if settings.record is None else Path(settings.record)).absolute())


def setup_text(settings: MockVenueSettings, place: VenuePlace) -> str:
    """The settings as the venue's process reads them."""
    whole = settings.model_copy(update={"record": str(place.record)})
    return whole.model_dump_json(exclude={"not_found", "timeout_ms"})


def setup_digest(text: str) -> str:
    """What two processes have to agree on: these settings, and this version of the plugin."""
    return hashlib.sha256(f"{version('mqd-plugin-mock')} {text}".encode()).hexdigest()
