"""The border of the venue's process: frames, who may come in, and that nonsense harms nobody. Real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.api import ApprovedOrder, NotSent, StoreError
from mqd_plugin_mock import plugin
from mqd_plugin_mock.remote.endpoint import HOST, client_proof, read_endpoint, remove_endpoint, write_endpoint
from mqd_plugin_mock.remote.frames import Deadline, FrameBuffer, FrameFault, frame, read_frame
from mqd_plugin_mock.remote.launch import start_venue
from mqd_plugin_mock.remote.messages import (
    Asked,
    Challenge,
    Find,
    Found,
    Hello,
    Login,
    Role,
    SentOrder,
    Submit,
    Welcome,
    decode_answer,
    encode,
    sent,
)
from mqd_plugin_mock.remote.setup import VenuePlace


class TestFrames:
    @given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 64))
    def test_however_the_bytes_come(self, contents, size):
        """Whole frames come out in their order, whatever pieces the stream was cut into."""
        stream = b"".join(map(frame, contents))
        buffer, taken = FrameBuffer(300), []
        for start in range(0, len(stream), size):
            buffer.add(stream[start : start + size])
            while (content := buffer.take()) is not None:
                taken.append(content)
        assert taken == contents

    def test_a_frame_that_is_too_long(self):
        """The announcement of more than is allowed is enough to refuse it."""
        buffer = FrameBuffer(10)
        buffer.add(frame(b"x" * 11)[:4])
        with pytest.raises(FrameFault, match="a frame of 11 bytes was announced, allowed are 10"):
            buffer.take()

    def test_an_end_in_the_middle(self):
        """A stream that ends inside a frame is a broken connection, never a short frame."""
        here, there = socket.socketpair()
        with here, there:
            there.sendall(frame(b"abc")[:-1])
            there.shutdown(socket.SHUT_WR)
            with pytest.raises(ConnectionResetError, match="closed the connection"):
                read_frame(here, FrameBuffer(10), Deadline(5))

    def test_what_came_in_time_is_read_late(self):
        """An answer that is there already is read after the deadline too: the process may have been stopped."""
        here, there = socket.socketpair()
        with here, there:
            there.sendall(frame(b"abc"))
            deadline = Deadline(0)
            assert deadline.is_over
            assert read_frame(here, FrameBuffer(10), deadline) == b"abc"

    def test_an_order_travels_whole(self, bench):
        """Every term of an approved order but its strategy and its seal is in the message, and survives the way."""
        assert set(ApprovedOrder.__struct_fields__) - set(SentOrder.__struct_fields__) == {"strategy_id", "seal"}
        order = bench.order(quantity="0.123456789", kind="stop_limit", limit="10.01", stop="10.02", tif="gtc")
        travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(sent(order)), type=SentOrder)
        for name in SentOrder.__struct_fields__:
            assert getattr(travelled, name) == getattr(order, name)


class Stranger:
    """Speaks to a venue by hand."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = FrameBuffer(10**6)
        self._number = 0

    def say(self, content: bytes):
        """Send bytes as a frame and return the answer; raises ConnectionError where the venue closes."""
        self.connection.sendall(frame(content))
        return decode_answer(read_frame(self.connection, self._buffer, Deadline(10))).answer

    def ask(self, request):
        """Ask by the rules."""
        self._number += 1
        return self.say(encode(Asked(self._number, request)))

    def log_in(self, secret: str, role: Role = Role.PERSON):
        """Shake hands with that secret."""
        challenge = self.ask(Hello("n"))
        assert isinstance(challenge, Challenge)
        return self.ask(Login(client_proof(secret, challenge.nonce), role, "stranger", 1))


@contextmanager
def stranger(remote):
    """A connection to the venue of an account."""
    with socket.create_connection((HOST, remote.endpoint.port), 10) as connection:
        yield Stranger(connection)


@pytest.mark.slow
class TestWhoMayComeIn:
    def test_by_the_rules(self, remote):
        """Who has the secret is welcome and may ask."""
        remote.desk()
        with stranger(remote) as one:
            assert isinstance(one.log_in(remote.endpoint.secret), Welcome)
            assert one.ask(Find("x")) == Found(None)

    def test_without_the_secret(self, bench, remote):
        """A wrong proof, no proof, a second greeting, and an order before the proof end the connection unanswered."""
        broker = remote.desk()
        order = SentOrder(**{name: getattr(bench.order(), name) for name in SentOrder.__struct_fields__})
        attempts = [
            lambda one: one.log_in("guessed"),
            lambda one: one.ask(Login("", Role.PERSON, "x", 1)),
            lambda one: (one.ask(Hello("n")), one.ask(Hello("n"))),
            lambda one: one.ask(Submit(order)),
            lambda one: (one.ask(Hello("n")), one.ask(Submit(order))),
        ]
        for attempt in attempts:
            with stranger(remote) as one, pytest.raises(ConnectionError):
                attempt(one)
        assert broker.orders(0) == ()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xc1",
            b"GET / HTTP/1.1",
            msgspec.msgpack.encode([1, {"type": "Strange"}]),
            encode(Asked(2, Hello("n"))),
            b"x" * 2_000,
        ],
    )
    def test_nonsense(self, remote, content):
        """What is no request ends its own connection; the desk's goes on."""
        broker = remote.desk()
        with stranger(remote) as one, pytest.raises(ConnectionError):
            one.say(content)
        with stranger(remote) as one:
            assert isinstance(one.log_in(remote.endpoint.secret), Welcome)
            with pytest.raises(ConnectionError):
                one.say(content)
        assert broker.positions() == ()

    def test_many_who_say_nothing(self, remote):
        """Connections that never greet do not keep a desk out."""
        remote.desk()
        silent = [socket.create_connection((HOST, remote.endpoint.port), 10) for _ in range(40)]
        try:
            remote.end()
            assert remote.desk().positions() == ()
        finally:
            for connection in silent:
                connection.close()

    def test_somebody_who_plays_the_venue(self, remote):
        """A program that took the port of a dead venue, and has not its secret, is not believed, nor told anything."""
        broker = remote.desk()
        endpoint = remote.endpoint
        remote.kill()
        with socket.create_server((HOST, 0)) as impostor:
            impostor.settimeout(20)
            write_endpoint(remote.place.endpoint, msgspec.structs.replace(endpoint, port=impostor.getsockname()[1]))
            broker.close()
            script = (
                "import socket, sys\n"
                "from mqd_plugin_mock.remote.frames import *\n"
                "from mqd_plugin_mock.remote.messages import *\n"
                "server = socket.socket(fileno=int(sys.argv[1]))\n"
                "connection, _ = server.accept()\n"
                "buffer = FrameBuffer(10000)\n"
                "print(type(decode_request(read_frame(connection, buffer, Deadline(20))).request).__name__)\n"
                "connection.sendall(frame(encode(Answered(1, Challenge('n', 'guessed')))))\n"
                "print(len(connection.recv(10)))\n"
            )
            if sys.platform == "win32":
                pytest.skip("hands a socket to a child process")
            played = subprocess.Popen(
                [sys.executable, "-c", script, str(impostor.fileno())],
                pass_fds=[impostor.fileno()],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert remote.desk().positions() == ()
            assert played.communicate(timeout=20)[0].split() == ["Hello", "0"]
            assert remote.endpoint.port != impostor.getsockname()[1]


class TestTheAddress:
    def test_a_file_of_another_form(self, tmp_path):
        """What is no address, or one of another version, is none."""
        path = tmp_path / "a.venue"
        assert read_endpoint(path) is None
        path.write_text("{}", encoding="utf-8")
        assert read_endpoint(path) is None
        path.write_text('{"port": 1, "secret": "x", "process": 1, "format": "mqd-mock-venue-0"}', encoding="utf-8")
        assert read_endpoint(path) is None

    @pytest.mark.slow
    def test_a_venue_removes_its_own_address_only(self, remote):
        """The address of a later venue stays when an earlier one ends."""
        remote.desk()
        earlier = msgspec.structs.replace(remote.endpoint, secret="another")
        remove_endpoint(remote.place.endpoint, earlier)
        assert remote.endpoint.secret != "another"


@pytest.mark.slow
class TestStarting:
    def test_settings_that_cannot_be_read(self, tmp_path):
        """A process that ends before it serves is told of, and its log says why."""
        place = VenuePlace(tmp_path / "account.jsonl")
        with pytest.raises(StoreError, match="ended before it served; its log, beside the record, says why"):
            start_venue(place, "nonsense")
        assert "ValidationError" in place.log.read_text(encoding="utf-8")

    def test_two_at_once(self, remote, bench):
        """Of two processes for one account the second one gives up, and says who has it."""
        remote.desk()
        with pytest.raises(StoreError, match="is open in another process"):
            start_venue(remote.place, f'{{"record": "{remote.place.record.as_posix()}"}}')

    def test_nobody_is_started_to_be_shown(self, remote, tmp_path):
        """An account whose venue does not run is not there for an emergency without a record either."""
        remote.desk().close()
        remote.end()
        remote.place.record.write_text("nonsense\n", encoding="utf-8")
        with pytest.raises(NotSent, match="this is no account record"):
            remote.emergency().cancel_all()


@pytest.mark.slow
class TestCommand:
    def run(self, *arguments: str) -> str:
        """Call `mqd venue` as the command line would."""
        (record,) = plugin.mqd_commands()
        result = CliRunner().invoke(record.load(), arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def test_shows_and_ends(self, bench, remote, tmp_path):
        """It says who serves what, beside a desk that is connected; ends the process; and says that none runs."""
        broker = remote.desk()
        broker.submit(bench.order(quantity="1.5"))
        bench.show(broker.venue, bench.bar(0, 100))
        process = remote.endpoint.process
        shown = self.run("status", str(tmp_path))
        assert f"account.jsonl: process {process} serves account MOCK on 127.0.0.1:{remote.endpoint.port}" in shown
        assert "cash 850.00 USD, positions: 1.5 SPHD, working orders: 0" in shown
        assert f"process {process} was ended" in self.run("stop", str(remote.place.record))
        for command in ("status", "stop"):
            assert "account.jsonl: no venue runs" in self.run(command, str(tmp_path))
