"""Requests: once, to one host, within their time, and every failure in its class."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pytest
from requests import Session

from mqd_core.api import Ambiguous, NotSent
from mqd_plugin_alpaca.faults import Answered, Unreadable
from mqd_plugin_alpaca.hosts import LIVE, PAPER, may_talk_to
from mqd_plugin_alpaca.rest import Rest, _CountingSession, make_client, prove_once


@contextmanager
def raw_server(serve: Any) -> Iterator[str]:
    """A server that hands each connection to `serve` in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Wakes the thread on every system; closing the socket alone does not.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def rest_for(made: Any, url: str, **changes: Any) -> Rest:
    """Requests to a server on this machine."""
    return Rest(made.settings(url, **changes), url, made.clock())


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_an_order_is_sent_once_whatever_is_answered(alpaca, made, status: int) -> None:
    """An answer after which alpaca-py by itself would send again leaves one request at the server."""
    alpaca.say("POST", "/orders", (status, {"message": "later"}))
    rest = rest_for(made, alpaca.url)
    with pytest.raises(Answered) as caught:
        rest.post("/orders", {"symbol": "SPY"})
    assert caught.value.status == status
    assert len(alpaca.requests) == 1


def test_this_version_of_alpaca_py_would_send_again(alpaca, made) -> None:
    """What is guarded against is real: the client as it comes sends an order four times to answers of 504."""
    client = make_client(made.key, made.secret, alpaca.url, Session())
    client._retry, client._retry_wait = 3, 0
    alpaca.say("POST", "/orders", (504, {"message": "gateway timeout"}))
    with pytest.raises(Exception, match="gateway timeout"):
        client.post("/orders", {"symbol": "SPY"})
    assert len(alpaca.requests) == 4
    assert version("alpaca-py") >= "0.44"


def test_a_client_that_sends_again_is_refused(made) -> None:
    """A version whose repeating cannot be switched off ends the start."""

    def repeating(session: Session) -> Any:
        client = make_client(made.key, made.secret, PAPER, session)
        client._retry, client._retry_wait = 2, 0
        return client

    with pytest.raises(RuntimeError, match="sent an order 3 times"):
        prove_once(repeating)
    prove_once(lambda session: make_client(made.key, made.secret, PAPER, session))


def test_a_client_that_takes_errors_for_answers_is_refused(made) -> None:
    """A version that swallows an error ends the start too."""

    class Calm:
        def __init__(self, session: Session) -> None:
            self.session = session

        def post(self, path: str, data: Any = None) -> Any:
            return self.session.request("POST", path)

    assert _CountingSession(500).request("GET", "x").status_code == 500
    with pytest.raises(RuntimeError, match="1 times to answers of 429"):
        prove_once(Calm)  # type: ignore[arg-type]


def test_a_redirect_is_not_followed(alpaca, made) -> None:
    """An answer that points elsewhere is no success, and nobody is asked there."""
    alpaca.say("POST", "/orders", lambda _: (307, {"Location": f"{alpaca.url}/v2/elsewhere"}, {"id": "x"}))
    with pytest.raises(Answered) as caught:
        rest_for(made, alpaca.url).post("/orders", {"symbol": "SPY"})
    assert caught.value.status == 307
    assert [one.path for one in alpaca.requests] == ["/orders"]


def test_proxies_of_the_environment_are_not_used(alpaca, made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys go to the host itself, whatever proxy the environment names."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert rest_for(made, alpaca.url).get("/account")["account_number"] == "PA3XYZ000001"


def test_another_host_is_never_asked(alpaca, made) -> None:
    """A session is for the one server that was chosen; a request elsewhere is not sent."""
    rest = rest_for(made, alpaca.url)
    with pytest.raises(NotSent, match="another host"):
        rest._session.request("GET", "http://127.0.0.1:1/v2/account")
    assert not may_talk_to(f"{LIVE}/v2/orders", PAPER)
    assert not may_talk_to(f"{PAPER}.example.com/v2/orders", PAPER)
    assert not may_talk_to("https://example.com/v2", "https://example.com")
    assert may_talk_to(f"{PAPER}/v2/orders", PAPER)


def test_nobody_there_means_not_sent(made) -> None:
    """Where no connection comes about, no byte has left."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent) as caught:
        rest_for(made, f"http://127.0.0.1:{port}").post("/orders", {"symbol": "SPY"})
    assert caught.value.code == "unreachable"


def test_a_server_that_says_nothing_leaves_it_in_doubt(made) -> None:
    """After the silence that is allowed the request is given up, and may have been taken."""
    release = threading.Event()

    def mute(connection: socket.socket) -> None:
        connection.recv(65536)
        release.wait(5)

    with raw_server(mute) as url:
        with pytest.raises(Ambiguous):
            rest_for(made, url, read_timeout_seconds=0.05).post("/orders", {"symbol": "SPY"})
        release.set()


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"])
def test_an_answer_that_only_drips_is_given_up_in_time(made, start: bytes) -> None:
    """One byte after the other, each in time, does not hold the desk beyond the whole request's deadline."""
    is_over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(start)
        try:
            while not is_over.wait(0.01):
                connection.sendall(b"H")
        except OSError:
            pass

    with raw_server(drip) as url:
        rest = rest_for(made, url, deadline_seconds=0.2)
        with pytest.raises(Ambiguous, match="no answer in time"):
            rest.post("/orders", {"symbol": "SPY"})
        is_over.set()


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"id": NaN}', b"[" * 100_000])
def test_an_answer_that_is_no_json_is_in_doubt(alpaca, made, body: bytes) -> None:
    """A page, a number that is none, an abyss of brackets: an error of its class; nothing at all is no object."""
    alpaca.say("POST", "/orders", (200, body))
    rest = rest_for(made, alpaca.url)
    if body:
        with pytest.raises(Unreadable):
            rest.post("/orders", {"symbol": "SPY"})
    else:
        assert rest.post("/orders", {"symbol": "SPY"}) is None


def test_refused_keys_are_not_tried_again(alpaca, made) -> None:
    """After a 401 nothing is sent for a while, and whoever should know is told."""
    told: list[str] = []
    rest = Rest(made.settings(alpaca.url), alpaca.url, made.clock(), told.append)
    alpaca.say("GET", "/account", (401, {"message": "unauthorized"}))
    with pytest.raises(Answered):
        rest.get("/account")
    with pytest.raises(NotSent, match="refuses the keys"):
        rest.delete("/orders/x")
    assert len(alpaca.requests) == 1
    assert len(told) == 1
    assert "unauthorized" in told[0]


def test_an_order_does_not_wait_for_the_rate(alpaca, made) -> None:
    """With nothing left but what is kept, an order is NotSent at once; a cancel and a question go out."""
    alpaca.say("POST", "/orders", (200, {"id": "x"}))
    alpaca.say("DELETE", "/orders/x", (204, None))
    rest = rest_for(made, alpaca.url, requests_per_minute=10, requests_kept=9)
    rest.post("/orders", {"symbol": "SPY"})
    with pytest.raises(NotSent) as caught:
        rest.post("/orders", {"symbol": "SPY"})
    assert caught.value.code == "rate_budget"
    assert rest.delete("/orders/x") is None
    assert rest.get("/account")["status"] == "ACTIVE"


def test_what_alpaca_says_of_the_rate_is_believed(alpaca, made) -> None:
    """A count that is lower than the desk's own, in the headers of an answer, stops orders."""
    headers = {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "1790000001"}
    alpaca.say("GET", "/account", (200, headers, {"status": "ACTIVE"}))
    rest = rest_for(made, alpaca.url, requests_per_minute=200)
    rest.get("/account")
    with pytest.raises(NotSent, match="too many requests"):
        rest.post("/orders", {"symbol": "SPY"})
    assert not alpaca.asked("POST", "/orders")


def test_no_error_shows_the_keys(alpaca, made) -> None:
    """Neither text nor representation nor chain of an error holds a key."""
    alpaca.say("GET", "/account", (500, {"message": "no"}))
    rest = rest_for(made, alpaca.url)
    for ask in (lambda: rest.get("/account"), lambda: rest._session.request("GET", "http://127.0.0.1:1/")):
        with pytest.raises((Answered, NotSent)) as caught:
            ask()
        error: BaseException | None = caught.value
        while error is not None:
            assert made.secret not in f"{error!r} {error} {vars(error)}"
            assert made.key not in f"{error!r} {error} {vars(error)}"
            error = error.__cause__
    assert made.secret not in repr(made.settings(alpaca.url))


def test_the_keys_are_in_no_log(alpaca, made, caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at its most talkative, after answers, refusals and failures."""
    caplog.set_level("DEBUG")
    alpaca.say("POST", "/orders", (500, {"message": "no"}))
    rest = rest_for(made, alpaca.url)
    rest.get("/account")
    with pytest.raises(Answered):
        rest.post("/orders", {"symbol": "SPY"})
    alpaca.close()
    with pytest.raises((NotSent, Ambiguous)):
        rest_for(made, alpaca.url).get("/account")
    assert caplog.records
    assert made.secret not in caplog.text
    assert made.key not in caplog.text
