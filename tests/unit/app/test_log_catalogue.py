"""The catalogue and what a journal makes of it agree: nothing unknown is written, nothing promised is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, get_args

import pytest

from mqd_core.app.journal_log import JournalLog
from mqd_core.app.log_lines import PLAIN
from mqd_core.domain import events, records
from mqd_core.domain.events import Fill, Outcome, QueryOutcome, RunEnded, RunStarted
from mqd_core.domain.market import MINUTE_NS, Bar
from mqd_core.domain.orders import Side
from mqd_core.domain.records import (
    Alert,
    CoverState,
    DeskMoved,
    DeskState,
    DifferenceMoved,
    LimitMoved,
    PluginMoved,
    ProtectionMoved,
    Severity,
    Sized,
    SymbolMoved,
)
from mqd_core.logging import EVENTS, LogStream
from mqd_core.logging.catalogue import check_known
from mqd_core.runtime.validator import Gap, Rejection
from mqd_core.testing.bars import session_of

#: What the registry writes, or logging itself.
NOT_FROM_A_JOURNAL: Final = {
    "Plugin loaded",
    "Uncaught error",
    "Log lines dropped",
    "Log lines lost",
    "Log rotation postponed",
}
#: Events whose consequences are records, or that are too many to tell of.
WITHOUT_A_LINE: Final = {
    "AccountSnapshot",
    "Activity",
    "Bar",
    "CancelOutcome",
    "ClockJumped",
    "Fill",
    "FillBusted",
    "OrderReport",
    "PluginFailed",
    "QueryOutcome",
    "WarmedUp",
}


def tell_of_the_desk(journal) -> None:
    """Every event and record that is about the desk itself, with all its fields."""
    open_ns = session_of().open_ns
    start = {"run_id": "r", "desk_id": "d", "mode": "run", "book": 1, "configuration": "c", "feed": "f"}
    journal.event(RunStarted, versions=(("mqd-core", "0.1.0"),), strategies=(("one", "Some"),), **start)
    journal.event(events.BarRevised, bar=Bar("SPY", open_ns, 1, 1, 1, 1, 1))
    journal.event(events.FeedStatus, code="halted", symbol="SPY", text="t")
    journal.event(events.StreamStatus, stream="s", state="up", text="t")
    journal.event(events.Command, command_id="1", name="halt", reason="r", person="p")
    journal.record(DeskMoved, before=DeskState.READY, after=DeskState.HALTED, code="c", text="t")
    journal.record(SymbolMoved, symbol="SPY", state="frozen", code="external", text="t")
    journal.record(DifferenceMoved, symbol="SPY", state="read", books=Decimal(1), broker=Decimal(2))
    journal.record(Alert, severity=Severity.NOTICE, code="c", subject="s", text="t")
    fault = {"plugin": "p", "symbol": "SPY", "state": "failed", "error_type": "E", "place": "p:1", "text": "t"}
    journal.record(PluginMoved, **fault)
    measured = {"loss": Decimal(1), "level": Decimal(9), "until_ns": open_ns, "session": "2025-01-06"}
    for limit in ("weekly", "breaker"):
        journal.record(LimitMoved, limit=limit, state="fired", **measured)


def tell_of_protection(journal) -> None:
    """A stop rests, and then it does not."""
    rests = {"strategy_id": "one", "symbol": "SPY", "quantity": Decimal(1), "stop_price": Decimal(99)}
    journal.record(ProtectionMoved, state=CoverState.ARMED, client_order_id="o", **rests)
    journal.record(ProtectionMoved, state=CoverState.UNPROTECTED, code="c", text="t", **rests)


def tell_of_orders(journal) -> None:
    """Signals and both sorts of orders, through all of their ends."""
    levels = {"stop_loss": Decimal("0.02"), "take_profit": Decimal("0.01")}
    journal.signal("c-o", reason=(("z", 1),), **levels)
    for quantity, notional in ((Decimal(1), None), (None, Decimal(1))):
        journal.record(Sized, correlation_id="c-o", quantity=quantity, notional=notional, reason="r")
    journal.deny("c-other", "duplicate")
    for key, amount in (("o", {}), ("p", {"quantity": None, "notional": Decimal(5)})):
        journal.approve(key, limit_price=Decimal(1), stop_price=Decimal(1), **amount)
        for after in ("working", "unknown", "paused", "canceled", "expired", "rejected"):
            before = "submitting" if after == "working" else "pending"
            journal.move(before, after, key, code="c", text="t")
        for after in ("working", "filled"):
            made = Fill(
                ts=journal.now_ns,
                client_order_id=key,
                broker_order_id="b",
                symbol="SPY",
                side=Side.BUY,
                quantity=Decimal(1),
                price=Decimal(1),
                cumulative_quantity=Decimal(1),
            )
            journal.event(QueryOutcome, client_order_id=key, outcome=Outcome.FOUND, fills=(made,))
            journal.move("working", after, key, filled="1", code="fill", text="t")


def tell_of_books(journal) -> None:
    """Money and shares, a trade and its bust, the end of the session and of the run."""
    journal.cash("opening")
    journal.cash("activity:FEE", "-1", fee="1")
    journal.fill("buy", "2", "10", correlation_id="c-o")
    journal.fill("sell", "2", "12", correlation_id="c-p")
    journal.fill("buy", "2", "12", correlation_id="c-p", cause="bust")
    journal.event(events.TimerFired, ts=session_of().close_ns)
    journal.event(RunEnded, reason="finished")


@pytest.fixture
def lines(logs, journal) -> list[dict[str, Any]]:
    """The lines of everything that can happen."""
    log = JournalLog("r")
    log.rejected([Rejection("SPY", session_of().open_ns, 7, "order", "came late")])
    log.gaps([Gap("SPY", session_of().open_ns, 1)])
    tell_of_the_desk(journal)
    tell_of_protection(journal)
    tell_of_orders(journal)
    tell_of_books(journal)
    log.write(journal.entries)
    for kind in ("step", "commit", "submit", "acknowledgement"):
        log.timing(kind, "" if kind == "commit" else "o", 1)
    written: list[dict[str, Any]] = logs.every_line()
    return written


def test_nothing_promised_is_never_written(lines) -> None:
    """Every event and every field that the catalogue has of a journal stands in some line, and no other."""
    found: dict[str, set[str]] = {}
    for line in lines:
        found.setdefault(line["message"], set()).update(line["extra"])
    assert found == {event.message: set(event.fields) for event in EVENTS if event.message not in NOT_FROM_A_JOURNAL}


def test_timings_too_are_in_the_catalogue(lines) -> None:
    """Lines that are not records are held to it here, since the log itself does not."""
    timings = [line for line in lines if line["logger"] == "miniquantdesk.performance"]
    assert len(timings) == 4
    for line in timings:
        check_known(LogStream.PERFORMANCE, line["message"], line["extra"])


def test_every_line_of_a_journal_says_which_run_wrote_it(lines) -> None:
    """Several runs may share a log folder: lines of a run can be told from those of another."""
    assert {line["extra"].get("run_id") for line in lines if line["logger"] != "miniquantdesk.performance"} == {"r"}


def test_no_kind_of_entry_was_forgotten() -> None:
    """Records all have a line; events without one are listed here."""
    handled = {*PLAIN, *JournalLog()._handlers}
    assert {*get_args(records.Record)} <= handled
    assert {kind.__name__ for kind in {*get_args(events.Event)} - handled} == WITHOUT_A_LINE


@pytest.mark.parametrize(
    ("date", "minute", "missing", "gap_from"),
    [
        ("2025-01-06", 5, 2, "2025-01-06T14:33:00Z"),
        ("2025-01-07", 0, 1, "2025-01-06T20:59:00Z"),
        ("2025-01-07", 3, 5, "2025-01-06T20:58:00Z"),
        # Over a weekend and the half day after Thanksgiving, 210 minutes long.
        ("2024-12-02", 1, 212, "2024-11-27T20:59:00Z"),
    ],
)
def test_a_gap_begins_in_the_session_in_which_it_began(logs, date, minute, missing, gap_from) -> None:
    """Bars are missing inside sessions only: a gap over a night or a weekend is counted back through them."""
    start_ns = session_of(date).open_ns + minute * MINUTE_NS
    JournalLog("r").gaps([Gap("SPY", start_ns, missing)])
    (line,) = logs.lines(LogStream.DATA)
    assert (line["message"], line["extra"]["gap_from"], line["extra"]["bars"]) == ("Data gap", gap_from, missing)


def test_a_gap_before_the_calendar_ends_there(logs) -> None:
    """Where the table knows no session there is nothing to count back through."""
    JournalLog("r").gaps([Gap("SPY", 60 * MINUTE_NS, 5)])
    (line,) = logs.lines(LogStream.DATA)
    assert line["extra"]["gap_from"] == line["extra"]["gap_until"] == "1970-01-01T01:00:00Z"
