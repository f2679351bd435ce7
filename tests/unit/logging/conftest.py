"""A log folder that is switched on for one test and read back afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqd_core.logging import LogStream, flush_logging, setup_logging, shutdown_logging


class Logs:
    """The log folder of a test: sets logging up in it and reads what was written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set_up(self, **settings: Any) -> None:
        """Set logging up without a console, unless the test wants one."""
        setup_logging(self.folder, **{"console": None, **settings})

    def text(self, stream: LogStream, name: str = "") -> str:
        """What is in a stream's current file by now."""
        assert flush_logging()
        return (self.folder / stream.value / (name or f"{stream.value}.jsonl")).read_text(encoding="utf-8")

    def lines(self, stream: LogStream, name: str = "") -> list[dict[str, Any]]:
        """The lines of a stream by now, each decoded."""
        return [json.loads(line) for line in self.text(stream, name).split("\n")[:-1]]

    def messages(self, stream: LogStream) -> list[str]:
        """The messages of a stream by now."""
        return [line["message"] for line in self.lines(stream)]

    def everything(self) -> str:
        """The text of all current files together."""
        return "".join(self.text(stream) for stream in LogStream)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    """A folder for logs; whatever the test switched on is switched off after it."""
    yield Logs(tmp_path / "logs")
    shutdown_logging()


RunScript = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_script(tmp_path: Path) -> RunScript:
    """Run a script in a Python of its own, in the test's folder."""

    def run(source: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "script.py"
        script.write_text(source, encoding="utf-8", newline="\n")
        return subprocess.run(
            [sys.executable, str(script), *arguments],
            cwd=tmp_path,
            check=check,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run
