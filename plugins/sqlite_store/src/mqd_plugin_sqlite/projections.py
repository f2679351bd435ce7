"""What readers see of a desk as tables: how a view becomes a row and a row a view again.

What moves them is the core's `Projection`; here it is only kept. May not decide what an entry means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, TypeVar

import msgspec

from mqd_core.api import DeskView, DifferenceView, FreezeView, LimitView, OrderView, PositionView, Projection

V = TypeVar("V", OrderView, PositionView, LimitView, FreezeView, DifferenceView)


@dataclass(frozen=True)
class Table(Generic[V]):
    """A table with one row a view: its columns are fields of the view, its key says which row a view replaces."""

    name: str
    view: type[V]
    key: tuple[str, ...]
    values: tuple[str, ...]

    @cached_property
    def _upsert(self) -> str:
        columns = (*self.key, *self.values)
        return (
            f"INSERT INTO {self.name} ({_names(columns)}) VALUES ({', '.join(':' + column for column in columns)}) "  # noqa: S608 - names from this file
            f"ON CONFLICT ({_names(self.key)}) DO UPDATE SET "
            + ", ".join(f'"{column}" = excluded."{column}"' for column in self.values)
        )

    def write(self, connection: sqlite3.Connection, views: Iterable[V]) -> None:
        """Insert or replace the rows of these views; a row keeps its place in the order of first appearance."""
        # Decimals become the text they print as, enums are text already.
        connection.executemany(self._upsert, map(msgspec.to_builtins, views))

    def clear(self, connection: sqlite3.Connection) -> None:
        """Remove all rows."""
        connection.execute(f"DELETE FROM {self.name}")  # noqa: S608 - a name from this file

    def read(self, connection: sqlite3.Connection) -> list[V]:
        """All rows in the order of their first appearance; raises msgspec.ValidationError for what no desk wrote."""
        columns = (*self.key, *self.values)
        rows = connection.execute(f"SELECT {_names(columns)} FROM {self.name} ORDER BY place")  # noqa: S608 - the same
        return [msgspec.convert(dict(zip(columns, row, strict=True)), self.view) for row in rows]


def _names(columns: tuple[str, ...]) -> str:
    """Quoted, since a column may be called `limit`."""
    return ", ".join(f'"{column}"' for column in columns)


ORDERS: Final = Table(
    name="orders",
    view=OrderView,
    key=("client_order_id",),
    values=(
        "broker_order_id",
        "correlation_id",
        "strategy_id",
        "symbol",
        "purpose",
        "side",
        "order_type",
        "time_in_force",
        "quantity",
        "notional",
        "limit_price",
        "stop_price",
        "reference_price",
        "state",
        "filled_quantity",
        "created_ns",
        "updated_ns",
        "code",
        "text",
    ),
)
POSITIONS: Final = Table(
    name="positions",
    view=PositionView,
    key=("strategy_id", "symbol"),
    values=("quantity", "cost", "average_price", "realized", "updated_ns", "mark", "protection"),
)
LIMITS: Final = Table(
    name="limits",
    view=LimitView,
    key=("limit",),
    values=("state", "loss", "level", "until_ns", "session", "updated_ns"),
)
FREEZES: Final = Table(
    name="freezes",
    view=FreezeView,
    key=("symbol", "code"),
    values=("state", "text", "updated_ns"),
)
DIFFERENCES: Final = Table(
    name="differences",
    view=DifferenceView,
    key=("symbol",),
    values=("state", "books", "broker", "updated_ns"),
)

_DESK: Final = ("as_of_sequence", "as_of_ns", "desk_state", "desk_reason", "run_id", "mode", "running", "cash")


def read_desk(connection: sqlite3.Connection) -> DeskView:
    """The whole view, what has ended included; raises msgspec.ValidationError for what no desk wrote."""
    row = connection.execute(f"SELECT {_names(_DESK)} FROM desk").fetchone()  # noqa: S608 - names from this file
    desk = msgspec.convert(dict(zip(_DESK, row, strict=True)), DeskView, strict=False)
    desk.orders = ORDERS.read(connection)
    desk.positions = POSITIONS.read(connection)
    desk.limits = LIMITS.read(connection)
    desk.freezes = FREEZES.read(connection)
    desk.differences = DIFFERENCES.read(connection)
    return desk


def clear_views(connection: sqlite3.Connection) -> None:
    """Remove all rows of all views."""
    for table in (ORDERS, POSITIONS, LIMITS, FREEZES, DIFFERENCES):
        table.clear(connection)


def write_views(connection: sqlite3.Connection, view: Projection) -> None:
    """Insert or replace the rows that have changed since the projection was settled."""
    if view.changed_orders:
        ORDERS.write(connection, view.changed_orders.values())
    if view.changed_positions:
        POSITIONS.write(connection, view.changed_positions.values())
    if view.changed_limits:
        LIMITS.write(connection, view.changed_limits.values())
    if view.changed_freezes:
        FREEZES.write(connection, view.changed_freezes.values())
    if view.changed_differences:
        DIFFERENCES.write(connection, view.changed_differences.values())
