"""docs/STATE_MACHINE.md is what the order table generates, and its tool says so when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_tool(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool of a checkout."""
    tool = root / "tests" / "tools" / "make_state_docs.py"
    return subprocess.run([sys.executable, str(tool), *arguments], capture_output=True, encoding="utf-8", check=False)


def test_the_page_is_up_to_date(project_root: Path) -> None:
    """The page in docs is the one that the table generates now."""
    result = run_tool(project_root, "--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_stale_page_is_reported(project_root: Path, tmp_path: Path) -> None:
    """A page that was edited by hand is reported with the command that mends it, which then does."""
    tool = tmp_path / "tests" / "tools" / "make_state_docs.py"
    tool.parent.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    source = project_root / "tests" / "tools" / tool.name
    tool.write_text(source.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    page = (project_root / "docs" / "STATE_MACHINE.md").read_text(encoding="utf-8")
    stale = tmp_path / "docs" / "STATE_MACHINE.md"
    stale.write_text(page.replace("WORKING", "LURKING", 1), encoding="utf-8", newline="\n")
    result = run_tool(tmp_path, "--check")
    assert result.returncode == 1
    assert "is stale: python tests/tools/make_state_docs.py" in result.stdout
    assert run_tool(tmp_path).returncode == 0
    assert stale.read_text(encoding="utf-8") == page
