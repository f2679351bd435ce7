"""Puts what pydantic says of a section into words, with the place, what was read, what is allowed, what was meant.

The one door for validation errors: a raw pydantic error may hold the input, and with it a secret, so none is shown.
What was read is taken from the document, never from the error. May not validate anything itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from mqd_core.config import fields
from mqd_core.config.document import ABSENT, Document, KeyPath, child
from mqd_core.config.model import Config
from mqd_core.config.problems import Problem, lines
from mqd_core.config.redaction import MASK, is_stand_in, shown

#: pydantic's kinds of error that need other words than its own; `{}` is filled from the error's context.
_WORDS: Final = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "multiple_of": "must be a multiple of {multiple_of}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "too_short": "must have {min_length} or more",
    "too_long": "must have {max_length} or fewer",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "decimal_max_digits": "must have {max_digits} or fewer digits",
    "decimal_max_places": "must have {decimal_places} or fewer decimals",
    "decimal_whole_digits": "must have {whole_digits} or fewer digits before the point",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "list_type": "must be a list, such as [a, b]",
    "tuple_type": "must be a list, such as [a, b]",
    "set_type": "must be a list, such as [a, b]",
    "frozen_set_type": "must be a list, such as [a, b]",
    "dict_type": "must be a section of keys and values",
    "model_type": "must be a section of keys and values",
    "model_attributes_type": "must be a section of keys and values",
}
#: Said of a default that is taken from another value when that value is wrong, which is said anyway.
_CONSEQUENCE: Final = "default_factory_not_called"
_OUT_OF_RANGE: Final = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_QUOTED: Final = re.compile(r"'([^']*)'")


def settings_errors(
    config: Config, prefix: KeyPath, error: ValidationError, model: type[BaseModel] | None = None
) -> list[str]:
    """Say what is wrong with a plugin's settings, one line for each fault, sorted by place.

    Such as `config.yaml:12:5: strategies[0].parameters.vwap_window: '0' was read; must be above 0`. `prefix` is
    `PluginUse.settings_at`; with the settings `model`, unknown keys are answered by the nearest known one and ranges
    are told. No line holds a secret, nor the value of a key whose name says that it is one.
    """
    problems = explained(config.source, prefix, error, model)
    secrets = config.secrets.plain_texts()
    return [_without(secrets, line) for line in lines(problems)]


def explained(
    document: Document, prefix: KeyPath, error: ValidationError, model: type[BaseModel] | None
) -> list[Problem]:
    """One problem for each thing that a validation error says, at the place in the document that it is about."""
    return [
        Problem.at(document, path, text)
        for detail in error.errors(include_url=False, include_input=False)
        if detail["type"] != _CONSEQUENCE
        for path, text in _parts(document, prefix, detail, model)
    ]


def _parts(
    document: Document, prefix: KeyPath, detail: Any, model: type[BaseModel] | None
) -> Iterator[tuple[KeyPath, str]]:
    context = detail.get("ctx", {})
    path = _written_path(document, (*prefix, *detail["loc"]), len(prefix))
    if detail["type"] == "inconsistent":
        for part, text in context["problems"]:
            yield (*path, *part), text
        return
    inner = path[len(prefix) :]
    if detail["type"] == "missing":
        yield path, _missing(inner, model)
    elif detail["type"] == "extra_forbidden":
        yield path, _unknown(prefix, inner, model)
    else:
        yield path, _wrong(document, path, detail, fields.field_at(model, inner) if model is not None else None)


def _written_path(document: Document, location: KeyPath, certain: int) -> KeyPath:
    """A location without the steps that pydantic adds for unions and dictionary keys, which nobody wrote."""
    node: object = document.content
    path: list[str | int] = []
    for index, part in enumerate(location):
        below = child(node, part)
        is_last = index == len(location) - 1
        if below is not ABSENT or index < certain or (is_last and _may_be_a_key(part, node)):
            path.append(part)
            node = below
    return tuple(path)


def _may_be_a_key(part: str | int, node: object) -> bool:
    return isinstance(part, str) and isinstance(node, Mapping) and "[" not in part and "(" not in part


def _missing(inner: KeyPath, model: type[BaseModel] | None) -> str:
    field = fields.field_at(model, inner) if model is not None else None
    meaning = "" if field is None or not field.description else f" ({field.description.split('. ')[0].rstrip('.')})"
    return f"is missing{meaning}"


def _unknown(prefix: KeyPath, inner: KeyPath, model: type[BaseModel] | None) -> str:
    name = str(inner[-1]) if inner else ""
    section = fields.model_at(model, inner[:-1]) if model is not None else None
    known = list(fields.keys_of(section)) if section is not None else []
    slot = fields.model_at(Config, prefix)
    if len(inner) == 1 and prefix and slot is not None:
        known.extend(key for key in fields.keys_of(slot) if key not in known)
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"is not a known key; did you mean {close[0]!r}?"
    elsewhere = _sections_with(name) if model is Config else []
    if elsewhere:
        return f"is not a known key here; it belongs under `{elsewhere[0]}:`"
    return f"is not a known key; known here: {', '.join(known)}" if known else "is not a known key; remove it"


def _sections_with(name: str) -> list[str]:
    return [
        key
        for key, field in fields.keys_of(Config).items()
        for section in [fields.section_of(field)]
        if section is not None and name in fields.keys_of(section) and name != "name"
    ]


def _wrong(document: Document, path: KeyPath, detail: Any, field: Any) -> str:
    value = document.value(path)
    limits = fields.allowed(field) if field is not None else ""
    text = f"must be {limits}" if limits and detail["type"] in _OUT_OF_RANGE else _requirement(detail, value)
    said = "" if value is ABSENT else f"{shown(path, value)}; "
    return f"{said}{text}{_hint(detail, value, text, field)}"


def _requirement(detail: Any, value: object) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error") or "is not acceptable")
    if kind == "string_type" and isinstance(value, str) and is_stand_in(value):
        return "stands for a secret, but the plugin does not keep this key secret; write the value itself"
    words: str | None = _WORDS.get(kind)
    if words is not None:
        return words.format(**{name: fields.written(inner) for name, inner in context.items()})
    return str(detail["msg"]).replace("Input should", "must")


def _hint(detail: Any, value: object, text: str, field: Any) -> str:
    if detail["type"] in {"enum", "literal_error"} and isinstance(value, str):
        choices = _QUOTED.findall(text)
        close = [choice for choice in choices if choice.lower() == value.lower()]
        close = close or get_close_matches(value, choices, n=1)
        return f"; did you mean {close[0]!r}?" if close else ""
    if field is None:
        return ""
    section = fields.section_of(field)
    if isinstance(value, str) and section is not None and "name" in fields.keys_of(section):
        return f", such as {{name: {value}}}"
    limits, default = fields.allowed(field), fields.default(field)
    parts = [limits if limits not in text else "", f"default {default}" if default not in {None, "", "null"} else ""]
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def _without(secrets: tuple[str, ...], line: str) -> str:
    for secret in secrets:
        line = line.replace(secret, MASK)
    return line
