"""Runs mypy over this folder: what must type-check does, and every line marked as an error is one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="the type checker is not installed: pip install mypy")

FOLDER = Path(__file__).resolve().parent
CASES = sorted(path.name for path in FOLDER.glob("*.py") if not path.name.startswith("test_"))


def check(root: Path, cache: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """Run mypy with the project's settings."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), "--cache-dir", str(cache)]
    return subprocess.run([*command, *map(str, files)], cwd=root, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.slow
def test_every_case_is_as_it_says(project_root: Path, tmp_path: Path) -> None:
    """Lines without a mark type-check; lines with one are errors of the named kind, else the mark would be unused."""
    result = check(project_root, tmp_path, *(FOLDER / name for name in CASES))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_every_mark_is_needed(project_root: Path, tmp_path: Path) -> None:
    """Without its marks each marked line is reported, with the error that its mark names."""
    expected: set[tuple[str, int, str]] = set()
    copies = []
    for name in CASES:
        lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            mark = re.search(r"  # type: ignore\[(.+?)\]", line)
            if mark is not None:
                expected.add((name, number, mark.group(1)))
        copies.append(tmp_path / name)
        text = "\n".join(re.sub(r"  # type: ignore\[.+?\].*", "", line) for line in lines) + "\n"
        copies[-1].write_text(text, encoding="utf-8", newline="\n")
    result = check(project_root, tmp_path / "cache", *copies)
    found = re.findall(r"^.*?(\w+\.py):(\d+): error: .* \[([\w-]+)\]$", result.stdout, flags=re.MULTILINE)
    assert {(name, int(number), code) for name, number, code in found} == expected
    assert len(expected) > 20


def test_there_are_cases() -> None:
    """The folder holds cases, and the one that matters most is among them."""
    assert "approval.py" in CASES
    assert "broker.submit(draft)  # type: ignore[arg-type]" in (FOLDER / "approval.py").read_text(encoding="utf-8")
