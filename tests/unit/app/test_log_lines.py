"""What each kind of journal entry says in the log, one by one, in the catalogue's words and in no other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pytest

from mqd_core.app.journal_log import JournalLog
from mqd_core.domain import events
from mqd_core.domain.events import BarRevised, FeedStatus, Fill, QueryOutcome, RunEnded, RunStarted
from mqd_core.domain.market import Bar
from mqd_core.domain.orders import OrderType, Side, TimeInForce
from mqd_core.domain.records import (
    Alert,
    CoverState,
    Denied,
    DeskMoved,
    DeskState,
    LimitMoved,
    PluginMoved,
    ProtectionMoved,
    Severity,
)
from mqd_core.domain.signals import SignalAction

OPEN_NS: Final = 1_736_173_800_000_000_000
START: Final[dict[str, Any]] = {
    "run_id": "r",
    "desk_id": "d",
    "mode": "run",
    "book": 1,
    "configuration": "c",
    "feed": "f",
    "versions": (("mqd-core", "0.1.0"), ("broker:mock", "x 1")),
    "strategies": (("one", "Some"),),
}


def written(logs, entries) -> list[dict[str, Any]]:
    """The lines that these entries make."""
    JournalLog().write(entries)
    return logs.every_line()


def told(lines) -> list[tuple[str, str, str]]:
    """Stream, level and message of lines."""
    return [(line["logger"].rpartition(".")[2], line["level"], line["message"]) for line in lines]


def extra_of(lines, message: str) -> dict[str, Any]:
    """The extra of the only line with that message."""
    (line,) = [line for line in lines if line["message"] == message]
    return line["extra"]


def fill(ts: int, quantity: str, cumulative: str) -> Fill:
    return Fill(
        ts=ts,
        client_order_id="o",
        broker_order_id="b",
        symbol="SPY",
        side=Side.SELL,
        quantity=Decimal(quantity),
        price=Decimal("10.10"),
        cumulative_quantity=Decimal(cumulative),
        fee=Decimal("0.020"),
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("submitting", "pending", ("INFO", "Order acknowledged")),
        ("unknown", "working", ("INFO", "Order acknowledged")),
        ("unknown", "unknown", ("INFO", "Order moved")),
        ("pending", "working", ("INFO", "Order moved")),
        ("working", "working", ("INFO", "Order moved")),
        ("working", "filled", ("INFO", "Order filled")),
        ("working", "canceled", ("INFO", "Order canceled")),
        ("working", "expired", ("INFO", "Order expired")),
        ("submitting", "rejected", ("WARNING", "Order rejected")),
        ("submitting", "unknown", ("WARNING", "Order outcome unknown")),
        ("unknown", "abandoned", ("WARNING", "Order moved")),
        ("filled", "filled", ("INFO", "Order moved")),
    ],
)
def test_each_move_of_an_order_has_its_line(logs, journal, before, after, expected) -> None:
    """The message says what happened to the order, and a doubtful or bad end warns."""
    journal.event(events.TimerFired)
    journal.move(before, after, code="c", text="words", request="cancel")
    (line,) = [line for line in written(logs, journal.entries) if line["logger"] == "miniquantdesk.orders"]
    assert (line["level"], line["message"], line["correlation_id"]) == (*expected, "c-o")
    assert line["extra"] == {
        "order_id": "o",
        "symbol": "SPY",
        "broker_order_id": "b",
        "previous_state": before,
        "state": after,
        "filled_quantity": "0",
        "request": "cancel",
        "code": "c",
        "reason": "words",
    }


def test_prices_and_quantities_are_plain_digits(logs, journal) -> None:
    """A decimal is written as people write it, an order by notional has a notional."""
    journal.event(RunStarted, **START)
    limits = {"limit_price": Decimal("10.10"), "stop_price": Decimal("10.2"), "reference_price": Decimal("10.30")}
    kind = {"side": Side.SELL, "order_type": OrderType.STOP_LIMIT, "time_in_force": TimeInForce.GTC}
    journal.approve(quantity=Decimal("1E+2"), **kind, **limits)
    journal.approve("p", quantity=None, notional=Decimal("25.50"))
    by_quantity, by_notional = (
        line["extra"] for line in written(logs, journal.entries) if line["message"] == "Order approved"
    )
    assert by_quantity == {
        "order_id": "o",
        "symbol": "SPY",
        "quantity": "100",
        "side": "sell",
        "strategy_id": "one",
        "purpose": "entry",
        "order_type": "stop_limit",
        "time_in_force": "gtc",
        "limit_price": "10.1",
        "stop_price": "10.2",
        "entry_price": "10.3",
        "run_id": "r",
    }
    assert by_notional["notional"] == "25.5"
    assert not {"quantity", "limit_price", "stop_price"} & set(by_notional)


def test_a_second_attempt_is_told_of(logs, journal) -> None:
    """An order that was proven not to have been sent is sent again, which has no record but an outcome."""
    journal.event(events.TimerFired)
    journal.approve()
    for attempt in (1, 2):
        journal.event(
            events.SubmitOutcome, client_order_id="o", attempt=attempt, outcome=events.Outcome.NOT_SENT, code="x"
        )
    journal.event(events.SubmitOutcome, client_order_id="other", attempt=2, outcome=events.Outcome.ACCEPTED)
    lines = [line for line in written(logs, journal.entries) if line["message"] == "Order submitted"]
    assert [line["extra"]["attempt"] for line in lines] == [1, 2]
    assert lines[1]["timestamp"] > lines[0]["timestamp"]


def test_fills_that_a_query_brought(logs, journal) -> None:
    """Executions come to light by asking, too; a late one for an order that is over is a partial fill of it."""
    journal.event(events.TimerFired)
    journal.approve(side=Side.SELL)
    journal.move("working", "canceled")
    now = journal.now_ns
    found = (fill(now, "30", "30"), fill(now, "20", "50"))
    journal.event(QueryOutcome, client_order_id="o", outcome=events.Outcome.FOUND, fills=found)
    journal.move("canceled", "canceled", filled="30", code="fill")
    journal.move("canceled", "canceled", filled="50", code="fill")
    journal.event(events.TimerFired)
    journal.move("canceled", "canceled", filled="50", code="fill")

    lines = [line for line in written(logs, journal.entries) if line["logger"] == "miniquantdesk.orders"][3:]

    assert [line["message"] for line in lines] == ["Order partially filled", "Order partially filled", "Order moved"]
    assert [line["extra"].get("fill_quantity") for line in lines] == ["30", "20", None]
    assert (lines[0]["extra"]["fee"], lines[0]["extra"]["fill_price"]) == ("0.02", "10.1")
    assert lines[0]["extra"]["side"] == "sell"


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (FeedStatus, {"code": "up"}, ("data", "INFO", "Feed status")),
        (FeedStatus, {"code": "silent"}, ("data", "WARNING", "Feed status")),
        (events.StreamStatus, {"stream": "orders", "state": "up"}, ("system", "INFO", "Connection moved")),
        (events.StreamStatus, {"stream": "orders", "state": "down"}, ("system", "WARNING", "Connection moved")),
        (events.Command, {"command_id": "1", "name": "halt"}, ("system", "WARNING", "Command taken")),
        (BarRevised, {"bar": Bar("SPY", OPEN_NS, 1, 1, 1, 1, 1)}, ("data", "INFO", "Bar revised")),
        (RunStarted, START, ("system", "INFO", "Run started")),
    ],
)
def test_each_event_has_its_line(logs, journal, kind, fields, expected) -> None:
    """What comes from outside is told of in its stream, and trouble warns."""
    journal.event(kind, **fields)
    assert expected in told(written(logs, journal.entries))


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (LimitMoved, {"limit": "daily", "state": "opened"}, ("risk", "INFO", "Limit moved")),
        (LimitMoved, {"limit": "weekly", "state": "fired"}, ("risk", "WARNING", "Limit moved")),
        (LimitMoved, {"limit": "breaker", "state": "fired"}, ("risk", "ERROR", "Circuit breaker tripped")),
        (LimitMoved, {"limit": "breaker", "state": "lifted"}, ("risk", "INFO", "Limit moved")),
        (ProtectionMoved, {"state": CoverState.ARMED}, ("risk", "INFO", "Protection moved")),
        (ProtectionMoved, {"state": CoverState.UNPROTECTED}, ("risk", "ERROR", "Protection moved")),
        (DeskMoved, {"after": DeskState.READY}, ("system", "INFO", "Desk state moved")),
        (DeskMoved, {"after": DeskState.FROZEN}, ("system", "WARNING", "Desk state moved")),
        (DeskMoved, {"after": DeskState.HALTED}, ("system", "CRITICAL", "Desk state moved")),
        (PluginMoved, {}, ("system", "ERROR", "Plugin moved")),
        (Alert, {"severity": Severity.NOTICE}, ("system", "INFO", "Alert raised")),
        (Alert, {"severity": Severity.WARNING}, ("system", "WARNING", "Alert raised")),
        (Alert, {"severity": Severity.CRITICAL}, ("system", "CRITICAL", "Alert raised")),
        (Denied, {}, ("risk", "WARNING", "Order denied")),
    ],
)
def test_each_record_has_its_line(logs, journal, kind, fields, expected) -> None:
    """What the desk decided is told of in its stream, as loud as it is serious."""
    defaults: dict[type, dict[str, Any]] = {
        LimitMoved: {"loss": Decimal("1.50"), "level": Decimal(950)},
        ProtectionMoved: {"strategy_id": "one", "symbol": "SPY", "quantity": Decimal(1)},
        DeskMoved: {"before": DeskState.STARTING, "code": "c"},
        PluginMoved: {
            "plugin": "strategy:x",
            "symbol": "SPY",
            "state": "quarantined",
            "error_type": "E",
            "place": "p:1",
        },
        Alert: {"code": "c", "subject": "s", "text": "t"},
        Denied: {
            "correlation_id": "x",
            "strategy_id": "one",
            "symbol": "SPY",
            "action": SignalAction.ENTER,
            "code": "c",
            "text": "t",
        },
    }
    journal.event(events.AccountSnapshot, account="a", cash=Decimal(1), buying_power=Decimal(1))
    journal.record(kind, **{**defaults[kind], **fields})
    assert told(written(logs, journal.entries)) == [expected]


def test_a_bust_takes_a_trade_back(logs, journal) -> None:
    """The log of a trade that was busted says so, at the time of the bust, with the trade's own ids."""
    journal.event(RunStarted, **START)
    journal.fill("buy", "2", "10", correlation_id="in")
    journal.fill("sell", "2", "12", correlation_id="out", fee="0.1")
    journal.event(events.TimerFired)
    journal.fill("buy", "2", "12", correlation_id="out", cause="bust")
    journal.event(RunEnded, reason="halted")

    lines = written(logs, journal.entries)

    (closed,) = [line for line in lines if line["message"] == "Trade closed"]
    (reopened,) = [line for line in lines if line["message"] == "Trade reopened"]
    assert closed["extra"]["profit"] == "3.9"
    assert reopened["correlation_id"] == closed["correlation_id"] == "out"
    assert (reopened["extra"]["entry_correlation_id"], reopened["level"]) == ("in", "WARNING")
    assert reopened["timestamp"] > closed["timestamp"]
    assert extra_of(lines, "Run ended")["trades"] == 0


def test_money_that_no_fill_explains(logs, journal) -> None:
    """An activity has an amount and no shares; the opening has neither."""
    journal.event(events.TimerFired)
    journal.cash("opening")
    journal.cash("activity:DIV", "-1.250")
    opening, dividend = (line["extra"] for line in written(logs, journal.entries) if line["message"] == "Book moved")
    assert opening == {"cause": "opening", "fee": "0", "cash": "500"}
    assert dividend == {"cause": "activity:DIV", "fee": "0", "cash": "500", "amount": "-1.25"}


def test_a_day_that_the_broker_closes(logs, journal) -> None:
    """An unscheduled close ends the session in the log too."""
    journal.event(RunStarted, **START)
    journal.event(events.SessionChanged, date="2025-01-06", close_ns=journal.now_ns)
    closed = extra_of(written(logs, journal.entries), "Session closed")
    assert (closed["session_date"], closed["next_open_at"]) == ("2025-01-06", "2025-01-07T14:30:00Z")
