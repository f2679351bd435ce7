"""Lines of journal records, and the catalogue that they are held to."""

from __future__ import annotations

import re
from types import MappingProxyType

import pytest

from mqd_core.logging import (
    EVENTS,
    LogContext,
    LogEvent,
    LogStream,
    catalogue,
    catalogue_markdown,
    desk_events,
    trading_events,
    write_record,
)
from mqd_core.logging.levels import LEVELS


def test_a_record_has_its_own_time_and_id(logs) -> None:
    """Neither the clock nor the thread's context has a say in a journal record's line."""
    logs.set_up()
    with LogContext("of the thread"):
        write_record(LogStream.RISK, "ERROR", "Order denied", "of the record", 1_000, MappingProxyType({"code": "x"}))
        write_record(LogStream.RISK, "INFO", "Order denied", None, -1_000, {})
    first, second = logs.lines(LogStream.RISK)
    assert (first["timestamp"], first["correlation_id"]) == ("1970-01-01T00:00:00.000001Z", "of the record")
    assert first["extra"] == {"code": "x"}
    assert (second["timestamp"], second["correlation_id"]) == ("1969-12-31T23:59:59.999999Z", None)


def test_a_level_that_does_not_exist_is_refused(logs) -> None:
    """A record's level is one of the five names in capitals."""
    logs.set_up()
    with pytest.raises(KeyError):
        write_record(LogStream.RISK, "info", "Order denied", None, 0, {})


def test_in_tests_a_message_outside_the_catalogue_is_refused(logs) -> None:
    """Strict logging refuses an unknown message, another stream's and an unknown field, and says what there is."""
    logs.set_up(strict=True)
    with pytest.raises(ValueError, match="no 'Order vanished' in stream orders; it has: Order approved, Order subm"):
        write_record(LogStream.ORDERS, "INFO", "Order vanished", None, 0, {})
    with pytest.raises(ValueError, match="no 'Order submitted' in stream risk"):
        write_record(LogStream.RISK, "INFO", "Order submitted", None, 0, {})
    with pytest.raises(
        ValueError, match="no field colour, size in 'Order submitted' of stream orders; it has: order_id"
    ):
        write_record(LogStream.ORDERS, "INFO", "Order submitted", None, 0, {"size": 1, "colour": 2, "symbol": "SPY"})
    write_record(LogStream.ORDERS, "INFO", "Order submitted", None, 0, {"symbol": "SPY"})
    assert logs.messages(LogStream.ORDERS) == ["Order submitted"]


def test_outside_of_tests_no_line_is_refused(logs) -> None:
    """A desk that trades writes what it is given."""
    logs.set_up()
    write_record(LogStream.ORDERS, "INFO", "Order vanished", None, 0, {})
    assert logs.messages(LogStream.ORDERS) == ["Order vanished"]


def test_every_event_can_be_written(logs) -> None:
    """Each event of the catalogue, with all its fields, passes the strict check and lands in its stream."""
    logs.set_up(strict=True, log_level="DEBUG")
    for event in EVENTS:
        write_record(event.stream, event.level, event.message, None, 0, dict.fromkeys(event.fields, "x"))
    for stream in LogStream:
        assert logs.messages(stream) == [event.message for event in EVENTS if event.stream is stream]


def test_the_catalogue_holds_every_declared_event_once() -> None:
    """No constant is left out, no message is declared twice in a stream, and every stream has events."""
    declared = [
        value
        for module in (desk_events, trading_events)
        for value in vars(module).values()
        if isinstance(value, LogEvent)
    ]
    assert sorted(EVENTS, key=id) == sorted(declared, key=id)
    assert len({(event.stream, event.message) for event in EVENTS}) == len(EVENTS)
    assert {event.stream for event in EVENTS} == set(LogStream)
    assert {name for name in catalogue.__all__ if name.isupper()} - {"EVENTS"} == {
        name for module in (desk_events, trading_events) for name in vars(module) if name.isupper()
        and isinstance(vars(module)[name], LogEvent)
    }  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.message)
def test_events_are_declared_with_care(event: LogEvent) -> None:
    """A message is a capitalised constant, its level exists, every meaning is one line, durations name their unit."""
    assert re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*", event.message)
    assert event.level in LEVELS
    assert event.meaning.endswith(".")
    assert event.fields
    for name, meaning in event.fields.items():
        assert re.fullmatch(r"[a-z][a-z_]*", name)
        assert meaning
        assert "\n" not in meaning
        assert "|" not in meaning
    if event.stream is LogStream.PERFORMANCE:
        assert "duration_us" in event.fields


def test_the_markdown_lists_every_event_and_field() -> None:
    """The document has a section for each stream, and in it each event with its level, meaning and fields, no more."""
    sections = re.split(r"^## ", catalogue_markdown(), flags=re.MULTILINE)[1:]
    assert [section.split("\n")[0] for section in sections] == [stream.value for stream in LogStream]
    listed = []
    for section in sections:
        for part in re.split(r"^### ", section, flags=re.MULTILINE)[1:]:
            title, _, body = part.partition("\n")
            level, meaning = re.search(r"`([A-Z]+)`\. (.*)", body).groups()  # type: ignore[union-attr]
            fields = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", body, flags=re.MULTILINE))
            listed.append((section.split("\n")[0], level, title, meaning, fields))
    assert listed == [
        (event.stream.value, event.level, event.message, event.meaning, dict(event.fields)) for event in EVENTS
    ]


def test_the_documented_fields_of_an_order_are_in_the_catalogue() -> None:
    """The field names that users are shown are those of the catalogue."""
    assert {"order_id", "symbol", "quantity", "side", "entry_price"} <= set(catalogue.ORDER_SUBMITTED.fields)
