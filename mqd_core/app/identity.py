"""What makes two feeds the same feed: provider, its settings, symbols, bar length. May not read data."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final

from mqd_core.app.engine_settings import BASE, plain, traded_symbols
from mqd_core.app.plugins import Chosen
from mqd_core.config import Config

#: What the identity of a live feed begins with: it has no end, and what it was is of no account to a later one.
_LIVE: Final = "live "
_WINDOW: Final = re.compile(r" (None|\d+)\.\.(None|\d+) settings:[0-9a-f]+$")


def settings_digest(chosen: Chosen) -> str:
    """SHA-256 over a plugin's settings as they are in effect."""
    text = json.dumps(plain(chosen.settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def feed_identity(config: Config, data: Chosen, start_ns: int | None = None, end_ns: int | None = None) -> str:
    """Provider and settings in words short enough to print, and exact enough to compare. `pace` is no part of it."""
    window = "" if start_ns is None and end_ns is None else f" {start_ns}..{end_ns}"
    symbols = ",".join(traded_symbols(config))
    return f"{data.use.name} {symbols} {BASE.value}{window} settings:{settings_digest(data)[:16]}"


def window_of(identity: str) -> tuple[int | None, int | None]:
    """The range of time that an identity names, in UTC nanoseconds; (None, None) where it names none."""
    found = _WINDOW.search(identity)
    if found is None:
        return None, None
    start, end = (None if text == "None" else int(text) for text in found.groups())
    return start, end


def live_identity(config: Config, data: Chosen) -> str:
    """The same of a live feed."""
    return _LIVE + feed_identity(config, data)


def goes_on(before: str, now: str) -> bool:
    """Whether a book that had one feed may go on with the other: the same finite one, or a live one after a live."""
    return before == now or (before.startswith(_LIVE) and now.startswith(_LIVE))
