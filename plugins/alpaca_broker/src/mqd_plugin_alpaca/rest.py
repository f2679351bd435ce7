"""Requests to Alpaca's trading API, sent by alpaca-py's TradingClient with plain data in and out.

alpaca-py by itself has no timeout and sends orders again after some errors. Here it sends through a session that does
neither (`wire`), its own repeating is switched off, and `prove_once` shows at each start, without a network, that this
installed version sends an order once; one that does not is refused. May not know what an order is.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from time import monotonic  # noqa: TID251  how many requests a minute has had, and nothing that a desk decides by
from typing import Any, Final, Protocol, cast

from requests import Response, Session

from mqd_core.api import Clock, NotSent
from mqd_plugin_alpaca.budget import RateBudget, Use
from mqd_plugin_alpaca.faults import Answered, Unreadable
from mqd_plugin_alpaca.settings import AlpacaSettings
from mqd_plugin_alpaca.wire import OnceSession

_UNAUTHORIZED: Final = 401
_RATE: Final = 429
#: After a refusal of the keys the next request waits so long, twice as long after each further one.
_AUTH_PAUSE_SECONDS: Final = 60.0
_AUTH_PAUSE_MOST_SECONDS: Final = 3600.0


class RestClient(Protocol):
    """As much of alpaca-py's client as is used."""

    _retry: int
    _session: Session

    def get(self, path: str, data: Mapping[str, Any] | None = None) -> Any:
        """GET."""
        ...

    def post(self, path: str, data: Mapping[str, Any] | None = None) -> Any:
        """POST."""
        ...

    def delete(self, path: str, data: Mapping[str, Any] | None = None) -> Any:
        """DELETE."""
        ...


def make_client(key: str, secret: str, base: str, session: Session) -> RestClient:
    """alpaca-py's client on a session that sends once. Raises RuntimeError for a version that has no such place."""
    with warnings.catch_warnings():
        # It imports a part of websockets that is to go; no stream of it is used here.
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.trading.client import TradingClient
    made = TradingClient(api_key=key, secret_key=secret, raw_data=True, url_override=base)
    client = cast("RestClient", made)
    for name in ("_retry", "_session"):
        if not hasattr(client, name):
            raise RuntimeError(f"this version of alpaca-py has no {name}: {_ADVICE}")
    client._retry = 0  # noqa: SLF001  it has no parameter for "not at all"
    client._session = session  # noqa: SLF001  nor one for the session
    return client


_ADVICE: Final = "that an order is sent only once cannot be made sure. Install alpaca-py 0.44"


class _CountingSession(Session):
    """Answers every request itself, with one status, and counts."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.count = 0
        self._status = status

    def request(self, method: Any, url: Any, **_options: Any) -> Response:  # type: ignore[override]  # all by name
        """Answer."""
        self.count += 1
        response = Response()
        response.status_code, response.url = self._status, str(url)
        response._content = b"{}"  # noqa: SLF001  an answer that was not read from anywhere
        return response


def prove_once(make: Callable[[Session], RestClient]) -> None:
    """Show that a client sends an order once where alpaca-py by default sends it again; raises RuntimeError."""
    from alpaca.common.exceptions import APIError

    for status in (_RATE, 500, 502, 503, 504):
        session = _CountingSession(status)
        client = make(session)
        try:
            client.post("/orders", {"symbol": "SPY"})
        except APIError:
            if session.count == 1:
                continue
        raise RuntimeError(f"alpaca-py sent an order {session.count} times to answers of {status}: {_ADVICE}")


class Rest:
    """Asks Alpaca. Safe for threads: each request waits for a connection of its own, never for another request."""

    def __init__(
        self, settings: AlpacaSettings, base: str, clock: Clock, on_unauthorized: Callable[[str], None] | None = None
    ) -> None:
        self._clock = clock
        self._budget = RateBudget(settings.requests_per_minute, settings.requests_kept, monotonic)
        self._on_unauthorized = on_unauthorized
        self._patience = settings.deadline_seconds
        self._lock = threading.Lock()
        self._barred_until = 0.0
        self._bar_seconds = _AUTH_PAUSE_SECONDS
        self._stopping = threading.Event()
        timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        key, secret = settings.api_key.get_secret_value(), settings.api_secret.get_secret_value()
        prove_once(lambda session: make_client(key, secret, base, session))
        self._session = OnceSession(base, timeouts, settings.deadline_seconds, self._hear)
        self._client = make_client(key, secret, base, self._session)

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Ask; raises Answered, NotSent or Ambiguous."""
        return self._call(Use.QUERY, f"GET {path}", lambda: self._client.get(path, parameters))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send an order, once, with values as they are; raises Answered, NotSent or Ambiguous."""
        return self._call(Use.ORDER, f"POST {path}", lambda: self._client.post(path, body))

    def delete(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Ask for a cancel; raises Answered, NotSent or Ambiguous."""
        return self._call(Use.CANCEL, f"DELETE {path}", lambda: self._client.delete(path, parameters))

    def close(self) -> None:
        """Close the connections; whoever waits for the rate waits no longer."""
        self._stopping.set()
        self._session.close()

    def _call(self, use: Use, what: str, send: Callable[[], Any]) -> Any:
        self._admit(use, what)
        try:
            return send()
        except Answered as error:
            if error.status == _UNAUTHORIZED:
                self._bar(error)
            raise
        except ValueError:
            raise Unreadable(f"the answer to {what} is no JSON: what it says is not known", "unreadable") from None

    def _admit(self, use: Use, what: str) -> None:
        """Wait for the rate if that is short and nothing of money waits; raises NotSent."""
        now = monotonic()
        if now < self._barred_until:
            raise NotSent(f"{what} was not sent: Alpaca refuses the keys; correct them and start again", "keys_refused")
        end = now + self._patience
        while (wait := self._budget.take(use)) > 0:
            if use is Use.ORDER or monotonic() + wait > end or self._stopping.wait(wait):
                raise NotSent(f"{what} was not sent: too many requests; one is free in {wait:.1f} s", "rate_budget")

    def _hear(self, response: Response) -> None:
        is_refused = response.status_code == _RATE
        self._budget.hear(response.headers, self._clock.now_ns() / 1e9, is_refused=is_refused)
        if response.status_code != _UNAUTHORIZED:
            self._bar_seconds = _AUTH_PAUSE_SECONDS

    def _bar(self, error: Answered) -> None:
        """Keys that were refused are not tried again and again: that gets an account locked."""
        with self._lock:
            self._barred_until = monotonic() + self._bar_seconds
            self._bar_seconds = min(2 * self._bar_seconds, _AUTH_PAUSE_MOST_SECONDS)
        if self._on_unauthorized is not None:
            self._on_unauthorized(str(error))
