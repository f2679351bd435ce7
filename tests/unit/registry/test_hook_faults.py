"""Plugins whose hooks are wrong: each fault is found when the plugin is loaded, and named; others are unharmed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mqd_core.errors import PluginLoadError
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Registry
from mqd_core.registry.resolve import Wanted

Install = Callable[..., Path]

HEAD = """\
from mqd_core.api import NoSettings, SizerRecord
from mqd_core.api import StoreRecord, hookimpl
"""
RECORD = "SizerRecord(name='bad', summary='s', settings=NoSettings, factory=print)"
OTHER = RECORD.replace("bad", "other")


def fault(install: Install, body: str) -> str:
    install("mqd-plugin-bad", "bad", source=HEAD + body)
    install("mqd-plugin-good", "good")
    registry = Registry()
    with pytest.raises(PluginLoadError) as caught:
        registry.load([Wanted(Kind.SIZER, "bad"), Wanted(Kind.SIZER, "good")])
    assert [one.name for one in registry.load([Wanted(Kind.SIZER, "good")])] == ["good"]
    (problem,) = caught.value.problems
    lead = "sizer plugin 'bad' (mqd-plugin-bad 1.0): "
    assert problem.startswith(lead)
    return problem.removeprefix(lead)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("@hookimpl\ndef mqd_sizers(config): yield\n", "its hooks do not fit: .*mqd_sizers.*'config'"),
        ("@hookimpl\ndef mqd_sizer(): yield\n", "its hooks do not fit: .*unknown hook 'mqd_sizer'"),
        ("def mqd_sizers(): yield\n", "its function mqd_sizers is not marked with @hookimpl"),
        ("x = 1\n", "it has no @hookimpl function mqd_sizers, which its entry point in mqd.sizers promises"),
        (f"@hookimpl\ndef mqd_sizers(): return {RECORD}\n", "mqd_sizers must yield .*it returned SizerRecord 'bad'"),
        ("@hookimpl\ndef mqd_sizers(): return 7\n", "mqd_sizers must yield .*it returned int 7"),
        ("@hookimpl\ndef mqd_sizers(): pass\n", r"mqd_sizers yields no record named 'bad' \(it yields: none\)"),
        ("@hookimpl\ndef mqd_sizers(): return ()\n", r"mqd_sizers yields no record named 'bad' \(it yields: none\)"),
        (
            f"@hookimpl\ndef mqd_sizers():\n    yield {OTHER}\n    yield {OTHER.replace('other', 'a')}\n",
            r"mqd_sizers yields no record named 'bad' \(it yields: 'a', 'other'\)",
        ),
        (
            f"@hookimpl\ndef mqd_sizers():\n    yield {RECORD}\n    yield {RECORD}\n",
            "mqd_sizers yields 2 records named 'bad'; it must yield exactly one",
        ),
        (
            f"@hookimpl\ndef mqd_sizers():\n    yield {RECORD.replace('Sizer', 'Store')}\n",
            "mqd_sizers may yield SizerRecord only, it yielded StoreRecord 'bad'",
        ),
        (
            f"@hookimpl\ndef mqd_sizers():\n    yield {RECORD}\n    yield 'text'\n",
            "mqd_sizers may yield SizerRecord only, it yielded str 'text'",
        ),
        (
            f"@hookimpl\ndef mqd_sizers():\n    yield {RECORD}\n    raise LookupError('half way')\n",
            r"its hook raised at .*plugin\.py:6: LookupError: half way",
        ),
        (
            "@hookimpl\ndef mqd_sizers():\n    raise SystemExit('bye')\n",
            r"its hook raised at .*plugin\.py:5: SystemExit: bye",
        ),
        (
            f"@hookimpl\ndef mqd_sizers():\n    yield {RECORD.replace('bad', 'my-name')}\n",
            r"its hook raised at .*plugin\.py:5: ValueError: SizerRecord\.name was 'my-name': letters, digits",
        ),
        (
            "@hookimpl\ndef mqd_sizers():\n    yield SizerRecord(name='bad')\n",
            r"its hook raised at .*plugin\.py:5: TypeError: .*missing 3 required",
        ),
    ],
)
def test_a_wrong_hook_is_named_and_harms_no_other(install: Install, body: str, expected: str) -> None:
    """Each mistake an author can make in a hook is one line that says which plugin, where, and what is allowed."""
    told = fault(install, body)

    assert re.match(expected, told), told


def test_ctrl_c_in_a_hook_is_no_plugin_error(install: Install) -> None:
    """The user's interrupt passes through a hook as itself."""
    install("mqd-plugin-slow", "slow", source=HEAD + "@hookimpl\ndef mqd_sizers(): raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        Registry().load([Wanted(Kind.SIZER, "slow")])


def test_no_record_of_a_half_read_hook_is_kept(install: Install) -> None:
    """A plugin whose hook fails after its first record is not half there: asking for that record fails too."""
    source = f"{HEAD}@hookimpl\ndef mqd_sizers():\n    yield {RECORD}\n    raise LookupError\n"
    install("mqd-plugin-bad", "bad", source=source)
    registry = Registry()

    for _ in range(2):
        with pytest.raises(PluginLoadError, match="LookupError"):
            registry.load([Wanted(Kind.SIZER, "bad")])


def test_hooks_that_wrap_others_see_no_other_plugin(install: Install) -> None:
    """A plugin cannot touch what another one yields: each is asked alone."""
    source = (
        f"{HEAD}@hookimpl(wrapper=True)\ndef mqd_sizers():\n    yield\n    return [[]]\n"
        "@hookimpl(specname='mqd_sizers')\ndef own():\n    yield " + RECORD + "\n"
    )
    install("mqd-plugin-bad", "bad", source=source)
    install("mqd-plugin-good", "good")
    registry = Registry()
    with pytest.raises(PluginLoadError, match="yields no record named 'bad'"):
        registry.load([Wanted(Kind.SIZER, "bad")])

    assert registry.load([Wanted(Kind.SIZER, "good")])[0].record.name == "good"


def test_hook_calls_can_be_traced(install: Install) -> None:
    """A plugin author sees which hooks are called."""
    install("mqd-plugin-good", "good")
    lines: list[str] = []

    Registry(trace=lines.append).load([Wanted(Kind.SIZER, "good")])

    assert any("mqd_sizers" in line for line in lines)
