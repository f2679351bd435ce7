"""Reads the YAML of a configuration: every scalar stays the text that was written, with its place.

Stricter than YAML on purpose. YAML 1.1 turns the ticker ON into true, 15:55 into 955 and 010 into 8, and lets the last
of two equal keys win; here nothing is guessed, and pydantic types the text later. Tags, anchors, aliases, directives,
several documents and duplicate keys are refused, and size and depth are limited, so that a hostile file costs nothing.
May not know what any key means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from mqd_core.config.document import Document, KeyPath, Place, dotted
from mqd_core.config.problems import Level, Problem, lines
from mqd_core.errors import ConfigSyntaxError

MAXIMUM_BYTES: Final = 256 * 1024
MAXIMUM_DEPTH: Final = 16

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
#: Control characters, and those that make a text look other than it is: bidi marks, line separators, a stray BOM.
_FORBIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
#: What ruamel says of the usual slips, and what helps a person; the first that occurs in its sentence is used.
_PLAIN_WORDS: Final = (
    ("'\\t'", "a tab was read where only spaces may stand; indent with spaces"),
    ("unexpected end of stream", "a quoted text is not closed; add the missing quote"),
    ("mapping values are not allowed", "a ':' stands where none may; quote the text, or mend the indentation"),
    ("could not find expected ':'", "a key without ':' was read; write 'key: value', or mend the indentation"),
    ("but got '{'", "a '{' stands where none may; inside braces write a reference in quotes: '${NAME}'"),
    ("cannot start any token", "a text may not start with this character; put the text in quotes"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected ',' or '}'", "a '{' is not closed, or a ',' is missing between two entries"),
    ("expected ',' or ']'", "a '[' is not closed, or a ',' is missing between two entries"),
)


def read_yaml(path: Path) -> Document:
    """Read a configuration file.

    Raises ConfigSyntaxError, with `file:line:col` where there is one, when the file cannot be read, is over 256 KiB,
    is not UTF-8, or is not the plain YAML described above. A byte order mark at its start is passed over.
    """
    label = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        reason = "is a folder" if path.is_dir() else f"could not be read: {error.strerror}"
        message = f"{label}: {reason}; name a configuration file with --config"
        raise ConfigSyntaxError(message) from None
    if len(data) > MAXIMUM_BYTES:
        message = f"{label}: the file is larger than {MAXIMUM_BYTES // 1024} KiB, which no configuration is"
        raise ConfigSyntaxError(message)
    return parse_yaml(_decoded(data, label), path)


def parse_yaml(text: str, path: Path | None = None) -> Document:
    """Read a configuration from text; `path` is what messages call it. Raises ConfigSyntaxError."""
    reader = _Reader("configuration" if path is None else str(path))
    root = reader.read(text)
    return Document(root, MappingProxyType(reader.places), path)


def _decoded(data: bytes, label: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{label}:{line}: the text is not UTF-8; save the file as UTF-8"
        raise ConfigSyntaxError(message) from None


class _Frame:
    """A mapping or list that is being filled; `key` is the mapping key whose value comes next."""

    __slots__ = ("items", "key", "path")

    def __init__(self, items: dict[str, object] | list[object], path: KeyPath) -> None:
        self.items = items
        self.path = path
        self.key: str | None = None


class _Reader:
    """Builds a document from parser events, without recursion; keeps every fault it can go on after."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.places: dict[KeyPath, Place] = {(): Place(1, 1)}
        self._problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._documents = 0
        self._root: object = None

    def read(self, text: str) -> dict[str, object]:
        index = _forbidden_character(text)
        if index is not None:
            place = Place(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))
            self._stop(place, f"the character U+{ord(text[index]):04X} may not stand in a configuration; remove it")
        for event in self._events(text):
            self._take(event)
        if self._problems:
            raise ConfigSyntaxError(lines(self._problems))
        if self._root is None:
            self._stop(Place(1, 1), "the file holds no configuration; `mqd init` writes one")
        if not isinstance(self._root, dict):
            what = "a list" if isinstance(self._root, list) else "a single text"
            self._stop(Place(1, 1), f"{what} was read at the top; it must be sections such as 'broker:'")
        return self._root

    def _events(self, text: str) -> Iterator[Event]:
        try:
            yield from YAML(typ="safe", pure=True).parse(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
            self._stop(place, _in_plain_words(str(error.problem or error.context)))
        except (YAMLError, ValueError, OverflowError):
            # ruamel lets chr() fail on escapes such as "\UFFFFFFFF", without a mark.
            self._stop(Place(1, 1), "a text holds an escape that is no character; write the character itself")

    def _take(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self._take_document(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._stack.pop()
        elif isinstance(event, NodeEvent):
            self._take_node(event)

    def _take_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(_place_of(event), "a second document starts here; a configuration is one document")
        if event.version or event.tags:
            self._note(Place(1, 1), "directives such as %YAML may not be used; remove the line")

    def _take_node(self, event: NodeEvent) -> None:
        self._refuse_extras(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.items, dict) and frame.key is None:
            self._take_key(frame, frame.items, event)
            return
        path = self._path_of_next(frame, event)
        if isinstance(event, ScalarEvent):
            self._put(frame, self._scalar(event))
        elif isinstance(event, MappingStartEvent):
            self._open(frame, {}, path, event)
        elif isinstance(event, SequenceStartEvent):
            self._open(frame, [], path, event)
        else:
            self._put(frame, None)

    def _take_key(self, frame: _Frame, items: dict[str, object], event: NodeEvent) -> None:
        place = _place_of(event)
        if not isinstance(event, ScalarEvent) or not event.value.strip():
            self._stop(place, "a key must be a plain word followed by ':'")
        key = event.value
        self._refuse_characters(key, place)
        path = (*frame.path, key)
        if key in items:
            first = self.places[path]
            text = f"is already set at {self.label}:{first.line}:{first.column}; keep one of the two"
            self._note(place, text, path)
        else:
            self.places[path] = place
        frame.key = key

    def _path_of_next(self, frame: _Frame | None, event: NodeEvent) -> KeyPath:
        if frame is None:
            return ()
        if isinstance(frame.items, list):
            path = (*frame.path, len(frame.items))
            self.places[path] = _place_of(event)
            return path
        return (*frame.path, frame.key or "")

    def _open(
        self, frame: _Frame | None, items: dict[str, object] | list[object], path: KeyPath, event: NodeEvent
    ) -> None:
        if len(self._stack) >= MAXIMUM_DEPTH:
            self._stop(_place_of(event), f"more than {MAXIMUM_DEPTH} levels are nested; no configuration needs that")
        self._put(frame, items)
        self._stack.append(_Frame(items, path))

    def _put(self, frame: _Frame | None, value: object) -> None:
        if frame is None:
            self._root = value
        elif isinstance(frame.items, list):
            frame.items.append(value)
        elif frame.key is not None:
            frame.items[frame.key] = value
            frame.key = None

    def _scalar(self, event: ScalarEvent) -> str | None:
        if event.style is None and event.value in _NULLS:
            return None
        self._refuse_characters(event.value, _place_of(event))
        return str(event.value)

    def _refuse_characters(self, text: str, place: Place) -> None:
        index = _forbidden_character(text)
        if index is not None:
            self._stop(place, f"the text holds the character U+{ord(text[index]):04X}, which may not stand here")

    def _refuse_extras(self, event: NodeEvent) -> None:
        # Names of anchors, aliases and tags are not repeated: a secret may start with one of these characters.
        if isinstance(event, AliasEvent):
            self._note(_place_of(event), "'*' starts an alias, which may not be used; quote the text or write it out")
        elif event.anchor is not None:
            self._note(_place_of(event), "'&' starts an anchor, which may not be used; quote the text or remove it")
        elif getattr(event, "tag", None) is not None:
            self._note(_place_of(event), "'!' starts a tag, which may not be used; quote the text or remove the tag")

    def _note(self, place: Place, text: str, path: KeyPath = ()) -> None:
        problem = Problem(level=Level.ERROR, file=self.label, place=place, key=dotted(path), text=text)
        self._problems.append(problem)

    def _stop(self, place: Place, text: str) -> NoReturn:
        self._note(place, text)
        raise ConfigSyntaxError(lines(self._problems)) from None


def _forbidden_character(text: str) -> int | None:
    found = _FORBIDDEN.search(text)
    return None if found is None else found.start()


def _in_plain_words(sentence: str) -> str:
    for sign, words in _PLAIN_WORDS:
        if sign in sentence:
            return words
    return f"this is not YAML: {sentence.replace('but got', 'but there was')}"


def _place_of(event: Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1)
