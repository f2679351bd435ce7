"""What one loaded plugin says of itself, as plain data: for `mqd plugins show` and for documentation.

May not build the plugin: everything here stands in its record.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from mqd_core.api.records import NamedRecord
from mqd_core.api.settings import is_secret
from mqd_core.registry.loader import Loaded

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

#: How the constraints of a field are written for people.
_LIMITS: Final = {
    "gt": "> {}",
    "ge": ">= {}",
    "lt": "< {}",
    "le": "<= {}",
    "multiple_of": "a multiple of {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "pattern": "matches {}",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a plugin's settings. `name` has dots where a field holds further fields."""

    name: str
    type: str
    required: bool
    default: Json
    limits: str
    description: str
    secret: bool

    def to_json(self) -> dict[str, Json]:
        """Return the setting as it stands in `--json` output."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True, slots=True)
class Details:
    """One plugin: what it is, where it came from, what can be set, what it can do."""

    kind: str
    name: str
    summary: str
    distribution: str
    version: str
    target: str
    settings: tuple[Setting, ...]
    capabilities: Mapping[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Return the details as they stand in `--json` output."""
        plain: dict[str, Json] = {
            "kind": self.kind,
            "name": self.name,
            "summary": self.summary,
            "distribution": self.distribution,
            "version": self.version,
            "target": self.target,
        }
        settings: list[Json] = [setting.to_json() for setting in self.settings]
        return {**plain, "settings": settings, "capabilities": dict(self.capabilities)}


def describe(loaded: Loaded) -> Details:
    """Return what a loaded plugin says of itself."""
    model = getattr(loaded.record, "settings", None)
    return Details(
        kind=loaded.kind.value,
        name=loaded.name,
        summary=loaded.record.summary,
        distribution=loaded.found.distribution,
        version=loaded.found.version,
        target=loaded.found.target,
        settings=tuple(_settings(model)) if model is not None else (),
        capabilities=_capabilities(loaded.record),
    )


def _capabilities(record: NamedRecord) -> dict[str, Json]:
    """Return what a record states beyond name, summary, settings and factory; a further factory as "there is one"."""
    stated: dict[str, Json] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if one.name in {"name", "summary", "settings", "factory", "load"}:
            continue
        if isinstance(value, msgspec.Struct):
            stated.update(msgspec.json.decode(msgspec.json.encode(value)))
        elif isinstance(value, bool | str):
            stated[one.name] = value
        else:
            stated[one.name] = value is not None
    return stated


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _settings(annotation, f"{prefix}{name}.")
            continue
        yield Setting(
            name=f"{prefix}{field.alias or name}",
            type=type_text(annotation),
            required=field.is_required(),
            default=_default(field),
            limits=_limits(field),
            description=field.description or "",
            secret=is_secret(annotation),
        )


def _default(field: FieldInfo) -> Json:
    """Return the default as JSON, None if there is none; a secret's is asterisks."""
    if field.is_required():
        return None
    if field.default_factory is not None and field.default_factory_takes_validated_data:
        return "computed"
    value: Json = to_jsonable_python(field.get_default(call_default_factory=True), fallback=str)
    return value


def _limits(field: FieldInfo) -> str:
    return ", ".join(
        text.format(getattr(constraint, name))
        for constraint in field.metadata
        for name, text in _LIMITS.items()
        if getattr(constraint, name, None) is not None
    )


def type_text(annotation: Any) -> str:
    """Return a type as a person would write it: `Decimal`, `int | None`, `"a" | "b"`."""
    if get_origin(annotation) is not None:
        return _parametrized(get_origin(annotation), get_args(annotation))
    if annotation in {None, type(None), Ellipsis}:
        return "..." if annotation is Ellipsis else "None"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(f'"{member.value}"' for member in annotation)
    return getattr(annotation, "__name__", None) or str(annotation)


def _parametrized(origin: Any, arguments: tuple[Any, ...]) -> str:
    if origin is Annotated:
        return type_text(arguments[0])
    if origin is Literal:
        return " | ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in arguments)
    if origin in {Union, types.UnionType}:
        return " | ".join(type_text(part) for part in arguments)
    return f"{type_text(origin)}[{', '.join(type_text(part) for part in arguments)}]"
