"""An account with a record of its own: it goes on across runs and crashes, and a damaged record is not believed."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from mqd_core.api import OrderRef, OrderStatus, Refused, StoreCorrupt, StoreError
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.record import Change
from mqd_plugin_mock.settings import MockBrokerSettings

RICH = {"regulatory_fees": True, "participation_pct": 10, "slippage_bps": 100, "commission_per_share_usd": "0.01"}


@pytest.fixture
def path(tmp_path):
    """Where the record is."""
    return tmp_path / "accounts" / "mock.jsonl"


def opened(bench, path: Path, **settings) -> MockBrokerConnector:
    """A connector that has opened the record."""
    connector = MockBrokerConnector(MockBrokerSettings(record=str(path), **settings), bench.context(path.parent))
    connector.open(lambda _event: None)
    return connector


def live(bench, broker: MockBrokerConnector) -> None:
    """Something of every kind: fills, partial ones, a trigger, a cancel, an expiry, charges, a refusal, what works."""
    broker.submit(bench.order("held", quantity="5"))
    bench.show(broker.venue, bench.bar(0, 100, volume=100.0))
    broker.submit(bench.order("money", notional="50", symbol="AAA", reference="10", minute=1))
    broker.submit(bench.order("trip", "sell", "2", "stop_limit", stop="99", limit="98.90", minute=1))
    broker.submit(bench.order("gone", "sell", "1", "limit", limit="150", minute=1))
    with pytest.raises(Refused):
        broker.submit(bench.order("never", quantity="1000", minute=1))
    bench.show(
        broker.venue,
        bench.bar(1, 10, volume=10.0, symbol="AAA"),
        bench.bar(1, 100, low=98.95),
    )
    broker.cancel(OrderRef(client_order_id="gone", symbol="SPHD"))
    broker.submit(bench.order("late", kind="limit", limit="1", symbol="BBB", quantity="2", minute=2))
    bench.show(broker.venue, bench.bar(2, 99, symbol="SPHD", volume=15.0))
    broker.venue.advance(bench.session.close_ns, ())
    broker.submit(bench.order("next", "sell", "1", "limit", limit="150", submitted_ns=bench.session.close_ns))


def shown(broker: MockBrokerConnector) -> tuple:
    """All that can be asked of an account."""
    return (broker.orders(0), list(broker.activities(None)), broker.account(), broker.positions(), broker.venue.working)


class TestAcrossRuns:
    def test_the_account_goes_on(self, bench, path):
        """Opened again, the account shows the same orders, fills, charges, cash and positions."""
        broker = opened(bench, path, **RICH)
        live(bench, broker)
        before = shown(broker)
        broker.close()
        again = opened(bench, path, **RICH)
        assert shown(again) == before
        statuses = {report.client_order_id: report.status for report in again.orders(0)}
        assert statuses == {
            "held": OrderStatus.FILLED,
            "money": OrderStatus.EXPIRED,
            "trip": OrderStatus.EXPIRED,
            "gone": OrderStatus.CANCELED,
            "late": OrderStatus.EXPIRED,
            "next": OrderStatus.ACKNOWLEDGED,
        }
        again.close()

    def test_it_goes_on_as_if_it_had_never_stopped(self, bench, path, tmp_path):
        """Closed and opened after every call, an account ends like one that was open all the time."""
        steady = opened(bench, tmp_path / "steady", **RICH)
        for minute in range(12):
            step(bench, steady, minute)
        for minute in range(12):
            broker = opened(bench, path, **RICH)
            step(bench, broker, minute)
            broker.close()
        broker = opened(bench, path, **RICH)
        assert shown(broker) == shown(steady)
        assert len(steady.orders(0)) >= 6
        assert len(list(steady.activities(None))) >= 6
        broker.close()
        steady.close()

    def test_the_record_keeps_its_cash(self, bench, path):
        """Another `starting_cash` in the configuration does not change an account that exists."""
        opened(bench, path, starting_cash=500).close()
        broker = opened(bench, path, starting_cash=9_000)
        assert broker.account().cash == Decimal(500)
        broker.close()

    def test_ids_are_refused_for_ever(self, bench, path):
        """An id of an earlier run is still taken, however many orders came after it."""
        broker = opened(bench, path)
        for minute in range(80):
            broker.submit(bench.order(f"n{minute}", "buy" if minute % 2 == 0 else "sell", minute=minute))
            bench.show(broker.venue, bench.bar(minute, 100))
        broker.close()
        broker = opened(bench, path)
        with pytest.raises(Refused, match="client_order_id must be unique"):
            broker.submit(bench.order("n0", minute=100))
        assert broker.find_order("n0").status is OrderStatus.FILLED
        broker.close()

    def test_a_desks_state_cannot_take_it_back(self, bench, path):
        """The state that a desk would keep is empty, and restoring one does not change the account."""
        broker = opened(bench, path)
        before = broker.venue.state()
        broker.submit(bench.order())
        broker.venue.restore(before)
        assert broker.find_order("a") is not None
        broker.close()

    def test_capabilities(self, bench, path):
        """With a record "not found" proves nothing at once, and the account says that it has a record."""
        broker = opened(bench, path)
        assert not broker.capabilities.not_found_is_final
        assert broker.capabilities.own_record
        broker.close()


def step(bench, broker: MockBrokerConnector, minute: int) -> None:
    """One minute of trading; every third order is canceled, some fills are partial."""
    side = "buy" if minute % 4 < 2 else "sell"
    name = f"n{minute}"
    kind = {"kind": "stop", "stop": "99.50"} if side == "sell" else {}
    with contextlib.suppress(Refused):
        broker.submit(bench.order(name, side, "2", minute=minute, **kind))
    bench.show(broker.venue, bench.bar(minute, 100, low=99.25, volume=15.0))
    if minute % 3 == 0:
        with contextlib.suppress(Refused):
            broker.cancel(OrderRef(client_order_id=name, symbol="SPHD"))


class TestCrashes:
    def test_an_order_is_known_although_nobody_heard_of_it(self, bench, path):
        """A desk that dies between the record and its own commit finds the order, and its fill, when it asks."""
        broker = opened(bench, path)
        broker.submit(bench.order())
        bench.show(broker.venue, bench.bar(0, 100))
        # The desk dies here. Closing writes nothing; it only does what the operating system would do.
        written = path.read_bytes()
        broker.close()
        assert path.read_bytes() == written
        again = opened(bench, path)
        assert again.find_order("a").status is OrderStatus.FILLED
        assert [fill.client_order_id for fill in again.activities(None)] == ["a"]
        again.close()

    def test_the_minute_of_the_crash_does_not_fill_twice(self, bench, path):
        """When the desk resumes with the minute that the venue has already seen, nothing is filled again."""
        broker = opened(bench, path, participation_pct=10)
        broker.submit(bench.order(quantity="3"))
        bar = bench.bar(0, 100, volume=10.0)
        assert len(bench.show(broker.venue, bar)) == 1
        broker.close()
        again = opened(bench, path, participation_pct=10)
        assert not bench.show(again.venue, bar)
        again.close()

    @pytest.mark.parametrize("torn", [b'{"number":', b"\0\0\0\0", b'{"number": 4, "dig\n', b"x"])
    def test_an_unfinished_last_line_is_cut_off(self, bench, path, torn):
        """What a crash left of the last line was told to nobody: it is removed, and the account goes on."""
        broker = opened(bench, path, **RICH)
        live(bench, broker)
        before = shown(broker)
        broker.close()
        whole = path.read_bytes()
        path.write_bytes(whole + torn)
        again = opened(bench, path, **RICH)
        assert shown(again) == before
        assert path.read_bytes() == whole
        again.submit(bench.order("more", symbol="CCC", submitted_ns=bench.session.close_ns))
        again.close()
        opened(bench, path, **RICH).close()

    def test_every_cut_of_the_last_line_is_survived(self, bench, path):
        """Wherever the last line is torn, the account is the one before it or, with the whole line, after it."""
        broker = opened(bench, path)
        broker.submit(bench.order())
        broker.close()
        whole = path.read_bytes()
        first_line = whole.index(b"\n") + 1
        for size in range(first_line, len(whole)):
            path.write_bytes(whole[:size])
            again = opened(bench, path)
            assert again.venue.working == 0
            again.close()
            assert path.read_bytes() == whole[:first_line]

    @pytest.mark.parametrize("kills", [3])
    def test_killed_processes_lose_nothing_they_were_told(self, bench, path, kills):
        """A process killed while it trades leaves every order and fill that it was told of, and no line unreadable."""
        writer = Path(__file__).with_name("record_writer.py")
        told: list[list[str]] = []
        for kill in range(kills):
            process = subprocess.Popen([sys.executable, str(writer), str(path)], stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(20 + 7 * kill)]
            process.kill()
            lines += process.stdout.readlines()
            process.stdout.close()
            process.wait()
            told += [line.split() for line in lines if line.endswith("\n")]
        assert len(told) >= 60
        broker = opened(bench, path)
        known = {report.client_order_id: report.status for report in broker.orders(0)}
        for word, name in told:
            assert name in known
            if word == "filled":
                assert known[name] is OrderStatus.FILLED
        fills = list(broker.activities(None))
        cash = sum(
            (-fill.price * fill.quantity if fill.side == "buy" else fill.price * fill.quantity) for fill in fills
        )
        assert broker.account().cash == 1000 + cash
        broker.close()


class TestDamage:
    def lines(self, bench, path) -> list[bytes]:
        """The lines of a record with some life in it."""
        broker = opened(bench, path, **RICH)
        live(bench, broker)
        broker.close()
        return path.read_bytes().splitlines(keepends=True)

    def test_an_altered_line_is_refused(self, bench, path):
        """A changed digit in the middle is found, and named by file and line."""
        lines = self.lines(bench, path)
        altered = lines[2].replace(b'"5"', b'"6"', 1)
        assert altered != lines[2]
        lines[2] = altered
        path.write_bytes(b"".join(lines))
        with pytest.raises(StoreCorrupt, match=r"mock\.jsonl:3: this is not the line that was written here"):
            opened(bench, path, **RICH)

    def test_an_altered_last_line_is_refused(self, bench, path):
        """A last line that reads well and is not what was written is no torn line."""
        lines = self.lines(bench, path)
        lines[-1] = lines[-1].replace(b'"150"', b'"151"', 1)
        path.write_bytes(b"".join(lines))
        with pytest.raises(StoreCorrupt, match=f":{len(lines)}: "):
            opened(bench, path, **RICH)

    @pytest.mark.parametrize("damage", [b"nonsense\n", b'{"number": 2}\n', b"\n"])
    def test_an_unreadable_line_in_the_middle_is_refused(self, bench, path, damage):
        """What no crash can leave in the middle is not skipped."""
        lines = self.lines(bench, path)
        lines[2] = damage
        path.write_bytes(b"".join(lines))
        with pytest.raises(StoreCorrupt, match=r"mock\.jsonl:3: the line cannot be read"):
            opened(bench, path, **RICH)

    def test_a_missing_line_is_refused(self, bench, path):
        """A line that was taken out is missed."""
        lines = self.lines(bench, path)
        path.write_bytes(b"".join(lines[:2] + lines[3:]))
        with pytest.raises(StoreCorrupt, match=":3: "):
            opened(bench, path, **RICH)

    @pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b'{"format": 1}\n', b"[]\n"])
    def test_another_file_is_refused_and_left_alone(self, bench, path, content):
        """A file that is no account record is neither read nor written over."""
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match="no account record"):
            opened(bench, path)
        assert path.read_bytes() == content

    def test_another_form_is_refused(self, bench, path):
        """A record of a later version is not guessed at."""
        path.parent.mkdir(parents=True)
        path.write_bytes(b'{"format":"mqd-mock-account-9","account":"MOCK","starting_cash":"1"}\n')
        with pytest.raises(StoreError, match="mqd-mock-account-9"):
            opened(bench, path)

    def test_another_account_is_refused(self, bench, path):
        """The record of another account is not traded on; both numbers are named."""
        opened(bench, path, account="MINE").close()
        with pytest.raises(StoreError, match=r"'MINE'.*'YOURS'"):
            opened(bench, path, account="YOURS")

    def test_a_change_of_an_order_that_is_not_there_is_refused(self, bench, path):
        """A well-formed record that tells of a fill without its order is not believed."""
        broker = opened(bench, path)
        broker.submit(bench.order())
        (fill,) = bench.show(broker.venue, bench.bar(0, 100))
        broker.venue._record.append(Change(advanced_ns=0, settled_ns=0, events=(fill,)))
        broker.close()
        with pytest.raises(StoreCorrupt, match="order a, which it has not as working"):
            opened(bench, path)


class TestTheFile:
    def test_one_desk_at_a_time(self, bench, path):
        """A second desk is told that the record is open elsewhere; after a close it may have it."""
        broker = opened(bench, path)
        with pytest.raises(StoreError, match="open in another process"):
            opened(bench, path)
        broker.close()
        opened(bench, path).close()

    def test_a_directory_is_no_record(self, bench, tmp_path):
        """A path that cannot be a file is refused with the path."""
        with pytest.raises(StoreError, match="cannot be opened"):
            opened(bench, tmp_path)

    def test_an_empty_file_is_begun(self, bench, path):
        """An empty file becomes a record."""
        path.parent.mkdir(parents=True)
        path.touch()
        broker = opened(bench, path)
        assert broker.account().cash == Decimal(1000)
        broker.close()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
    def test_a_full_disk_stops_everything(self, bench, path):
        """After a write that failed nothing more is done: the next start goes on from what is on disk."""
        broker = opened(bench, path)
        broker.submit(bench.order("kept", kind="limit", limit="50"))
        record = broker.venue._record
        record._file.close()
        record._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  the record closes it
        with pytest.raises(StoreError, match=os.strerror(errno.ENOSPC)):
            broker.submit(bench.order("lost", kind="limit", limit="50"))
        for call in (
            lambda: broker.submit(bench.order("more")),
            lambda: broker.cancel(OrderRef(client_order_id="kept", symbol="SPHD")),
            lambda: bench.show(broker.venue, bench.bar(0, 100)),
        ):
            with pytest.raises(StoreError, match="could not be written"):
                call()
        broker.close()
        again = opened(bench, path)
        assert [report.client_order_id for report in again.orders(0)] == ["kept"]
        again.close()
