"""The JSON Schema: complete, resolvable, and in agreement with what the models accept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from ruamel.yaml import YAML

from mqd_core.config.schema import core_schema, merged_schema
from mqd_core.registry.kinds import Kind


class Fees(BaseModel):
    per_share: Decimal = Decimal(0)


class MockSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    starting_cash: int = Field(gt=0)
    fees: Fees = Fees()
    api_key: SecretStr | None = None
    paper_trading: str = "the core's, not this"


class Tree(BaseModel):
    """A model that contains itself."""

    model_config = ConfigDict(extra="forbid")

    branches: list[Tree] = []


class VwapSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    vwap_window: int


MODELS: dict[Kind, dict[str, type[BaseModel] | None]] = {
    Kind.BROKER: {"mock": MockSettings, "broken": None},
    Kind.DATA_PROVIDER: {"synthetic": Tree},
    Kind.STRATEGY: {"Vwap": VwapSettings},
    Kind.OBSERVER: {"mock": Tree},
}


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


KINDS_IN_JSON: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a value fits a schema: the part of JSON Schema that these schemas use."""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "oneOf" in schema:
        return sum(fits(value, option, root) for option in schema["oneOf"]) == 1
    if "anyOf" in schema:
        return any(fits(value, option, root) for option in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    return fits_type(value, schema["type"]) and fits_rules(value, schema, root)


def fits_type(value: Any, kind: str) -> bool:
    is_flag = isinstance(value, bool)
    return isinstance(value, KINDS_IN_JSON[kind]) and (kind == "boolean" or not is_flag)


def fits_rules(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    if isinstance(value, dict):
        return fits_object(value, schema, root)
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(fits(item, schema["items"], root) for item in value)
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    return value is None or (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and schema.get("exclusiveMinimum", value - 1) < value
    )


def fits_object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    known = schema.get("properties", {})
    return (
        all(name in value for name in schema.get("required", []))
        and all(name in known or schema.get("additionalProperties", True) for name in value)
        and all(fits(inner, known[name], root) for name, inner in value.items() if name in known)
    )


def written(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("schema", [core_schema(), merged_schema(MODELS)], ids=["core", "merged"])
def test_the_schema_is_json_and_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    """An editor can load it."""
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"].endswith("2020-12/schema")
    references = {node["$ref"] for node in nodes(schema) if isinstance(node, dict) and "$ref" in node}
    assert references
    assert all(reference.removeprefix("#/$defs/") in schema["$defs"] for reference in references)


def test_every_key_has_a_description() -> None:
    """What an editor shows is what the documentation says."""
    schema = core_schema()
    sections = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]

    assert [name for part in sections for name, node in part["properties"].items() if "description" not in node] == []


@pytest.mark.parametrize("name", ["config.yaml", "backtest-files.yaml", "config-venue.yaml"])
def test_the_shipped_files_fit_the_core_schema(project_root: Path, name: str) -> None:
    """The schema accepts what mqd accepts."""
    schema = core_schema()

    assert fits(written(project_root / "config" / name), schema, schema)


CONTENT: dict[str, Any] = {
    "broker": {"name": "mock", "starting_cash": 1000, "paper_trading": True},
    "data": {"name": "synthetic", "pace": 20, "branches": [{"branches": []}]},
    "sizer": {"name": "notional", "whatever": 1},
    "store": {"name": "sqlite"},
    "strategies": [
        {"name": "Vwap", "symbols": ["SPY"], "parameters": {"vwap_window": 20}},
        {"name": "./mine.py:Mine", "symbols": ["SPY"], "parameters": {"anything": 1}},
    ],
    "observers": [{"name": "mock", "branches": []}],
    "backtest": {"broker": {"name": "broken", "who": "knows"}, "data": None},
}


def test_each_slot_takes_a_plugin_of_its_kind_with_that_plugin_s_keys() -> None:
    """Core keys and plugin keys stand side by side; kinds without a known plugin stay open."""
    schema = merged_schema(MODELS)

    assert fits(CONTENT, schema, schema)


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("broker", {"name": "mock"}),
        ("broker", {"name": "mock", "starting_cash": 0}),
        ("broker", {"name": "mock", "starting_cash": 1, "typo": 1}),
        ("broker", {"name": "mock", "starting_cash": 1, "paper_trading": "no"}),
        ("broker", {"name": "absent"}),
        ("data", {"name": "synthetic", "branches": [{"leaf": 1}]}),
        ("data", {"name": "synthetic", "pace": "fast", "branches": 1}),
        ("strategies", []),
        ("strategies", [{"name": "Vwap", "symbols": ["SPY"]}]),
        ("strategies", [{"name": "Vwap", "symbols": ["SPY"], "parameters": {}}]),
        ("strategies", [{"name": "Vwap", "symbols": ["spy"], "parameters": {"vwap_window": 1}}]),
        ("strategies", [{"name": "Other", "symbols": ["SPY"]}]),
        ("observers", [{"name": "synthetic"}]),
        ("risk", {"max_open_positions": 0}),
        ("risk", {"max_open_position": 1}),
        ("unknown", {}),
    ],
)
def test_what_the_models_would_refuse_does_not_fit(section: str, value: Any) -> None:
    """A misspelt key, a missing one, a value out of range and an unknown plugin are marked in the editor."""
    schema = merged_schema(MODELS)

    assert not fits({**CONTENT, section: value}, schema, schema)


def test_the_core_schema_is_not_changed_by_merging() -> None:
    """Each call makes its own."""
    before = core_schema()
    merged_schema(MODELS)

    assert core_schema() == before


def test_without_plugins_the_merged_schema_is_the_core_s() -> None:
    """Nothing installed, nothing added."""
    assert merged_schema({}) == core_schema()
