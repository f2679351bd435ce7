"""Executions that the broker counts and does not tell: worked out from its average price, confirmed when they come.

An order's status says how much has filled and at which average; where the activities stay silent, the missing part is
the difference to what is known: its quantity exactly, its price as exactly as nine decimals can. It is booked as one
execution by a name that is a function of the order and the quantity. The true executions change nothing when they
arrive but, once they are complete, the cash by which the average was rounded, and the fees. May not book anything.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from mqd_core.domain.events import Fill, OrderReport
from mqd_core.domain.money import ZERO, add, average_price, multiply, subtract
from mqd_core.domain.orders import Side

#: Begins the execution id of what was worked out.
GAP_PREFIX: Final = "gap-"


class Gap(msgspec.Struct, frozen=True):
    """What was worked out of one order: from which cumulative quantity to which, and what of it is unconfirmed.

    `cost_left` is the cost that was booked less the true cost of what is confirmed; `confirmed` holds the cumulative
    quantities of the true executions that came.
    """

    start: Decimal
    end: Decimal
    quantity_left: Decimal
    cost_left: Decimal
    confirmed: tuple[Decimal, ...] = ()


class Confirmation(msgspec.Struct, frozen=True):
    """What a true execution leaves to do: what of it is new, and the cash and fee to correct by (cash: signed)."""

    gaps: tuple[Gap, ...]
    fill: Fill | None
    cash: Decimal = ZERO
    fee: Decimal = ZERO


def worked_out(report: OrderReport, known: Decimal, spent: Decimal, now_ns: int) -> tuple[Fill, bool] | None:
    """The one execution that brings `known` shares, which cost `spent`, to what the report says; and whether exactly.

    None where the report does not tell the average price, or the price would be none.
    """
    average = report.average_fill_price
    if average is None:
        return None
    quantity = subtract(report.filled_quantity, known)
    cost = subtract(multiply(average, report.filled_quantity), spent)
    price = average_price(cost, quantity)
    if price <= ZERO:
        return None
    fill = Fill(
        ts=now_ns,
        client_order_id=report.client_order_id,
        broker_order_id=report.broker_order_id,
        symbol=report.symbol,
        side=report.side,
        quantity=quantity,
        price=price,
        cumulative_quantity=report.filled_quantity,
        execution_id=f"{GAP_PREFIX}{report.client_order_id}-{report.filled_quantity}",
    )
    return fill, multiply(price, quantity) == cost


def gap_of(fill: Fill) -> Gap:
    """What a worked out execution leaves to be confirmed."""
    start = subtract(fill.cumulative_quantity, fill.quantity)
    return Gap(start, fill.cumulative_quantity, fill.quantity, multiply(fill.price, fill.quantity))


def confirm(gaps: tuple[Gap, ...], fill: Fill, known: Decimal) -> Confirmation:
    """Hold a true execution against what was worked out; `known` is the order's cumulative quantity."""
    end, start = fill.cumulative_quantity, subtract(fill.cumulative_quantity, fill.quantity)
    left: list[Gap] = []
    cash = fee = ZERO
    touched = False
    for gap in gaps:
        overlap = subtract(min(end, gap.end), max(start, gap.start))
        if overlap <= ZERO or end in gap.confirmed:
            left.append(gap)
            continue
        touched = True
        gap = Gap(  # noqa: PLW2901  the gap that this execution leaves
            gap.start,
            gap.end,
            subtract(gap.quantity_left, overlap),
            subtract(gap.cost_left, multiply(fill.price, overlap)),
            (*gap.confirmed, end),
        )
        if gap.quantity_left > ZERO:
            left.append(gap)
        else:
            cash = add(cash, gap.cost_left if fill.side is Side.BUY else gap.cost_left.copy_negate())
    if end <= known:
        return Confirmation(tuple(left), None, cash, fill.fee if touched else fee)
    if touched and start < known:
        # It reaches beyond what was worked out: that part is new.
        fill = msgspec.structs.replace(fill, quantity=subtract(end, known))
    return Confirmation(tuple(left), fill, cash, fee)
