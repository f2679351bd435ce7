"""A configuration as YAML that mqd reads back to the same one. May not know what its keys mean."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver

_TEXT: Final = "tag:yaml.org,2002:str"
#: What mqd reads as nothing where it is not quoted.
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class _AsWritten(VersionedResolver):
    """Every scalar is text: what it means is decided by its key when mqd reads it, so that numbers need no quotes."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a node."""
        return _TEXT if kind is ScalarNode else super().resolve(kind, value, implicit)


class _ByText(SafeRepresenter):
    """Writes every scalar by its text."""


def _text(representer: SafeRepresenter, value: object) -> Any:
    quoted = isinstance(value, str) and value in _NULLS
    return representer.represent_scalar(_TEXT, str(value), style="'" if quoted else None)


def _flag(representer: SafeRepresenter, value: bool) -> Any:  # noqa: FBT001 - ruamel calls it
    return representer.represent_scalar(_TEXT, "true" if value else "false")


def _nothing(representer: SafeRepresenter, _value: None) -> Any:
    return representer.represent_scalar(_TEXT, "null")


for _type in (str, int, float):
    _ByText.add_representer(_type, _text)
_ByText.add_representer(bool, _flag)
_ByText.add_representer(type(None), _nothing)


def yaml_text(content: Mapping[str, Any]) -> str:
    """The content as block YAML, in its own order."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _ByText
    writer.Resolver = _AsWritten
    writer.default_flow_style = False
    writer.width = 4_096
    writer.allow_unicode = True
    # Declared by its first value, None: it takes a flag.
    setattr(writer, "sort_base_mapping_type_on_output", False)  # noqa: B010
    text = io.StringIO()
    writer.dump(dict(content), text)
    return text.getvalue()
