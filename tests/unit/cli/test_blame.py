"""Whose code an unforeseen error came from."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from mqd_core.cli.blame import culprit

Install = Callable[..., Path]

SOURCE = "def fail(inner=None):\n    if inner:\n        inner()\n    raise ValueError('no')\n"


def caught(call: Callable[[], object]) -> BaseException:
    """The error that a call raises."""
    try:
        call()
    except ValueError as error:
        return error
    raise AssertionError("it did not raise")


def test_a_plugin_on_the_stack_is_named(install: Install) -> None:
    """The plugin whose code the error went through is named with distribution, file and line."""
    install("mqd-plugin-odd", "mqd.sizers", "odd", source=SOURCE)
    module = importlib.import_module("mqd_plugin_odd.plugin")

    told = culprit(caught(module.fail))

    assert "sizer plugin 'odd' (mqd-plugin-odd 1.0)" in told
    assert told.endswith("plugin.py:4")


def test_the_innermost_plugin_is_named(install: Install) -> None:
    """Of two plugins on the stack the inner one raised."""
    install("mqd-plugin-outer", "mqd.sizers", "outer", source=SOURCE)
    install("mqd-plugin-inner", "mqd.brokers", "inner", source=SOURCE)
    outer = importlib.import_module("mqd_plugin_outer.plugin")
    inner = importlib.import_module("mqd_plugin_inner.plugin")

    assert "broker plugin 'inner'" in culprit(caught(lambda: outer.fail(inner.fail)))


def test_of_several_plugins_in_a_package_all_are_named(install: Install) -> None:
    """Where one module holds several plugins it cannot be known which was called: the distribution is named first."""
    install("mqd-plugin-pair", "mqd.sizers", "left", "right", source=SOURCE)
    module = importlib.import_module("mqd_plugin_pair.plugin")

    assert "in mqd-plugin-pair 1.0 (sizer left, sizer right) at " in culprit(caught(module.fail))


def test_a_strategy_file_is_named(tmp_path: Path) -> None:
    """An error in a local strategy names the file and line."""
    path = tmp_path / "mine.py"
    code = compile(SOURCE, str(path), "exec")
    names: dict[str, Callable[[], object]] = {"__name__": "mqd_local_mine_0123"}  # type: ignore[dict-item]
    exec(code, names)

    assert culprit(caught(names["fail"])) == f"unexpected error in the strategy file {path}:4"


def test_the_desk_itself_is_named_by_place() -> None:
    """Without a plugin on the stack it is the desk's own, by file and line."""

    def fail() -> None:
        raise ValueError("no")

    assert "test_blame.py:" in culprit(caught(fail))


def test_an_error_that_was_never_raised_has_no_place() -> None:
    """An error without a traceback is told without one."""
    assert culprit(ValueError("no")) == "unexpected error"
