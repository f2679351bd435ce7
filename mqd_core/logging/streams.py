"""The seven log streams. May import nothing of the core."""

from __future__ import annotations

from enum import Enum


class LogStream(str, Enum):
    """A stream of log lines: a folder under the log folder, and the last part of its logger's name."""

    SYSTEM = "system"
    TRADING = "trading"
    ORDERS = "orders"
    POSITIONS = "positions"
    RISK = "risk"
    DATA = "data"
    PERFORMANCE = "performance"

    #: What the key `logger` of a line says.
    logger_name: str

    def __init__(self, folder: str) -> None:
        self.logger_name = f"miniquantdesk.{folder}"
