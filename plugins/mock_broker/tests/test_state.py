"""The venue's state: whole, exact, bounded, and of a version."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mqd_core.api import StoreSchemaError


def lived(bench, **settings):
    """A venue with everything in its state: holdings, working and ended orders, a triggered one, charges, fees due."""
    venue = bench.venue(regulatory_fees=True, participation_pct=10, slippage_bps=100, **settings)
    venue.submit(bench.order("held", quantity="5"))
    bench.show(venue, bench.bar(0, 100, volume=100.0))
    venue.submit(bench.order("part", quantity="3.5", symbol="AAA", reference="10", minute=1))
    venue.submit(bench.order("trip", "sell", "2", "stop_limit", stop="99", limit="98.90", minute=1))
    bench.show(venue, bench.bar(1, 10, volume=10.0, symbol="AAA"), bench.bar(1, 100, low=98.95))
    return venue


class TestRoundTrip:
    def test_goes_on_in_the_same_way(self, bench):
        """A venue restored from a state answers the same to the same minutes, and ends in the same state."""
        venue = lived(bench)
        state = venue.state()
        other = bench.venue(regulatory_fees=True, participation_pct=10, slippage_bps=100)
        other.restore(state)
        assert other.state() == state
        assert other.working == venue.working == 2
        for minute in range(2, 30):
            bars = (bench.bar(minute, 98.95 + minute / 10), bench.bar(minute, 10, symbol="AAA", volume=7.0))
            assert tuple(bench.show(other, *bars)) == tuple(bench.show(venue, *bars))
        assert venue.working == 0
        assert other.advance(bench.session.close_ns, ()) == venue.advance(bench.session.close_ns, ())
        assert other.state() == venue.state()
        assert other.activities(None) == venue.activities(None)

    def test_taking_it_changes_nothing(self, bench):
        """The state is the same however often it is taken."""
        venue = lived(bench)
        assert venue.state() == venue.state()

    def test_shares_nothing_with_the_venue(self, bench):
        """Two venues restored from one state do not disturb each other."""
        state = lived(bench).state()
        one, two = bench.venue(), bench.venue()
        one.restore(state)
        two.restore(state)
        one.cancel("part", bench.at(2))
        assert two.state() == state

    def test_replaces_all_there_was(self, bench):
        """Restoring forgets what the venue had lived through."""
        venue, fresh = lived(bench), bench.venue()
        venue.restore(fresh.state())
        assert venue.state() == fresh.state()
        assert venue.account(0).cash == Decimal(1000)
        assert venue.find("held") is None


def test_does_not_grow_with_the_length_of_a_run(bench):
    """After many orders the state holds a bounded number of them."""
    venue = bench.venue()
    sizes = []
    for minute in range(390):
        venue.submit(bench.order(f"n{minute}", "buy" if minute % 2 == 0 else "sell", minute=minute))
        bench.show(venue, bench.bar(minute, 100))
        sizes.append(len(venue.state()))
    assert max(sizes) < 20_000
    assert max(sizes[300:]) < 1.05 * max(sizes[:100])


@pytest.mark.parametrize("data", [b"", b"\x63anything"])
def test_of_another_version_is_refused(bench, data):
    """A state that another version wrote is refused with both versions named."""
    with pytest.raises(StoreSchemaError, match="reads form 1"):
        bench.venue().restore(data)
