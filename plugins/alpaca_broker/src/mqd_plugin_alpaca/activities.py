"""What moved the account: executions, fees, dividends, transfers; from Alpaca's list, page by page, behind a cursor.

Two peculiarities of the list. Executions of one millisecond stand in no order: they are put in that of `cum_qty`. A fee
is entered a day late under the day it is for, so behind a cursor it would never be seen: what is no execution is read
again for some days, and whoever reads knows by their ids what is new. May not know the desk's orders: executions name
Alpaca's order id, and `ClientIds` finds the desk's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from mqd_core.api import ZERO, Activity, Fill
from mqd_plugin_alpaca.client_ids import ClientIds
from mqd_plugin_alpaca.faults import Unreadable
from mqd_plugin_alpaca.parsing import Body, as_list, decimal_of, optional_decimal, side_of, text_of, time_ns
from mqd_plugin_alpaca.rest import Rest

_PAGE: Final = 100
_PAGES_MAX: Final = 1_000
#: How late a fee or dividend may be entered and is still found: a long weekend.
_LATE: Final = timedelta(days=5)
_STAMP: Final = re.compile(r"(\d{8})\d{9}::.+")


class ActivityReader:
    """Reads the list."""

    def __init__(self, rest: Rest, client_ids: ClientIds) -> None:
        self._rest = rest
        self._client_ids = client_ids

    def read(self, after: str | None) -> Iterable[Fill | Activity]:
        """Everything behind a cursor, oldest first, with what was entered late in front. The last one is the cursor.

        Raises what a request raises, and Unreadable.
        """
        new = list(self._pages("/account/activities", {"direction": "asc"}, after))
        self._client_ids.learn_missing(_order_ids(new), self._first_ns(new))
        told = [self._told(one) for one in _in_order(new)]
        if after is None:
            return told
        known = {text_of(one, "id") for one in new}
        late = [one for one in self._late(after) if text_of(one, "id") not in known]
        if late and not told:
            # Or the cursor would go back to a fee of yesterday, and executions since would come again.
            told = [Activity(ts=_stamp_ns(after), activity_id=after, kind="CURSOR", amount=ZERO)]
        return [*(self._told(one) for one in late), *told]

    def of_order(self, broker_order_id: str) -> Iterable[Fill]:
        """The executions of one order, in the order of what they add up to."""
        rows = list(self._pages("/account/activities/FILL", {"direction": "asc", "order_id": broker_order_id}, None))
        self._client_ids.learn_missing(_order_ids(rows), self._first_ns(rows))
        return [self._fill(one) for one in _in_order(rows) if one.get("order_id") == broker_order_id]

    def _late(self, after: str) -> list[Body]:
        found = _STAMP.fullmatch(after)
        if found is None:
            return []
        day = datetime.strptime(found.group(1), "%Y%m%d").replace(tzinfo=timezone.utc) - _LATE
        asked = {"direction": "asc", "category": "non_trade_activity", "after": f"{day:%Y-%m-%d}"}
        rows = self._pages("/account/activities", asked, None)
        # Never an execution, whatever the filter does: one of an order that the desk has forgotten would halt it.
        return [one for one in rows if one.get("activity_type") != "FILL"]

    def _pages(self, path: str, asked: dict[str, Any], token: str | None) -> Iterator[Body]:
        seen: set[str] = set()
        for _ in range(_PAGES_MAX):
            more = {} if token is None else {"page_token": token}
            page = as_list(self._rest.get(path, {**asked, "page_size": _PAGE, **more}), "activities")
            new = [one for one in page if text_of(one, "id") not in seen]
            seen.update(text_of(one, "id") for one in new)
            yield from new
            if len(page) < _PAGE:
                return
            if not new:
                break
            token = text_of(page[-1], "id")
        raise Unreadable("Alpaca's list of activities does not come to an end", "unreadable")

    @staticmethod
    def _first_ns(rows: Sequence[Body]) -> int:
        return min((time_ns(one["transaction_time"]) for one in rows if one.get("transaction_time")), default=0)

    def _told(self, row: Body) -> Fill | Activity:
        return self._fill(row) if row.get("activity_type") == "FILL" else _activity(row)

    def _fill(self, row: Body) -> Fill:
        order_id = text_of(row, "order_id")
        return Fill(
            ts=time_ns(row.get("transaction_time")),
            client_order_id=self._client_ids.of(order_id),
            broker_order_id=order_id,
            symbol=text_of(row, "symbol"),
            side=side_of(row),
            quantity=decimal_of(row, "qty"),
            price=decimal_of(row, "price"),
            cumulative_quantity=decimal_of(row, "cum_qty"),
            execution_id=text_of(row, "id"),
        )


def _activity(row: Body) -> Activity:
    identifier, kind = text_of(row, "id"), text_of(row, "activity_type")
    return Activity(
        ts=_stamp_ns(identifier),
        activity_id=identifier,
        kind=kind,
        amount=optional_decimal(row, "net_amount") or ZERO,
        symbol=str(row.get("symbol") or ""),
        quantity=optional_decimal(row, "qty") or ZERO,
        text=str(row.get("description") or row.get("activity_sub_type") or "")[:200],
    )


def _stamp_ns(identifier: str) -> int:
    """When an activity was, by its id; 0 where that says nothing."""
    found = _STAMP.fullmatch(identifier)
    if found is None:
        return 0
    try:
        day = datetime.strptime(identifier[:14], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return 0
    return round(day.timestamp()) * 1_000_000_000 + int(identifier[14:17]) * 1_000_000


def _order_ids(rows: Iterable[Body]) -> set[str]:
    return {text_of(one, "order_id") for one in rows if one.get("activity_type") == "FILL"}


def _in_order(rows: Sequence[Body]) -> list[Body]:
    """As listed, but the executions of each order in the places of that order by what they add up to."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        if row.get("activity_type") == "FILL":
            places.setdefault(text_of(row, "order_id"), []).append(place)
    ordered = list(rows)
    for mine in places.values():
        by_total: list[tuple[Decimal, int]] = sorted((decimal_of(rows[place], "cum_qty"), place) for place in mine)
        for place, (_total, origin) in zip(mine, by_total, strict=True):
            ordered[place] = rows[origin]
    return ordered
