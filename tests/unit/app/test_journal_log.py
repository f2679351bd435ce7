"""Log lines of a journal: complete, in the catalogue's words, and enough to learn from without any other source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from mqd_core.app.journal_log import JournalLog
from mqd_core.app.recall import PASSING_MAX
from mqd_core.app.trades import TradeWalk
from mqd_core.domain import records
from mqd_core.domain.events import RunEnded, TimerFired
from mqd_core.logging import LogStream, setup_logging
from mqd_core.logging.catalogue import check_known
from mqd_core.testing.bars import make_bars, merge, session_of
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

CLOSES: Final = (100.0, 100.01, 100.1, 103.37, 103.4, 104.0, 103.0, 102.0)


def rounds(symbol: str, first: int, z: float) -> ScriptedStrategy:
    """Enters at a bar and leaves three bars later, then asks for what it cannot have: to leave again."""
    wish = {
        first: enter(symbol, reason=(("z", z), ("rule", "low"))),
        first + 3: leave(symbol, reason=(("z", -z), ("rule", "high"))),
        first + 5: leave(symbol, reason=(("z", 0.0), ("rule", "again"))),
    }
    return ScriptedStrategy(wish)


def scripted_run() -> Workbench:
    """Two strategies, orders that fill in two parts, a signal that is refused, an orderly end."""
    slots = [
        make_slot(rounds("SPY", 1, -1.5), strategy_id="one"),
        make_slot(rounds("QQQ", 2, -2.5), "QQQ", strategy_id="two"),
    ]
    bench = Workbench(make_settings(slots, FixedSizer("0.3")), ObedientVenue(parts=2))
    bench.start(session_of().open_ns)
    bench.play(merge(make_bars(CLOSES), make_bars([close / 2 for close in CLOSES], symbol="QQQ")))
    bench.wait(session_of().close_ns)
    bench.enter(RunEnded(ts=bench.engine.now_ns, reason="finished", feed_finished=True))
    return bench


def extras(lines: Iterable[dict[str, Any]], message: str) -> list[dict[str, Any]]:
    """The extras of one kind of line, each with its correlation id and time."""
    return [
        {**line["extra"], "id": line["correlation_id"], "at": line["timestamp"]}
        for line in lines
        if line["message"] == message
    ]


def written(logs, entries) -> list[tuple[str, str, str]]:
    """Stream, level and message of each line that these entries make."""
    log = JournalLog()
    log.write(entries)
    return [(line["logger"].rpartition(".")[2], line["level"], line["message"]) for line in logs.every_line()]


# To learn from


def read(folder: Path, stream: str) -> list[dict[str, Any]]:
    """The lines of one stream, as anybody can read them."""
    return [json.loads(line) for line in (folder / stream / f"{stream}.jsonl").read_text("utf-8").splitlines()]


def of_message(lines: Iterable[dict[str, Any]], message: str) -> dict[str, dict[str, Any]]:
    """The extras of one kind of line by correlation id."""
    return {line["correlation_id"]: line["extra"] for line in lines if line["message"] == message}


def training_table(folder: Path) -> list[dict[str, Any]]:
    """What somebody who trains a model makes of the files: a row a signal, with all that became of it."""
    trading, orders = read(folder, "trading"), read(folder, "orders")
    sizes, sent = of_message(trading, "Signal sized"), of_message(orders, "Order submitted")
    denied = of_message(read(folder, "risk"), "Order denied")
    trades = {
        line["extra"]["entry_correlation_id"]: line["extra"] for line in trading if line["message"] == "Trade closed"
    }
    fills: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for line in orders:
        if "fill_price" in line["extra"]:
            fill = Decimal(line["extra"]["fill_quantity"]), Decimal(line["extra"]["fill_price"])
            fills.setdefault(line["correlation_id"], []).append(fill)
    return [
        {
            "id": name,
            "signal": signal,
            "size": sizes.get(name),
            "order": sent.get(name),
            "fills": fills.get(name, []),
            "denied": denied.get(name),
            "trade": trades.get(name),
        }
        for name, signal in of_message(trading, "Signal made").items()
    ]


def value(fills: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    return sum((quantity * price for quantity, price in fills), Decimal(0))


def test_signal_order_fills_and_outcome_join_from_the_files_alone(logs, entries_of) -> None:
    """By correlation id the log tells what was seen, asked, sized, sent, filled and earned, as the journal does."""
    bench = scripted_run()
    JournalLog().write(entries_of(bench))
    logs.every_line()

    rows = training_table(logs.folder)

    refused = [row for row in rows if row["denied"]]
    assert [(row["denied"]["code"], row["order"], row["fills"]) for row in refused] == [("nothing_held", None, [])] * 2
    exits = {row["id"]: row for row in rows if row["signal"]["action"] == "exit" and not row["denied"]}
    entries = [row for row in rows if row["signal"]["action"] == "enter"]
    assert (len(exits), len(entries)) == (2, 2)
    expected = [("one", "SPY", -1.5, "100"), ("two", "QQQ", -2.5, "50.005")]
    for row, (strategy_id, symbol, z, close) in zip(entries, expected, strict=True):
        order, trade = row["order"], row["trade"]
        assert row["signal"]["indicators"] == {"z": z, "rule": "low"}
        assert (order["strategy_id"], order["symbol"], order["side"]) == (strategy_id, symbol, "buy")
        assert (row["size"]["quantity"], order["quantity"], order["entry_price"]) == ("0.3", "0.3", close)
        assert [quantity for quantity, _ in row["fills"]] == [Decimal("0.15")] * 2
        ending = exits[trade["exit_correlation_id"]]
        assert ending["signal"]["indicators"] == {"z": -z, "rule": "high"}
        assert Decimal(trade["profit"]) == value(ending["fills"]) - value(row["fills"])
        assert Decimal(trade["entry_price"]) * Decimal(trade["quantity"]) == value(row["fills"])
    profit = sum(Decimal(row["trade"]["profit"]) for row in entries)
    assert profit == bench.engine.facts.cash - bench.engine.facts.opening_cash


def test_the_documented_example_does_that(logs, entries_of, monkeypatch, capsys, project_root) -> None:
    """The code that the documentation shows prints the indicators and the profit of every trade."""
    bench = scripted_run()
    JournalLog().write(entries_of(bench))
    logs.every_line()
    page = (project_root / "docs" / "LOGGING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(logs.folder.parent)

    exec(compile(code, "LOGGING.md", "exec"), {})

    printed = capsys.readouterr().out.splitlines()
    assert printed == ["{'z': -1.5, 'rule': 'low'} 1.014", "{'z': -2.5, 'rule': 'low'} 0.54675"]


def test_the_log_agrees_with_the_walk(logs, entries_of) -> None:
    """Trades and counts in the log are those of the result."""
    entries = entries_of(scripted_run())
    JournalLog().write(entries)
    walk = TradeWalk()
    for entry in entries:
        walk.take(entry)

    closed = extras(logs.lines(LogStream.TRADING), "Trade closed")
    (ended,) = extras(logs.lines(LogStream.SYSTEM), "Run ended")

    assert [(Decimal(line["profit"]), line["seconds_held"], line["id"]) for line in closed] == [
        (trade.profit, trade.seconds_held, trade.correlation_out) for trade in walk.trades
    ]
    assert (
        (ended["orders"], ended["fills"], ended["trades"]) == (walk.orders, walk.fills, len(walk.trades)) == (4, 8, 2)
    )
    assert (ended["reason"], ended["run_id"]) == ("finished", "run-1")


def test_how_entries_are_cut_does_not_matter(tmp_path, logs, entries_of) -> None:
    """One by one, as after a backtest, or in batches, as while a desk runs: the same bytes in every stream."""
    entries = entries_of(scripted_run())
    JournalLog().write(entries)
    logs.every_line()
    setup_logging(tmp_path / "other", console=None, strict=True)
    log = JournalLog()
    for entry in entries:
        log.write((entry,))
    setup_logging(tmp_path / "last", console=None)
    for stream in LogStream:
        name = Path(stream.value, f"{stream.value}.jsonl")
        assert (tmp_path / "other" / name).read_bytes() == (logs.folder / name).read_bytes()


# Line by line


def test_an_order_from_approval_to_its_last_fill(logs, entries_of) -> None:
    """Each line has the order's fields, the record's time and the signal's id; what is not there is left out."""
    JournalLog().write(entries_of(scripted_run()))
    lines = logs.lines(LogStream.ORDERS)
    lines = [line for line in lines if line["correlation_id"] == lines[0]["correlation_id"]]
    identifier = lines[0]["extra"]["order_id"]
    order = {"order_id": identifier, "symbol": "SPY", "quantity": "0.3", "side": "buy", "strategy_id": "one"}
    sent = {**order, "entry_price": "100", "run_id": "run-1"}
    known = {**order, "broker_order_id": "venue-1", "request": "none", "run_id": "run-1"}
    taken = {**known, "previous_state": "submitting", "state": "working", "filled_quantity": "0"}
    first = {"previous_state": "working", "state": "working", "filled_quantity": "0.15", "fill_price": "100"}
    last = {"previous_state": "working", "state": "filled", "filled_quantity": "0.3", "fill_price": "100.01"}
    fill = {"fill_quantity": "0.15", "fee": "0", "code": "fill"}
    assert [(line["message"], line["extra"]) for line in lines] == [
        ("Order approved", {**sent, "purpose": "entry", "order_type": "market", "time_in_force": "day"}),
        ("Order submitted", {**sent, "attempt": 1}),
        ("Order acknowledged", taken),
        ("Order partially filled", {**known, **fill, **first}),
        ("Order filled", {**known, **fill, **last}),
    ]
    assert [line["timestamp"][11:19] for line in lines] == ["14:31:00"] * 4 + ["14:32:00"]


def test_books_and_cash(logs, entries_of) -> None:
    """Every change of a book says what it realized, and the opening says what there was."""
    JournalLog().write(entries_of(scripted_run()))
    opening, *moves = extras(logs.lines(LogStream.POSITIONS), "Book moved")
    assert (opening["cause"], opening["cash"], opening["id"]) == ("opening", "1000", None)
    mine = [move for move in moves if move["strategy_id"] == "one"]
    assert [(move["change"], move["price"], move["quantity"], move.get("average_price")) for move in mine] == [
        ("0.15", "100", "0.15", "100"),
        ("0.15", "100.01", "0.3", "100.005"),
        ("-0.15", "103.37", "0.15", "100.005"),
        ("-0.15", "103.4", "0", None),
    ]
    assert [move["realized_profit"] for move in mine] == ["0", "0", "0.50475", "0.50925"]


def test_sessions_open_and_close(logs, entries_of) -> None:
    """The engine keeps no record of its sessions; the log tells of them by the same table and times."""
    JournalLog().write(entries_of(scripted_run()))
    lines = logs.lines(LogStream.SYSTEM)
    (opened,) = extras(lines, "Session opened")
    (closed,) = extras(lines, "Session closed")
    assert (opened["session_date"], opened["at"], opened["closes_at"]) == (
        "2025-01-06",
        "2025-01-06T14:30:00.000000Z",
        "2025-01-06T21:00:00Z",
    )
    assert (closed["session_date"], closed["at"], closed["next_open_at"]) == (
        "2025-01-06",
        "2025-01-06T21:00:00.000000Z",
        "2025-01-07T14:30:00Z",
    )


# What it remembers


def test_a_restart_goes_on_with_what_was_open(logs, entries_of) -> None:
    """What an earlier process committed is remembered without a line: side, entry and profit are known in this one."""
    entries = entries_of(scripted_run())
    middle = next(place for place, entry in enumerate(entries) if getattr(entry.body, "cause", "") == "fill") + 1
    log = JournalLog()
    log.remember(entries[:middle])
    assert logs.every_line() == []
    log.write(entries[middle:])
    whole = TradeWalk()
    for entry in entries:
        whole.take(entry)

    closed = extras(logs.lines(LogStream.TRADING), "Trade closed")
    moves = extras(logs.lines(LogStream.POSITIONS), "Book moved")
    (ended,) = extras(logs.lines(LogStream.SYSTEM), "Run ended")

    assert [Decimal(line["profit"]) for line in closed] == [trade.profit for trade in whole.trades]
    assert all("side" in line["extra"] for line in logs.lines(LogStream.ORDERS))
    assert all("realized_profit" in move for move in moves)
    assert ended["trades"] == 2


def test_what_was_before_is_not_made_up(logs, entries_of) -> None:
    """A log that begins in the middle leaves out what it cannot know, and tells of no trade that it saw half of."""
    entries = entries_of(scripted_run())
    middle = next(place for place, entry in enumerate(entries) if getattr(entry.body, "cause", "") == "fill") + 1
    JournalLog().write(entries[middle:])

    closed = extras(logs.lines(LogStream.TRADING), "Trade closed")
    first = logs.lines(LogStream.POSITIONS)[0]["extra"]

    assert [line["strategy_id"] for line in closed] == ["two"]
    assert first["strategy_id"] == "one"
    assert "realized_profit" not in first
    mine = [line["extra"] for line in logs.lines(LogStream.ORDERS) if line["extra"].get("strategy_id") is None]
    assert [line["fill_price"] for line in mine] == ["100.01"]
    assert mine[0].keys() >= {"order_id", "symbol", "broker_order_id"}


def test_memory_is_that_of_what_is_alive(journal) -> None:
    """Twenty thousand orders that are over leave no more behind than the newest ones."""
    journal.event(TimerFired)
    log = JournalLog()
    for number in range(20_000):
        journal.approve(f"o{number}")
        journal.move("working", "filled", f"o{number}")
        log.remember(journal.entries[1:])
        del journal.entries[1:]
    assert len(log._orders) == PASSING_MAX
    assert log._orders.get("o19999") is not None
    assert log._orders.get("o0") is None


# How long things took


def test_timings_have_their_order_and_the_time_of_day(logs, entries_of) -> None:
    """What took long is told in microseconds, of which order and which signal, where it was about one."""
    bench = scripted_run()
    log = JournalLog()
    log.write(entries_of(bench))
    order = bench.of(records.Approved)[-1]
    log.timing("step", "", 1_500)
    log.timing("step", order.client_order_id, 2_500)
    log.timing("commit", "", 2_000_000)
    log.timing("submit", order.client_order_id, 250_000)
    log.timing("acknowledgement", order.client_order_id, 1)
    log.timing("submit", "unknown", 5)

    lines = logs.lines(LogStream.PERFORMANCE)

    known = {"order_id": order.client_order_id, "symbol": "QQQ"}
    assert [(line["level"], line["message"], line["correlation_id"], line["extra"]) for line in lines] == [
        ("INFO", "Step timed", None, {"duration_us": 1.5}),
        ("INFO", "Step timed", order.correlation_id, {"duration_us": 2.5, **known}),
        ("INFO", "Commit timed", None, {"duration_us": 2000.0}),
        ("INFO", "Submit timed", order.correlation_id, {"duration_us": 250.0, **known}),
        ("INFO", "Acknowledgement timed", order.correlation_id, {"duration_us": 0.001, **known}),
        ("INFO", "Submit timed", None, {"duration_us": 0.005, "order_id": "unknown"}),
    ]
    assert all(line["timestamp"] > "2025-01-07" for line in lines)
    for line in lines:
        check_known(LogStream.PERFORMANCE, line["message"], line["extra"])


def test_a_timing_that_is_none_is_refused() -> None:
    """A slip in a kind is found by the first test that times it."""
    with pytest.raises(ValueError, match="no timing is called 'stpe'; there are step, commit, submit, acknowledgement"):
        JournalLog().timing("stpe", "", 1)
