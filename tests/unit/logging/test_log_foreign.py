"""Lines of other people's loggers: taken in, kept quiet where they are known to talk of secrets."""

from __future__ import annotations

import logging
import warnings

import pytest
import structlog

from mqd_core.logging import LogContext, LogStream, get_logger
from mqd_core.logging.delivery import Delivery
from mqd_core.logging.foreign import ForeignLines
from mqd_core.logging.levels import level_name
from mqd_core.logging.line import Line, decode_line


def test_standard_loggers_end_in_the_system_stream(logs) -> None:
    """Name, level, message, id, extra and traceback of a standard logger's record are in its line."""
    logs.set_up()
    with LogContext("c1"):
        error = ValueError("odd")
        logging.getLogger("sdk.rest").error("Call %s failed", "GET", exc_info=error, extra={"status": 500})
    (line,) = logs.lines(LogStream.SYSTEM)
    assert (line["logger"], line["level"], line["message"]) == ("sdk.rest", "ERROR", "Call GET failed")
    assert line["correlation_id"] == "c1"
    assert line["extra"]["status"] == 500
    assert line["extra"]["exception"].endswith("ValueError: odd")


def test_a_standard_logger_of_a_stream_writes_to_the_stream(logs) -> None:
    """Whoever asks the standard library for the logger's name gets the same stream."""
    logs.set_up()
    logging.getLogger("miniquantdesk.risk").info("Here", stack_info=True)
    (line,) = logs.lines(LogStream.RISK)
    assert "test_a_standard_logger" in line["extra"]["stack"]


def test_a_message_that_does_not_fit_its_arguments_is_kept() -> None:
    """A mistake in a library's logging call neither raises nor loses the line."""
    delivery = Delivery(threshold=10, strict=False, wait=False, queue_lines=9)
    handler = ForeignLines(delivery)
    handler.handle(logging.makeLogRecord({"levelno": 30, "msg": "%d of %d", "args": ("one",)}))
    line = delivery.queue.get_nowait()
    assert isinstance(line, Line)
    assert decode_line(line.data).message == "%d of %d ('one',)"
    handler.close()


def test_a_record_that_cannot_be_taken_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """A record that is not what it should be costs one line on stderr, which shows nothing of it."""
    handler = ForeignLines(Delivery(threshold=10, strict=False, wait=False, queue_lines=9))
    handler.handle(logging.makeLogRecord({"levelno": 30, "msg": "secret", "name": "sdk", "created": None}))
    handler.close()
    assert capsys.readouterr().err == "mqd logging: a line of sdk could not be taken: TypeError\n"


def test_plain_structlog_ends_in_the_system_stream(logs, capsys: pytest.CaptureFixture[str]) -> None:
    """A plugin that uses structlog directly writes to the log and not to stdout."""
    logs.set_up()
    with structlog.contextvars.bound_contextvars(request=7):
        structlog.get_logger("a.plugin").info("hello", n=1, extra=5)
    structlog.get_logger().debug("too quiet")
    structlog.get_logger().warning("loud")
    first, second = logs.lines(LogStream.SYSTEM)
    assert (first["logger"], first["message"]) == ("a.plugin", "hello")
    assert first["extra"] == {"extra": 5, "request": 7, "n": 1}
    assert second["logger"] == "miniquantdesk.system"
    assert capsys.readouterr().out == ""


def test_captured_logs_hold_the_desks_lines(logs) -> None:
    """Structlog's own means of testing sees what the desk logs."""
    logs.set_up()
    with structlog.testing.capture_logs() as captured:
        get_logger(LogStream.ORDERS).info("Order submitted", extra={"symbol": "SPY"})
    assert captured == [{"event": "Order submitted", "extra": {"symbol": "SPY"}, "log_level": "info"}]
    assert logs.lines(LogStream.ORDERS) == []


def test_python_warnings_are_logged(logs) -> None:
    """A warning is a line and not a text on stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.set_up()
        warnings.warn("old thing", UserWarning, stacklevel=1)
    (line,) = logs.lines(LogStream.SYSTEM)
    assert line["logger"] == "py.warnings"
    assert "old thing" in line["message"]


@pytest.mark.parametrize("name", ["websockets", "urllib3", "httpx", "httpcore", "asyncio"])
def test_libraries_that_log_secrets_stay_at_info(logs, name: str) -> None:
    """Even at DEBUG, and even where somebody lowers a child's level, their debug lines are not written."""
    child = logging.getLogger(f"{name}.client.of.test")
    logs.set_up(log_level="DEBUG")
    child.debug("> Authorization: secret frame")
    assert child.getEffectiveLevel() == logging.INFO
    try:
        child.setLevel(logging.DEBUG)
        child.debug("> Authorization: secret frame")
        child.info("connected")
    finally:
        child.setLevel(logging.NOTSET)
    logging.getLogger("other").debug("seen")
    assert logs.messages(LogStream.SYSTEM) == ["connected", "seen"]


def test_at_higher_levels_the_pinned_loggers_follow(logs) -> None:
    """A desk that logs errors only does not get their chatter either."""
    logs.set_up(log_level="ERROR")
    logging.getLogger("urllib3").warning("retry")
    assert logs.lines(LogStream.SYSTEM) == []


@pytest.mark.parametrize(
    ("number", "name"), [(0, "DEBUG"), (10, "DEBUG"), (25, "INFO"), (30, "WARNING"), (49, "ERROR"), (99, "CRITICAL")]
)
def test_levels_of_others_get_one_of_the_five_names(number: int, name: str) -> None:
    """A library's own level is written as the highest of the five that is not above it."""
    assert level_name(number) == name
