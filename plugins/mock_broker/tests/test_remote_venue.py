"""The simulated account in a process of its own: it trades as in process, outlives its desk, and can testify."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time

import pytest

from mqd_core.api import Ambiguous, Fill, NotSent, OrderRef, OrderStatus, Refused, StoreCorrupt, StoreError
from mqd_plugin_mock.connector import MockBrokerConnector
from mqd_plugin_mock.settings import MockBrokerSettings

pytestmark = pytest.mark.slow

SOME = {"regulatory_fees": True, "participation_pct": 10, "slippage_bps": 100, "commission_per_share_usd": "0.01"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process for a while")


def trade(bench, broker) -> list:
    """A partial fill, a refusal, a cancel, an order that rests, a close with its charges; returns what was told."""
    told = []
    told.append(broker.submit(bench.order("held", quantity="5")))
    told += bench.show(broker.venue, bench.bar(0, 100, volume=30.0))
    told.append(broker.submit(bench.order("gone", kind="limit", limit="50", minute=1)))
    with pytest.raises(Refused, match="insufficient buying power") as refused:
        broker.submit(bench.order("never", quantity="1000", minute=1))
    told.append(refused.value.code)
    broker.cancel(OrderRef(client_order_id="gone", symbol="SPHD"))
    told += bench.show(broker.venue, bench.bar(1, 101, volume=30.0))
    told += broker.venue.advance(bench.session.close_ns, ())
    return told


def shown(broker) -> tuple:
    """All that can be asked of an account."""
    return (
        tuple(broker.orders(0)),
        tuple(broker.activities(None)),
        broker.account(),
        tuple(broker.positions()),
        tuple(broker.assets(["SPHD", "BTC/USD"])),
        broker.find_order("held"),
        broker.find_order("never"),
        broker.clock(),
        broker.venue.working,
    )


class TestAsInProcess:
    def test_it_trades_as_an_account_in_process_does(self, bench, remote, tmp_path):
        """Every answer, event, refusal and sum is the one of the same account inside the desk, to the last digit."""
        inside = MockBrokerConnector(
            MockBrokerSettings(record=str(tmp_path / "inside"), **SOME), bench.context(tmp_path)
        )
        reported = []
        inside.open(reported.append)
        outside = remote.desk(**SOME)
        assert trade(bench, outside) == trade(bench, inside)
        assert remote.heard == reported
        assert [event.status for event in reported] == [OrderStatus.CANCELED]
        assert shown(outside) == shown(inside)
        inside.close()

    def test_capabilities(self, remote):
        """The account has a record of its own; "not found" is final only for whoever has said so."""
        doubting = remote.desk().capabilities
        assert (doubting.own_record, doubting.not_found_is_final, doubting.simulated) == (True, False, True)
        remote.end()
        assert remote.desk(not_found="final").capabilities.not_found_is_final

    def test_a_closed_connector_sends_nothing(self, bench, remote):
        """Before open and after close, a call ends in NotSent."""
        broker = remote.desk()
        broker.close()
        for call in (lambda: broker.submit(bench.order()), lambda: broker.find_order("a"), broker.positions):
            with pytest.raises(NotSent, match="is not open"):
                call()

    def test_a_desks_state_cannot_take_it_back(self, bench, remote):
        """The state that a desk would keep is empty, and restoring one does not change the account."""
        broker = remote.desk()
        before = broker.venue.state()
        broker.submit(bench.order())
        broker.venue.restore(before)
        assert broker.find_order("a") is not None


class TestOutliving:
    def test_an_order_is_known_although_its_desk_is_gone(self, bench, remote):
        """A desk that never heard of a fill finds it when it comes back, and it is not told a second time."""
        first = remote.desk()
        first.submit(bench.order())
        bench.show(first.venue, bench.bar(0, 100))
        process = remote.endpoint.process
        first.close()
        second = remote.desk()
        assert remote.endpoint.process == process
        assert second.find_order("a").status is OrderStatus.FILLED
        assert [event.client_order_id for event in second.activities(None)] == ["a"]
        assert bench.show(second.venue, bench.bar(0, 100)) == ()
        assert bench.show(second.venue, bench.bar(1, 100)) == ()

    def test_what_got_lost_is_told_again_once(self, bench, remote):
        """Whoever says what was heard last is told what came behind it, and nothing twice."""
        broker = remote.desk()
        broker.submit(bench.order("a"))
        broker.submit(bench.order("b"))
        events = bench.show(broker.venue, bench.bar(0, 100))
        assert [event.client_order_id for event in events] == ["a", "b"]
        broker.venue.heard = 1
        assert bench.show(broker.venue, bench.bar(0, 100)) == events[1:]
        assert bench.show(broker.venue, bench.bar(0, 100)) == ()

    def test_a_killed_venue_goes_on_from_its_record(self, bench, remote):
        """A new process takes the account's place; time goes on by itself, a submission in between is in doubt."""
        broker = remote.desk()
        broker.submit(bench.order("a", minute=0))
        bench.show(broker.venue, bench.bar(0, 100))
        broker.submit(bench.order("b", minute=1))
        remote.kill()
        (fill,) = bench.show(broker.venue, bench.bar(1, 100))
        assert (fill.client_order_id, fill.execution_id) == ("b", "b-x1")
        remote.kill()
        with pytest.raises(Ambiguous, match="did not answer Submit"):
            broker.submit(bench.order("c", minute=2))
        assert broker.find_order("c") is None
        assert broker.find_order("b").status is OrderStatus.FILLED
        assert len(list(broker.activities(None))) == 2

    def test_nobody_there_for_a_while(self, bench, remote):
        """Without a client the process ends by itself and takes its address away; the account is on record."""
        broker = remote.desk(idle_seconds=1)
        broker.submit(bench.order())
        broker.close()
        deadline = time.monotonic() + 20
        while remote.place.endpoint.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "ended: nobody was connected for a while" in remote.place.log.read_text(encoding="utf-8")
        assert remote.desk(idle_seconds=1).find_order("a") is not None

    def test_other_settings(self, bench, remote):
        """A venue that runs with other settings gives way to one with these; the account goes on."""
        remote.desk().close()
        process = remote.endpoint.process
        broker = remote.desk(commission_per_order_usd="1")
        assert remote.endpoint.process != process
        broker.submit(bench.order())
        (fill,) = bench.show(broker.venue, bench.bar(0, 100))
        assert fill.fee == 1

    def test_settings_of_the_connection_alone_change_nothing_at_the_venue(self, remote):
        """How long a desk waits, and what it makes of "not found", is its own matter."""
        remote.desk().close()
        process = remote.endpoint.process
        remote.desk(timeout_ms=4_000, not_found="final")
        assert remote.endpoint.process == process


class TestDoubt:
    @posix
    def test_a_venue_that_does_not_answer(self, bench, remote):
        """A submission without an answer is in doubt and is not sent again; what is found afterwards stays so."""
        broker = remote.desk(timeout_ms=150)
        remote.signal(signal.SIGSTOP)
        try:
            with pytest.raises(Ambiguous, match="TimeoutError"):
                broker.submit(bench.order())
            with pytest.raises(NotSent, match="the simulated venue"):
                broker.submit(bench.order("b"))
            with pytest.raises(NotSent):
                broker.find_order("a")
            with pytest.raises(StoreError, match="nothing more is sent"):
                broker.venue.advance(bench.at(1), ())
        finally:
            remote.signal(signal.SIGCONT)
        found = broker.find_order("a")
        assert broker.find_order("b") is None
        bench.show(broker.venue, bench.bar(0, 100))
        known = [report.client_order_id for report in broker.orders(0)]
        assert known == ([] if found is None else ["a"])

    def test_a_second_desk(self, remote):
        """One desk trades at a time: another one is told who does, and the first goes on."""
        first = remote.desk()
        with pytest.raises(StoreError, match=rf"is in use: process {os.getpid()} trades on it; end that desk first"):
            remote.desk()
        assert first.positions() == ()

    def test_a_record_that_was_altered(self, bench, remote):
        """The desk hears what is wrong with the file, from the process that could not open it."""
        broker = remote.desk()
        broker.submit(bench.order())
        remote.end()
        text = remote.place.record.read_text(encoding="utf-8")
        remote.place.record.write_text(text.replace('"SPHD"', '"SPHX"'), encoding="utf-8")
        with pytest.raises(StoreCorrupt, match=r"account.jsonl:2: this is not the line that was written here"):
            remote.desk()

    def test_a_venue_that_cannot_be_started(self, remote, tmp_path):
        """A folder that is none is named."""
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="cannot be started in"):
            remote.desk(record=str(tmp_path / "file" / "account.jsonl"))

    @posix
    def test_what_is_secret_is_its_owners(self, remote):
        """The file with the secret may be read by its owner alone."""
        remote.desk()
        assert stat.S_IMODE(remote.place.endpoint.stat().st_mode) == 0o600


class TestEmergency:
    def test_beside_a_desk_that_is_connected(self, bench, remote):
        """Everything is canceled and sold at the last price, at the venue's own time; the desk hears all of it."""
        broker = remote.desk(slippage_bps=100)
        broker.submit(bench.order("held", quantity="2"))
        broker.submit(bench.order("rests", kind="limit", limit="50"))
        bench.show(broker.venue, bench.bar(0, 100, close=90))
        emergency = remote.emergency(slippage_bps=100)
        (canceled,) = emergency.cancel_all()
        assert (canceled.client_order_id, canceled.status) == ("rests", OrderStatus.CANCELED)
        assert emergency.cancel_all() == ()
        (sold,) = emergency.flatten_all()
        assert (sold.symbol, sold.status, sold.filled_quantity) == ("SPHD", OrderStatus.FILLED, 2)
        assert str(sold.average_fill_price.normalize()) == "89.1"
        assert emergency.flatten_all() == ()
        assert broker.positions() == ()
        told = bench.show(broker.venue, bench.bar(1, 100))
        assert [(event.client_order_id, type(event) is Fill) for event in told] == [
            ("rests", False),
            (sold.client_order_id, True),
        ]
        assert {event.ts for event in told} == {bench.at(1)}
        assert broker.venue.working == 0

    def test_without_a_desk(self, bench, remote):
        """It starts the venue itself, and sells at the last price on record what working sells hold."""
        broker = remote.desk()
        broker.submit(bench.order("held"))
        bench.show(broker.venue, bench.bar(0, 100, close=90))
        broker.submit(bench.order("offer", "sell", kind="limit", limit="150", minute=1))
        remote.end()
        (sold,) = remote.emergency().flatten_all()
        assert (sold.status, sold.filled_quantity) == (OrderStatus.FILLED, 1)
        remote.end()
        again = remote.desk()
        assert again.find_order("offer").status is OrderStatus.CANCELED
        assert (again.positions(), again.account().cash) == ((), 1000)
