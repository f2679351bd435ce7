"""What this distribution adds to mqd: the broker `mock` and the data provider `synthetic`.

Light on purpose: numpy, the venue and the generator are imported by the factories, not when plugins are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mqd_core.api import BrokerContext, BrokerRecord, DataContext, DataProviderRecord, hookimpl
from mqd_plugin_mock.capabilities import HOSTED
from mqd_plugin_mock.settings import MockBrokerSettings, SyntheticSettings

if TYPE_CHECKING:
    from mqd_core.api import BrokerConnector, MarketDataProvider


@hookimpl
def mqd_brokers() -> Iterator[BrokerRecord[MockBrokerSettings]]:
    """Yield the simulated broker."""
    yield BrokerRecord(
        name="mock",
        summary="Simulated account and exchange, in this process; no order costs money",
        settings=MockBrokerSettings,
        factory=_broker,
        capabilities=HOSTED,
    )


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


def _provider(settings: SyntheticSettings, _context: DataContext) -> MarketDataProvider:
    from mqd_plugin_mock.synthetic import SyntheticMarket

    return SyntheticMarket(settings)
