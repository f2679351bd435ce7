"""Who may import whom: the contracts of pyproject.toml hold, and each is shown to fire on a planted breach.

import-linter reads sources and imports nothing, so the plugins are checked here whether or not they are installed.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PURE_PACKAGES = ("domain", "risk", "ports", "engine")
PURE_LINES_MAX = 6_000
LAYERS = (*PURE_PACKAGES, "api", "app", "cli", "config", "logging", "registry", "runtime", "testing")
PLUGINS = (
    "mqd_plugin_alpaca",
    "mqd_plugin_alpaca_sandbox",
    "mqd_plugin_files",
    "mqd_plugin_mock",
    "mqd_plugin_notional",
    "mqd_plugin_sqlite",
    "mqd_plugin_vwap",
)

BREACHES = [
    ("layers", "mqd_core.domain", "mqd_core.ports"),
    ("layers", "mqd_core.risk", "mqd_core.ports"),
    ("layers", "mqd_core.engine", "mqd_core.api"),
    ("layers", "mqd_core.api", "mqd_core.engine"),
    ("layers", "mqd_core.runtime", "mqd_core.app"),
    ("layers", "mqd_core.app", "mqd_core.testing"),
    ("layers", "mqd_core.errors", "mqd_core.domain"),
    ("cycles", "mqd_core.config", "mqd_core.runtime"),
    ("registry", "mqd_core.registry", "mqd_core.domain"),
    ("testing", "mqd_core.testing", "mqd_core.engine"),
    ("pure", "mqd_core.domain", "time"),
    ("pure", "mqd_core.engine", "structlog"),
    ("pure", "mqd_core.ports", "numpy"),
    ("threads", "mqd_core.cli", "threading"),
    ("plugins", "mqd_plugin_vwap", "mqd_core.domain"),
    ("plugins", "mqd_plugin_mock", "mqd_core.testing"),
    ("independent", "mqd_plugin_files", "mqd_plugin_mock"),
]


def lint_imports(configuration: Path, *sources: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in a fresh interpreter that finds packages in `sources` first."""
    command = "from importlinter.cli import lint_imports_command as main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--config", str(configuration)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources)), "NO_COLOR": "1", "PYTHONUTF8": "1"},
        cwd=sources[0],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def write_skeleton(root: Path) -> None:
    """Write the packages of the desk as empty modules, which keep every contract."""
    packages = ["mqd_core", *(f"mqd_core/{layer}" for layer in LAYERS), *PLUGINS]
    for package in packages:
        folder = root / package
        folder.mkdir()
        (folder / "__init__.py").touch()
    for module in ("errors", "__main__"):
        (root / "mqd_core" / f"{module}.py").touch()


def source_of(root: Path, module: str) -> Path:
    """The file of a module of the skeleton."""
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_the_sources_keep_every_contract(project_root: Path) -> None:
    """No module of the core or of a plugin imports what its layer may not."""
    plugins = sorted((project_root / "plugins").glob("*/src"))
    result = lint_imports(project_root / "pyproject.toml", project_root, *plugins)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_empty_desk_keeps_every_contract(project_root: Path, tmp_path: Path) -> None:
    """The skeleton that breaches are planted in is itself without a breach."""
    write_skeleton(tmp_path)
    result = lint_imports(project_root / "pyproject.toml", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("contract", "importer", "imported"), BREACHES)
def test_a_breach_is_reported(project_root: Path, tmp_path: Path, contract: str, importer: str, imported: str) -> None:
    """Each contract is broken by the import it forbids, even when that import stands inside a function."""
    write_skeleton(tmp_path)
    source_of(tmp_path, importer).write_text(
        f"def late() -> None:\n    import {imported}\n", encoding="utf-8", newline="\n"
    )
    if contract == "cycles":
        source_of(tmp_path, imported).write_text(f"import {importer}\n", encoding="utf-8", newline="\n")
    result = lint_imports(project_root / "pyproject.toml", tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = re.findall(r"^(.+) BROKEN$", result.stdout, flags=re.MULTILINE)
    assert broken == [contract_name(project_root, contract)]


def contract_name(project_root: Path, contract: str) -> str:
    """The name that pyproject.toml gives to the contract with this id."""
    text = (project_root / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(rf'^id = "{contract}"\nname = "(.+)"$', text, flags=re.MULTILINE)
    assert found is not None, f"pyproject.toml has no import contract {contract!r}"
    return found.group(1)


def test_the_pure_packages_load_no_machinery() -> None:
    """Importing the pure packages loads no library of the shell, not even through what they import."""
    program = (
        "import sys\n"
        "import mqd_core.domain, mqd_core.risk, mqd_core.ports, mqd_core.engine\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    # Where coverage watches child processes, it brings machinery of its own.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, env=bare
    )
    machinery = {
        "asyncio",
        "numpy",
        "pluggy",
        "pydantic",
        "rich",
        "ruamel",
        "socket",
        "sqlite3",
        "stevedore",
        "structlog",
    }
    assert "msgspec" in result.stdout.split()
    assert machinery.isdisjoint(result.stdout.split())


def test_the_pure_core_stays_readable_in_an_hour(project_root: Path) -> None:
    """Domain, risk, ports and engine together stay under 6,000 lines of code; what explains it is not counted."""
    files = [path for package in PURE_PACKAGES for path in (project_root / "mqd_core" / package).rglob("*.py")]
    lines = sum(_lines_of_code(path.read_text(encoding="utf-8")) for path in files)
    assert 0 < lines < PURE_LINES_MAX


def _lines_of_code(source: str) -> int:
    """Lines that are neither blank, nor a comment, nor part of a docstring."""
    prose: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            prose.update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    rows = enumerate(source.splitlines(), start=1)
    return sum(1 for number, row in rows if row.strip() and number not in prose and not row.lstrip().startswith("#"))
