"""docs/CONFIGURATION.md is what the models say, and its examples are what mqd prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mqd_core.config import load_config
from mqd_core.config.docs_text import configuration_page, main
from mqd_core.config.fields import keys_of, section_of
from mqd_core.config.model import Config
from mqd_core.errors import ConfigError


def test_the_committed_page_is_current(project_root: Path) -> None:
    """Run `python -m mqd_core.config.docs_text` when this fails."""
    assert (project_root / "docs" / "CONFIGURATION.md").read_text(encoding="utf-8") == configuration_page()


def test_every_key_of_the_core_is_documented() -> None:
    """Each key of each section has its row, with a meaning of its own."""
    page = configuration_page()
    for name, field in keys_of(Config).items():
        section = section_of(field)
        assert f"### `{name}`" in page
        assert field.description
        for key, inner in keys_of(section).items() if section is not None else ():
            assert f".{key}` | " in page
            assert inner.description


def test_the_example_messages_are_real(project_root: Path, tmp_path: Path) -> None:
    """The two lines at the top of the page are what the shipped file gives when those two slips are made in it."""
    text = (project_root / "config" / "config.yaml").read_text(encoding="utf-8")
    text = text.replace("max_position_size_pct: 10.0", "max_position_size_pct: 1000")
    text = text.replace("  daily_loss_limit_usd:", "  daily_loss_limt_usd:")
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(file, environment={})

    shown = re.findall(r"^    config/config\.yaml:\d+:\d+: (.*)$", configuration_page(), re.MULTILINE)
    assert [line.removeprefix(str(file)).split(": ", 1)[1] for line in refused.value.problems] == shown


def test_the_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes the page, is content with it, and is not with another."""
    file = tmp_path / "page.md"

    assert main(["--check", str(file)]) == 1
    assert "is stale; run: python -m mqd_core.config.docs_text" in capsys.readouterr().err
    assert main([str(file)]) == 0
    assert main(["--check", str(file)]) == 0
    file.write_text("other", encoding="utf-8")
    assert main(["--check", str(file)]) == 1


def test_the_page_says_nothing_of_this_machine() -> None:
    """It is the same wherever it is made: defaults are relative, lines end the same way."""
    page = configuration_page()

    assert str(Path.cwd()) not in page
    assert "\r" not in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
