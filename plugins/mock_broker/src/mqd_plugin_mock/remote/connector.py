"""The broker connector of a simulated account that a process of its own keeps: all of it is asked over one connection.

The venue sees time pass where the desk shows it bars, as in process. May not decide anything about an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import structs

from mqd_core.api import (
    AccountReport,
    ActivityCursor,
    Ambiguous,
    ApprovedOrder,
    Asset,
    Bar,
    BrokerCapabilities,
    BrokerClock,
    BrokerContext,
    BrokerEvent,
    NotSent,
    OrderRef,
    OrderReport,
    PositionReport,
    SimulatedVenue,
    StoreError,
    require_approved,
    xnys,
)
from mqd_plugin_mock.capabilities import RECORDED
from mqd_plugin_mock.hours import broker_clock
from mqd_plugin_mock.remote.launch import start_venue
from mqd_plugin_mock.remote.link import VenueLink
from mqd_plugin_mock.remote.messages import (
    AccountShown,
    ActivityList,
    Advance,
    AssetList,
    Cancel,
    Find,
    Found,
    ListActivities,
    ListOrders,
    News,
    OrderList,
    PositionList,
    Role,
    ShowAccount,
    ShowAssets,
    ShowPositions,
    Submit,
    Taken,
    sent,
)
from mqd_plugin_mock.remote.settings import MockVenueSettings
from mqd_plugin_mock.remote.setup import place_of, setup_text


class RemoteVenue:
    """The venue as the loop of a run sees it. What `advance` returns was heard by nobody before."""

    working: int

    def __init__(self, link: VenueLink) -> None:
        self._link = link
        self.working = 0
        #: The number of the last event that this desk has heard.
        self.heard = 0

    def advance(self, now_ns: int, bars: Sequence[Bar]) -> Sequence[BrokerEvent]:
        """Let time pass at the venue; asked again after a lost connection, it tells again. Raises StoreError."""
        try:
            return self.take(self._link.ask(Advance(now_ns, tuple(bars), self.heard), News))
        except (Ambiguous, NotSent) as error:
            raise StoreError(
                f"{error}; nothing more is sent, and `mqd run` goes on from what was committed and what the venue says"
            ) from error

    def take(self, news: News) -> Sequence[BrokerEvent]:
        """Take note of news; returns what happened."""
        self.heard, self.working = news.heard, news.working
        return news.events

    def state(self) -> bytes:
        """Nothing: the venue has a record, and no commit of a desk may take it back."""
        return b""

    def restore(self, state: bytes) -> None:
        """Keep what the venue says, whatever a desk remembers."""


class RemoteBrokerConnector:
    """A simulated broker whose process outlives the desk."""

    capabilities: BrokerCapabilities
    venue: SimulatedVenue | None

    def __init__(self, settings: MockVenueSettings, context: BrokerContext) -> None:
        place = place_of(settings, context.directory)
        setup = setup_text(settings, place)
        self._clock = context.clock
        self._link = VenueLink(place, setup, lambda: start_venue(place, setup), Role.DESK, settings.timeout_ms / 1_000)
        self._sink: Callable[[BrokerEvent], None] | None = None
        self._venue = RemoteVenue(self._link)
        self.venue = self._venue
        self.capabilities = structs.replace(RECORDED, not_found_is_final=settings.not_found == "final")

    def open(self, sink: Callable[[BrokerEvent], None]) -> AccountReport:
        """Find or start the venue. Raises StoreError, with all that a record of an account can be refused for."""
        welcome = self._link.open()
        # What happened before is asked for: recovery compares all of it.
        self._venue.heard, self._venue.working = welcome.heard, welcome.working
        self._sink = sink
        return self.account()

    def submit(self, order: ApprovedOrder) -> OrderReport:
        """Send an order once. Raises SealedType, Refused, NotSent, and Ambiguous: the order may be on record."""
        approved = require_approved(order)
        self._opened()
        taken = self._link.send(Submit(sent(approved)), Taken)
        self._venue.working = taken.working
        return taken.report

    def cancel(self, order: OrderRef) -> None:
        """Cancel an order; the report goes to the sink before this returns. Raises Refused, NotSent or Ambiguous."""
        sink = self._opened()
        request = Cancel(order.client_order_id, self._clock.now_ns(), self._venue.heard)
        for event in self._venue.take(self._link.send(request, News)):
            sink(event)

    def find_order(self, client_order_id: str) -> OrderReport | None:
        """The order of that id as it is now; None: the venue has none, nor will what was sent before become one."""
        self._opened()
        return self._link.ask(Find(client_order_id), Found).report

    def orders(self, since_ns: int) -> Sequence[OrderReport]:
        """All orders of the account submitted at or after `since_ns`."""
        self._opened()
        return self._link.ask(ListOrders(since_ns), OrderList).reports

    def activities(self, after: ActivityCursor | None) -> Iterable[BrokerEvent]:
        """Fills and fees after the one named by its execution or activity id, oldest first."""
        self._opened()
        return self._link.ask(ListActivities(after), ActivityList).events

    def account(self) -> AccountReport:
        """The account now."""
        self._opened()
        return self._link.ask(ShowAccount(self._clock.now_ns()), AccountShown).account

    def positions(self) -> Sequence[PositionReport]:
        """All positions now."""
        self._opened()
        return self._link.ask(ShowPositions(), PositionList).positions

    def assets(self, symbols: Sequence[str]) -> Sequence[Asset]:
        """What the venue says of the symbols that it lists."""
        self._opened()
        return self._link.ask(ShowAssets(tuple(symbols)), AssetList).assets

    def clock(self) -> BrokerClock:
        """The desk's own time, and the exchange's hours around it."""
        return broker_clock(xnys(), self._clock.now_ns())

    def close(self) -> None:
        """Leave; the venue waits for the next one, and ends when nobody comes."""
        self._sink = None
        self._link.close()

    def _opened(self) -> Callable[[BrokerEvent], None]:
        if self._sink is None:
            raise NotSent("the simulated account is not open: open() comes first, and nothing after close()")
        return self._sink
