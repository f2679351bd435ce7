"""A strategy in a local file: the class is its record; whatever is wrong with file or class is told with its place."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from mqd_core.api import NoSettings, StrategyContext, StrategyRecord, Timeframe
from mqd_core.errors import PluginLoadError, PluginNotFound
from mqd_core.registry.kinds import Kind
from mqd_core.registry.loader import Loaded, Registry
from mqd_core.registry.local_file import is_local_file, read_local
from mqd_core.registry.resolve import Wanted

GOOD = '''
"""My file."""
from __future__ import annotations
from dataclasses import dataclass
from decimal import Decimal

from mqd_core.api import PluginSettings


@dataclass
class State:
    bars: int = 0


class MyStrategy:
    """Counts bars.

    And says nothing.
    """

    class Settings(PluginSettings):
        window: int = 20
        stop: Decimal = Decimal("0.02")

    def __init__(self, settings, context):
        self.settings, self.context, self.state = settings, context, State()

    def on_bar(self, bar, view):
        self.state.bars += 1
        return ()

    def on_fill(self, fill, view):
        return None


class Other(MyStrategy):
    scope = "portfolio"
    summary = "Another one"
'''
BARE = """
class Bare:
    def __init__(self, settings, context): ...
    def on_bar(self, bar, view): return ()
    def on_fill(self, fill, view): ...
"""


@pytest.fixture
def folder(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a good strategy file in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_strategy.py").write_text(GOOD, encoding="utf-8", newline="\n")
    return tmp_path


def load(name: str) -> Loaded:
    (loaded,) = Registry(allow=[]).load([Wanted(Kind.STRATEGY, name, "config.yaml:7:11")])
    return loaded


def record(name: str) -> StrategyRecord[Any]:
    return load(name).record_as(StrategyRecord)


def problem(name: str, error: type[PluginNotFound | PluginLoadError] = PluginLoadError) -> str:
    with pytest.raises(error) as caught:
        load(name)
    (text,) = caught.value.problems
    assert text.startswith("config.yaml:7:11: strategy file ")
    return text


def written(folder: Path, source: str) -> str:
    (folder / "bad.py").write_text(source, encoding="utf-8", newline="\n")
    return problem("./bad.py:Bare")


def test_the_class_is_its_record(folder: Path) -> None:
    """Settings, summary and scope are read from the class, and the class is built with settings and context."""
    mine = record("./my_strategy.py:MyStrategy")

    assert (mine.name, mine.summary, mine.scope) == ("MyStrategy", "Counts bars.", "symbol")
    context = StrategyContext(id="mine", symbols=("SPY",), timeframe=Timeframe.MINUTE_1)
    strategy: Any = mine.factory(mine.settings(window="7"), context)
    assert (strategy.settings.window, strategy.context) == (7, context)
    assert list(strategy.on_bar(None, None)) == []


def test_scope_and_summary_can_be_stated(folder: Path) -> None:
    """A class may say that it takes all symbols at once, and what it does."""
    other = record("my_strategy.py:Other")

    assert (other.scope, other.summary) == ("portfolio", "Another one")


def test_without_settings_no_parameter_is_allowed(folder: Path) -> None:
    """A class without Settings has none, so that a parameter in the configuration is refused; a summary is found."""
    (folder / "bare.py").write_text(BARE, encoding="utf-8")

    bare = record("bare.py:Bare")

    assert bare.settings is NoSettings
    assert bare.summary == "Bare of bare.py"


def test_the_digest_is_that_of_the_content(folder: Path) -> None:
    """What is recorded is the SHA-256 of the bytes that ran, and where they were."""
    loaded = load("./my_strategy.py:MyStrategy")

    digest = hashlib.sha256((folder / "my_strategy.py").read_bytes()).hexdigest()
    assert loaded.sha256 == digest
    assert loaded.name == "./my_strategy.py:MyStrategy"
    assert loaded.found.origin == f"local file sha256:{digest[:12]}"
    assert loaded.found.target == str(folder / "my_strategy.py")


def test_the_bytes_that_were_hashed_are_the_bytes_that_run(folder: Path) -> None:
    """A file that changes after it was read does not change what runs, nor leaves byte code for the next run."""
    file = read_local("my_strategy.py:MyStrategy")
    (folder / "my_strategy.py").write_text("raise SystemExit", encoding="utf-8")
    from mqd_core.registry.local_file import load_local

    assert load_local(file).name == "MyStrategy"
    assert not (folder / "__pycache__").exists()


def test_a_changed_file_is_another_module(folder: Path) -> None:
    """After an edit the new content runs, in the same process too."""
    before = load("my_strategy.py:MyStrategy")
    changed = GOOD.replace("Counts bars", "Counts more bars")
    (folder / "my_strategy.py").write_text(changed, encoding="utf-8", newline="\n")
    after = load("my_strategy.py:MyStrategy")

    assert (before.record.summary, after.record.summary) == ("Counts bars.", "Counts more bars.")
    assert before.sha256 != after.sha256


def test_one_file_with_two_strategies_runs_once(folder: Path) -> None:
    """Two strategies of one file share its module, and stand as two."""
    names = ("my_strategy.py:MyStrategy", "my_strategy.py:Other")
    mine, other = Registry().load([Wanted(Kind.STRATEGY, name) for name in names])

    first: Any = mine.record_as(StrategyRecord).factory
    second: Any = other.record_as(StrategyRecord).factory
    assert issubclass(second, first)


def test_a_file_is_imported_only_when_it_is_named(folder: Path) -> None:
    """Looking the name up reads the file and does not run it."""
    (folder / "bad.py").write_text("raise SystemExit", encoding="utf-8")

    (found,) = Registry().resolve([Wanted(Kind.STRATEGY, "bad.py:Bare")])

    assert found.name == "bad.py:Bare"
    assert not [name for name in sys.modules if name.startswith("mqd_local_bad")]


@pytest.mark.parametrize(
    ("name", "is_file"),
    [
        ("./my_strategy.py:MyStrategy", True),
        (r"C:\work\my_strategy.py:MyStrategy", True),
        ("my_strategy.py", True),
        ("MyStrategy", False),
        ("my:Strategy", False),
    ],
)
def test_a_name_that_means_a_file_is_told_from_a_plugins(name: str, is_file: bool) -> None:
    """A file is recognized by its suffix; everything else is a plugin's name."""
    assert is_local_file(name) is is_file


def test_the_last_colon_divides_file_and_class(folder: Path) -> None:
    """A drive letter's colon belongs to the path."""
    with pytest.raises(PluginNotFound, match=r"strategy file 'C:\\\\work\\\\x\.py' does not exist"):
        read_local(r"C:\work\x.py:MyStrategy")
    with pytest.raises(PluginNotFound, match=r"names no class: write C:\\work\\x\.py:ClassName"):
        read_local(r"C:\work\x.py")


def test_a_missing_file_suggests_its_neighbour(folder: Path) -> None:
    """A mistyped file name is answered with where it was looked for and the closest file there."""
    assert problem("./my_strateg.py:MyStrategy", PluginNotFound).endswith(
        f"'./my_strateg.py' does not exist (looked for {folder / 'my_strateg.py'}); did you mean 'my_strategy.py'?"
    )
    assert problem("./no/x.py:X", PluginNotFound).endswith(f"; the folder {folder / 'no'} does not exist either")
    assert problem("./zzzz.py:X", PluginNotFound).endswith("zzzz.py)")


@pytest.mark.parametrize("name", ["my_strategy.py", "my_strategy.py:", "my_strategy.py:My-Strategy"])
def test_a_file_without_a_class_says_how_to_name_one(folder: Path, name: str) -> None:
    """The class belongs to the name."""
    assert problem(name, PluginNotFound).endswith("names no class: write my_strategy.py:ClassName")


def test_a_file_that_cannot_be_read_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the file's name is no file, and is not run."""
    (folder / "odd.py").mkdir()

    assert "does not exist" in problem("odd.py:X", PluginNotFound)


def test_a_missing_class_suggests_the_closest(folder: Path) -> None:
    """A mistyped class name is answered with the strategies that the file holds."""
    assert problem("my_strategy.py:MyStrateg").endswith(
        "my_strategy.py: it has no class 'MyStrateg' (strategies in it: MyStrategy, Other); did you mean 'MyStrategy'?"
    )
    assert problem("my_strategy.py:State").endswith("class State has no method on_bar(self, bar, view)")
    assert problem("my_strategy.py:Decimals").endswith("'Decimals' (strategies in it: MyStrategy, Other)")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("\n\nimport no_such_thing\n", "bad.py:3: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("\nx = = 1\n", "bad.py:2: SyntaxError: invalid syntax"),
        ("def f():\n    return 1 / 0\nf()\n", "bad.py:2: ZeroDivisionError: division by zero"),
        ("raise SystemExit('stop')\n", "bad.py:1: SystemExit: stop"),
    ],
)
def test_an_error_in_the_file_is_told_with_its_line(folder: Path, source: str, expected: str) -> None:
    """What running the file raises comes with file and line, and the half-run module is forgotten."""
    assert f"raised at {expected}" in written(folder, source)
    assert not [name for name in sys.modules if name.startswith("mqd_local_bad")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("def on_fill(self, fill, view): ...", ""), "class Bare has no method on_fill(self, fill, view)"),
        (("(self, settings, context)", "(self)"), "write def __init__(self, settings, context)"),
        (("class Bare:", "class Bare:\n    Settings = dict"), "settings must be a class derived from PluginSettings"),
        (("class Bare:", "class Bare:\n    scope = 'all'"), 'scope must be "symbol" or "portfolio", was \'all\''),
        (("class Bare:", "class Bare:\n    summary = 'two\\nlines'"), "summary must be one line of text"),
        (("class Bare:", "Bare = 7\nclass Else:"), "it has no class 'Bare' (strategies in it: Else)"),
    ],
)
def test_a_class_of_the_wrong_shape_is_refused_before_it_trades(
    folder: Path, change: tuple[str, str], expected: str
) -> None:
    """What would fail at the first bar or fill is told at start-up."""
    assert expected in written(folder, BARE.replace(*change))


def test_ctrl_c_in_the_file_is_no_plugin_error(folder: Path) -> None:
    """The user's interrupt passes through as itself."""
    (folder / "slow.py").write_text("raise KeyboardInterrupt", encoding="utf-8")

    with pytest.raises(KeyboardInterrupt):
        load("slow.py:X")
