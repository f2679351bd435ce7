"""Round trips and counts of a run, as a fold over its journal. Exact; may not decide anything."""

from __future__ import annotations

from collections import Counter

import msgspec

from mqd_core.domain.journal import Entry
from mqd_core.domain.money import ZERO, add
from mqd_core.domain.records import Alert, Approved, BookMoved, Denied, OrderMoved, PluginMoved, SignalMade


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One closed round trip."""

    strategy_id: str
    symbol: str


class TradeWalk:
    """Counts what a journal tells, entry by entry, in order."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.signals = self.orders = self.fills = self.rejected = self.alerts = self.plugin_faults = 0
        self.denied: Counter[str] = Counter()
        self.fees = ZERO
        self.fault_texts: list[str] = []

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        body = entry.body
        if isinstance(body, SignalMade):
            self.signals += 1
        elif isinstance(body, Approved):
            self.orders += 1
        elif isinstance(body, Denied):
            self.denied[body.code] += 1
        elif isinstance(body, OrderMoved):
            self.rejected += body.after == "rejected" and body.before != "rejected"
        elif isinstance(body, BookMoved):
            self.fees = add(self.fees, body.fee)
            self.fills += body.cause == "fill"
        elif isinstance(body, Alert):
            self.alerts += 1
        elif isinstance(body, PluginMoved) and body.state in ("quarantined", "failed"):
            self.plugin_faults += 1
            self.fault_texts.append(f"{body.plugin} raised {body.error_type} at {body.place}: {body.text}")
