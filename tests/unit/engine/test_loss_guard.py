"""The loss guard: floats may skip only what cannot fire, and the exact limits do the rest, in the right session."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.market import MINUTE_NS
from mqd_core.domain.records import Alert, Denied, LimitMoved
from mqd_core.engine.effects import CancelOrder
from mqd_core.testing.bars import make_bars, merge, session_of
from mqd_core.testing.engines import (
    FixedSizer,
    ScriptedStrategy,
    Workbench,
    enter,
    leave,
    make_limits,
    make_settings,
    make_slot,
)
from mqd_core.testing.venues import ObedientVenue

D = Decimal


def bench_of(script: dict[int, Any], quantity: str = "5", **limits: Any) -> Workbench:
    """A desk that holds five shares of SPY, with these limits."""
    settings = make_settings([make_slot(ScriptedStrategy(script))], FixedSizer(quantity), limits=make_limits(**limits))
    return Workbench(settings).start()


def fired(bench: Workbench) -> list[tuple[str, int]]:
    """Which limits fired, at the end of which minute of the first session."""
    start_ns = session_of().open_ns
    return [(move.limit, (move.ts - start_ns) // MINUTE_NS) for move in bench.of(LimitMoved) if move.state == "fired"]


class TestLevels:
    @pytest.mark.parametrize(("close", "expected"), [(90.01, []), (90.0, [("daily", 4)]), (89.0, [("daily", 4)])])
    def test_daily(self, close: float, expected: list[tuple[str, int]]) -> None:
        """A loss of exactly the limit fires it, one cent a share less does not."""
        bench = bench_of({1: enter()}, daily_loss_limit_usd=D(50)).play(make_bars([100.0, 100.0, 100.0, close]))
        assert fired(bench) == expected

    @pytest.mark.parametrize(("close", "expected"), [(103.26, []), (103.25, [("breaker", 5)])])
    def test_breaker(self, close: float, expected: list[tuple[str, int]]) -> None:
        """The breaker measures from a peak that no limit was asked about: equity 1,080 has fallen 5 % at 1,026."""
        bench = bench_of({1: enter()}, "8", circuit_breaker_loss_pct=D(5))
        bench.play(make_bars([100.0, 100.0, 100.0, 110.0, close]))
        assert fired(bench) == expected

    def test_a_tie_is_no_fall(self) -> None:
        """Closes that repeat the peak, to the last bit or nearly, neither fire nor move anything."""
        closes = [100.0, 100.0, 110.0, 110.0, 110.00000000000001, 109.99999999999999, 110.0]
        bench = bench_of({1: enter()}, circuit_breaker_loss_pct=D(5)).play(make_bars(closes))
        assert fired(bench) == []
        bench.engine.snapshot()
        assert bench.engine._desk.limits.peak == D(1000) + 5 * D("10.00000000000001")

    def test_cancels_and_denies(self) -> None:
        """What fires tells a person, cancels entries that work, and denies further ones; exits go out."""
        venue = ObedientVenue(parts=4)
        settings = make_settings(
            [make_slot(ScriptedStrategy({1: enter(), 4: enter(), 6: leave()}))],
            FixedSizer("8"),
            limits=make_limits(daily_loss_limit_usd=D(50)),
        )
        bench = Workbench(settings, venue).start().play(make_bars([100.0, 100.0, 50.0, 50.0, 50.0, 50.0, 50.0]))
        assert fired(bench) == [("daily", 3)]
        assert len(bench.sent(CancelOrder)) == 1
        assert [alert.code for alert in bench.of(Alert)].count("daily_limit") == 1
        assert [denied.code for denied in bench.of(Denied)] == ["daily_loss"]
        assert bench.account.positions[0].quantity < 4


class TestWithoutHoldings:
    def test_realized_loss(self) -> None:
        """A loss that an exit realized is judged with the next bar, though nothing is held any more."""
        bench = bench_of({1: enter(), 3: leave()}, daily_loss_limit_usd=D(50))
        bench.play(make_bars([100.0, 100.0, 100.0]))
        bars = make_bars([100.0, 100.0, 100.0, 80.0, 80.0])
        gap = bars[3]
        bench.play([type(gap)("SPY", gap.start_ns, 80.0, 80.0, 80.0, 80.0, 1.0), bars[4]])
        assert fired(bench) == [("daily", 4)]

    def test_next_bar_of_another_symbol(self) -> None:
        """A loss that a fill has made is judged with the very next bar, whichever symbol it is of."""
        strategy = ScriptedStrategy({2: enter("QQQ"), 5: enter("SPY")})
        limits = make_limits(daily_loss_limit_usd=D(50))
        bench = Workbench(make_settings([make_slot(strategy, "SPY", "QQQ")], FixedSizer("5"), limits=limits)).start()
        qqq = make_bars([100.0, 100.0, 100.0, 100.0], symbol="QQQ")
        spike = qqq[1]
        qqq[1] = type(spike)("QQQ", spike.start_ns, 120.0, 120.0, 100.0, 100.0, 1.0)
        bench.play(merge(make_bars([100.0] * 4), qqq))
        assert fired(bench) == [("daily", 2)]
        (move,) = [record for record in bench.of(LimitMoved) if record.state == "fired"]
        assert move.sequence == min(record.sequence for record in bench.records if record.ts == move.ts)
        assert [denied.code for denied in bench.of(Denied)] == ["daily_loss"]


class TestPeaks:
    def test_of_the_session_before(self) -> None:
        """A peak of yesterday is none of today's: the breaker measures what the session has seen, looked at or not."""
        closes = [100.0] * 3 + [130.0] + [125.0] * 386 + [120.0] * 3
        for look in (False, True):
            bench = bench_of({1: enter()}, "9", circuit_breaker_loss_pct=D(5))
            for bar in make_bars(closes):
                bench.play([bar])
                if look:
                    bench.engine.snapshot()
            assert fired(bench) == []
            assert bench.engine._desk.limits.peak == D(1225)

    def test_before_a_fill(self) -> None:
        """A peak is of what was held then; what is bought after it changes nothing about it."""
        bench = bench_of({1: enter(), 5: enter()}, "4", circuit_breaker_loss_pct=D(5))
        bench.play(make_bars([100.0, 100.0, 105.0, 110.0, 110.0, 110.0, 103.0, 102.9]))
        bench.engine.snapshot()
        assert bench.engine._desk.limits.peak == D(1040)
        assert fired(bench) == [("breaker", 7)]

    def test_not_followed_while_tripped(self) -> None:
        """While the breaker's halt lasts the peak is not followed; when it has passed, equity is the peak."""
        bench = bench_of({1: enter()}, circuit_breaker_loss_pct=D(5), halt_ns=3 * MINUTE_NS)
        bench.play(make_bars([100.0, 100.0, 80.0, 200.0, 100.0, 100.0, 100.0, 100.0]))
        states = [move.state for move in bench.of(LimitMoved)]
        assert states == ["fired", "lifted"]
        assert bench.engine._desk.limits.peak == D(1000)
