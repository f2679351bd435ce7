"""What a configuration file mentions, read without checking it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqd_core.cli.configured import SECTIONS, Mentioned, mentioned_in
from mqd_core.config import load_config
from mqd_core.config.slots import KINDS
from mqd_core.registry.kinds import Kind

TEXT = """\
broker: {name: alpaca}
data: {name: files}
sizer: {name: notional}
store: {name: sqlite}
strategies:
  - {name: VWAPMeanReversionStrategy, symbols: [SPY]}
  - {name: "./mine.py:Mine", symbols: [SPY]}
observers: [{name: bell}]
backtest: {broker: {name: mock}}
plugins: {allow: ["mqd-plugin-a==1.*", mqd-plugin-b]}
"""


def write(folder: Path, text: str) -> Path:
    """Write a configuration."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def test_sections_are_those_of_the_configuration() -> None:
    """The light table of sections and kinds is the one that the configuration is checked by."""
    assert dict(KINDS) == SECTIONS


def test_every_named_plugin_is_mentioned(tmp_path: Path) -> None:
    """Slots, lists and the backtest's own slots are all looked at; the allow list comes along."""
    found = mentioned_in(write(tmp_path, TEXT))

    assert found.plugins == {
        (Kind.BROKER, "alpaca"),
        (Kind.BROKER, "mock"),
        (Kind.DATA_PROVIDER, "files"),
        (Kind.SIZER, "notional"),
        (Kind.STORE, "sqlite"),
        (Kind.STRATEGY, "VWAPMeanReversionStrategy"),
        (Kind.STRATEGY, "./mine.py:Mine"),
        (Kind.OBSERVER, "bell"),
    }
    assert found.allow == ("mqd-plugin-a==1.*", "mqd-plugin-b")
    assert found.problem == ""


def test_it_agrees_with_the_configuration(tmp_path: Path) -> None:
    """Of a valid file it sees what the checked configuration names."""
    path = write(tmp_path, TEXT)
    config = load_config(path, environment={})
    named = {(use.kind, use.name) for use in (*config.plugin_uses(), *config.backtest_uses())}

    assert mentioned_in(path) == Mentioned(frozenset(named), config.plugins.allow)


def test_an_absent_file_mentions_nothing(tmp_path: Path) -> None:
    """No file is no problem: nothing is configured."""
    assert mentioned_in(tmp_path / "nothing.yaml") == Mentioned()


@pytest.mark.parametrize(
    "text", ["a: [", "a: &x [*x, *x]\nb: *y", "\x00", "[" * 5_000, "broker: !!python/object:os.x {}"]
)
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with a file, the listing goes on and says that it could not read it."""
    found = mentioned_in(write(tmp_path, text))

    assert found.plugins == frozenset()
    assert "mqd config check" in found.problem


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "broker: 5\nstrategies: {name: [x]}\nplugins: 7"])
def test_a_file_of_another_shape_mentions_nothing(tmp_path: Path, text: str) -> None:
    """A file that is YAML but no configuration is left to `mqd config check`."""
    assert mentioned_in(write(tmp_path, text)) == Mentioned()
