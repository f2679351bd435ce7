"""The venue's process as it serves: one thread, one request after the other, on the loopback interface.

One desk at a time trades on the account. When a connector comes again, its earlier connection is closed before the
new one is welcomed, and what that one had sent and the venue had not taken up is thrown away: so when the new one hears
that an order is not known, that order will never be (the fence that `not_found: final` relies on). The same holds for
a desk that has died. A desk that lives is not pushed out by another one. May not know what a request does.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic  # noqa: TID251  how long nobody has come, and nothing that a desk decides by
from typing import Final

import msgspec

from mqd_core.api import StoreError
from mqd_plugin_mock.remote.endpoint import HOST, client_proof, is_proof, new_secret, venue_proof
from mqd_plugin_mock.remote.frames import (
    GREETING_BYTES_MAX,
    REQUEST_BYTES_MAX,
    FrameBuffer,
    FrameFault,
    frame,
)
from mqd_plugin_mock.remote.messages import (
    Answer,
    Answered,
    Challenge,
    End,
    Ended,
    Failed,
    Hello,
    Login,
    Request,
    Role,
    Welcome,
    decode_request,
    encode,
)

#: How often the loop looks up for a signal and for time that has passed.
_TICK_SECONDS: Final = 0.5
#: What a stranger gets to say who it is, and any client to take an answer.
_PATIENCE_SECONDS: Final = 5.0
_STRANGERS_MAX: Final = 16
_READ_BYTES: Final = 256 * 1024

#: Everything after the handshake. Raises StoreError.
Answering = Callable[[Request], Answer]


class _Client:
    """One connection, from its first byte on."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = FrameBuffer(GREETING_BYTES_MAX)
        self.since = monotonic()
        self.asked = 0
        self.nonce = ""
        #: None: nobody has proved anything yet.
        self.login: Login | None = None


class VenueServer:
    """Listens from construction on; `serve` returns when it was told to end, or when nobody came for long."""

    def __init__(self, secret: str, welcome: Callable[[], Welcome], answering: Answering, idle_seconds: float) -> None:
        self._secret = secret
        self._welcome = welcome
        self._answering = answering
        self._idle_seconds = idle_seconds
        self._clients: dict[socket.socket, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((HOST, 0))
        self._listener.setblocking(False)  # a client may be gone before it is accepted
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._idle_since = monotonic()
        self._is_ending = False
        #: Why it ended, in words.
        self.reason = ""

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def end(self, reason: str) -> None:
        """End after the request at hand; safe in a signal's handler."""
        self._is_ending, self.reason = True, self.reason or reason

    def serve(self) -> None:
        """Serve until the end. Raises StoreError when the record fails: memory is then ahead of it."""
        try:
            while not self._is_ending:
                for key, _ in self._selector.select(_TICK_SECONDS):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif (client := self._clients.get(key.fileobj)) is not None:  # type: ignore[call-overload]
                        self._read(client)
                self._look_at_the_time()
        finally:
            for client in tuple(self._clients.values()):
                self._drop(client)
            self._listener.close()
            self._selector.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        strangers = [client for client in self._clients.values() if client.login is None]
        if len(strangers) >= _STRANGERS_MAX:
            self._drop(strangers[0])
        connection.settimeout(_PATIENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[connection] = _Client(connection)
        self._selector.register(connection, selectors.EVENT_READ)

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.connection)
        del self._clients[client.connection]
        client.connection.close()
        self._idle_since = monotonic()

    def _look_at_the_time(self) -> None:
        now = monotonic()
        for client in tuple(self._clients.values()):
            if client.login is None and now - client.since > _PATIENCE_SECONDS:
                self._drop(client)
        if not self._clients and now - self._idle_since >= self._idle_seconds:
            self.end("nobody was connected for a while")

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.buffer.add(data)
        self._take_frames(client)

    def _take_frames(self, client: _Client) -> None:
        """Answer whole requests, one after the other, as long as the client is there."""
        try:
            while client.connection in self._clients and (content := client.buffer.take()) is not None:
                self._take(client, content)
        except (FrameFault, msgspec.MsgspecError, OSError):
            # Nonsense, or nobody there to hear the answer; what was done is on record.
            if client.connection in self._clients:
                self._drop(client)

    def _take(self, client: _Client, content: bytes) -> None:
        asked = decode_request(content)
        client.asked += 1
        if asked.number != client.asked:
            raise FrameFault(f"request {client.asked} was numbered {asked.number}")
        request = asked.request
        if client.login is None:
            answer = self._greet(client, request)
        elif isinstance(request, End):
            answer = Ended()
            self.end("a client asked for it")
        else:
            answer = self._answer(client, request)
        if answer is None:
            self._drop(client)
            return
        self._send(client, answer)

    def _answer(self, client: _Client, request: Request) -> Answer:
        try:
            return self._answering(request)
        except StoreError as error:
            with suppress(OSError):
                self._send(client, Failed("record", str(error)))
            raise

    def _send(self, client: _Client, answer: Answer) -> None:
        client.connection.settimeout(_PATIENCE_SECONDS)
        client.connection.sendall(frame(encode(Answered(client.asked, answer))))

    # Who comes

    def _greet(self, client: _Client, request: Request) -> Answer | None:
        """The handshake; None for somebody who has not the secret."""
        if isinstance(request, Hello) and not client.nonce:
            client.nonce = new_secret()
            return Challenge(client.nonce, venue_proof(self._secret, request.nonce))
        if not isinstance(request, Login) or not client.nonce:
            return None
        if not is_proof(client_proof(self._secret, client.nonce), request.proof):
            return None
        if request.role is Role.DESK and (rival := self._rival(request)) is not None:
            return Failed("busy", f"process {rival.process} trades on it")
        client.login = request
        client.buffer.bytes_max = REQUEST_BYTES_MAX
        return self._welcome()

    def _rival(self, login: Login) -> Login | None:
        """Another desk that lives, if there is one; earlier connections of this desk, and of dead ones, are closed."""
        for client in tuple(self._clients.values()):
            known = client.login
            if known is None or known.role is not Role.DESK:
                continue
            if known.client == login.client or self._is_gone(client):
                self._drop(client)
            else:
                # It lives: what was read of it, to see that, is answered as ever.
                self._take_frames(client)
                return known
        return None

    @staticmethod
    def _is_gone(client: _Client) -> bool:
        """Whether a client has closed its end; what it sent before that stays unread."""
        client.connection.setblocking(False)
        try:
            while data := client.connection.recv(_READ_BYTES):
                client.buffer.add(data)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            client.connection.settimeout(_PATIENCE_SECONDS)
        return True
