"""The desk's end of the connection to a venue's process: finds it or starts it, asks, and never asks twice in doubt.

Before the first byte of a request has left, an error is NotSent; from then on, and until the answer is there whole, it
is Ambiguous, and the connection is closed: a late answer is never taken for another one's. The next request opens a new
one, which closes the old one at the venue as well. May not know what a request means.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from mqd_core.api import Ambiguous, NotSent, Refused, StoreError
from mqd_plugin_mock.remote.endpoint import (
    HOST,
    Endpoint,
    client_proof,
    is_proof,
    new_secret,
    read_endpoint,
    venue_proof,
)
from mqd_plugin_mock.remote.frames import ANSWER_BYTES_MAX, Deadline, FrameBuffer, FrameFault, read_frame, send_frame
from mqd_plugin_mock.remote.messages import (
    Answer,
    Asked,
    Challenge,
    Declined,
    End,
    Failed,
    Hello,
    Login,
    Request,
    Role,
    Welcome,
    decode_answer,
    encode,
)
from mqd_plugin_mock.remote.setup import VenuePlace, setup_digest

A = TypeVar("A", bound=Answer)
_FAULTS: Final = (OSError, FrameFault, msgspec.MsgspecError)
#: A venue that is starting may answer a little later than its file is there; a leaving one has to leave first.
_ATTEMPTS: Final = 3


class Unreachable(Exception):
    """Raised when no venue answers where one should be: no byte of a request has left."""


class _Connection:
    """One connection, from the handshake on."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._buffer = FrameBuffer(ANSWER_BYTES_MAX)
        self._asked = 0
        self._socket = socket.create_connection((HOST, endpoint.port), timeout_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: Request) -> Answer:
        """Ask and wait for the answer; raises one of the faults."""
        deadline = Deadline(self._timeout_seconds)
        self._asked += 1
        send_frame(self._socket, encode(Asked(self._asked, request)), deadline)
        answered = decode_answer(read_frame(self._socket, self._buffer, deadline))
        if answered.number != self._asked:
            raise FrameFault(f"answer {answered.number} came to request {self._asked}")
        return answered.answer

    def close(self) -> None:
        """Close it."""
        self._socket.close()


class VenueLink:
    """Asks one venue; calls from several threads wait for each other.

    `start` starts the venue; None: it is only asked where it runs.
    """

    def __init__(
        self, place: VenuePlace, setup: str, start: Callable[[], None] | None, role: Role, timeout_seconds: float
    ) -> None:
        self._place = place
        self._setup = setup_digest(setup)
        self._start = start
        self._role = role
        self._timeout_seconds = timeout_seconds
        self._client = new_secret()
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def open(self) -> Welcome:
        """Find or start the venue. Raises StoreError: it cannot be started, or another desk trades on the account."""
        with self._lock:
            self._close()
            try:
                return self._connect()
            except Unreachable as error:
                raise StoreError(f"the simulated venue of {self._place.record} {error}") from error

    def send(self, request: Request, expected: type[A]) -> A:
        """Ask once. Raises Refused, NotSent or Ambiguous; nothing is ever sent a second time."""
        with self._lock:
            return self._send(request, expected)

    def ask(self, request: Request, expected: type[A]) -> A:
        """Ask what may be asked twice: after a connection that failed once more on a new one. Raises as `send`."""
        with self._lock:
            try:
                return self._send(request, expected)
            except Ambiguous:
                return self._send(request, expected)

    def close(self) -> None:
        """Close the connection; the venue stays."""
        with self._lock:
            self._close()

    def _send(self, request: Request, expected: type[A]) -> A:
        try:
            if self._connection is None:
                self._connect()
            connection = self._connection
        except (Unreachable, StoreError) as error:
            raise NotSent(f"the simulated venue of {self._place.record} {error}", "venue_unreachable") from error
        assert connection is not None  # noqa: S101  for the type checker: it was just made
        try:
            answer = connection.ask(request)
        except _FAULTS as error:
            self._close()
            text = f"the simulated venue did not answer {type(request).__name__}: {type(error).__name__}: {error}"
            raise Ambiguous(text, "no_answer") from error
        if isinstance(answer, Declined):
            raise Refused(answer.text, answer.code)
        if not isinstance(answer, expected):
            self._close()
            text = answer.text if isinstance(answer, Failed) else f"{type(answer).__name__} was answered"
            raise Ambiguous(f"the simulated venue failed at {type(request).__name__}: {text}", "venue_failed")
        return answer

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Finding and starting

    def _connect(self) -> Welcome:
        """Connect to the venue that runs, or start one. Raises Unreachable, and StoreError that says why not."""
        failure: StoreError | None = None
        for _ in range(_ATTEMPTS):
            welcome = self._greet()
            if welcome is not None and (welcome.setup == self._setup or self._role is Role.PERSON):
                return welcome
            if welcome is not None:
                self._end_for_new_settings()
            if self._start is None:
                break
            if failure is not None:
                raise failure
            try:
                self._start()
            except StoreError as error:
                # Another client may have started one meanwhile: that one then answers.
                failure = error
        raise failure or Unreachable("does not run")

    def _greet(self) -> Welcome | None:
        """Shake hands with whoever is where the file says; None if nobody answers as the venue would."""
        endpoint = read_endpoint(self._place.endpoint)
        if endpoint is None:
            return None
        connection, answer = None, None
        try:
            connection = _Connection(endpoint, self._timeout_seconds)
            answer = self._prove(connection, endpoint)
        except TimeoutError as error:
            text = f"does not answer; if its process {endpoint.process} is gone, remove {self._place.endpoint}"
            raise Unreachable(text) from error
        except _FAULTS:
            pass  # nobody there, or nobody who has the secret
        finally:
            if connection is not None and not isinstance(answer, Welcome):
                connection.close()
        if isinstance(answer, Welcome):
            self._connection = connection
            return answer
        if isinstance(answer, Failed):
            raise Unreachable(f"is in use: {answer.text}; end that desk first, or give this one another `record:`")
        return None

    def _prove(self, connection: _Connection, endpoint: Endpoint) -> Answer | None:
        nonce = new_secret()
        challenge = connection.ask(Hello(nonce))
        if not isinstance(challenge, Challenge) or not is_proof(venue_proof(endpoint.secret, nonce), challenge.proof):
            return None
        proof = client_proof(endpoint.secret, challenge.nonce)
        return connection.ask(Login(proof, self._role, self._client, os.getpid()))

    def _end_for_new_settings(self) -> None:
        """A venue that was started with other settings gives way to one with these; the account is on record."""
        connection = self._connection
        if connection is not None:
            try:
                connection.ask(End())
            except _FAULTS:
                return
            finally:
                self._close()
