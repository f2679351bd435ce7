"""Takes each request of a client that is known to the venue, and makes its answer. May not know of connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqd_core.api import Refused
from mqd_plugin_mock.remote.messages import (
    AccountShown,
    ActivityList,
    Advance,
    Answer,
    AssetList,
    Cancel,
    CancelAll,
    Declined,
    Failed,
    Find,
    FlattenAll,
    Found,
    ListActivities,
    ListOrders,
    News,
    OrderList,
    PositionList,
    Request,
    ShowAccount,
    ShowAssets,
    ShowPositions,
    Submit,
    Taken,
)
from mqd_plugin_mock.remote.served_venue import ServedVenue


class Clerk:
    """Speaks for one venue. What it says of a change is on the disk before it says it."""

    def __init__(self, venue: ServedVenue) -> None:
        self._venue = venue
        self._answers: dict[type[Request], Callable[[Any], Answer]] = {
            Submit: self._submit,
            Advance: self._advance,
            Cancel: self._cancel,
            CancelAll: lambda _: OrderList(venue.cancel_all()),
            FlattenAll: lambda _: OrderList(venue.flatten_all()),
            Find: lambda asked: Found(venue.find(asked.client_order_id)),
            ListOrders: lambda asked: OrderList(tuple(venue.orders(asked.since_ns))),
            ListActivities: lambda asked: ActivityList(tuple(venue.activities(asked.after))),
            ShowAccount: lambda asked: AccountShown(venue.account(asked.now_ns)),
            ShowPositions: lambda _: PositionList(venue.positions()),
            ShowAssets: lambda asked: AssetList(tuple(venue.assets(asked.symbols))),
        }

    def answer(self, request: Request) -> Answer:
        """Do what is asked. Raises StoreError if the record cannot be written: what was done then is not certain."""
        known = self._answers.get(type(request))
        if known is None:
            return Failed("out_of_turn", f"{type(request).__name__} is not to be asked here")
        try:
            return known(request)
        except Refused as error:
            return Declined(error.code, str(error))

    def _submit(self, request: Submit) -> Answer:
        report = self._venue.submit(request.order)
        return Taken(report, self._venue.working)

    def _advance(self, request: Advance) -> Answer:
        self._venue.advance(request.now_ns, request.bars)
        return self._news(request.after)

    def _cancel(self, request: Cancel) -> Answer:
        self._venue.cancel(request.client_order_id, request.now_ns)
        return self._news(request.after)

    def _news(self, after: int) -> News:
        venue = self._venue
        return News(venue.news(after), venue.heard, venue.working)
