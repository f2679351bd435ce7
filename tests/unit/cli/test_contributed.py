"""Commands that plugins add: seen by name without an import, loaded when called, and never in the core's way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., object]
Install = Callable[..., Path]

COMMAND = """
import click
from mqd_core.api import CommandRecord, hookimpl


def load():
    @click.command()
    @click.option("--times", type=int, default=1)
    def greet(times):
        click.echo("hello " * times)

    return greet


@hookimpl
def mqd_commands():
    yield CommandRecord(name="{name}", summary="Says hello", load={load})
"""


def source(name: str = "greet", load: str = "load") -> str:
    """A module that offers one command."""
    return COMMAND.format(name=name, load=load)


def test_a_plugin_command_is_listed_without_import(mqd: Call, install: Install) -> None:
    """The help names it and the distribution it comes from, and imports nothing of it."""
    install("mqd-plugin-greet", "mqd.commands", "greet", source="raise SystemExit('imported')")

    answer = mqd("--help")

    assert answer.exit_code == 0
    assert "greet      from mqd-plugin-greet 1.0" in answer.stdout
    assert "mqd_plugin_greet.plugin" not in sys.modules


def test_a_plugin_command_runs(mqd: Call, install: Install) -> None:
    """Called, it is loaded and gets its own options."""
    install("mqd-plugin-greet", "mqd.commands", "greet", source=source())

    assert mqd("greet", "--times", "2").stdout.split() == ["hello", "hello"]


def test_a_plugin_command_is_suggested(mqd: Call, install: Install) -> None:
    """A name close to a plugin's command leads to it."""
    install("mqd-plugin-greet", "mqd.commands", "greet", source=source())

    assert "Did you mean 'greet'?" in mqd("gret").stderr


def test_the_core_keeps_its_names(mqd: Call, install: Install) -> None:
    """A plugin's command of the same name as one of the core is never called, nor listed twice."""
    install("mqd-plugin-thief", "mqd.commands", "status", source="raise SystemExit('stolen')")

    assert "stolen" not in mqd("status", "--help").stdout
    assert mqd("--help").stdout.count("\n  status ") == 1


def test_two_claims_on_a_name_are_told(mqd: Call, install: Install) -> None:
    """A name that two distributions claim is listed as a conflict, and calling it is an error that names both."""
    install("mqd-plugin-a", "mqd.commands", "greet", source=source())
    install("mqd-plugin-b", "mqd.commands", "greet", source=source())

    assert "conflict: claimed by mqd-plugin-a 1.0 and mqd-plugin-b" in " ".join(mqd("--help").stdout.split())
    answer = mqd("greet")
    assert answer.exit_code == 3
    assert "mqd-plugin-a 1.0 and mqd-plugin-b 1.0" in answer.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import absent_library", "No module named 'absent_library'"),
        (source(load="lambda: 1 / 0"), "ZeroDivisionError"),
        (source(load="lambda: 5"), "load() must return a click command, was int"),
        (source(name="other"), "no record named 'greet'"),
    ],
)
def test_a_broken_plugin_command_names_its_plugin(mqd: Call, install: Install, text: str, said: str) -> None:
    """Whatever is wrong with it comes in one message that names plugin and distribution, exit 3."""
    install("mqd-plugin-greet", "mqd.commands", "greet", source=text)

    answer = mqd("greet")

    assert answer.exit_code == 3
    assert "command plugin 'greet' (mqd-plugin-greet 1.0)" in answer.stderr
    assert said in answer.stderr


def test_the_allow_list_holds_for_commands(mqd: Call, install: Install, folder: Path) -> None:
    """A distribution that `plugins.allow` leaves out is not imported for a command either."""
    install("mqd-plugin-greet", "mqd.commands", "greet", source=source())
    (folder / "config").mkdir()
    text = "plugins: {allow: [mqd-plugin-other]}\n"
    (folder / "config" / "config.yaml").write_text(text, encoding="utf-8", newline="\n")

    answer = mqd("greet")

    assert answer.exit_code == 3
    assert "blocked" in answer.stderr
