"""The only hosts that keys and orders may go to: Alpaca's paper and live API, and this machine.

May not resolve or connect; a URL that is not on the list is an error before anything is built.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

PAPER: Final = "https://paper-api.alpaca.markets"
LIVE: Final = "https://api.alpaca.markets"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def check_override(url: str) -> str:
    """A URL that stands in the configuration in place of Alpaca's own; raises ValueError unless it is this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(url) or parts.username is not None or parts.path not in {"", "/"}:
        was = f"{parts.scheme}://{parts.hostname}"
        raise ValueError(
            f"url may only name a server on this machine, as http://127.0.0.1:8080; was {was}. Leave it out to "
            "trade at Alpaca: paper or live is decided by broker.paper_trading"
        )
    return url.rstrip("/")


def api_url(override: str | None, *, paper_trading: bool) -> str:
    """Where requests go. Raises ValueError where real money is to be traded on a server of this machine."""
    if override is None:
        return PAPER if paper_trading else LIVE
    if not paper_trading:
        raise ValueError(
            "broker.url names a server on this machine: set broker.paper_trading to true, or leave url out"
        )
    return override


def stream_url(base: str) -> str:
    """Where the account's news come from."""
    return f"ws{base.removeprefix('http')}/stream"


def may_talk_to(url: str, base: str) -> bool:
    """Whether a request's URL belongs to the server that was chosen at the start: same scheme, host and port."""
    wanted, asked = urlsplit(base), urlsplit(url)
    is_listed = base in {PAPER, LIVE} or is_loopback(base)
    return is_listed and (wanted.scheme, wanted.netloc) == (asked.scheme, asked.netloc)
