"""All that a person needs of the venue when the desk cannot be asked: cancel everything, sell everything.

Works beside a desk that is connected, and starts the venue where it does not run. May not trade otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from mqd_core.api import BrokerContext, OrderReport
from mqd_plugin_mock.remote.launch import start_venue
from mqd_plugin_mock.remote.link import VenueLink
from mqd_plugin_mock.remote.messages import CancelAll, FlattenAll, OrderList, Role
from mqd_plugin_mock.remote.settings import MockVenueSettings
from mqd_plugin_mock.remote.setup import place_of, setup_text


class RemoteEmergency:
    """The venue's emergency exit. Both calls may be repeated: what is canceled or sold already is left alone."""

    def __init__(self, settings: MockVenueSettings, context: BrokerContext) -> None:
        place = place_of(settings, context.directory)
        setup = setup_text(settings, place)
        self._link = VenueLink(
            place, setup, lambda: start_venue(place, setup), Role.PERSON, settings.timeout_ms / 1_000
        )

    def cancel_all(self) -> Sequence[OrderReport]:
        """Cancel every working order, at once. Raises NotSent or Ambiguous."""
        return self._once(CancelAll())

    def flatten_all(self) -> Sequence[OrderReport]:
        """Sell every position at the last price that the venue knows, at once. Raises NotSent, Ambiguous, Refused."""
        return self._once(FlattenAll())

    def _once(self, request: CancelAll | FlattenAll) -> Sequence[OrderReport]:
        try:
            return self._link.ask(request, OrderList).reports
        finally:
            self._link.close()
