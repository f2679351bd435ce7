"""The root of the command line: help, mistyped names, and what becomes of every kind of error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from mqd_core import __version__, errors
from mqd_core.cli.invocation import Invocation, json_option
from mqd_core.cli.program import Program
from mqd_core.logging import register_secret

Call = Callable[..., object]

HEAVY = ("msgspec", "numpy", "pandas", "pluggy", "pydantic", "rich", "ruamel", "stevedore", "structlog")
HEAVY_PARTS = ("mqd_core.api", "mqd_core.app", "mqd_core.config", "mqd_core.engine", "mqd_core.runtime")


def raising(error: BaseException) -> Program:
    """A program with one command, `fail`, that raises."""

    @click.command()
    @json_option
    def fail() -> None:
        raise error

    return Program(name="mqd", commands={"fail": fail})


def loaded_by(*arguments: str, folder: Path) -> list[str]:
    """The names of the modules that a call of `mqd` leaves loaded, whatever it prints."""
    code = (
        "import sys, mqd_core.cli\n"
        f"sys.argv = ['mqd', *{list(arguments)!r}]\n"
        "try:\n    mqd_core.cli.main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", check=True, timeout=120
    )
    return done.stderr.split()


def heavy(modules: list[str]) -> list[str]:
    """Those that cost time to import."""
    return [
        name
        for name in modules
        if name.split(".")[0] in HEAVY or any(name == part or name.startswith(f"{part}.") for part in HEAVY_PARTS)
    ]


def test_help_lists_every_command(mqd: Call) -> None:
    """`mqd --help` names each command with a line of its own and exits 0."""
    answer = mqd("--help")

    assert answer.exit_code == 0
    for name in ("run", "backtest", "status", "orders", "positions", "runs", "init", "doctor", "config", "plugins"):
        assert f"\n  {name} " in answer.stdout


def test_every_command_has_help(mqd: Call) -> None:
    """Each command imports and shows its own help, groups and their commands too."""
    pages = ["run", "backtest", "status", "orders", "positions", "runs", "init", "doctor"]
    pages += ["config", "config check", "config show", "config schema", "plugins", "plugins list", "plugins show"]
    for page in pages:
        answer = mqd(*page.split(), "--help")
        assert answer.exit_code == 0, answer
        assert answer.stdout.startswith(f"Usage: mqd {page} ")


def test_help_imports_nothing_heavy(folder: Path) -> None:
    """`mqd --help` loads neither the desk nor a library that only a command needs, nor a command's module."""
    modules = loaded_by("--help", folder=folder)

    assert "mqd_core.cli.program" in modules
    assert heavy(modules) == []
    assert not [name for name in modules if name.startswith("mqd_core.cli.commands")]


@pytest.mark.parametrize("with_config", [False, True])
def test_listing_plugins_imports_nothing_heavy(folder: Path, with_config: bool) -> None:
    """`mqd plugins list` loads no plugin machinery; a configuration costs it the YAML reader only."""
    if with_config:
        (folder / "config").mkdir()
        (folder / "config" / "config.yaml").write_text("sizer: {name: x}\n", encoding="utf-8", newline="\n")
    modules = loaded_by("plugins", "list", folder=folder)

    assert "mqd_core.registry.report" in modules
    assert {name.split(".")[0] for name in heavy(modules)} == ({"ruamel"} if with_config else set())
    assert not [name for name in modules if name.startswith("mqd_plugin_")]


def test_version_is_that_of_the_core(mqd: Call) -> None:
    """`mqd --version` prints it."""
    assert mqd("--version").stdout == f"mqd {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["statsu"], "Did you mean 'status'?"),
        (["plugins", "lst"], "Did you mean 'list'?"),
        (["config", "chek"], "Did you mean 'check'?"),
        (["run", "--confg", "x"], "--config"),
        (["nothing-like-it"], "No such command 'nothing-like-it'."),
    ],
)
def test_a_mistyped_name_is_a_usage_error(mqd: Call, arguments: list[str], said: str) -> None:
    """A name that does not exist exits 2 and says what may have been meant."""
    answer = mqd(*arguments)

    assert answer.exit_code == 2
    assert said in answer.stderr
    assert answer.stdout == ""


def test_a_usage_error_with_json_is_an_object_on_stdout(mqd: Call) -> None:
    """Programs that call `mqd --json` read usage errors as they read results."""
    answer = mqd("status", "--json", "--no-such-option")

    assert answer.exit_code == 2
    assert answer.json()["error"]["exit_code"] == 2
    assert "no-such-option" in answer.json()["error"]["problems"][0]


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (errors.RunFailed("it broke"), 1),
        (errors.StoreCorrupt("damaged"), 1),
        (errors.UsageError("not so"), 2),
        (errors.ConfigError("wrong"), 3),
        (errors.PluginNotFound("absent"), 3),
        (errors.AlreadyRunning("held"), 4),
        (errors.DeskHalted("halted"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code(mqd: Call, error: BaseException, exit_code: int) -> None:
    """The exit code is the error's own; the words stand on stderr behind `mqd: `, no traceback with them."""
    answer = mqd("fail", command=raising(error))

    assert answer.exit_code == exit_code
    assert f"mqd: {error}" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


def test_each_problem_is_a_line_and_an_item(mqd: Call) -> None:
    """Several problems come as lines with the prefix, and in JSON as a list."""
    program = raising(errors.ConfigError(["a.yaml:1:1: first", "a.yaml:2:1: second\nwith more"]))

    answer = mqd("fail", "--json", command=program)

    assert answer.stderr == "mqd: a.yaml:1:1: first\nmqd: a.yaml:2:1: second\nmqd: with more\n"
    assert answer.json() == {
        "error": {
            "type": "ConfigError",
            "exit_code": 3,
            "problems": ["a.yaml:1:1: first", "a.yaml:2:1: second\nwith more"],
        }
    }


def test_an_unforeseen_error_is_one_line(mqd: Call) -> None:
    """What nobody foresaw says what and where in one line, and how to see more; exit 1."""
    answer = mqd("fail", command=raising(ZeroDivisionError("by nothing")))

    assert answer.exit_code == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "ZeroDivisionError: by nothing" in answer.stderr
    assert "--debug shows the traceback" in answer.stderr


@pytest.mark.parametrize("by", ["option", "environment"])
def test_debug_shows_the_traceback(mqd: Call, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """--debug and MQD_DEBUG=1 add the traceback of any error."""
    if by == "environment":
        monkeypatch.setenv("MQD_DEBUG", "1")

    answer = mqd("fail", *(["--debug"] if by == "option" else []), command=raising(ZeroDivisionError("by nothing")))

    assert answer.exit_code == 1
    assert "Traceback (most recent call last)" in answer.stderr


def test_no_error_shows_a_secret(mqd: Call) -> None:
    """A registered secret is masked in lines, in JSON and in the traceback."""
    secret = "kq7-canary-V3ry-s3cret-value"
    register_secret(secret)

    answer = mqd("fail", "--json", "--debug", command=raising(ZeroDivisionError(f"with {secret} in it")))

    assert secret not in answer.stdout + answer.stderr
    assert "with *** in it" in answer.stderr


def test_a_command_that_returns_a_number_ends_well(mqd: Call) -> None:
    """Only an exit code ends the process with one: what a command returns means nothing."""

    @click.command()
    def seven() -> int:
        return 7

    assert mqd("seven", command=Program(name="mqd", commands={"seven": seven})).exit_code == 0


def test_a_command_may_choose_its_exit_code(mqd: Call) -> None:
    """What a command asks for by `ctx.exit` is the exit code."""

    @click.command()
    @click.pass_context
    def five(ctx: click.Context) -> None:
        ctx.exit(5)

    assert mqd("five", command=Program(name="mqd", commands={"five": five})).exit_code == 5


def test_the_invocation_reaches_the_command(mqd: Call) -> None:
    """--json and --debug are kept for the command to ask."""

    @click.command()
    @json_option
    @click.pass_context
    def told(ctx: click.Context) -> None:
        invocation = ctx.ensure_object(Invocation)
        click.echo(json.dumps([invocation.as_json, invocation.debug]))

    program = Program(name="mqd", commands={"told": told})
    assert mqd("told", command=program).json() == [False, False]
    assert mqd("told", "--json", "--debug", command=program).json() == [True, True]


@pytest.mark.parametrize(
    ("words", "found"), [("mqd sta", "status"), ("mqd plugins sh", "show"), ("mqd config c", "check")]
)
def test_a_shell_can_complete_commands(folder: Path, words: str, found: str) -> None:
    """Completion offers commands by their first letters, groups' commands too."""
    surroundings = {"_MQD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "mqd_core"],
        cwd=folder,
        env={**os.environ, **surroundings},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == [f"plain,{found}"]


def test_what_the_encoding_lacks_is_escaped(folder: Path) -> None:
    """A character that the console's code page lacks is written as an escape, and is no error."""
    code = (
        "import click, mqd_core.errors\n"
        "from mqd_core.cli.program import Program\n"
        "@click.command()\n"
        "def fail():\n    click.echo('\\u4e2d'); raise mqd_core.errors.RunFailed('\\u6587')\n"
        "Program(name='mqd', commands={'fail': fail}).main(['fail'], prog_name='mqd')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "cp1252:strict"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (1, b"\\u4e2d", b"mqd: \\u6587")


def test_the_module_is_the_same_program(folder: Path) -> None:
    """`python -m mqd_core` is `mqd`."""
    done = subprocess.run(
        [sys.executable, "-m", "mqd_core", "--version"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert done.stdout == f"mqd {__version__}\n"
