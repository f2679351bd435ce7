"""Journals for tests of what is made of them: written by hand, or by an engine on a workbench; and logs read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mqd_core.domain.journal import Body, Entry
from mqd_core.domain.ledger import Ledger
from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.orders import OrderType, Purpose, Side, TimeInForce
from mqd_core.domain.records import Approved, BookMoved, Denied, OrderMoved, SignalMade
from mqd_core.domain.signals import Reason, SignalAction
from mqd_core.logging import LogStream, flush_logging, setup_logging, shutdown_logging
from mqd_core.testing.bars import session_of
from mqd_core.testing.engines import Workbench


class Journal:
    """A journal written by hand; numbers entries as the engine does, a minute an event, with books that add up."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.ledger = Ledger()
        self.now_ns = session_of().open_ns

    def event(self, kind: Callable[..., Body], **fields: Any) -> Any:
        """Add an event."""
        self.now_ns += MINUTE_NS
        body = kind(**{"ts": self.now_ns, **fields})
        self.entries.append(Entry(self.entries[-1].sequence + 1 if self.entries else 1, 0, body))
        return body

    def record(self, kind: Callable[..., Body], **fields: Any) -> Any:
        """Add a record of the last event."""
        last = self.entries[-1]
        body = kind(last.sequence, last.ordinal + 1, self.now_ns, **fields)
        self.entries.append(Entry(last.sequence, last.ordinal + 1, body))
        return body

    def signal(self, correlation_id: str, reason: Reason = (), **changes: Any) -> SignalMade:
        """Add a signal: a wish to buy SPY, but for `changes`."""
        fields: dict[str, Any] = {
            "strategy_id": "one",
            "symbol": "SPY",
            "action": SignalAction.ENTER,
            "order_type": OrderType.MARKET,
            "price": Decimal(100),
        }
        made: SignalMade = self.record(
            SignalMade, correlation_id=correlation_id, reason=reason, **{**fields, **changes}
        )
        return made

    def approve(self, key: str = "o", **changes: Any) -> Approved:
        """Add an approval: a market order to buy one SPY, but for `changes`; its signal's id is `c-` and its key."""
        fields: dict[str, Any] = {
            "correlation_id": f"c-{key}",
            "client_order_id": key,
            "strategy_id": "one",
            "symbol": "SPY",
            "purpose": Purpose.ENTRY,
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "time_in_force": TimeInForce.DAY,
            "quantity": Decimal(1),
            "notional": None,
            "limit_price": None,
            "stop_price": None,
            "reference_price": Decimal(100),
        }
        approved: Approved = self.record(Approved, **{**fields, **changes})
        return approved

    def move(self, before: str, after: str, key: str = "o", filled: str = "0", **changes: Any) -> OrderMoved:
        """Add a move of an order."""
        moved: OrderMoved = self.record(
            OrderMoved,
            correlation_id=f"c-{key}",
            client_order_id=key,
            broker_order_id="b",
            symbol="SPY",
            before=before,
            after=after,
            cumulative=Decimal(filled),
            **changes,
        )
        return moved

    def deny(self, correlation_id: str, code: str) -> Denied:
        """Add a denial."""
        denied: Denied = self.record(
            Denied,
            correlation_id=correlation_id,
            strategy_id="one",
            symbol="SPY",
            action=SignalAction.ENTER,
            code=code,
            text="no",
        )
        return denied

    def cash(self, cause: str, amount: str = "0", fee: str = "0") -> None:
        """Add what moves the account and no book."""
        fields = dict.fromkeys(("price", "quantity", "cost", "realized"), Decimal(0))
        names = dict.fromkeys(("correlation_id", "strategy_id", "symbol"), "")
        amounts = {"change": Decimal(amount), "fee": Decimal(fee), "cash": Decimal(500)}
        self.record(BookMoved, cause=cause, **names, **fields, **amounts)

    def fill(
        self,
        side: str,
        quantity: str | Decimal,
        price: str | Decimal,
        *,
        fee: str | Decimal = "0",
        correlation_id: str = "",
        cause: str = "fill",
        symbol: str = "SPY",
        strategy_id: str = "one",
    ) -> BookMoved:
        """Add what an execution does to a book."""
        amount = Decimal(quantity)
        book = self.ledger.fill(strategy_id, symbol, Side(side), amount, Decimal(price), Decimal(fee))
        moved: BookMoved = self.record(
            BookMoved,
            correlation_id=correlation_id,
            strategy_id=strategy_id,
            symbol=symbol,
            cause=cause,
            change=amount if side == "buy" else amount.copy_negate(),
            price=Decimal(price),
            fee=Decimal(fee),
            quantity=book.quantity,
            cost=book.cost,
            realized=book.realized,
            cash=self.ledger.cash,
        )
        return moved


class Logs:
    """A log folder, held to the catalogue, and its lines read back from the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        setup_logging(folder, "DEBUG", console=None, strict=True, when_full="wait")

    def lines(self, stream: LogStream) -> list[dict[str, Any]]:
        """The lines of a stream by now."""
        assert flush_logging()
        text = (self.folder / stream.value / f"{stream.value}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def every_line(self) -> list[dict[str, Any]]:
        """All lines, stream by stream."""
        return [line for stream in LogStream for line in self.lines(stream)]


@pytest.fixture(scope="session")
def new_journal() -> Callable[[], Journal]:
    """Begin a journal by hand."""
    return Journal


@pytest.fixture
def journal(new_journal: Callable[[], Journal]) -> Journal:
    """A journal by hand."""
    return new_journal()


@pytest.fixture
def entries_of() -> Callable[[Workbench], list[Entry]]:
    """The journal of an engine on a workbench; bars are in it by reference only, so not at all."""

    def entries(bench: Workbench) -> list[Entry]:
        found = [Entry(sequence, 0, event) for sequence, event in bench.events]
        found += [Entry(record.sequence, record.ordinal, record) for record in bench.records]
        return sorted(found, key=lambda entry: (entry.sequence, entry.ordinal))

    return entries


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    """Logging, switched on for one test."""
    yield Logs(tmp_path / "logs")
    shutdown_logging()
