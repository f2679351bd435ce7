"""Port of an observer: sees what was committed, can change nothing. May not hold behaviour."""

from __future__ import annotations

from typing import Protocol

from mqd_core.domain.records import Record


class Observer(Protocol):
    """Called in a thread of its own after the commit, from a bounded queue; whatever it raises stays with it."""

    def on_record(self, record: Record) -> None:
        """Look at one committed record."""
        ...
