"""The stream of order news over real sockets: both frames, both ways to authenticate, and its faults."""

from __future__ import annotations

import json
import socket as socket_module
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

OLD = {"action": "authenticate", "data": {"key_id": "sandbox-key", "secret_key": "sandbox-secret"}}
NEW = {"action": "auth", "key": "sandbox-key", "secret": "sandbox-secret"}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}


def ask(socket: ClientConnection, message: object) -> Any:
    """Send a message and take the next one."""
    socket.send(json.dumps(message))
    return json.loads(socket.recv(timeout=5))


@contextmanager
def opened(sandbox: Any) -> Iterator[ClientConnection]:
    """A connection that listens."""
    with connect(f"ws://127.0.0.1:{sandbox.port}/stream") as socket:
        ask(socket, OLD)
        ask(socket, LISTEN)
        yield socket


def news(socket: ClientConnection, count: int) -> list[Any]:
    """The data of the next messages."""
    return [json.loads(socket.recv(timeout=5))["data"] for _ in range(count)]


@pytest.mark.parametrize(("binary", "kind"), [(True, bytes), (False, str)])
def test_frames_are_of_the_kind_that_was_chosen(make_sandbox: Any, binary: bool, kind: type) -> None:
    """Paper sends binary frames that hold JSON, live sends text."""
    sandbox = make_sandbox(binary_frames=binary)
    with connect(f"ws://127.0.0.1:{sandbox.port}/stream") as socket:
        socket.send(json.dumps(OLD))
        assert isinstance(socket.recv(timeout=5), kind)


def test_both_forms_of_authentication_are_taken(make_sandbox: Any) -> None:
    """The old one is told that it is deprecated; the keys decide; nothing is heard without them."""
    sandbox = make_sandbox()
    with connect(f"ws://127.0.0.1:{sandbox.port}/stream") as socket:
        refused = ask(socket, LISTEN)
        assert refused == {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}
        assert ask(socket, {**NEW, "secret": "wrong"})["data"]["status"] == "unauthorized"
        assert ask(socket, NEW)["data"] == {"status": "authorized", "action": "authenticate"}
        assert "deprecated" in ask(socket, OLD)["data"]["message"]
        assert ask(socket, LISTEN) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        assert ask(socket, {"action": "listen", "data": {"streams": []}})["data"] == {"streams": []}


def test_an_order_is_told_from_pending_to_fill(make_sandbox: Any) -> None:
    """Quantity and price are of the execution, which has an id; so has `new`; event ids go up."""
    sandbox = make_sandbox()
    with opened(sandbox) as socket:
        order = sandbox.order(qty="2")
        told = news(socket, 3)
    assert [row["event"] for row in told] == ["pending_new", "new", "fill"]
    assert {row["order"]["id"] for row in told} == {order["id"]}
    assert ["execution_id" in row for row in told] == [False, True, True]
    assert (told[2]["qty"], told[2]["price"], told[2]["position_qty"]) == ("2", "100", "2")
    assert sorted(row["event_id"] for row in told) == [row["event_id"] for row in told]


def test_a_second_connection_is_refused(make_sandbox: Any) -> None:
    """The handshake answers 429 while another one is open, and after an unclean end for as long as was chosen."""
    sandbox = make_sandbox(linger_seconds=60.0)
    with opened(sandbox) as first:
        assert refusal(sandbox) == 429
        # Without the closing handshake that a client says goodbye with.
        first.socket.shutdown(socket_module.SHUT_RDWR)
        sandbox.until(lambda: sandbox.listeners == 0)
        assert refusal(sandbox) == 429


def refusal(sandbox: Any) -> int:
    """The status with which a handshake is refused; 101 if it is not."""
    try:
        with connect(f"ws://127.0.0.1:{sandbox.port}/stream"):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_a_clean_goodbye_makes_room_at_once(make_sandbox: Any) -> None:
    """The next connection is let in."""
    sandbox = make_sandbox(linger_seconds=60.0)
    with opened(sandbox):
        assert refusal(sandbox) == 429
    sandbox.until(lambda: refusal(sandbox) == 101)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "lose", "event": "new"}, ["pending_new", "fill"]),
        ({"kind": "repeat", "event": "fill"}, ["pending_new", "new", "fill", "new", "fill"]),
        ({"kind": "null", "event": "new"}, ["pending_new", None, "fill"]),
        ({"kind": "alter", "event": "fill", "data": {"event": "grown"}}, ["pending_new", "new", "grown"]),
    ],
)
def test_news_can_be_lost_repeated_and_changed(make_sandbox: Any, fault: object, expected: list[str | None]) -> None:
    """A repetition has the same execution ids; a null stands where an order was."""
    sandbox = make_sandbox()
    sandbox.fault(fault)
    with opened(sandbox) as socket:
        sandbox.order(qty="1")
        told = news(socket, len(expected))
    assert [row and row["event"] for row in told] == expected
    ids = [row["execution_id"] for row in told if row and row["event"] == "fill"]
    assert len(set(ids)) <= 1


def test_an_order_can_have_members_nobody_knows(make_sandbox: Any) -> None:
    """An unknown status and an unknown member are put in."""
    sandbox = make_sandbox()
    sandbox.fault({"kind": "alter", "event": "new", "order": {"status": "odd", "moon": 1}})
    with opened(sandbox) as socket:
        sandbox.order(qty="1")
        told = news(socket, 2)[1]
    assert (told["order"]["status"], told["order"]["moon"]) == ("odd", 1)


def test_a_connection_can_be_cut_and_can_fall_silent(make_sandbox: Any) -> None:
    """Cut, it closes without a goodbye; mute, it stays and says nothing of what happens."""
    sandbox = make_sandbox()
    sandbox.fault({"kind": "cut", "event": "new"})
    with opened(sandbox) as socket:
        sandbox.order(qty="1")
        assert news(socket, 1)[0]["event"] == "pending_new"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
    sandbox.fault({"kind": "mute", "event": "pending_new"})
    with opened(sandbox) as socket:
        order = sandbox.order(qty="1")
        sandbox.until(lambda: sandbox.get(f"/v2/orders/{order['id']}")["status"] == "filled")
        assert ask(socket, LISTEN)["stream"] == "listening"


def test_the_news_can_come_before_the_answer(make_sandbox: Any) -> None:
    """The order's whole life is told while its POST still waits."""
    sandbox = make_sandbox()
    sandbox.fault({"kind": "delay", "method": "POST", "path": "/v2/orders", "seconds": 0.3, "taken": True})
    with opened(sandbox) as socket:
        answered = sandbox.order_in_thread(qty="1")
        told = news(socket, 3)
        assert not answered.is_set()
    assert told[-1]["event"] == "fill"
    assert answered.wait(5)
