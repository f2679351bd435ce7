"""House rules that no linter knows, over the files that git knows of; each finding is named by file and line.

The rules are small functions from a file to findings, and each is shown to fire on a line that breaks it.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PURE_PACKAGES = ("domain", "risk", "ports", "engine")

# The one border between floats and exact money.
FLOAT_BORDER = "mqd_core/domain/money.py"

# Where any exception may be swallowed, and why; everywhere else errors are named, or a handler ends in a bare `raise`.
BOUNDARIES = {
    "mqd_core/app/assembly.py": "a broker that is asked at a start may raise anything; it becomes RunFailed",
    "mqd_core/app/emergency.py": "a broker may raise anything; the other steps of a kill are done all the same",
    "mqd_core/app/factories.py": "a factory may raise anything; it becomes PluginBuildError",
    "mqd_core/cli/program.py": "the last boundary: whatever a command raises becomes words and an exit code",
    "mqd_core/engine/desk.py": "a strategy may raise anything, and is quarantined",
    "mqd_core/engine/engine.py": "a strategy may raise anything, and is quarantined",
    "mqd_core/engine/instruments.py": "a strategy may raise anything, and is quarantined",
    "mqd_core/engine/orchestrator.py": "a strategy or sizer may raise anything; it is quarantined, the order denied",
    "mqd_core/logging/delivery.py": "the thread that writes must outlive a line it cannot write, and says so",
    "mqd_core/logging/line.py": "a logged value's own code may raise anything, and logging must not stop the desk",
    "mqd_core/registry/discovery.py": "one unreadable distribution must not hide the others",
    "mqd_core/registry/failure.py": "a plugin may raise anything, SystemExit included; it becomes PluginLoadError",
    "mqd_core/risk/gate.py": "a plugin's rule may raise anything, and the order is denied",
    "mqd_core/runtime/bounded_call.py": "the thread of one call; what it raises is raised again by whoever waits",
    "mqd_core/runtime/effect_threads.py": "the lanes must outlive any error of a broker; it becomes an event",
    "mqd_core/runtime/live_feed.py": "a data source may raise anything; its thread's end becomes an event",
    "mqd_core/runtime/live_run.py": "a data source may raise anything when it is asked for history",
    "mqd_core/runtime/observers.py": "an observer may raise anything; it is counted and at last switched off",
    "mqd_core/runtime/performer.py": "a broker may raise anything; what is no clear no leaves the outcome unknown",
}

CLOCKS = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.time",
    "time.time_ns",
}

# Written in pieces, so that this file does not break the rules it states.
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
MACHINES = re.compile(r"(?<![\w.:/-])/(?:work|farm|root|home|Users|tmp/\w+)/|\b[A-Z]:\\" + r"Users\b")
INDEXES = re.compile(
    r"(?:extra-)?index[-_]" + r"url|https?://\S*/(?:simple|registry)\b|py" + r"pi\.org|python" + r"hosted|npm" + r"js\."
)
TEXT_SUFFIXES = {"", ".cfg", ".css", ".html", ".ini", ".js", ".json", ".md", ".py", ".sql", ".template", ".toml"} | {
    ".txt",
    ".yaml",
    ".yml",
}

# Distributions whose package has another name.
PACKAGES = {"alpaca-py": "alpaca"}

Finding = tuple[int, str]
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def long_file(text: str) -> Iterator[Finding]:
    """Find a file over the limit of lines."""
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield lines, f"{lines} lines, allowed are {FILE_LINES_MAX}: split it by noun"


def long_functions(tree: ast.Module) -> Iterator[Finding]:
    """Find functions over the limit of lines, docstring included."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines, allowed are {FUNCTION_LINES_MAX}"


def floats(tree: ast.Module) -> Iterator[Finding]:
    """Find calls of float."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield node.lineno, "a float where money is exact"


def broad_handlers(tree: ast.Module) -> Iterator[Finding]:
    """Find handlers and suppressions that catch everything and do not pass it on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            last = node.body[-1]
            if isinstance(last, ast.Raise) and last.exc is None:
                continue
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"suppress", "contextlib.suppress"}:
            caught = [*node.args]
        else:
            continue
        if any(error is None or ast.unparse(error) in {"Exception", "BaseException"} for error in caught):
            yield node.lineno, "swallows everything; name the errors, or the file in BOUNDARIES with its reason"


def clocks(tree: ast.Module) -> Iterator[Finding]:
    """Find readings of a clock, under whichever alias their module was imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in CLOCKS:
            yield node.lineno, f"{ast.unparse(node)} reads a clock; time comes in through events"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield node.lineno, "imports a clock; time comes in through events"


def silent_tests(tree: ast.Module) -> Iterator[Finding]:
    """Find test functions that do not say what they expect."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith("test_") and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} has no docstring that says what is expected"


def silent_modules(tree: ast.Module) -> Iterator[Finding]:
    """Find a module that does not say what it is."""
    if not ast.get_docstring(tree):
        yield 1, "the module has no docstring"


def lines_matching(text: str, pattern: re.Pattern[str]) -> Iterator[Finding]:
    """Find the lines that a pattern matches."""
    for number, line in enumerate(text.splitlines(), start=1):
        if pattern.search(line):
            yield number, line.strip()[:100]


@pytest.fixture(scope="module")
def tracked(project_root: Path) -> list[Path]:
    """The files that git knows or would take, relative to the root."""
    git = shutil.which("git")
    if git is None or not (project_root / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    listing = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project_root,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    names = [Path(name) for name in listing.stdout.split("\0") if name]
    return [name for name in names if (project_root / name).is_file()]


@pytest.fixture(scope="module")
def texts(project_root: Path, tracked: list[Path]) -> dict[str, str]:
    """The text files of the project by posix path."""
    return {
        name.as_posix(): (project_root / name).read_text(encoding="utf-8")
        for name in tracked
        if name.suffix in TEXT_SUFFIXES
    }


@pytest.fixture(scope="module")
def trees(texts: dict[str, str]) -> dict[str, ast.Module]:
    """The syntax trees of the project's Python files by posix path."""
    return {name: ast.parse(text, filename=name) for name, text in texts.items() if name.endswith(".py")}


def is_test(name: str) -> bool:
    """Whether a path belongs to the tests of the core or of a plugin."""
    return name.startswith("tests/") or "/tests/" in name or name == "conftest.py"


def is_shipped(name: str) -> bool:
    """Whether a path belongs to a package that is installed."""
    return name.startswith("mqd_core/") or (name.startswith("plugins/") and "/src/" in name)


def in_packages(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a path belongs to one of these packages of the core."""
    return name.startswith(tuple(f"mqd_core/{package}/" for package in packages))


def report(findings: dict[str, list[Finding]]) -> str:
    """One line a finding, as editors understand them."""
    return "\n".join(f"{name}:{line}: {what}" for name, rows in findings.items() for line, what in rows)


def test_files_are_short(texts: dict[str, str]) -> None:
    """No Python file is over 400 lines."""
    assert report({name: [*long_file(text)] for name, text in texts.items() if name.endswith(".py")}) == ""


def test_functions_are_short(trees: dict[str, ast.Module]) -> None:
    """No function is over 60 lines."""
    assert report({name: [*long_functions(tree)] for name, tree in trees.items()}) == ""


def test_no_float_enters_domain_or_risk(trees: dict[str, ast.Module]) -> None:
    """Only the border between floats and money may call float."""
    exact = {name: tree for name, tree in trees.items() if in_packages(name, ("domain", "risk"))}
    assert report({name: [*floats(tree)] for name, tree in exact.items() if name != FLOAT_BORDER}) == ""


def test_only_boundaries_swallow_everything(trees: dict[str, ast.Module]) -> None:
    """A handler that keeps every exception to itself stands in the files that are listed with a reason."""
    shipped = {name: [*broad_handlers(tree)] for name, tree in trees.items() if is_shipped(name)}
    assert report({name: rows for name, rows in shipped.items() if name not in BOUNDARIES}) == ""


def test_the_list_of_boundaries_is_not_stale(trees: dict[str, ast.Module]) -> None:
    """Every listed boundary still swallows everything; else it loses its exemption."""
    stale = [name for name in BOUNDARIES if name not in trees or not [*broad_handlers(trees[name])]]
    assert stale == []


def test_the_pure_packages_read_no_clock(trees: dict[str, ast.Module]) -> None:
    """Domain, risk, ports and engine take time from events only."""
    assert report({name: [*clocks(tree)] for name, tree in trees.items() if in_packages(name, PURE_PACKAGES)}) == ""


def test_tests_say_what_they_expect(trees: dict[str, ast.Module]) -> None:
    """Every test function has a docstring."""
    assert report({name: [*silent_tests(tree)] for name, tree in trees.items() if is_test(name)}) == ""


def test_modules_say_what_they_are(trees: dict[str, ast.Module]) -> None:
    """Every module has a docstring."""
    assert report({name: [*silent_modules(tree)] for name, tree in trees.items()}) == ""


def test_nothing_is_left_for_later(texts: dict[str, str]) -> None:
    """No file carries a note to finish it some other day."""
    assert report({name: [*lines_matching(text, LEFTOVERS)] for name, text in texts.items()}) == ""


def test_no_file_knows_a_machine(texts: dict[str, str]) -> None:
    """No file names a folder of the machine it was written on."""
    assert report({name: [*lines_matching(text, MACHINES)] for name, text in texts.items()}) == ""


def test_no_file_knows_an_index(texts: dict[str, str]) -> None:
    """Where packages come from is the reader's setting, in no file of the project."""
    assert report({name: [*lines_matching(text, INDEXES)] for name, text in texts.items()}) == ""


def plugin_folders(project_root: Path) -> list[Path]:
    """The folders of the plugins' distributions."""
    return sorted(path.parent for path in (project_root / "plugins").glob("*/pyproject.toml"))


def test_every_package_is_typed(project_root: Path) -> None:
    """The core and each plugin ship py.typed, so that their types reach who imports them."""
    packages = [project_root / "mqd_core"]
    for folder in plugin_folders(project_root):
        packages += [path.parent for path in (folder / "src").glob("*/__init__.py")]
    assert len(packages) > 1
    assert [str(package) for package in packages if not (package / "py.typed").is_file()] == []


def test_every_plugin_is_installed_and_tested(project_root: Path) -> None:
    """requirements.txt installs each plugin, tox tests it by itself, and it has a README and a CHANGELOG."""
    requirements = (project_root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    tox = (project_root / "tox.ini").read_text(encoding="utf-8")
    missing = []
    for folder in plugin_folders(project_root):
        name = f"plugins/{folder.name}"
        missing += [f"{name}/{file}" for file in ("README.md", "CHANGELOG.md") if not (folder / file).is_file()]
        missing += [f"{name} in requirements.txt"] if f"-e ./{name}" not in requirements else []
        missing += [f"{name} in tox.ini"] if f"-e ./{name}\n" not in tox or f":{name}/tests" not in tox else []
    assert missing == []


def test_plugins_declare_what_they_import(project_root: Path) -> None:
    """A plugin's own pyproject.toml names every distribution that its sources import."""
    missing = []
    for folder in plugin_folders(project_root):
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        declared = {
            PACKAGES.get(name, name.replace("-", "_"))
            for name in re.findall(r'^    "([\w-]+)', text, flags=re.MULTILINE)
        }
        own = {path.parent.name for path in (folder / "src").glob("*/__init__.py")}
        for path in sorted((folder / "src").rglob("*.py")):
            imported = imported_packages(ast.parse(path.read_text(encoding="utf-8")))
            unknown = imported - declared - own - sys.stdlib_module_names
            missing += [f"{path.relative_to(project_root)}: {name}" for name in sorted(unknown)]
    assert missing == []


def imported_packages(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports anywhere in it."""
    packages: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            packages.add(node.module.split(".")[0])
    return packages


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (long_functions, "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        (floats, "price = float(text)"),
        (broad_handlers, "try:\n    f()\nexcept:\n    g()"),
        (broad_handlers, "try:\n    f()\nexcept (KeyError, Exception):\n    g()"),
        (broad_handlers, "try:\n    f()\nexcept Exception as error:\n    raise Unlike(error) from error"),
        (broad_handlers, "with contextlib.suppress(BaseException):\n    f()"),
        (clocks, "now = dt.datetime.now(tz)"),
        (clocks, "from time import time_ns"),
        (silent_tests, "class TestX:\n    def test_y(self):\n        assert x"),
        (silent_modules, "x = 1"),
    ],
)
def test_a_rule_on_syntax_fires(rule: Callable[[ast.Module], Iterator[Finding]], source: str) -> None:
    """Each rule finds the line that breaks it."""
    assert [*rule(ast.parse(source))]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (LEFTOVERS, "# TO" + "DO: later"),
        (MACHINES, "path = '/ro" + "ot/x/y'"),
        (MACHINES, "see /wo" + "rk/project"),
        (INDEXES, "--extra-index" + "-url https://example.com/x"),
        (INDEXES, "https://example.com/sim" + "ple"),
    ],
)
def test_a_rule_on_text_fires(pattern: re.Pattern[str], line: str) -> None:
    """Each pattern finds the line that breaks it."""
    assert [*lines_matching(line, pattern)]


def test_a_handler_that_passes_everything_on_is_no_boundary() -> None:
    """Cleaning up after any error is allowed where the same error goes on."""
    assert not [*broad_handlers(ast.parse("try:\n    f()\nexcept BaseException:\n    g()\n    raise"))]


def test_a_long_file_is_found() -> None:
    """The rule on the length of files fires one line over the limit, and not at it."""
    assert not [*long_file("x = 1\n" * FILE_LINES_MAX)]
    assert [*long_file("x = 1\n" * (FILE_LINES_MAX + 1))]
