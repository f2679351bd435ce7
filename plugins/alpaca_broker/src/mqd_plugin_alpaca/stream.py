"""Listens to the account's stream in a thread of its own, and says whenever it could not.

Connect, show the keys, ask for trade updates, read; at any error tell the desk that there is a gap, wait, begin anew.
The stream has neither numbers nor a past: what it did not tell is read by the desk, which does so at each `up`. Keys
that are refused end it at once. May not ask for anything but trade updates.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic  # noqa: TID251  how long nothing was heard, and nothing that a desk decides by
from typing import Any, Final

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from mqd_core.api import BrokerEvent, Clock, Log, Refused, StreamStatus
from mqd_plugin_alpaca.settings import AlpacaSettings
from mqd_plugin_alpaca.trade_updates import TradeUpdates
from mqd_plugin_alpaca.wire import exact_json

#: How the desk's log and journal name it.
STREAM: Final = "trade_updates"
_MESSAGE_BYTES_MAX: Final = 1 << 20
_TICK_SECONDS: Final = 0.5
#: A connection that lived so long was a good one: the next wait is the first again.
_GOOD_SECONDS: Final = 60.0
#: A connection that broke is held by Alpaca's side for about this long, and keeps out its own successor.
_LINGER_SECONDS: Final = 90.0
_REFUSED: Final = (401, 403)
_TAKEN: Final = (406, 429)


class _KeysRefused(Exception):
    """Raised where the stream does not accept the keys."""


class _Silent(Exception):
    """Raised where something should have been heard."""


class AlpacaStreamHandler:
    """One connection to the stream, made anew for as long as it is open. `jitter(n)` is 0 to 1 for the n-th wait."""

    def __init__(
        self,
        settings: AlpacaSettings,
        url: str,
        clock: Clock,
        log: Log,
        updates: TradeUpdates,
        *,
        jitter: Callable[[int], float],
    ) -> None:
        self._settings = settings
        self._url = url
        self._clock = clock
        self._log = log
        self._updates = updates
        self._jitter = jitter
        self._sink: Callable[[BrokerEvent], None] | None = None
        self._stopping = threading.Event()
        #: Set once the first attempt has ended one way or the other.
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._expected: dict[str, float] = {}
        self._heard_at: dict[str, float] = {}
        self._connection: ClientConnection | None = None
        self._state = ""
        self._thread = threading.Thread(target=self._run, name="alpaca-stream", daemon=True)

    def start(self, sink: Callable[[BrokerEvent], None]) -> None:
        """Begin; returns when the stream is up or its first attempt failed. Raises Refused for bad keys."""
        self._sink = sink
        self._thread.start()
        self._settled.wait(3 * self._settings.deadline_seconds)
        if self._state == "refused":
            self._thread.join()
            raise Refused("Alpaca's stream refuses the keys; correct them and start again", "keys_refused")

    def moment(self) -> float:
        """Now, for `expect`: to be taken before the request that something should be heard of."""
        return monotonic()

    def expect(self, order_id: str, since: float) -> None:
        """Something will be told of this order, if it was not since that moment; if it is not, the stream is mute."""
        with self._lock:
            if self._heard_at.get(order_id, -1.0) < since:
                self._expected[order_id] = since + self._settings.silence_seconds

    def close(self) -> None:
        """Leave, and wait for the thread; nothing is told afterwards."""
        self._stopping.set()
        with self._lock:
            connection, self._sink = self._connection, None
        if connection is not None:
            connection.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._settings.deadline_seconds + 1)

    # The thread

    def _run(self) -> None:
        try:
            self._supervise()
        finally:
            if not self._stopping.is_set() and self._state != "refused":
                self._tell("ended", "the thread that listens to Alpaca has ended: restart the desk")
            self._settled.set()

    def _supervise(self) -> None:
        attempt, taken_since = 0, 0.0
        while not self._stopping.is_set():
            begun = monotonic()
            try:
                self._listen()
                text = "Alpaca closed the connection"
            except _KeysRefused:
                self._tell("refused", "Alpaca's stream refuses the keys: correct them and start again")
                return
            except _Silent as error:
                self._tell("silent", str(error))
                text = str(error)
            except InvalidStatus as error:
                status = error.response.status_code
                if status in _REFUSED:
                    self._tell("refused", f"Alpaca's stream answers {status}: the keys are refused")
                    return
                taken_since = (taken_since or begun) if status in _TAKEN else 0.0
                text = _taken_text(status, monotonic() - taken_since) if taken_since else str(error)
            except (OSError, WebSocketException, ValueError) as error:
                text = f"{type(error).__name__}: {error}"
            if self._stopping.is_set():
                return
            self._tell("down", text)
            self._settled.set()
            attempt = 1 if monotonic() - begun > _GOOD_SECONDS else attempt + 1
            self._stopping.wait(self.wait_seconds(attempt))

    def wait_seconds(self, attempt: int) -> float:
        """How long to wait before the n-th attempt after the first: doubling, half of it by jitter."""
        most = self._settings.reconnect_last_seconds
        whole = min(most, self._settings.reconnect_first_seconds * float(1 << min(attempt - 1, 16)))
        return whole / 2 + whole / 2 * self._jitter(attempt)

    def _listen(self) -> None:
        """One connection from its beginning to its end; raises what ended it."""
        settings = self._settings
        with connect(
            self._url,
            proxy=None,
            open_timeout=settings.deadline_seconds,
            close_timeout=1,
            ping_interval=settings.ping_seconds,
            ping_timeout=settings.ping_seconds,
            max_size=_MESSAGE_BYTES_MAX,
            compression=None,
            logger=_quiet_logger(),
        ) as connection:
            with self._lock:
                self._connection = connection
                # What was to be heard on the connection before is read by the desk when this one is up.
                self._expected.clear()
            if self._stopping.is_set():
                return
            self._introduce(connection)
            self._tell("up", "")
            self._settled.set()
            while not self._stopping.is_set():
                # That nothing is said is usual.
                with suppress(TimeoutError):
                    self._take(connection.recv(timeout=min(_TICK_SECONDS, settings.silence_seconds / 2)))
                self._check_silence()

    def _introduce(self, connection: ClientConnection) -> None:
        """Show the keys and ask for trade updates; raises _KeysRefused, and TimeoutError where nothing comes."""
        key, secret = self._settings.api_key.get_secret_value(), self._settings.api_secret.get_secret_value()
        hello: dict[str, Any] = {"action": "auth", "key": key, "secret": secret}
        if self._settings.stream_authentication == "authenticate":
            hello = {"action": "authenticate", "data": {"key_id": key, "secret_key": secret}}
        connection.send(json.dumps(hello))
        answer = self._await(connection, "authorization")
        if answer.get("status") != "authorized":
            raise _KeysRefused
        connection.send(json.dumps({"action": "listen", "data": {"streams": [STREAM]}}))
        if STREAM not in (self._await(connection, "listening").get("streams") or ()):
            raise ValueError("Alpaca does not give the account's trade updates")

    def _await(self, connection: ClientConnection, stream: str) -> dict[str, Any]:
        end = monotonic() + self._settings.deadline_seconds
        while True:
            message = connection.recv(timeout=max(end - monotonic(), 0.0))
            body = exact_json(message)
            if isinstance(body, dict) and body.get("stream") == stream and isinstance(body.get("data"), dict):
                data: dict[str, Any] = body["data"]
                return data
            self._take(message)

    def _take(self, message: str | bytes) -> None:
        try:
            body = exact_json(message)
        except ValueError:
            self._doubt("the stream sent something that is no JSON")
            return
        if not isinstance(body, dict):
            self._doubt("the stream sent something that is no message")
        elif body.get("stream") == STREAM:
            heard = self._updates.take(body.get("data"))
            with self._lock:
                self._expected.pop(heard.order_id, None)
                self._heard_at[heard.order_id] = monotonic()
            for event in heard.events:
                self._emit(event)
            if heard.doubt:
                self._doubt(heard.doubt)
        elif body.get("stream") == "authorization" and (body.get("data") or {}).get("status") == "unauthorized":
            raise _KeysRefused

    def _check_silence(self) -> None:
        now = monotonic()
        with self._lock:
            overdue = [key for key, at in self._expected.items() if at <= now]
            self._heard_at = {key: at for key, at in self._heard_at.items() if at > now - _GOOD_SECONDS}
        if overdue:
            raise _Silent(f"the stream says nothing of order {overdue[0]}, which Alpaca has; it is made anew")

    def _doubt(self, text: str) -> None:
        """Something may have been missed: have the account read, as after a gap."""
        self._log.warning(text, extra={"event": "alpaca_stream_doubt"})
        self._emit(StreamStatus(ts=self._clock.now_ns(), stream=STREAM, state="doubtful", text=text))
        self._emit(StreamStatus(ts=self._clock.now_ns(), stream=STREAM, state="up"))

    def _tell(self, state: str, text: str) -> None:
        self._state = state
        self._emit(StreamStatus(ts=self._clock.now_ns(), stream=STREAM, state=state, text=text))

    def _emit(self, event: BrokerEvent) -> None:
        # Under the lock, so that after `close` has returned nothing is told any more.
        with self._lock:
            if self._sink is not None:
                self._sink(event)


def _taken_text(status: int, seconds: float) -> str:
    if seconds < _LINGER_SECONDS:
        return f"Alpaca has a connection of this account already ({status}): usually the one that broke"
    return f"Alpaca has had a connection of this account for {seconds:.0f} s ({status}): does another program use it?"


def _quiet_logger() -> logging.Logger:
    """For the library, which at debug level would write the keys: it has no part in the desk's logging."""
    logger = logging.Logger("alpaca-stream", logging.CRITICAL)  # noqa: LOG001  outside of the tree, which a person may set to debug
    logger.addHandler(logging.NullHandler())
    return logger
