"""The public shape of the log: the example that users are shown, and the keys and values of a line."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from mqd_core.logging import LogContext, LogStream, current_correlation_id, get_logger, setup_logging, write_record

EVENT_NS = 1_737_311_445_123_456_789


def test_the_example_of_the_documentation_runs_as_written(logs) -> None:
    """Set-up, logger and context as users are shown them give one line of the documented shape."""
    config = SimpleNamespace(
        logging=SimpleNamespace(log_dir=logs.folder, log_level=Enum("Level", {"INFO": "INFO"}).INFO, json_logs=True)
    )
    setup_logging(
        log_dir=config.logging.log_dir, log_level=config.logging.log_level.value, json_logs=config.logging.json_logs
    )
    logger = get_logger(LogStream.ORDERS)
    with LogContext("order_12345"):  # sets the correlation id
        logger.info("Order submitted", extra={"order_id": "12345", "symbol": "SPY", "quantity": 1})

    (line,) = logs.lines(LogStream.ORDERS)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert line == {
        "level": "INFO",
        "logger": "miniquantdesk.orders",
        "correlation_id": "order_12345",
        "message": "Order submitted",
        "extra": {"order_id": "12345", "symbol": "SPY", "quantity": 1},
    }


def test_a_record_becomes_the_line_of_the_documentation(logs) -> None:
    """The documented line is written byte for byte: order of keys, event time, decimal strings."""
    logs.set_up()
    extra = {"order_id": "ORD_001", "symbol": "SPY", "quantity": 1, "side": "LONG", "entry_price": Decimal("598.45")}
    write_record(LogStream.ORDERS, "INFO", "Order submitted", "a1b2c3d4-e5f6-7890-abcd-ef1234567890", EVENT_NS, extra)
    assert logs.text(LogStream.ORDERS) == (
        '{"timestamp":"2025-01-19T18:30:45.123456Z","level":"INFO","logger":"miniquantdesk.orders",'
        '"correlation_id":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","message":"Order submitted",'
        '"extra":{"order_id":"ORD_001","symbol":"SPY","quantity":1,"side":"LONG","entry_price":"598.45"}}\n'
    )


def test_the_time_of_an_ordinary_line_is_the_wall_clock(logs) -> None:
    """A line of a logger is stamped, in UTC, between just before and just after the call."""
    logs.set_up()
    before = dt.datetime.now(dt.timezone.utc) - dt.timedelta(microseconds=1)
    get_logger(LogStream.SYSTEM).info("Now")
    after = dt.datetime.now(dt.timezone.utc)
    (line,) = logs.lines(LogStream.SYSTEM)
    assert before <= dt.datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")) <= after


@pytest.mark.parametrize("stream", list(LogStream))
def test_every_stream_has_a_folder_and_logger_of_its_own(logs, stream) -> None:
    """A line goes to the file of its stream and to no other."""
    logs.set_up()
    get_logger(stream).info("Here")
    assert [(each, logs.messages(each)) for each in LogStream if logs.messages(each)] == [(stream, ["Here"])]
    assert logs.lines(stream)[0]["logger"] == f"miniquantdesk.{stream.value}"


def test_the_streams_are_the_seven_of_the_design() -> None:
    """No stream is missing, and none was added in passing."""
    assert [stream.value for stream in LogStream] == [
        "system", "trading", "orders", "positions", "risk", "data", "performance",
    ]  # fmt: skip


def test_a_logger_takes_values_in_extra_by_name_and_bound(logs) -> None:
    """All values of a line are together in `extra`; the nearest to the call wins."""
    logs.set_up()
    logger = get_logger(LogStream.DATA).bind(plugin="alpaca", event="bound")
    logger.info("Bar %s of %d", "SPY", 3, extra={"event": "extra", "a": 1}, b=2)
    (line,) = logs.lines(LogStream.DATA)
    assert line["message"] == "Bar SPY of 3"
    assert line["extra"] == {"plugin": "alpaca", "event": "extra", "a": 1, "b": 2}


@pytest.mark.parametrize(
    ("extra", "written"),
    [("text", {"extra": "text"}), (5, {"extra": 5}), ([("a", 1)], {"a": 1}), (MappingProxyType({"a": 1}), {"a": 1})],
)
def test_an_extra_that_is_no_mapping_is_shown(logs, extra: Any, written: dict[str, object]) -> None:
    """A mistake in a call to a logger does not raise and does not lose what was handed over."""
    logs.set_up()
    get_logger(LogStream.SYSTEM).info("Said", extra=extra)
    assert logs.lines(LogStream.SYSTEM)[0]["extra"] == written


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_every_level_is_written_under_its_name(logs, level) -> None:
    """The method's name in capitals is the line's level, and the logger knows that it counts."""
    logs.set_up(log_level="DEBUG")
    logger = get_logger(LogStream.RISK)
    getattr(logger, level)("Said")
    assert [line["level"] for line in logs.lines(LogStream.RISK)] == [level.upper()]
    assert logger.is_enabled_for(10)


def test_lines_below_the_level_are_not_written(logs) -> None:
    """A logger made before the set-up follows its level, and that of the next set-up."""
    logger = get_logger(LogStream.RISK)
    logs.set_up(log_level="WARNING")
    logger.info("Too quiet")
    logger.warning("Loud enough")
    write_record(LogStream.RISK, "INFO", "Limit moved", None, EVENT_NS, {})
    logs.set_up(log_level="info")
    logger.info("Now loud enough")
    assert logs.messages(LogStream.RISK) == ["Loud enough", "Now loud enough"]


def test_an_exception_is_written_with_its_traceback(logs) -> None:
    """`exception` and `exc_info` put the traceback into extra, and the line stays one line."""
    logs.set_up()
    logger = get_logger(LogStream.SYSTEM)
    error = ValueError("two\nlines")
    try:
        raise error
    except ValueError:
        logger.exception("It failed", extra={"symbol": "SPY"})
    logger.warning("It had failed", exc_info=error)
    logger.info("Where", stack_info=True)
    failed, had_failed, where = logs.lines(LogStream.SYSTEM)
    assert failed["extra"]["symbol"] == "SPY"
    assert failed["level"] == "ERROR"
    assert failed["extra"]["exception"].endswith("ValueError: two\nlines")
    assert "Traceback" in had_failed["extra"]["exception"]
    assert "test_an_exception_is_written" in where["extra"]["stack"]


def test_contexts_nest_and_end_with_an_error() -> None:
    """The innermost id counts; leaving a context, by an error too, brings back the one around it."""
    assert current_correlation_id() is None
    outer = LogContext("outer")
    with outer as entered:
        assert entered.correlation_id == "outer"
        with pytest.raises(KeyError, match="inner"), LogContext("inner"):
            raise KeyError(current_correlation_id())
        assert current_correlation_id() == "outer"
        with outer:
            assert current_correlation_id() == "outer"
        assert current_correlation_id() == "outer"
    assert current_correlation_id() is None


def test_a_line_without_a_context_has_a_null_id(logs: object, tmp_path: Path) -> None:
    """The key is there in every line, whether or not there is an id."""
    setup_logging(tmp_path / "logs", console=None)
    get_logger(LogStream.SYSTEM).info("Alone")
    line = json.loads(logs.text(LogStream.SYSTEM))  # type: ignore[attr-defined]
    assert list(line) == ["timestamp", "level", "logger", "correlation_id", "message", "extra"]
    assert line["correlation_id"] is None
    assert line["extra"] == {}
