"""Reads a broker's account whole: orders, activities, positions, cash, and orders again, until they stood still.

No broker answers all of it at one instant. What was read between two equal lists of orders belongs together; where
orders never stand still the answer says so, and nobody compares by it. May not judge what it reads; an error of any
part is an error of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from mqd_core.domain.events import AccountSnapshot, Activity, Fill, FillBusted, OrderReport
from mqd_core.ports.broker import BrokerConnector

#: How often the reading is begun anew while orders move.
ROUNDS_MAX: Final = 5


def read_account(
    broker: BrokerConnector, since_ns: int, after: str | None, now_ns: Callable[[], int]
) -> AccountSnapshot:
    """Everything about the account, orders from `since_ns` on and activities behind `after`; raises what a call raises.

    Where the venue is in this process its clock is the desk's, and is not compared.
    """
    skew_ns = _clock_skew_ns(broker, now_ns) if broker.venue is None else 0
    begun_ns, orders = now_ns(), tuple(broker.orders(since_ns))
    for _ in range(ROUNDS_MAX):
        activities = tuple(one for one in broker.activities(after) if isinstance(one, Fill | FillBusted | Activity))
        positions = tuple(broker.positions())
        account = broker.account()
        again_ns, again = now_ns(), tuple(broker.orders(since_ns))
        is_stable = _standing(orders) == _standing(again)
        if is_stable:
            break
        begun_ns, orders = again_ns, again
    return structs.replace(
        account,
        ts=now_ns(),
        positions=positions,
        begun_ns=begun_ns,
        clock_skew_ns=skew_ns,
        orders=again,
        activities=activities,
        cursor=_identity(activities[-1]) if activities else "",
        is_stable=is_stable,
    )


def _standing(orders: Sequence[OrderReport]) -> set[tuple[object, ...]]:
    """What would be another after any fill or change of status."""
    return {(one.broker_order_id, one.client_order_id, one.status, one.filled_quantity) for one in orders}


def _identity(activity: Fill | FillBusted | Activity) -> str:
    return activity.activity_id if isinstance(activity, Activity) else activity.execution_id


def _clock_skew_ns(broker: BrokerConnector, now_ns: Callable[[], int]) -> int:
    """How far the broker's clock is outside of the time that the call took: 0 where it may well be right."""
    before_ns = now_ns()
    theirs_ns = broker.clock().now_ns
    after_ns = now_ns()
    return min(theirs_ns - before_ns, 0) + max(theirs_ns - after_ns, 0)
