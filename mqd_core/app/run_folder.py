"""The folder of one run: what it was started with, and what became of it. May not judge what it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mqd_core.app.places import make_folder
from mqd_core.app.trades import Trade


class SessionEquity(Protocol):
    """Equity in USD at a session's close."""

    @property
    def date(self) -> str:
        """ISO date of the session."""
        ...

    @property
    def equity(self) -> float:
        """USD."""
        ...


class RunFolder:
    """`runs/<run id>/`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, run_id: str) -> RunFolder:
        """Make the folder; raises RunFailed with the remedy where that is not allowed."""
        return cls(make_folder(root / run_id, "this run"))

    def discard(self) -> None:
        """Remove the folder of a start that failed."""
        shutil.rmtree(self.path, ignore_errors=True)

    def write_start(self, masked_config: Mapping[str, Any], versions: Mapping[str, str]) -> None:
        """Write what the run was started with."""
        self._write("config.resolved.yaml", json.dumps(masked_config, indent=2) + "\n")
        self._write("versions.json", json.dumps(versions, indent=2) + "\n")

    def write_end(self, result: Mapping[str, Any], trades: Sequence[Trade], sessions: Sequence[SessionEquity]) -> None:
        """Write what became of it."""
        self._write("result.json", json.dumps(result, indent=2, allow_nan=False) + "\n")

    def _write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8", newline="\n")
