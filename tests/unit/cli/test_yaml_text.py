"""The YAML that `mqd config show` prints reads back to the same configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mqd_core.cli.yaml_text import yaml_text
from mqd_core.config import load_config, parse_config
from mqd_core.config.yaml import read_yaml

#: What a configuration's texts may be made of: control and look-alike characters are refused when it is read.
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
KEYS = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
CONTENT = st.dictionaries(
    KEYS,
    st.recursive(
        TEXTS | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_size=5,
)


@given(content=CONTENT)
def test_texts_survive(tmp_path_factory: Any, content: dict[str, Any]) -> None:
    """Every text, list and section that is written is read back as it was, `null` and numbers in quotes included."""
    path = tmp_path_factory.mktemp("yaml") / "shown.yaml"
    path.write_text(yaml_text(content), encoding="utf-8", newline="\n")

    assert _thawed(read_yaml(path).content) == content


def test_what_is_in_effect_reads_back(tmp_path: Path) -> None:
    """Defaults, flags and decimals are written so that the same configuration comes of them."""
    config = parse_config(
        {
            "broker": {"name": "mock", "paper_trading": "true", "starting_cash": "1000.50"},
            "data": {"name": "synthetic", "symbols": ["SPHD", "ON"]},
            "sizer": {"name": "notional"},
            "store": {"name": "sqlite"},
            "strategies": [{"name": "Vwap", "symbols": ["ON"]}],
            "risk": {"daily_loss_limit_usd": "49.90"},
        }
    )
    path = tmp_path / "shown.yaml"
    path.write_text(yaml_text(config.masked()), encoding="utf-8", newline="\n")

    text = path.read_text(encoding="utf-8")
    assert "paper_trading: true\n" in text
    assert "daily_loss_limit_usd: 49.9\n" in text
    assert load_config(path, environment={}).digest() == config.digest()


def _thawed(node: object) -> object:
    if hasattr(node, "items"):
        return {key: _thawed(value) for key, value in node.items()}
    return [_thawed(value) for value in node] if isinstance(node, list | tuple) else node
