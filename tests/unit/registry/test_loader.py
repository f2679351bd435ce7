"""Stage 4: the named plugins are imported, the others never; a fault in one is attributed, and comes with a remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mqd_core.api import BrokerRecord, SizerRecord
from mqd_core.errors import PluginLoadError
from mqd_core.registry import shipped
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Registry
from mqd_core.registry.resolve import Wanted
from mqd_core.testing.distributions import make_distribution

Install = Callable[..., Path]


def failure(*names: str) -> PluginLoadError:
    with pytest.raises(PluginLoadError) as caught:
        Registry().load([Wanted(Kind.SIZER, name) for name in names])
    return caught.value


def test_loads_the_record_with_its_origin(install: Install) -> None:
    """A named plugin comes back as its record, with the distribution that brought it."""
    install("mqd-plugin-fixed", "fixed", version="2.5")

    (loaded,) = Registry().load([Wanted(Kind.SIZER, "fixed")])

    assert (loaded.kind, loaded.name, loaded.found.origin, loaded.sha256) == (
        Kind.SIZER,
        "fixed",
        "mqd-plugin-fixed 2.5",
        "",
    )
    assert loaded.record_as(SizerRecord).summary == "Says nothing"
    with pytest.raises(TypeError, match=r"has a SizerRecord, no BrokerRecord"):
        loaded.record_as(BrokerRecord)


def test_only_named_plugins_are_imported(install: Install) -> None:
    """Broken plugins that the configuration does not name cost nothing, in the same distribution path or group."""
    install("mqd-plugin-good", "good")
    for number, source in enumerate(("raise SystemExit", "raise AssertionError", "import no_such_sdk", "x = = 1")):
        install(f"mqd-plugin-bad{number}", f"bad{number}", source=source)

    assert [one.name for one in Registry().load([Wanted(Kind.SIZER, "good")])] == ["good"]
    assert not [name for name in sys.modules if name.startswith("mqd_plugin_bad")]


@pytest.mark.parametrize("order", [("good", "broken"), ("broken", "good")])
def test_records_come_in_the_order_of_the_configuration(install: Install, order: tuple[str, ...]) -> None:
    """The configuration's order decides, not the installation's; a name mentioned twice comes once."""
    for name in order:
        install(f"mqd-plugin-{name}", name)

    loaded = Registry().load([Wanted(Kind.SIZER, name) for name in ("good", "broken", "good")])

    assert [one.name for one in loaded] == ["good", "broken"]


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("\nraise SystemExit(0)\n", "SystemExit: 0"),
        ("\nassert 1 == 2, 'sums'\n", "AssertionError: sums"),
        ("\nraise ValueError('a\\n  b')\n", "ValueError: a b"),
        ("\nfrom mqd_core.api import no_such_name\n", "ImportError: cannot import name 'no_such_name'"),
        ("\nx = = 1\n", "SyntaxError: invalid syntax"),
        ("Panic = type('Panic', (BaseException,), {})\nraise Panic('rust')\n", "Panic: rust"),
    ],
)
def test_whatever_an_import_raises_names_plugin_place_and_cause(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, cause: str
) -> None:
    """Each error at import, also those that pass through `except Exception`, is one line that a person can use."""
    install("mqd-plugin-bad", "bad", source=source)
    monkeypatch.chdir(tmp_path)

    error = failure("bad")

    (problem,) = error.problems
    place = Path("site", "mqd_plugin_bad", "plugin.py")
    assert problem.startswith(f"sizer plugin 'bad' (mqd-plugin-bad 1.0) could not be imported: raised at {place}:2: ")
    assert cause in problem
    assert error.__cause__ is not None


def test_an_exception_that_cannot_be_printed_is_still_attributed(install: Install) -> None:
    """An exception whose own text fails does not take the message down with it."""
    source = "class Odd(Exception):\n    def __str__(self): raise KeyError\nraise Odd\n"
    install("mqd-plugin-odd", "odd", source=source)

    assert "sizer plugin 'odd' (mqd-plugin-odd 1.0)" in failure("odd").problems[0]


def test_a_long_cause_is_cut(install: Install) -> None:
    """A cause of thousands of characters does not bury the message."""
    install("mqd-plugin-long", "long", source="raise ValueError('x' * 9999)")

    assert len(failure("long").problems[0]) < 700


def test_ctrl_c_during_an_import_is_no_plugin_error(install: Install) -> None:
    """The user's interrupt passes through as itself."""
    install("mqd-plugin-slow", "slow", source="raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        Registry().load([Wanted(Kind.SIZER, "slow")])


def test_all_failures_of_the_stage_come_in_one_error(install: Install) -> None:
    """Two broken plugins are told together, also when the first one exits the process; the good one does no harm."""
    install("mqd-plugin-a", "exits", source="raise SystemExit")
    install("mqd-plugin-b", "fixed")
    install("mqd-plugin-c", "asserts", source="assert False")

    error = failure("exits", "fixed", "asserts")

    assert [problem.split("'")[1] for problem in error.problems] == ["exits", "asserts"]


def test_a_missing_module_of_the_plugin_is_a_damaged_installation(install: Install) -> None:
    """Where the plugin's own module is gone, the remedy is to install it again."""
    folder = install("mqd-plugin-gone").parent
    entry_points = {"mqd.sizers": {"gone": "mqd_plugin_gone.no.plugin"}}
    make_distribution(folder, "mqd-plugin-gone", entry_points=entry_points)

    assert str(failure("gone")) == (
        "sizer plugin 'gone' (mqd-plugin-gone 1.0) could not be imported: "
        "its own module 'mqd_plugin_gone.no' is missing; install it again"
    )


def test_a_missing_dependency_is_told_from_a_missing_module(install: Install) -> None:
    """Where what the plugin needs is missing, the message says so and names the requirement."""
    needs = ["no-such-sdk>=2; python_version>'3'", "pluggy"]
    install("mqd-plugin-needy", "needy", source="import no_such_sdk.client", requires=needs)

    (problem,) = failure("needy").problems

    assert "ModuleNotFoundError: No module named 'no_such_sdk'; it requires no-such-sdk>=2, not installed" in problem
    assert problem.endswith("; install mqd-plugin-needy again")


def test_an_undeclared_dependency_is_the_authors_fault(install: Install) -> None:
    """Where the metadata names nothing that is missing, its author forgot to."""
    install("mqd-plugin-sly", "sly", source="import no_such_sdk")

    assert (
        failure("sly")
        .problems[0]
        .endswith("; mqd-plugin-sly does not declare what provides 'no_such_sdk': tell its author")
    )


def test_a_shipped_plugin_with_a_missing_dependency_comes_with_its_command(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a plugin of this repository the command that installs it, dependencies included, is given."""
    monkeypatch.setitem(shipped.SHIPPED, (Kind.SIZER, "ours"), "./plugins/ours")
    install("mqd-plugin-ours", "ours", source="import no_such_sdk", requires=["no-such-sdk"])

    assert failure("ours").problems[0].endswith("; pip install ./plugins/ours")


def test_an_entry_point_must_name_a_module(install: Install, sizer_source: Callable[..., str]) -> None:
    """A target with an object after a colon is refused: hooks stand in a module."""
    folder = install("mqd-plugin-colon").parent
    make_distribution(
        folder,
        "mqd-plugin-colon",
        entry_points={"mqd.sizers": {"colon": "mqd_plugin_colon.plugin:Fixed"}},
        modules={"mqd_plugin_colon/plugin.py": sizer_source("colon")},
    )

    assert str(failure("colon")) == (
        "sizer plugin 'colon' (mqd-plugin-colon 1.0): its entry point 'mqd_plugin_colon.plugin:Fixed' "
        "must name a module, with no object after a colon"
    )


def test_one_module_in_two_groups_is_registered_once(site: Path) -> None:
    """A module that offers a sizer and an observer is imported and registered once, and asked for each."""
    source = (
        "from mqd_core.api import NoSettings, ObserverRecord, SizerRecord, hookimpl\n"
        "@hookimpl\n"
        "def mqd_sizers():\n"
        "    yield SizerRecord(name='both', summary='s', settings=NoSettings, factory=print)\n"
        "@hookimpl\n"
        "def mqd_observers():\n"
        "    yield ObserverRecord(name='both', summary='s', settings=NoSettings, factory=print)\n"
    )
    groups = ("mqd.sizers", "mqd.observers")
    make_distribution(
        site,
        "mqd-plugin-both",
        entry_points={group: {"both": "mqd_plugin_both.plugin"} for group in groups},
        modules={"mqd_plugin_both/plugin.py": source},
    )

    loaded = Registry().load([Wanted(Kind.SIZER, "both"), Wanted(Kind.OBSERVER, "both")])

    assert [type(one.record).__name__ for one in loaded] == ["SizerRecord", "ObserverRecord"]


def test_a_module_imported_before_is_not_imported_again(install: Install) -> None:
    """Two registries in one process share Python's modules and keep their own registrations."""
    install("mqd-plugin-once", "once")
    first, second = (Registry().load([Wanted(Kind.SIZER, "once")])[0].record for _ in range(2))

    assert isinstance(sys.modules["mqd_plugin_once.plugin"], ModuleType)
    assert first == second
