"""The file of secrets: its lines, and who may read it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.config.secret_file import read_secret_file

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows keeps access rights elsewhere")
GIT = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty file of secrets that only its owner can read."""
    path = tmp_path / ".env.local"
    path.touch(mode=0o600)
    return path


def values(file: Path, text: str) -> dict[str, str]:
    file.write_bytes(text.encode("utf-8"))
    found, problems = read_secret_file(file)
    assert problems == []
    return {name: line.value for name, line in found.items()}


def fault(file: Path) -> str:
    found, problems = read_secret_file(file)
    assert found == {}
    (problem,) = problems
    return str(problem)


def test_lines_are_names_and_values(file: Path) -> None:
    """Remarks, blank lines, spaces at the ends, quotes, and a value that holds '=' or '#'."""
    text = "\ufeff# keys\r\n\r\nA=1\r\n  B_2 = \r\nC='with space'\nD=\"it's\"\nE=a=b==\nF=x#y\nG=\n"
    text = text.replace("  B_2 = ", "  B_2=b  ")

    assert values(file, text) == {
        "A": "1",
        "B_2": "b",
        "C": "with space",
        "D": "it's",
        "E": "a=b==",
        "F": "x#y",
        "G": "",
    }


@pytest.mark.parametrize("text", ["", "${KEY}", "<your key>", "YOUR_API_KEY", "your-key-here", "changeme", "xxxxx"])
def test_what_nobody_has_filled_in_is_no_value(file: Path, text: str) -> None:
    """A template that was copied and not filled in sets nothing."""
    assert values(file, f"KEY={text}\n") == {"KEY": ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no equals Hunter2", "is not NAME=value"),
        ("export KEY=Hunter2", "is not NAME=value"),
        ("KEY: Hunter2", "is not NAME=value"),
        ("=Hunter2", "is not NAME=value"),
        ("key=Hunter2", "the name must be in capitals: KEY"),
        ("KEY='Hunter2", "the quote that the value starts with is not closed"),
        ("KEY='a'Hunter2'", "the quote that the value starts with is not closed"),
        ('KEY="', "the quote that the value starts with is not closed"),
        ("KEY=Hunter2 # remark", "the value holds a space; quote it"),
        ("KEY=Hunter2\nKEY=Hunter2", ".env.local:4:1: KEY is already set in line 3; keep one of the two"),
    ],
)
def test_a_line_that_is_not_plain_is_refused_without_its_value(file: Path, text: str, said: str) -> None:
    """The message has the line's number and what is wrong; what the line holds stays in the file."""
    file.write_text(f"# one\n\n{text}\n", encoding="utf-8")
    _, problems = read_secret_file(file)

    assert len(problems) == 1
    assert said in str(problems[0])
    assert "Hunter2" not in str(problems[0])


def test_every_bad_line_is_said(file: Path) -> None:
    """All faults come at once, and the good lines are read."""
    file.write_text("A=1\nbad\nB=2\nworse\n", encoding="utf-8")
    found, problems = read_secret_file(file)

    assert sorted(found) == ["A", "B"]
    assert [problem.place and problem.place.line for problem in problems] == [2, 4]


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True),
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'\"<>${}"), max_size=40),
    )
)
def test_what_was_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, pairs: dict[str, str]) -> None:
    """Any printable value comes back as it was, unless it is a text that stands for "not filled in"."""
    file = tmp_path_factory.getbasetemp() / "pairs.env.local"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}='{value}'\n" for name, value in pairs.items()), encoding="utf-8")
    found, problems = read_secret_file(file)

    assert problems == []
    assert all(found[name].value in {value, ""} for name, value in pairs.items())
    assert found.keys() == pairs.keys()


def test_a_value_never_prints(file: Path) -> None:
    """What is read keeps its value out of its own repr."""
    file.write_text("KEY=Hunter2\n", encoding="utf-8")
    found, _ = read_secret_file(file)

    assert "Hunter2" not in repr(found)


def test_text_that_is_not_utf8_is_refused(file: Path) -> None:
    """No guess is made about another encoding."""
    file.write_bytes(b"KEY=\xe9\n")
    assert "the text is not UTF-8" in fault(file)


def test_a_large_file_is_refused(file: Path) -> None:
    """Something else was put there by mistake."""
    file.write_text("# x\n" * 20_000, encoding="utf-8")
    assert "is larger than 64 KiB" in fault(file)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """It must be a file."""
    folder = tmp_path / ".env.local"
    folder.mkdir(mode=0o700)
    assert "is not a file" in fault(folder)


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o644, 0o601, 0o777])
def test_a_file_that_others_can_reach_is_refused_with_the_command(file: Path, mode: int) -> None:
    """Any right for group or others is too much; the exact chmod is given, quoted where it must be."""
    file.write_text("KEY=Hunter2\n", encoding="utf-8")
    file.chmod(mode)
    said = fault(file)

    assert f"(mode {mode:o}); run: chmod 600 {file}" in said
    assert "Hunter2" not in said


@POSIX
def test_a_path_with_a_space_is_quoted_in_the_command(tmp_path: Path) -> None:
    """The command can be pasted as it is."""
    file = tmp_path / "my desk.env"
    file.touch(mode=0o644)
    file.chmod(0o644)
    assert f"chmod 600 '{file}'" in fault(file)


@POSIX
def test_a_symbolic_link_is_refused(file: Path, tmp_path: Path) -> None:
    """A link could be pointed elsewhere between the check and the reading."""
    link = tmp_path / "link.env"
    link.symlink_to(file)
    assert "is a symbolic link" in fault(link)


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    """Its owner could change the keys at any time."""
    os.chown(file, 12345, -1)
    assert "belongs to another user" in fault(file)


@GIT
def test_a_file_that_git_tracks_is_refused(file: Path) -> None:
    """Untracked it is fine; added to the index, the secrets are on their way into history."""
    folder = file.parent
    file.write_text("KEY=Hunter2\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(folder)], check=True, capture_output=True)
    assert read_secret_file(file)[0]["KEY"].value == "Hunter2"

    subprocess.run(["git", "-C", str(folder), "add", "-f", file.name], check=True, capture_output=True)
    said = fault(file)
    assert "git tracks it" in said
    assert "git rm --cached" in said
    assert "Hunter2" not in said


@GIT
def test_a_broken_repository_does_not_stop_the_desk(file: Path) -> None:
    """Where git cannot say, the file counts as not tracked."""
    (file.parent / ".git").write_text("gitdir: nowhere\n", encoding="utf-8")
    assert values(file, "KEY=x\n") == {"KEY": "x"}


def test_a_machine_without_git_is_fine(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No git, no tracking."""
    (file.parent / ".git").mkdir()
    monkeypatch.setenv("PATH", str(file.parent))
    assert values(file, "KEY=x\n") == {"KEY": "x"}
