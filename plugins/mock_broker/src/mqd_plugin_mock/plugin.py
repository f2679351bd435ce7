"""What this distribution adds to mqd: brokers `mock` and `mock_venue`, data provider `synthetic`, command `venue`.

Light on purpose: numpy, the venue and the generator are imported by the factories, not when plugins are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mqd_core.api import BrokerContext, BrokerRecord, CommandRecord, DataContext, DataProviderRecord, hookimpl
from mqd_plugin_mock.capabilities import HOSTED, RECORDED
from mqd_plugin_mock.remote.settings import MockVenueSettings
from mqd_plugin_mock.settings import MockBrokerSettings, SyntheticSettings

if TYPE_CHECKING:
    import click

    from mqd_core.api import BrokerConnector, EmergencyBroker, MarketDataProvider


@hookimpl
def mqd_brokers() -> Iterator[BrokerRecord[MockBrokerSettings] | BrokerRecord[MockVenueSettings]]:
    """Yield the simulated broker, in the desk's process and in one of its own."""
    yield BrokerRecord(
        name="mock",
        summary="Simulated account and exchange, in this process; no order costs money",
        settings=MockBrokerSettings,
        factory=_broker,
        capabilities=HOSTED,
    )
    yield BrokerRecord(
        name="mock_venue",
        summary="The same in a process of its own, which outlives the desk; no order costs money",
        settings=MockVenueSettings,
        factory=_remote_broker,
        capabilities=RECORDED,
        emergency=_emergency,
    )


@hookimpl
def mqd_commands() -> Iterator[CommandRecord]:
    """Yield the command for the venue's process."""
    yield CommandRecord(name="venue", summary="Shows and ends simulated venues that run", load=_command)


@hookimpl
def mqd_data_providers() -> Iterator[DataProviderRecord[SyntheticSettings]]:
    """Yield the synthetic market."""
    yield DataProviderRecord(
        name="synthetic",
        summary="Synthetic one-minute bars from a seed: a market that never was, for demonstrations and tests",
        settings=SyntheticSettings,
        factory=_provider,
        has_history=True,
        has_live=False,
        synthetic=True,
    )


def _broker(settings: MockBrokerSettings, context: BrokerContext) -> BrokerConnector:
    from mqd_plugin_mock.connector import MockBrokerConnector

    return MockBrokerConnector(settings, context)


def _remote_broker(settings: MockVenueSettings, context: BrokerContext) -> BrokerConnector:
    from mqd_plugin_mock.remote.connector import RemoteBrokerConnector

    return RemoteBrokerConnector(settings, context)


def _emergency(settings: MockVenueSettings, context: BrokerContext) -> EmergencyBroker:
    from mqd_plugin_mock.remote.emergency import RemoteEmergency

    return RemoteEmergency(settings, context)


def _command() -> click.Command:
    from mqd_plugin_mock.remote.command import venue

    return venue


def _provider(settings: SyntheticSettings, _context: DataContext) -> MarketDataProvider:
    from mqd_plugin_mock.synthetic import SyntheticMarket

    return SyntheticMarket(settings)
