"""The journal's encoding: every body reads back as it was, and its bytes are the same on every machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqd_core.domain.events import Activity
from mqd_core.domain.journal import Body, Entry, decode_body, encode_body, encode_lines, kind_of

KINDS: tuple[type[msgspec.Struct], ...] = get_args(Body)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, the awkward ones included."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(values_of, arguments))
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if issubclass(kind, msgspec.Struct):
        return structs_of(kind)
    simple: dict[type, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(max_size=8),
        bool: st.booleans(),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False),
        NoneType: st.none(),
    }
    return simple[kind]


def structs_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    """Structs of a type with any values."""
    fields = {name: values_of(hint) for name, hint in get_type_hints(kind).items()}
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_reads_back(kind: type[Body], data: st.DataObject) -> None:
    """Every body reads back equal and of its own type, by a tag that is its class's name, to the same bytes."""
    body = data.draw(structs_of(kind))
    encoded = encode_body(body)  # type: ignore[arg-type]
    decoded = decode_body(encoded)
    assert decoded == body
    assert type(decoded) is kind
    assert kind_of(decoded) == kind.__name__ == msgspec.json.decode(encoded)["type"]
    assert encode_body(decoded) == encoded


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_cannot_change(kind: type[Body]) -> None:
    """A body cannot be changed once it is made: it is encoded after the engine has moved on."""
    body = _first(kind)
    for name in kind.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(body, name, None)


def test_lines_do_not_depend_on_batches() -> None:
    """Entries written in one batch or in many are the same bytes."""
    entries = tuple(Entry(number, 0, _first(kind)) for number, kind in enumerate(KINDS))
    whole = encode_lines(entries)
    assert whole == b"".join(encode_lines(entries[start : start + 3]) for start in range(0, len(entries), 3))
    assert whole.count(b"\n") == len(entries)
    assert msgspec.json.Decoder(Entry).decode_lines(whole) == list(entries)


def test_numbers_are_text() -> None:
    """Decimals are written as strings, with every digit they have."""
    mark = Activity(ts=1, activity_id="a", kind="FEE", amount=Decimal("-0.10"), quantity=Decimal("1E+2"))
    assert b'"amount":"-0.10"' in encode_body(mark)
    assert b'"quantity":"1E+2"' in encode_body(mark)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"Nothing"}', b'{"type":"Bar"}', b"[]", b"\xff"])
def test_refuses_what_is_no_body(data: bytes) -> None:
    """Anything but a whole body of a known type is refused."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_body(data)


def test_same_bytes_whatever_the_hash_seed() -> None:
    """One body of every kind is the same bytes in processes of different hash seeds."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from test_journal import digest; sys.stdout.write(digest())"
    for seed in ("0", "1", "4711"):
        result = subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert result.stdout == digest()


def digest() -> str:
    """SHA-256 of one body of every kind."""
    return hashlib.sha256(b"".join(encode_body(_first(kind)) for kind in KINDS)).hexdigest()


def _first(kind: Any) -> Any:
    """A body of a kind, the same in every process."""
    return kind(**{name: _plain(hint, name) for name, hint in get_type_hints(kind).items()})


def _plain(kind: Any, name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _plain(arguments[0], name)
    if origin is tuple:
        return tuple(_plain(argument, name) for argument in arguments if argument is not Ellipsis)
    if issubclass(kind, Enum):
        return next(iter(kind))
    if issubclass(kind, msgspec.Struct):
        return _first(kind)
    return {int: 7, float: 1.5, str: name, bool: True, Decimal: Decimal("1.50")}[kind]
