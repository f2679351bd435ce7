"""The account's stream over a real connection: every gap is told, nothing twice, bad keys end it, and it stops."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from mqd_core.api import Fill, OrderReport, Refused, StreamStatus
from mqd_plugin_alpaca.stream import AlpacaStreamHandler, _taken_text
from mqd_plugin_alpaca.trade_updates import TradeUpdates

Script = Callable[[ServerConnection], None]


class FakeStream:
    """Takes connections; the n-th is given to the n-th script once it is listening, later ones to the last."""

    def __init__(self) -> None:
        self.scripts: list[Script] = [hold]
        self.heard: list[Any] = []
        self.connections = 0
        self.statuses: list[int] = []
        self.is_authorized = True
        self._server = serve(self._serve, "127.0.0.1", 0, process_request=self._admit, compression=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/stream"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)

    def _admit(self, connection: ServerConnection, request: Any) -> Any:
        return connection.respond(self.statuses.pop(0), "no\n") if self.statuses else None

    def _serve(self, connection: ServerConnection) -> None:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.connections += 1
        self.heard.append(json.loads(connection.recv()))
        status = "authorized" if self.is_authorized else "unauthorized"
        # As paper does: bytes that hold text.
        connection.send(json.dumps({"stream": "authorization", "data": {"status": status}}).encode())
        if not self.is_authorized:
            return
        self.heard.append(json.loads(connection.recv()))
        connection.send(json.dumps({"stream": "listening", "data": {"streams": ["trade_updates"]}}))
        script(connection)


def hold(connection: ServerConnection) -> None:
    """Say nothing, and stay until the other end leaves."""
    for _ in connection:
        pass


def hang_up(connection: ServerConnection) -> None:
    """Leave."""


def say(*messages: Any) -> Script:
    """Send messages, then stay."""

    def script(connection: ServerConnection) -> None:
        for message in messages:
            connection.send(message if isinstance(message, str | bytes) else json.dumps(message))
        hold(connection)

    return script


class Heard:
    """What the sink was told; `wait` is for a condition, not for a time."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._news = threading.Condition()

    def __call__(self, event: Any) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def wait(self, holds: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(holds, timeout=10), self.events

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.events if isinstance(one, StreamStatus)]


@pytest.fixture
def stream() -> Iterator[FakeStream]:
    """A server of the stream."""
    one = FakeStream()
    yield one
    one.close()


@pytest.fixture
def listen(stream, made) -> Iterator[Callable[..., tuple[AlpacaStreamHandler, Heard]]]:
    """Start a handler on it, with settings changed as named."""
    handlers: list[AlpacaStreamHandler] = []

    def start(**changes: Any) -> tuple[AlpacaStreamHandler, Heard]:
        heard, log = Heard(), made.log()
        updates = TradeUpdates(made.clock(), lambda _order: None, lambda *_what: None)
        settings = made.settings(None, **{"silence_seconds": 5, **changes})
        handler = AlpacaStreamHandler(settings, stream.url, made.clock(), log, updates, jitter=lambda _attempt: 0.5)
        handlers.append(handler)
        handler.start(heard)
        return handler, heard

    yield start
    for handler in handlers:
        handler.close()


def message(made: Any, event: str, status: str, **more: Any) -> dict[str, Any]:
    """A message of the stream."""
    order = made.order_json(status=status, **more.pop("order", {}))
    return {"stream": "trade_updates", "data": made.update(event, order, **more)}


FILLED = {"order": {"filled_qty": "0.3", "filled_avg_price": "450"}, "execution_id": "e1", "qty": "0.3", "price": "450"}


def test_what_happens_is_told(stream, listen, made) -> None:
    """Up, then a new order and its execution, in text and in bytes; the keys went over once."""
    new = json.dumps(message(made, "new", "new")).encode()
    stream.scripts = [say(new, message(made, "fill", "filled", **FILLED))]
    _, heard = listen()
    heard.wait(lambda: len(heard.events) == 4)
    kinds = [type(one) for one in heard.events]
    assert kinds == [StreamStatus, OrderReport, Fill, OrderReport]
    assert stream.heard[0] == {
        "action": "authenticate",
        "data": {"key_id": made.key, "secret_key": made.secret},
    }
    assert stream.heard[1] == {"action": "listen", "data": {"streams": ["trade_updates"]}}


def test_the_newer_form_of_the_keys(stream, listen, made) -> None:
    """The form that Alpaca announces can be chosen."""
    _, heard = listen(stream_authentication="auth")
    heard.wait(lambda: heard.states == ["up"])
    assert stream.heard[0] == {"action": "auth", "key": made.key, "secret": made.secret}


def test_every_gap_is_told(stream, listen, made) -> None:
    """Down and up again for each connection that ends; an execution that is told again is not told twice."""
    fill = message(made, "fill", "filled", **FILLED)
    stream.scripts = [hang_up, hang_up, say(fill), hang_up]
    _, heard = listen()
    heard.wait(lambda: len(heard.states) >= 5)
    assert heard.states[:5] == ["up", "down", "up", "down", "up"]
    heard.wait(lambda: any(isinstance(one, Fill) for one in heard.events))


def test_an_execution_is_known_beyond_a_connection(stream, listen, made) -> None:
    """What the former connection told is not news on the next one."""
    fill = json.dumps(message(made, "fill", "filled", **FILLED))

    def tell_and_leave(connection: ServerConnection) -> None:
        connection.send(fill)

    done = json.dumps(message(made, "canceled", "canceled", order={"id": "other"}))
    stream.scripts = [tell_and_leave, say(fill, done)]
    _, heard = listen()
    heard.wait(lambda: any(getattr(one, "broker_order_id", "") == "other" for one in heard.events))
    assert len([one for one in heard.events if isinstance(one, Fill)]) == 1


def test_bad_keys_end_it_at_once(stream, listen) -> None:
    """The start fails, and nobody tries again."""
    stream.is_authorized = False
    with pytest.raises(Refused, match="keys"):
        listen()
    assert stream.connections == 1


@pytest.mark.parametrize("status", [401, 403])
def test_keys_that_the_handshake_refuses_end_it(stream, listen, status: int) -> None:
    """An answer of 401 or 403 is as clear."""
    stream.statuses = [status]
    with pytest.raises(Refused, match="keys"):
        listen()


def test_a_connection_in_use_is_waited_for(stream, listen) -> None:
    """429 is told, and tried again until the place is free."""
    stream.statuses = [429, 429]
    _, heard = listen()
    heard.wait(lambda: heard.states == ["down", "down", "up"])
    assert "usually the one that broke" in heard.events[0].text
    assert "another program" in _taken_text(429, 91.0)


@pytest.mark.parametrize(
    "nonsense",
    [
        "no json",
        b"\xff\xfe",
        "[]",
        "null",
        '{"stream":"trade_updates","data":null}',
        '{"stream":"trade_updates","data":{"event":"fill"}}',
        "[" * 100_000,
    ],
)
def test_nonsense_is_doubt_and_not_the_end(stream, listen, made, nonsense: Any) -> None:
    """The account is to be read, and the next message is taken."""
    stream.scripts = [say(nonsense, message(made, "new", "new"))]
    _, heard = listen()
    heard.wait(lambda: any(isinstance(one, OrderReport) for one in heard.events))
    assert heard.states == ["up", "doubtful", "up"]
    assert stream.connections == 1


def test_a_message_that_is_too_long_ends_the_connection(stream, listen) -> None:
    """And is a gap like any other."""
    stream.scripts = [say("x" * (1 << 20) + "x"), hold]
    _, heard = listen()
    heard.wait(lambda: heard.states == ["up", "down", "up"])


def test_an_order_that_is_not_heard_of_ends_the_connection(stream, listen) -> None:
    """Connected but mute: told as silent, and made anew, once."""
    handler, heard = listen(silence_seconds=0.05)
    handler.expect("id-1", handler.moment())
    heard.wait(lambda: heard.states == ["up", "silent", "down", "up"])


def test_an_order_that_was_heard_of_is_no_silence(stream, listen, made) -> None:
    """News that came before the answer to the request count."""
    stream.scripts = [say(message(made, "new", "new"))]
    handler, heard = listen(silence_seconds=0.05)
    before = handler.moment() - 5
    heard.wait(lambda: any(isinstance(one, OrderReport) for one in heard.events))
    handler.expect("id-m1-order-1", before)
    assert handler._expected == {}


def test_nothing_is_told_after_the_close(stream, listen) -> None:
    """The thread is gone when close returns, without a word."""
    handler, heard = listen()
    heard.wait(lambda: heard.states == ["up"])
    handler.close()
    assert not handler._thread.is_alive()
    assert heard.states == ["up"]


def test_a_stream_that_cannot_be_had_does_not_stop_the_start(stream, listen, made) -> None:
    """It says that it is down and goes on trying; closing it does not wait for the next attempt."""
    stream.close()
    handler, heard = listen(reconnect_first_seconds=30, reconnect_last_seconds=30)
    assert heard.states == ["down"]
    handler.close()
    assert not handler._thread.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_end_of_the_thread_is_told(stream, listen, made) -> None:
    """An error that nobody foresaw ends the thread, and the desk hears of it."""
    stream.scripts = [say(message(made, "new", "new"))]
    failing = Heard()

    def sink(event: Any) -> None:
        if isinstance(event, OrderReport):
            raise KeyError("a fault of the desk")
        failing(event)

    updates = TradeUpdates(made.clock(), lambda _order: None, lambda *_what: None)
    settings = made.settings(None)
    handler = AlpacaStreamHandler(settings, stream.url, made.clock(), made.log(), updates, jitter=lambda _attempt: 0.0)
    handler.start(sink)
    failing.wait(lambda: failing.states == ["up", "ended"])
    handler.close()


def test_waits_double_within_their_jitter(made) -> None:
    """1, 2, 4 ... seconds to the longest, half of each by jitter."""
    settings = made.settings(None, reconnect_first_seconds=1, reconnect_last_seconds=30)
    updates = TradeUpdates(made.clock(), lambda _order: None, lambda *_what: None)
    for part in (0.0, 1.0):
        handler = AlpacaStreamHandler(
            settings, "ws://x", made.clock(), made.log(), updates, jitter=lambda _n, p=part: p
        )
        waits = [handler.wait_seconds(attempt) for attempt in range(1, 8)]
        assert waits == [whole / 2 * (1 + part) for whole in (1, 2, 4, 8, 16, 30, 30)]


def test_the_keys_are_in_no_log(stream, listen, made, caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at its most talkative, connected and refused."""
    caplog.set_level("DEBUG")
    _, heard = listen()
    heard.wait(lambda: heard.states == ["up"])
    stream.is_authorized = False
    with pytest.raises(Refused):
        listen()
    assert made.secret not in caplog.text
    assert made.key not in caplog.text
    assert made.secret not in repr(heard.events)
