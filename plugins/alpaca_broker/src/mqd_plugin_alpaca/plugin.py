"""What this distribution adds to mqd: broker `alpaca`.

Light on purpose: alpaca-py, which brings pandas, is imported by the factories, not when plugins are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mqd_core.api import BrokerContext, BrokerRecord, hookimpl
from mqd_plugin_alpaca.capabilities import CAPABILITIES
from mqd_plugin_alpaca.settings import AlpacaSettings

if TYPE_CHECKING:
    from mqd_core.api import BrokerConnector, EmergencyBroker


@hookimpl
def mqd_brokers() -> Iterator[BrokerRecord[AlpacaSettings]]:
    """Yield the broker."""
    yield BrokerRecord(
        name="alpaca",
        summary="Alpaca, paper or live: US shares and fractions of them",
        settings=AlpacaSettings,
        factory=_broker,
        capabilities=CAPABILITIES,
        emergency=_emergency,
    )


def _broker(settings: AlpacaSettings, context: BrokerContext) -> BrokerConnector:
    from mqd_plugin_alpaca.connector import AlpacaConnector

    return AlpacaConnector(settings, context)


def _emergency(settings: AlpacaSettings, context: BrokerContext) -> EmergencyBroker:
    from mqd_plugin_alpaca.emergency import AlpacaEmergency

    return AlpacaEmergency(settings, context)
