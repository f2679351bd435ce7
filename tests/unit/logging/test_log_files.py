"""A stream's file on disk: rotation, archives, and what a disk or another program can do to it."""

from __future__ import annotations

import gzip
import json
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mqd_core.logging import LogEvent, LogStream
from mqd_core.logging.console import JsonLines
from mqd_core.logging.files import LIMIT_BYTES, StreamFile
from mqd_core.logging.line import Line, LineBody, encode_line

POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody move an open file")


class Desk:
    """A stream file with small limits, the lines put into it, and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "orders" / "orders.jsonl"
        self.reports: list[tuple[str, Mapping[str, object]]] = []
        self.refused = 0
        self.busy = ""
        self.count = 0
        self.file = self.open()

    def open(self, limit_bytes: int = 1_000, kept: int = 3) -> StreamFile:
        file = StreamFile(
            self.path, report=self.report, limit_bytes=limit_bytes, retry_bytes=500, kept=kept, replace=self.replace
        )
        file.setFormatter(JsonLines())
        return file

    def report(self, event: LogEvent, extra: Mapping[str, object]) -> None:
        self.reports.append((event.message, extra))

    def replace(self, source: str | Path, target: str | Path) -> None:
        """What Windows says while another program reads the file."""
        if self.refused or Path(source).name == self.busy:
            self.refused = max(0, self.refused - 1)
            raise PermissionError(13, "The process cannot access the file", str(source))
        Path(source).replace(target)

    def write(self, lines: int = 1) -> None:
        for _ in range(lines):
            body = LineBody("2025-01-19T18:30:45.123456Z", "INFO", "l", None, "Line", {"number": self.count})
            self.file.handle(Line(LogStream.ORDERS, 20, encode_line(body)))
            self.count += 1

    def archives(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.iterdir() if path.name.endswith(".gz"))

    def numbers(self) -> list[int]:
        """The numbers of all lines that are kept, oldest first."""
        texts = [
            gzip.decompress((self.path.parent / name).read_bytes()).decode()
            for name in sorted(self.archives(), reverse=True)
        ]
        texts.append(self.path.read_text(encoding="utf-8"))
        return [json.loads(line)["extra"]["number"] for text in texts for line in text.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose file is closed at the end."""
    made = Desk(tmp_path)
    yield made
    made.file.close()


def test_files_are_rotated_at_ten_megabytes(tmp_path: Path) -> None:
    """The limit of a stream's file is 10 MB unless a test sets another one."""
    assert LIMIT_BYTES == 10 * 1024 * 1024
    path = tmp_path / "orders.jsonl"
    path.write_bytes(b"x" * (LIMIT_BYTES - 10) + b"\n")
    file = StreamFile(path, report=lambda event, extra: None)
    file.setFormatter(JsonLines())
    file.handle(Line(LogStream.ORDERS, 20, b'{"a":"bcdefghi"}'))
    file.close()
    assert path.read_text(encoding="utf-8") == '{"a":"bcdefghi"}\n'
    assert len(gzip.decompress((tmp_path / "orders.jsonl.1.gz").read_bytes())) == LIMIT_BYTES - 9


def test_rotation_keeps_every_line_within_its_bounds(desk: Desk) -> None:
    """No file outgrows its limit, no line is lost or doubled before the oldest archive is dropped, and that is."""
    while len(desk.archives()) < 3:
        desk.write()
        assert desk.path.stat().st_size <= 1_000
    assert desk.numbers() == list(range(desk.count))
    desk.write(40)
    assert desk.archives() == [f"orders.jsonl.{number}.gz" for number in (1, 2, 3)]
    numbers = desk.numbers()
    assert numbers == list(range(numbers[0], desk.count))
    assert numbers[0] > 0
    assert desk.reports == []


def test_a_line_beyond_the_limit_is_written_whole(desk: Desk) -> None:
    """One line that is larger than a file may be has a file of its own, and no empty file is archived."""
    desk.file.close()
    desk.file = desk.open(limit_bytes=100)
    desk.write(3)
    assert desk.archives() == ["orders.jsonl.1.gz", "orders.jsonl.2.gz"]
    assert desk.numbers() == [0, 1, 2]


@POSIX_ONLY
def test_archives_are_private(desk: Desk) -> None:
    """A compressed file is readable by its owner alone."""
    desk.write(20)
    for name in desk.archives():
        assert stat.S_IMODE((desk.path.parent / name).stat().st_mode) == 0o600


def test_a_refused_rename_is_tried_again(desk: Desk) -> None:
    """While another program holds the file, lines go on into it; once it lets go, the file is rotated whole."""
    desk.refused = 2
    desk.write(20)
    postponed = [extra for message, extra in desk.reports if message == "Log rotation postponed"]
    assert len(postponed) == 2
    assert "cannot access the file" in str(postponed[0]["reason"])
    assert desk.archives() == ["orders.jsonl.1.gz"]
    assert desk.numbers() == list(range(20))


def test_a_rotation_that_was_interrupted_is_finished(desk: Desk) -> None:
    """A file that was renamed but not yet compressed goes into the archives before the next one does."""
    desk.write(3)
    desk.file.close()
    desk.path.rename(desk.path.with_name("orders.jsonl.rotating"))
    desk.path.with_name("orders.jsonl.gz.part").write_bytes(b"torn")
    desk.file = desk.open()
    desk.write(10)
    assert desk.archives() == ["orders.jsonl.1.gz", "orders.jsonl.2.gz"]
    assert desk.numbers() == list(range(13))
    assert sorted(path.name for path in desk.path.parent.iterdir() if "gz" not in path.name) == ["orders.jsonl"]


def test_an_archive_in_use_postpones_the_shift(desk: Desk) -> None:
    """Where an older archive cannot be moved, nothing is overwritten and the lines follow later."""
    desk.write(10)
    assert desk.archives() == ["orders.jsonl.1.gz"]
    desk.busy = "orders.jsonl.1.gz"
    desk.write(10)
    assert [message for message, _ in desk.reports] == ["Log rotation postponed"]
    assert desk.path.with_name("orders.jsonl.rotating").exists()
    desk.busy = ""
    desk.write(5)
    assert desk.archives() == [f"orders.jsonl.{number}.gz" for number in (1, 2, 3)]
    assert desk.numbers() == list(range(25))


def test_a_half_written_line_stays_apart(desk: Desk) -> None:
    """What a killed process left without an end of line does not spoil the first line of the next one."""
    desk.write(2)
    desk.file.close()
    with desk.path.open("ab") as file:
        file.write(b'{"timestamp":"2025')
    desk.file = desk.open()
    desk.write()
    lines = desk.path.read_text(encoding="utf-8").split("\n")
    assert lines[2] == '{"timestamp":"2025'
    assert json.loads(lines[3])["extra"] == {"number": 2}


@POSIX_ONLY
@pytest.mark.parametrize("fate", ["moved", "deleted", "folder deleted"])
def test_a_file_that_is_taken_away_is_made_anew(desk: Desk, fate: str) -> None:
    """Lines follow the name: where somebody moves or deletes the file, they go on in a new one."""
    desk.write()
    if fate == "moved":
        desk.path.rename(desk.path.with_name("taken"))
    else:
        desk.path.unlink()
    if fate == "folder deleted":
        desk.path.parent.rmdir()
    desk.write(2)
    assert desk.numbers() == [1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_lines_that_a_full_disk_refuses_are_counted(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once on stderr, nothing raises, and the count is reported as soon as there is room again."""
    desk.write()
    kept = desk.path.rename(desk.path.with_name("kept"))
    desk.path.symlink_to("/dev/full")
    desk.write(5)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said
    desk.path.unlink()
    kept.rename(desk.path)
    desk.write(2)
    assert desk.numbers() == [0, 6, 7]
    assert desk.reports == [("Log lines lost", {"file": str(desk.path), "lines": 5})]
