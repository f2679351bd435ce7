"""Encoding of a line: exact times, and nothing that a caller hands over breaks it."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.logging.line import LineBody, encode_line, formatted, timestamp_text


class Awkward:
    """An object that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Broken(Mapping[str, object]):
    """A mapping that fails when it is read."""

    def __getitem__(self, key: str) -> object:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 1


class Colour(Enum):
    RED = "red"


def encoded(extra: dict[Any, Any], message: str = "m") -> dict[str, Any]:
    """The extra of a line, encoded and read back; the line is proven to be one line of valid JSON."""
    data = encode_line(LineBody("t", "INFO", "l", None, message, extra))
    assert len(data.decode().splitlines()) == 1
    line = json.loads(data)
    assert line["message"] == message.encode("utf-8", "backslashreplace").decode()
    found: dict[str, Any] = line["extra"]
    return found


LOOP: list[object] = []
LOOP.append(LOOP)

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=[])), json_like), st.text(st.characters(codec=None)))
def test_any_values_make_one_valid_line(extra: dict[str, Any], message: str) -> None:
    """Whatever stands in a line, lone surrogates and line separators too, it is one line of valid JSON."""
    encoded(extra, message)


@given(st.integers(-(2**63), 2**63 - 1))
def test_timestamps_are_those_of_the_calendar(timestamp_ns: int) -> None:
    """Any 64-bit time in nanoseconds is written as the calendar has it, cut to microseconds."""
    expected = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=timestamp_ns // 1000)  # noqa: DTZ001 - UTC by hand
    assert timestamp_text(timestamp_ns) == expected.isoformat(timespec="microseconds") + "Z"


def test_dates_are_not_kept_for_ever() -> None:
    """A log over very many days is right from the first day to the last."""
    day_ns = 86_400_000_000_000
    for day in (*range(2_500), 0):
        assert timestamp_text(day * day_ns).startswith((dt.date(1970, 1, 1) + dt.timedelta(day)).isoformat())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("598.45"), "598.45"),
        (Decimal("1E+3"), "1E+3"),
        (math.nan, None),
        (math.inf, None),
        (2**64 - 1, 2**64 - 1),
        (Colour.RED, "red"),
        (dt.date(2025, 1, 19), "2025-01-19"),
        (Path("a") / "b", str(Path("a") / "b")),
        (ValueError("bad"), "bad"),
        (Awkward(), "<Awkward that cannot be shown>"),
        ((1, (2, {"a": Decimal("0.10")})), [1, [2, {"a": "0.10"}]]),
        ("\ud800", "\\ud800"),
        ({("a", 1): frozenset({2**63})}, {"('a', 1)": [2**63]}),
        ("a\u2028b\u202e\x7f\x85", "a\u2028b\u202e\x7f\x85"),
    ],
)
def test_values_are_written_as_documented(value: object, written: object) -> None:
    """Decimals are strings, what JSON does not have is its text, and nothing raises."""
    assert encoded({"value": value, "other": Decimal("1.0")})["other"] == "1.0"
    assert encoded({"value": value})["value"] == written


def test_a_container_that_fails_is_named() -> None:
    """A mapping whose own code raises leaves the line and its other values whole."""
    extra = encoded({"value": Broken(), "surrogate": "\ud800", "symbol": "SPY"})
    assert extra["symbol"] == "SPY"
    assert "Broken" in extra["value"]


@pytest.mark.parametrize("number", [2**64, -(2**70), 10**30])
def test_large_integers_lose_no_digit(number: int) -> None:
    """An integer beyond 64 bits is written with all its digits, as a number or as a string."""
    assert int(encoded({"value": number})["value"]) == number
    assert int(encoded({"value": number, "odd": {(): 1}})["value"]) == number


def test_a_value_that_holds_itself_is_cut_off() -> None:
    """A loop ends in an ellipsis and the other values of the line are kept."""
    extra = encoded({"loop": LOOP, "symbol": "SPY"})
    assert extra["symbol"] == "SPY"
    assert "..." in json.dumps(extra["loop"])


def test_what_turns_the_reading_direction_is_escaped_in_the_file() -> None:
    """The bytes of a line hold no control or direction character, whatever its values hold."""
    data = encode_line(LineBody("t", "INFO", "l", None, "é\u202eX\x7f\u2066\u2028", {}))
    assert data.decode().isprintable()
    assert json.loads(data)["message"] == "é\u202eX\x7f\u2066\u2028"


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        ("a %s", ("b",), "a b"),
        ("a %d", ("b",), "a %d ('b',)"),
        ("a", ("b",), "a ('b',)"),
        ("%(a)s", {"a": 1}, "1"),
        ("100%", (), "100%"),
        (ValueError("e"), (), "e"),
    ],
)
def test_messages_are_formatted_and_never_raise(message: object, args: Any, text: str) -> None:
    """Arguments that do not fit their message are shown beside it."""
    assert formatted(message, args) == text


def test_an_argument_that_cannot_be_shown_does_not_raise() -> None:
    """A message keeps its place-holder where the argument's own code raises."""
    assert formatted("before %s", (Awkward(),)).startswith("before %s ")
