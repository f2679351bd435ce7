"""An account whose venue is a process of its own, for tests: connectors to it, and an end to it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mqd_core.api import BrokerEvent, StoreError
from mqd_plugin_mock.remote.connector import RemoteBrokerConnector
from mqd_plugin_mock.remote.emergency import RemoteEmergency
from mqd_plugin_mock.remote.endpoint import HOST, Endpoint, read_endpoint
from mqd_plugin_mock.remote.link import VenueLink
from mqd_plugin_mock.remote.messages import End, Ended, Role
from mqd_plugin_mock.remote.settings import MockVenueSettings
from mqd_plugin_mock.remote.setup import place_of

PATIENCE_SECONDS = 20.0


class RemoteAccount:
    """One account in a folder; `heard` is what reached the sinks of its desks."""

    def __init__(self, bench: Any, folder: Path) -> None:
        self.context = bench.context(folder)
        self.place = place_of(MockVenueSettings(), folder)
        self.heard: list[BrokerEvent] = []
        self._opened: list[RemoteBrokerConnector] = []

    def desk(self, **settings: Any) -> RemoteBrokerConnector:
        """A connector that has opened the account."""
        connector = RemoteBrokerConnector(MockVenueSettings(**settings), self.context)
        self._opened.append(connector)
        connector.open(self.heard.append)
        return connector

    def emergency(self, **settings: Any) -> RemoteEmergency:
        """What `mqd kill` would be handed."""
        return RemoteEmergency(MockVenueSettings(**settings), self.context)

    @property
    def endpoint(self) -> Endpoint:
        """Where the venue that runs can be found."""
        endpoint = read_endpoint(self.place.endpoint)
        assert endpoint is not None
        return endpoint

    def signal(self, number: int) -> None:
        """Send a signal to the venue's process."""
        os.kill(self.endpoint.process, number)

    def kill(self) -> None:
        """Let the venue's process die at once, and wait until it is gone."""
        endpoint = self.endpoint
        os.kill(endpoint.process, getattr(signal, "SIGKILL", signal.SIGTERM))
        wait_for(lambda: not is_there(endpoint.port))

    def end(self) -> None:
        """Close every desk, and end the venue if it runs."""
        for connector in self._opened:
            connector.close()
        link = VenueLink(self.place, "", None, Role.PERSON, PATIENCE_SECONDS)
        try:
            link.open()
            link.ask(End(), Ended)
        except StoreError:
            return
        finally:
            link.close()


def is_there(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection((HOST, port), PATIENCE_SECONDS).close()
    except ConnectionError:
        return False
    return True


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; fails when the time is over."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
