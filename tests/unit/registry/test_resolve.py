"""Stage 3: a name that cannot be used is explained, with its place and what to do; nothing is imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mqd_core.errors import ConfigError, PluginBlocked, PluginConflict, PluginIncompatible, PluginNotFound
from mqd_core.registry.discovery import Found
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Registry
from mqd_core.registry.resolve import Problem, Wanted, look_up
from mqd_core.registry.standing import judge

Install = Callable[..., Path]


def absence(name: str, *installed: Found, kind: Kind = Kind.BROKER) -> str:
    outcome = look_up(Wanted(kind, name), judge(installed))
    assert isinstance(outcome, Problem)
    assert outcome.error is PluginNotFound
    return outcome.text


def broker(name: str) -> Found:
    return Found(Kind.BROKER, name, "x.plugin", f"mqd-plugin-{name}", "1.0")


def test_an_unknown_name_lists_what_is_installed_and_suggests() -> None:
    """A mistyped name is answered with the installed ones and the closest of them."""
    assert absence("goood", broker("good"), broker("bad")) == (
        "no broker plugin named 'goood' is installed (installed: bad, good); did you mean 'good'?"
    )


def test_a_wrong_case_is_suggested() -> None:
    """Names are compared exactly, but suggested whatever their case."""
    text = absence("MINE", broker("mine"))

    assert text == "no broker plugin named 'MINE' is installed (installed: mine); did you mean 'mine'?"


def test_nothing_close_is_not_suggested() -> None:
    """Where nothing resembles the name, nothing is made up, least of all a pip command of a stranger."""
    text = absence("zzzzzz", broker("good"))

    assert text == (
        "no broker plugin named 'zzzzzz' is installed (installed: good); "
        "name one that is installed, or install the distribution that has it"
    )
    assert "pip" not in absence("interactive_brokers")


def test_a_plugin_of_this_repository_comes_with_its_local_path() -> None:
    """The pip command is given for a plugin of this repository, and installs from the folder beside the core."""
    assert absence("mock") == (
        "no broker plugin named 'mock' is installed (installed: none); "
        "it comes with mqd: in a copy of its repository, pip install ./plugins/mock_broker"
    )
    assert absence("mok").endswith(
        "did you mean 'mock'? in a copy of mqd's repository: pip install ./plugins/mock_broker"
    )


def test_the_kind_counts() -> None:
    """A name that another kind of plugin has is not taken for this one; the message says which kind it is."""
    text = absence("mine", broker("mine"), kind=Kind.STORE)

    assert text == "no store plugin named 'mine' is installed (installed: none); 'mine' is the name of a broker plugin"


@pytest.mark.parametrize("name", ["", "my-broker", "1st", "a b", "x\n", "_x", "é"])
def test_what_is_no_name_is_refused_as_such(name: str) -> None:
    """A text that no plugin can be called says what a name is made of."""
    expected = f"{name!r} is not the name of a plugin: letters, digits and underscores, beginning with a letter"

    assert absence(name) == expected


def test_resolving_returns_what_was_found_in_the_order_of_the_configuration(install: Install) -> None:
    """The entry points come in the configuration's order, each once, however often it is named."""
    install("mqd-plugin-two", "fixed_a", "fixed_b")
    wanted = [Wanted(Kind.SIZER, name) for name in ("fixed_b", "fixed_a", "fixed_b")]

    assert [found.name for found in Registry().resolve(wanted)] == ["fixed_b", "fixed_a"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_conflict_names_both_distributions_whatever_the_order(install: Install, order: tuple[str, str]) -> None:
    """The message is the same whichever was installed first, and no module of either is imported."""
    for letter in order:
        install(f"mqd-plugin-{letter}", "dup", source="raise SystemExit")

    with pytest.raises(PluginConflict) as caught:
        Registry().load([Wanted(Kind.SIZER, "dup", "config.yaml:4:8")])

    assert str(caught.value) == (
        "config.yaml:4:8: sizer plugin name 'dup' is claimed by mqd-plugin-a 1.0 and mqd-plugin-b 1.0; "
        "uninstall all but one"
    )


def test_a_blocked_plugin_is_not_imported(install: Install) -> None:
    """What the allow list leaves out is refused before its code could run."""
    install("mqd-plugin-shady", "shady", source="raise SystemExit")

    with pytest.raises(PluginBlocked) as caught:
        Registry(allow=["mqd-plugin-mock"]).load([Wanted(Kind.SIZER, "shady")])

    assert str(caught.value) == (
        "sizer plugin 'shady' (mqd-plugin-shady 1.0) is blocked: mqd-plugin-shady is not on the list plugins.allow; "
        "add it there, or name another plugin"
    )


def test_a_plugin_for_another_core_is_not_imported(install: Install) -> None:
    """A plugin whose requirement of the core is not met is refused before its code could run."""
    install("mqd-plugin-old", "old", source="raise SystemExit", requires=["mqd-core<3,>=2.0"])

    with pytest.raises(PluginIncompatible) as caught:
        Registry(core_version="0.1.0").load([Wanted(Kind.SIZER, "old")])

    assert str(caught.value) == (
        "sizer plugin 'old' (mqd-plugin-old 1.0) is incompatible: needs mqd-core<3,>=2.0, mqd-core 0.1.0 is installed; "
        "install a version of it that fits"
    )


def test_all_problems_of_the_stage_come_in_one_error(install: Install) -> None:
    """Unknown, conflicting and incompatible names are told together, in the configuration's order, exit code 3."""
    install("mqd-plugin-a", "dup")
    install("mqd-plugin-b", "dup", "late", requires=["mqd-core>=99"])
    wanted = [Wanted(Kind.SIZER, name, f"config.yaml:{line}:1") for line, name in ((9, "late"), (3, "no"), (12, "dup"))]

    with pytest.raises(ConfigError) as caught:
        Registry().resolve(wanted)

    assert type(caught.value) is ConfigError
    assert caught.value.exit_code == 3
    places = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert places == ["config.yaml:9:1", "config.yaml:3:1", "config.yaml:12:1"]


def test_problems_of_one_class_keep_it(install: Install) -> None:
    """Where all problems are alike, the error is of their class and holds each once."""
    with pytest.raises(PluginNotFound) as caught:
        Registry().resolve([Wanted(Kind.EXECUTOR, name) for name in ("nope", "none", "nope")])

    assert [problem.split("'")[1] for problem in caught.value.problems] == ["nope", "none"]
