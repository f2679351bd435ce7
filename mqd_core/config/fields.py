"""What a model says of its fields, put for a person: kind of value, range, default, unit.

Serves error messages and the documentation alike, for the core's models and for plugins'. May not validate.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mqd_core.config.document import KeyPath

_UNITS: Final = {
    "_usd": "US dollars",
    "_pct": "per cent",
    "_seconds": "seconds",
    "_minutes": "minutes",
    "_bars": "bars",
    "pace": "bars per second",
}
_WORDS: Final[Mapping[object, str]] = {
    bool: "true or false",
    int: "whole number",
    Decimal: "number",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret",
    dict: "section",
}


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the key that a person writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model of the section that a path leads to, starting in `model`; None when there is none."""
    here: type[BaseModel] | None = model
    for part in path:
        if here is None:
            return None
        if isinstance(part, int):
            continue
        field = keys_of(here).get(part)
        here = None if field is None else section_of(field)
    return here


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """The field that a path leads to; None for an item of a list and for keys that no model knows."""
    if not path or not isinstance(path[-1], str):
        return None
    section = model_at(model, path[:-1])
    return None if section is None else keys_of(section).get(path[-1])


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a section or a list of sections."""
    return next(
        (part for part in _parts(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)), None
    )


def is_list(field: FieldInfo) -> bool:
    """Whether a field holds a list."""
    return any(get_origin(part) in {list, tuple, set, frozenset} for part in _alternatives(field.annotation))


def kind(field: FieldInfo) -> str:
    """What a value of the field is: `whole number`, `one of a, b`, `list of text`, `section`."""
    alternatives = [_kind(part) for part in _alternatives(field.annotation) if part is not type(None)]
    return " or ".join(dict.fromkeys(alternatives))


def unit(name: str) -> str:
    """The unit that a key's name ends in; empty when it names none."""
    return next((words for ending, words in _UNITS.items() if ending in name), "")


def allowed(field: FieldInfo) -> str:
    """The range of a field: `above 0 and at most 100`; empty when it has none."""
    bounds = {
        name: getattr(rule, name)
        for rule in (*field.metadata, *_inner_rules(field.annotation))
        for name in ("gt", "ge", "lt", "le")
        if getattr(rule, name, None) is not None
    }
    words = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}"}
    return " and ".join(words[name].format(bounds[name]) for name in words if name in bounds)


def default(field: FieldInfo) -> str | None:
    """A field's default as it would be written; empty for a section or a computed one, None when it is required."""
    if field.is_required():
        return None
    if field.default is PydanticUndefined or isinstance(field.default, BaseModel | dict):
        return ""
    return written(field.default)


def written(value: object) -> str:
    """A Python value as it would be written in the configuration."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(inner) for inner in value)}]"
    return str(value)


def _kind(annotation: object) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return _one_of([str(choice) for choice in get_args(annotation)])
    if origin in {list, tuple, set, frozenset}:
        inner = next((part for part in get_args(annotation) if part is not Ellipsis), str)
        words = _kind(_bare(inner))
        return f"list of {words}s" if words == "section" else f"list of {words}"
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            return _one_of([str(member.value) for member in annotation])
        if issubclass(annotation, BaseModel):
            return "section"
    return _WORDS.get(origin or annotation, getattr(annotation, "__name__", "value"))


def _one_of(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"


def _inner_rules(annotation: Any) -> list[Any]:
    """The rules inside an annotation such as `Annotated[Decimal, Field(gt=0)] | None`; not those of a list's items."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return [rule for part in get_args(annotation) for rule in _inner_rules(part)]
    rules = getattr(annotation, "__metadata__", ())
    return [inner for rule in rules for inner in (rule.metadata if isinstance(rule, FieldInfo) else (rule,))]


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _alternatives(annotation: Any) -> list[Any]:
    annotation = _bare(annotation)
    if get_origin(annotation) in {Union, types.UnionType}:
        return [inner for part in get_args(annotation) for inner in _alternatives(part)]
    return [annotation]


def _parts(annotation: Any) -> list[Any]:
    """An annotation and everything it is made of, outermost first."""
    found = [annotation]
    for part in get_args(annotation):
        found.extend(_parts(part))
    return found
