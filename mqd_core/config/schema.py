"""JSON Schema of the configuration, for editors that complete and check YAML.

Made of the very models that check it, the core's and those of the installed plugins, so that it cannot drift. Not
used to check anything: messages of `explain` are better. May not import a plugin: it is handed their models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from mqd_core.config.model import Config
from mqd_core.config.slots import KINDS
from mqd_core.registry.kinds import Kind

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_LISTS: Final = frozenset({"strategies", "risk_rules", "observers"})

#: Settings models by kind and plugin name; None for a plugin that is installed but could not be asked.
PluginModels = Mapping[Kind, Mapping[str, type[BaseModel] | None]]


def core_schema() -> dict[str, Any]:
    """The schema of the core's own keys; a plugin's keys are whatever they are."""
    schema = Config.model_json_schema()
    schema["description"] = "Configuration of a MiniQuantDesk desk."
    return {"$schema": _DIALECT, **schema}


def merged_schema(plugin_models: PluginModels) -> dict[str, Any]:
    """The schema of everything installed: each slot takes one of the plugins of its kind, with that plugin's keys."""
    schema = core_schema()
    definitions: dict[str, Any] = schema["$defs"]
    properties: dict[str, Any] = schema["properties"]
    for section, kind in KINDS.items():
        choice = _choice(kind, plugin_models.get(kind, {}), definitions, _slot_of(properties[section]))
        if choice is None:
            continue
        if section in _LISTS:
            properties[section]["items"] = choice
        else:
            properties[section] = _described(properties[section], choice)
            _offer_in_backtest(definitions, section, choice)
    return schema


def _slot_of(node: Mapping[str, Any]) -> str:
    """The name of the definition that a section, or each item of it, refers to."""
    reference: str = node.get("items", node)["$ref"]
    return reference.rpartition("/")[2]


def _described(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {**({"description": old["description"]} if "description" in old else {}), **new}


def _offer_in_backtest(definitions: dict[str, Any], section: str, choice: Mapping[str, Any]) -> None:
    backtest: dict[str, Any] = definitions["BacktestSection"]["properties"]
    if section in backtest:
        backtest[section] = _described(backtest[section], {"anyOf": [choice, {"type": "null"}], "default": None})


def _choice(
    kind: Kind, models: Mapping[str, type[BaseModel] | None], definitions: dict[str, Any], slot: str
) -> dict[str, Any] | None:
    options = []
    for name, model in sorted(models.items()):
        settings = _open_settings() if model is None else _settings(f"{kind.value}.{name}", model, definitions)
        combine = _strategy_option if kind is Kind.STRATEGY else _slot_option
        definitions[f"{kind.value}.{name}"] = combine(name, definitions[slot], settings)
        options.append({"$ref": f"#/$defs/{kind.value}.{name}"})
    if not options:
        return None
    if kind is Kind.STRATEGY:
        definitions["strategy.local_file"] = _local_file_option(definitions[slot])
        options.append({"$ref": "#/$defs/strategy.local_file"})
    return {"oneOf": options}


def _open_settings() -> dict[str, Any]:
    return {"$comment": "this plugin could not be asked for its keys", "additionalProperties": True}


def _settings(prefix: str, model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """A settings model's schema; what it refers to moves into the definitions, under the plugin's name."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    own: dict[str, Any] = schema.pop("$defs", {})
    definitions.update({f"{prefix}.{name}": part for name, part in own.items()})
    if "$ref" in schema:  # A model that contains itself is but a reference to its own definition.
        schema = own[str(schema["$ref"]).rpartition(".")[2]]
    return schema


def _slot_option(name: str, slot: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A plugin's keys beside the core's own; where both name one, the core's counts."""
    required = [key for key in settings.get("required", []) if key not in slot["properties"]]
    option = {
        "type": "object",
        "title": name,
        "properties": {**settings.get("properties", {}), **slot["properties"], "name": {"const": name}},
        "required": ["name", *required],
        "additionalProperties": settings.get("additionalProperties", True),
    }
    return {**option, "$comment": settings["$comment"]} if "$comment" in settings else option


def _strategy_option(name: str, slot: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", **settings}
    needed = ["parameters"] if settings.get("required") else []
    return {
        "type": "object",
        "title": name,
        "properties": {**slot["properties"], "name": {"const": name}, "parameters": parameters},
        "required": [*slot["required"], *needed],
        "additionalProperties": False,
    }


def _local_file_option(slot: Mapping[str, Any]) -> dict[str, Any]:
    name = {"type": "string", "pattern": r"\.py:[A-Za-z_][A-Za-z0-9_]*$"}
    return {
        "type": "object",
        "title": "local file",
        "properties": {**slot["properties"], "name": name},
        "required": list(slot["required"]),
        "additionalProperties": False,
    }
