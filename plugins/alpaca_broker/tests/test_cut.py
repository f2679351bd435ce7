"""The exchange of one submission, cut off after each byte: nothing but a whole answer says what became of it."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from mqd_core.api import Ambiguous, OrderStatus, Refused
from mqd_plugin_alpaca.connector import AlpacaConnector


class CuttingServer:
    """Reads `taken` bytes of each request (all: None), sends `given` bytes of the answer (all: None), and hangs up."""

    def __init__(self) -> None:
        self.taken: int | None = None
        self.given: int | None = None
        self.answer = b""
        self.request = b""
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._exchange(connection)
                except OSError:
                    continue

    def _exchange(self, connection: socket.socket) -> None:
        self.count += 1
        request = b""
        while not self._has_all(request) and (self.taken is None or len(request) < self.taken):
            most = 65536 if self.taken is None else self.taken - len(request)
            part = connection.recv(most)
            if not part:
                return
            request += part
        if self.taken is None:
            self.request = request
            connection.sendall(self.answer if self.given is None else self.answer[: self.given])

    @staticmethod
    def _has_all(request: bytes) -> bool:
        head, gap, body = request.partition(b"\r\n\r\n")
        if not gap:
            return False
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        return len(body) >= length


@pytest.fixture
def server() -> Any:
    """A server that hangs up where it is told to."""
    one = CuttingServer()
    yield one
    one.close()


def answer_of(status: str, body: Any) -> bytes:
    """A whole answer on the wire."""
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


@pytest.mark.parametrize(
    ("status", "body", "whole"),
    [
        ("200 OK", None, OrderStatus.ACKNOWLEDGED),
        ("403 Forbidden", {"code": 40310000, "message": "insufficient buying power"}, Refused),
    ],
)
def test_each_cut_of_the_answer_leaves_it_in_doubt(
    made, server, tmp_path, *, status: str, body: Any, whole: Any
) -> None:
    """Only with its last byte is an answer a success or a refusal; the request went out once each time."""
    server.answer = answer_of(status, body or made.order_json())
    connector = AlpacaConnector(made.settings(server.url), made.context(tmp_path))
    for cut in range(len(server.answer)):
        server.given, before = cut, server.count
        with pytest.raises(Ambiguous):
            connector.submit(made.order())
        assert server.count == before + 1
    server.given = None
    if whole is Refused:
        with pytest.raises(Refused):
            connector.submit(made.order())
    else:
        assert connector.submit(made.order()).status is whole
    connector.close()


def test_each_cut_of_the_request_leaves_it_in_doubt(made, server, tmp_path) -> None:
    """However little of the request the server has read when it hangs up, the desk does not know how much it was."""
    server.answer = answer_of("200 OK", made.order_json())
    connector = AlpacaConnector(made.settings(server.url), made.context(tmp_path))
    connector.submit(made.order())
    assert len(server.request) > 300
    for cut in range(len(server.request)):
        server.taken, before = cut, server.count
        with pytest.raises(Ambiguous):
            connector.submit(made.order())
        assert server.count == before + 1
    connector.close()
