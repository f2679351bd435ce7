"""One request over HTTP and nothing twice: its own deadline, no redirect, no proxy, no other host, no repetition.

An error before the first byte of the request was handed to the socket is NotSent; from then on, until the answer is
there whole, it is Ambiguous. May not know what a request means.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from decimal import Decimal
from http.client import HTTPException
from types import TracebackType
from typing import Any, Final, NoReturn

from requests import Response, Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from mqd_core.api import Ambiguous, NotSent
from mqd_plugin_alpaca.faults import Answered
from mqd_plugin_alpaca.hosts import may_talk_to

_SUCCESS: Final = range(200, 300)
_FAULTS: Final = (OSError, ValueError, EOFError, HTTPException, HTTPError)


class DeadlinePassed(OSError):
    """Raised where a request would begin after its time."""


class _Call:
    """One request under way in this thread: whether a byte of it has left, and when it must be over."""

    def __init__(self, seconds: float) -> None:
        self.has_sent = False
        self.is_late = False
        self._twin: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Call:  # noqa: PYI034  Self is younger than 3.10
        _CURRENT.call = self
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._twin = None
        _CURRENT.call = None

    def watch(self, twin: socket.socket) -> None:
        """What is shut down when time is over; raises DeadlinePassed if it is over already."""
        with self._lock:
            self._twin = twin
            if self.is_late:
                raise DeadlinePassed("the time for the request was over before it began")

    def begin(self, twin: socket.socket | None) -> None:
        """The first byte is about to be handed over."""
        if twin is not None:
            self.watch(twin)
        self.has_sent = True

    def _expire(self) -> None:
        with self._lock:
            self.is_late = True
            if self._twin is not None:
                try:
                    self._twin.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self._twin = None  # the other end was quicker


class _Current(threading.local):
    call: _Call | None = None


_CURRENT: Final = _Current()


class _Watched(HTTPConnection):
    """A connection that notes its first byte, and keeps a second handle to its socket for the deadline.

    The socket itself cannot be had while TLS is being agreed on, which is when a slow server would hold the desk.
    """

    twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self._drop_twin()
        self.twin = made.dup()
        if _CURRENT.call is not None:
            _CURRENT.call.watch(self.twin)
        return made

    def send(self, data: Any) -> None:
        """Send; connects before, so that what fails there is known to have sent nothing."""
        if self.sock is None:
            self.connect()
        if _CURRENT.call is not None:
            _CURRENT.call.begin(self.twin)
        super().send(data)

    def close(self) -> None:
        """Close both handles."""
        self._drop_twin()
        super().close()

    def _drop_twin(self) -> None:
        if self.twin is not None:
            self.twin.close()
            self.twin = None


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _OnceAdapter(HTTPAdapter):
    """Connections of this module; the number of repetitions is 0 whatever the library's default becomes."""

    def __init__(self) -> None:
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of watched connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Exact(Response):
    """An answer whose numbers stay decimal."""

    def json(self, **_options: Any) -> Any:
        """The body; raises ValueError."""
        return exact_json(self.text)


def exact_json(text: str | bytes) -> Any:
    """JSON with Decimals in the place of floats; raises ValueError, for NaN and infinity too."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


class OnceSession(Session):
    """A session of `requests` that sends once, to one server, within a time. `told` hears of each answer."""

    def __init__(
        self, base: str, timeouts: tuple[float, float], deadline_seconds: float, told: Callable[[Response], None]
    ) -> None:
        super().__init__()
        # No proxy, no netrc, no certificates out of the environment: keys go straight to the host or not at all.
        self.trust_env = False
        self._base = base
        self._timeouts = timeouts
        self._deadline_seconds = deadline_seconds
        self._told = told
        adapter = _OnceAdapter()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: Any, url: Any, **options: Any) -> Response:  # type: ignore[override]  # all by name
        """Send once. Raises NotSent, Ambiguous, and Answered for any answer that is no success."""
        address = str(url)
        if not may_talk_to(address, self._base):
            raise NotSent("the request was for another host than the broker's; it was not sent", "wrong_host")
        options["timeout"], options["allow_redirects"] = self._timeouts, False
        what = f"{method} {address.removeprefix(self._base)}"
        call = _Call(self._deadline_seconds)
        try:
            with call:
                response = super().request(method, url, **options)
                text = response.text
        except _FAULTS as error:
            failure = _failed(call, what, error)
        else:
            return self._answered(response, text, what)
        # Out of reach of the library's error: that carries the request, and the request carries the keys.
        raise failure

    def _answered(self, response: Response, text: str, what: str) -> Response:
        self._told(response)
        if response.status_code not in _SUCCESS:
            raise Answered(response.status_code, _error_body(text), what)
        exact = _Exact()
        exact.__dict__.update(response.__dict__)
        return exact


def _failed(call: _Call, what: str, error: Exception) -> NotSent | Ambiguous:
    cause = "no answer in time" if call.is_late else f"{type(error).__name__}: {str(error)[:200]}"
    if call.has_sent:
        return Ambiguous(f"whether Alpaca took {what} is not known: {cause}", "no_answer")
    return NotSent(f"{what} was not sent: {cause}", "unreachable")


def _error_body(text: str) -> dict[str, Any] | None:
    try:
        body = exact_json(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) and "message" in body else None
