"""What the tests commit: entries as a desk makes them. Run as a process, it commits until it is stopped.

python trading.py commit FILE         commit trades for ever, print each sequence once it is durable
python trading.py look FILE VIEWS     look until that many different views were seen, fail at an inconsistent one
python trading.py limited FILE BYTES  commit until no file may grow beyond so many bytes, print what went wrong
python trading.py full FILE           commit until the disk is full, close, print what is left
python trading.py open FILE           open and close the store without the right to ignore permissions
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from mqd_core.api import (
    Bar,
    Batch,
    Entry,
    Fill,
    Mark,
    OrderType,
    Purpose,
    RunStarted,
    Side,
    Snapshot,
    StoreError,
    TimeInForce,
)
from mqd_core.domain.events import RunEnded
from mqd_core.domain.records import Approved, BookMoved, DeskMoved, DeskState, LimitMoved, OrderMoved
from mqd_plugin_sqlite.reader import SqliteReader
from mqd_plugin_sqlite.store import Keeping, SqliteStore

SHARE = Decimal("2.123456789")
#: Sequences that one trade takes.
STEPS = 2


def started(sequence: int) -> list[Entry]:
    """A process takes the desk, which becomes ready."""
    run = RunStarted(
        ts=sequence, run_id=f"r{sequence}", desk_id="demo", mode="paper", book=1, configuration="c", feed="f"
    )
    ready = DeskMoved(sequence, 1, sequence, before=DeskState.STARTING, after=DeskState.READY, code="recovered")
    return [Entry(sequence, 0, run), Entry(sequence, 1, ready)]


def ended(sequence: int) -> list[Entry]:
    """A process leaves the desk."""
    return [Entry(sequence, 0, RunEnded(ts=sequence, reason="signal"))]


def approved(sequence: int, symbol: str = "SPHD", text: str = "") -> list[Entry]:
    """An order is let through, and another one moves of which nothing is known."""
    intent = Approved(
        sequence,
        1,
        sequence,
        correlation_id=f"c{sequence}",
        client_order_id=f"m1-demo-{sequence}",
        strategy_id="vwap",
        symbol=symbol,
        purpose=Purpose.ENTRY,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=SHARE,
        notional=None,
        limit_price=Decimal("41.25"),
        stop_price=None,
        reference_price=Decimal("41.2"),
    )
    return [Entry(sequence, 1, intent), Entry(sequence, 2, moved(sequence, 2, "m1-demo-unknown", text))]


def moved(sequence: int, ordinal: int, order: str, text: str = "") -> OrderMoved:
    """An order is filled."""
    return OrderMoved(
        sequence,
        ordinal,
        sequence,
        correlation_id=f"c{sequence}",
        client_order_id=order,
        broker_order_id=f"b-{order}",
        symbol="SPHD",
        before="working",
        after="filled",
        cumulative=SHARE,
        text=text,
    )


def booked(sequence: int, ordinal: int, symbol: str, quantity: Decimal, cash: Decimal) -> BookMoved:
    """A book holds a quantity now."""
    return BookMoved(
        sequence,
        ordinal,
        sequence,
        correlation_id=f"c{sequence}",
        strategy_id="vwap",
        symbol=symbol,
        cause="fill",
        change=SHARE,
        price=Decimal("41.24"),
        fee=Decimal("0.01"),
        quantity=quantity,
        cost=quantity * Decimal("41.24"),
        realized=Decimal("-1.2300"),
        cash=cash,
    )


def trade(sequence: int, symbol: str = "SPHD") -> list[Entry]:
    """An order is let through, filled and booked: two steps. Cash is then 100000 minus the number of trades."""
    after = sequence + 1
    fill = Fill(
        ts=after,
        client_order_id=f"m1-demo-{sequence}",
        broker_order_id=f"b{sequence}",
        symbol=symbol,
        side=Side.BUY,
        quantity=SHARE,
        price=Decimal("41.24"),
        cumulative_quantity=SHARE,
    )
    cash = Decimal(100_000 - after // STEPS)
    return [
        *approved(sequence, symbol),
        Entry(after, 0, fill),
        Entry(after, 1, moved(after, 1, f"m1-demo-{sequence}", "filled at café\n'\"\\")),
        Entry(after, 2, booked(after, 2, symbol, SHARE * after, cash)),
    ]


def flat(sequence: int, symbol: str = "SPHD") -> list[Entry]:
    """A book is sold to nothing."""
    return [Entry(sequence, 0, booked(sequence, 0, symbol, Decimal(0), Decimal("1000.10")))]


def limited(sequence: int, limit: str = "daily") -> list[Entry]:
    """A loss limit fires."""
    loss, level = Decimal("50.25"), Decimal(50)
    body = LimitMoved(sequence, 1, sequence, limit=limit, state="fired", loss=loss, level=level, session="2026-01-05")
    return [Entry(sequence, 1, body)]


def bar(sequence: int, symbol: str = "SPHD") -> list[Entry]:
    """A live bar, journaled by value."""
    return [Entry(sequence, 0, Bar(symbol, sequence, 41.0, 41.5, 40.5, 41.25, 1_000.0))]


def batch(entries: Sequence[Entry], marks: Iterable[tuple[str, float]] = (), snapshot: Snapshot | None = None) -> Batch:
    """A batch that ends with its last entry."""
    sequence = entries[-1].sequence
    return Batch(
        ts=sequence * 10,
        sequence=sequence,
        entries=tuple(entries),
        marks=tuple(Mark(symbol=symbol, start_ns=sequence, close=close) for symbol, close in marks),
        snapshot=snapshot,
    )


def snapshot(sequence: int) -> Snapshot:
    """An engine's state that names its sequence."""
    return Snapshot(sequence=sequence, engine=b"engine %d" % sequence * 100, venue=b"venue")


def next_trade(store: SqliteStore) -> Batch:
    """The trade after the last one in a store that holds nothing else."""
    sequence = store.view().as_of_sequence + 1
    return batch(trade(sequence), marks=[("SPHD", 41.0 + sequence)], snapshot=snapshot(sequence + 1))


def say(word: object) -> None:
    """Print at once: whoever reads may be about to kill this process."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def commit(path: Path) -> None:
    """Commit trades for ever; print each sequence after its commit has returned."""
    store = SqliteStore(path)
    sequence = store.view().as_of_sequence + 1
    while True:
        store.commit(batch(trade(sequence), snapshot=snapshot(sequence + 1)))
        say(sequence + 1)
        sequence += STEPS


def look(path: Path, views: int) -> None:
    """Look while another process commits; each view must be that of one commit, none older than the one before."""
    seen = 0
    last = -1
    while seen < views:
        view = SqliteReader(path).view()
        trades = view.as_of_sequence // STEPS
        held = [book.quantity for book in view.positions]
        consistent = (
            len(view.orders) == trades
            and all(order.state == "filled" for order in view.orders)
            and (not trades or (view.cash == 100_000 - trades and held == [SHARE * trades * STEPS]))
            and view.as_of_sequence >= last
        )
        if not consistent:
            sys.exit(f"inconsistent at {view.as_of_sequence} after {last}: {len(view.orders)} orders, {view.cash}")
        seen += view.as_of_sequence > last
        last = view.as_of_sequence


def limit(path: Path, size_bytes: int) -> None:
    """Commit until the system refuses to let a file grow; print each sequence, then the errors of two commits."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))
    store = SqliteStore(path)
    sequence = store.view().as_of_sequence + 1
    try:
        while True:
            store.commit(batch(trade(sequence), snapshot=snapshot(sequence + 1)))
            say(sequence + 1)
            sequence += STEPS
    except StoreError as error:
        say(f"first: {error}")
    try:
        store.commit(batch(trade(sequence)))
    except StoreError as error:
        say(f"second: {error}")
    store.close()


def fill(path: Path) -> None:
    """Commit until the disk is full; print each sequence, the error, the log's size after closing, and the head."""
    store = SqliteStore(path, keeping=Keeping(ballast_bytes=1024**2))
    sequence = 1
    try:
        while True:
            store.commit(batch(trade(sequence), snapshot=snapshot(sequence + 1)))
            say(sequence + 1)
            sequence += STEPS
    except StoreError as error:
        say(error)
    store.close()
    log = path.with_name(f"{path.name}-wal")
    say(f"log {log.stat().st_size if log.exists() else 0}")
    say(f"verified {SqliteReader(path).verify().sequence}")


def open_plainly(path: Path) -> None:
    """Open the store as a user whom permissions bind: root gives up that privilege, for which it must start anew."""
    if os.name == "posix" and os.geteuid() == 0 and "--bound" not in sys.argv:
        drop_bounding_capability, override_permissions = 24, 1
        ctypes.CDLL(None).prctl(drop_bounding_capability, override_permissions, 0, 0, 0)
        os.execv(sys.executable, [sys.executable, *sys.argv, "--bound"])
    try:
        SqliteStore(path).close()
    except StoreError as error:
        say(error)
    else:
        say("opened")


if __name__ == "__main__":
    _, task, file, *numbers = sys.argv
    if task == "commit":
        commit(Path(file))
    elif task == "look":
        look(Path(file), int(numbers[0]))
    elif task == "limited":
        limit(Path(file), int(numbers[0]))
    elif task == "full":
        fill(Path(file))
    else:
        open_plainly(Path(file))
