"""What a reading brings besides the desk's own trades: activities, others' trades, orphans, a person's word, starts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from mqd_core.domain.events import (
    Command,
    FillBusted,
    HeldPosition,
    RunEnded,
    TimerFired,
)
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.orders import Side
from mqd_core.domain.records import Alert, BookMoved
from mqd_core.engine.effects import TakeSnapshot
from mqd_core.engine.settings import ReconcileSettings
from mqd_core.testing.bars import make_bars, session_of
from mqd_core.testing.engines import FixedSizer, ScriptedStrategy, Workbench, enter, make_settings, make_slot
from mqd_core.testing.venues import ObedientVenue

D = Decimal
OPEN_NS = session_of().open_ns


def desk(script: dict[int, Any] | None = None, venue: ObedientVenue | None = None, **changes: Any) -> Workbench:
    """A desk whose account is held against its books, and that knows no order to be unsent by "not found"."""
    venue = venue or ObedientVenue()
    venue.is_final = False
    settings = make_settings(
        [make_slot(ScriptedStrategy(script or {}))], FixedSizer("10"), reconcile=ReconcileSettings(**changes)
    )
    return Workbench(settings, venue)


def holding() -> Workbench:
    """A ready desk that has bought ten SPY at $50 and been compared since."""
    bench = desk({1: enter()}).start().play(make_bars([50.0, 50.0]))
    return later(bench, 120)


def later(bench: Workbench, seconds: int) -> Workbench:
    """Let time pass, with every timer."""
    until_ns = bench.engine.now_ns + seconds * SECOND_NS
    bench.wait(until_ns)
    bench.enter(TimerFired(ts=until_ns))
    return bench


def state(bench: Workbench) -> str:
    return bench.engine.facts.desk_state.value


def codes(bench: Workbench) -> list[str]:
    return [alert.code for alert in bench.of(Alert)]


def frozen(bench: Workbench) -> set[tuple[str, str]]:
    return {(one.symbol, one.code) for one in bench.engine._desk.freezes.state()}


def readings(bench: Workbench) -> list[TakeSnapshot]:
    return bench.sent(TakeSnapshot)


class TestActivities:
    def test_each_once(self) -> None:
        """A fee, a dividend and a deposit are booked once, however often and whichever way they are told."""
        bench = holding()
        fee = bench.venue.move_cash("FEE", "-0.02", bench.engine.now_ns)
        bench.venue.move_cash("DIV", "1.50", bench.engine.now_ns, "SPY", "10")
        bench.venue.move_cash("CSD", "100", bench.engine.now_ns)
        for _ in range(3):
            bench.enter(fee)
            later(bench, 60)
        facts = bench.engine.facts
        assert (facts.cash, facts.deposits, state(bench)) == (D("601.48"), D(100), "ready")
        assert facts.book_quantity("scripted", "SPY") == D(10)
        causes = [move.cause for move in bench.of(BookMoved) if move.cause.startswith("activity")]
        assert causes == ["activity:FEE", "activity:DIV", "activity:CSD"]
        assert readings(bench)[-1].after == str(len(bench.venue.activities))

    def test_split(self) -> None:
        """A split explains more shares at the same cost; the symbol is frozen until the next session opens."""
        bench = holding()
        bench.venue.move_cash("SPLIT", "0", bench.engine.now_ns, "SPY", "10")
        later(bench, 120)
        book = bench.engine._desk.ledger.book("scripted", "SPY")
        assert (book.quantity, book.cost, book.average_price) == (D(20), D(500), D(25))
        assert (state(bench), frozen(bench)) == ("ready", {("SPY", "corporate_action")})
        bench.wait(bench.engine._desk._next_open_ns(bench.engine.now_ns) or 0)
        assert frozen(bench) == set()

    def test_split_of_several_books(self) -> None:
        """Shares that come to several books are shared by what each holds, to the last of them."""
        bench = holding()
        bench.venue.trade_by_hand("SPY", Side.BUY, "5", "50", bench.engine.now_ns)
        later(bench, 60)
        bench.venue.move_cash("SPLIT", "0", bench.engine.now_ns, "SPY", "1")
        later(bench, 60)
        facts = bench.engine.facts
        own, other = facts.book_quantity("scripted", "SPY"), facts.book_quantity("external", "SPY")
        assert (own, other, state(bench)) == (D("10.666666666"), D("5.333333334"), "ready")
        assert bench.engine.facts.freeze_text("QQQ") is None

    def test_shares_of_books_that_cancel_out(self) -> None:
        """Where the books that hold a symbol come to nothing together, one of them takes it all."""
        bench = holding()
        bench.enter(bench.venue.trade_by_hand("SPY", Side.SELL, "10", "50", bench.engine.now_ns))
        bench.enter(bench.venue.move_cash("SPLIT", "0", bench.engine.now_ns, "SPY", "1"))
        assert bench.engine.facts.book_quantity("external", "SPY") == D(-9)

    def test_remembers_the_last_thousand(self) -> None:
        """Names of old activities are forgotten: the cursor keeps them from coming again."""
        bench = desk().start()
        fee = bench.venue.move_cash("FEE", "-0.01", OPEN_NS)
        bench.venue.activities.clear()
        for number in range(1_001):
            bench.enter(structs.replace(fee, activity_id=f"a{number}", amount=D(0)))
        assert len(bench.engine._desk.reconciler.state().activities) == 1_000


class TestAccept:
    def accept(self, bench: Workbench, reason: str = "sold by hand") -> Workbench:
        bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="accept", reason=reason, person="anna"))
        return bench

    def test_position(self) -> None:
        """A person who accepts writes an adjustment with the reason; nothing halts the desk again for it."""
        bench = holding()
        bench.venue.positions["SPY"] = D(9)
        later(bench, 60)
        later(bench, 60)
        assert state(bench) == "halted"
        self.accept(bench)
        (moved,) = [move for move in bench.of(BookMoved) if move.cause.startswith("adjust")]
        assert (moved.cause, moved.change, moved.quantity, moved.strategy_id) == (
            "adjust:sold by hand",
            D(-1),
            D(9),
            "scripted",
        )
        assert "anna" in bench.of(Alert)[-1].text
        assert frozen(bench) == set()
        bench.enter(Command(ts=bench.engine.now_ns, command_id="d", name="resume", reason="back"))
        later(bench, 200)
        assert state(bench) == "ready"

    def test_cash(self) -> None:
        """Cash is accepted as the broker says it."""
        bench = holding()
        bench.venue.cash -= D(7)
        later(bench, 120)
        assert state(bench) == "halted"
        self.accept(bench)
        assert bench.engine.facts.cash == D(493)
        assert [move.cause for move in bench.of(BookMoved)][-1] == "adjust:sold by hand"

    def test_nothing(self) -> None:
        """Without a difference it says so, and moves nothing."""
        bench = holding()
        before = bench.engine._desk.ledger.state()
        self.accept(bench, "")
        assert bench.of(Alert)[-1].code == "nothing_to_accept"
        assert bench.engine._desk.ledger.state() == before


class TestExternal:
    def test_freeze(self) -> None:
        """What somebody else trades is booked apart, told, and its symbol frozen until a person accepts it."""
        bench = holding()
        bench.venue.trade_by_hand("SPY", Side.BUY, "2", "51", bench.engine.now_ns)
        later(bench, 120)
        facts = bench.engine.facts
        assert (facts.book_quantity("scripted", "SPY"), facts.book_quantity("external", "SPY")) == (D(10), D(2))
        assert (facts.cash, state(bench), frozen(bench)) == (D(398), "ready", {("SPY", "external")})
        TestAccept().accept(bench, "mine")
        assert frozen(bench) == set()

    @pytest.mark.parametrize(("policy", "told"), [("adopt", True), ("ignore", False)])
    def test_other_policies(self, policy: str, told: bool) -> None:
        """Under `adopt` a notice is given, under `ignore` none; both book it and freeze nothing."""
        bench = desk(on_external=policy).start()
        fill = bench.venue.trade_by_hand("SPY", Side.BUY, "2", "51", bench.engine.now_ns)
        bench.enter(bench.venue.foreign["hand-1"])
        for _ in range(2):
            bench.enter(fill)
        later(bench, 120)
        assert bench.engine.facts.book_quantity("external", "SPY") == D(2)
        assert ("external" in codes(bench), frozen(bench), state(bench)) == (told, set(), "ready")

    def test_other_symbol(self) -> None:
        """What is bought in a symbol without prices is neither loss nor profit of the desk."""
        bench = holding()
        before = bench.engine.facts.equity
        bench.venue.trade_by_hand("GME", Side.BUY, "2", "20", bench.engine.now_ns)
        later(bench, 120)
        facts = bench.engine.facts
        assert (facts.equity - facts.deposits, facts.deposits) == (before, D(-40))
        bench.venue.trade_by_hand("GME", Side.SELL, "2", "21", bench.engine.now_ns)
        later(bench, 120)
        assert (facts.deposits, state(bench)) == (D(2), "ready")

    def test_busted(self) -> None:
        """A bust of somebody else's trade takes back what was booked of it, once."""
        bench = desk(on_external="adopt").start()
        fill = bench.venue.trade_by_hand("SPY", Side.BUY, "2", "51", bench.engine.now_ns)
        bench.enter(fill)
        names = {name: getattr(fill, name) for name in FillBusted.__struct_fields__}
        for _ in range(2):
            bench.enter(FillBusted(**names))
        assert bench.engine.facts.book_quantity("external", "SPY") == D(0)
        assert bench.engine.facts.cash == D(1000)

    def test_held_before(self) -> None:
        """What the account held before the desk was is booked apart at what it cost; old orders are known as that."""
        venue = ObedientVenue()
        old = venue.trade_by_hand("SPY", Side.BUY, "2", "51", OPEN_NS - 2 * 60 * MINUTE_NS)
        venue.move_cash("FEE", "-0.10", OPEN_NS - 2 * 60 * MINUTE_NS)
        bench = later(desk(venue=venue).start(), 120)
        bench.enter(old)
        facts = bench.engine.facts
        assert (facts.book_quantity("external", "SPY"), facts.cash, state(bench)) == (D(2), venue.cash, "ready")
        assert frozen(bench) == {("SPY", "external")}

    def test_forgotten(self) -> None:
        """Orders of others that no list shows any more are forgotten; a position that is none is not told of."""
        bench = desk(on_external="adopt").start()
        bench.enter(bench.venue.trade_by_hand("SPY", Side.BUY, "2", "51", bench.engine.now_ns))
        bench.venue.foreign.clear()
        bench.wait(bench.engine.now_ns + 4 * 24 * 3600 * SECOND_NS)
        assert bench.engine._desk.reconciler.state().external == ()
        bench.engine._desk.reconciler._external.hold(HeldPosition(symbol="X", quantity=D(0), average_price=D(1)))
        assert bench.engine.facts.book_quantity("external", "X") == D(0)


class TestOrphans:
    def test_halts(self) -> None:
        """An order by this desk's name that its journal does not know halts the desk, once, and is not touched."""
        first = desk({1: enter()}).start().play(make_bars([50.0]))
        lost = desk(venue=first.venue)
        lost.start(first.engine.now_ns)
        later(lost, 120)
        assert state(lost) == "halted"
        assert codes(lost).count("orphan") == 1
        assert "orphan" not in codes(first)

    def test_its_fill(self) -> None:
        """So does an execution of one."""
        first = desk({1: enter()}).start().play(make_bars([50.0, 50.0]))
        lost = desk().start()
        lost.venue.activities += first.venue.activities
        later(lost, 120)
        assert (state(lost), lost.engine.facts.books) == ("halted", ())


class TestStarts:
    def test_crash_loop(self) -> None:
        """More than three starts in ten minutes without an orderly end start the desk halted."""
        bench = desk().start()
        for number in range(3):
            assert state(bench) == "ready"
            again = desk(venue=bench.venue)
            again.engine.restore(bench.engine.snapshot())
            bench = again.start(bench.engine.now_ns + 60 * SECOND_NS, f"run-{number + 2}")
        assert state(bench) == "halted"
        assert "crash_loop" in codes(bench)

    @pytest.mark.parametrize("gentle", [True, False])
    def test_no_crash_loop(self, gentle: bool) -> None:
        """Starts that follow an orderly end, or lie far apart, are no loop."""
        bench = desk().start()
        for number in range(4):
            if gentle:
                bench.enter(RunEnded(ts=bench.engine.now_ns, reason="signal"))
            again = desk(venue=bench.venue)
            again.engine.restore(bench.engine.snapshot())
            bench = again.start(bench.engine.now_ns + (60 if gentle else 400) * SECOND_NS, f"run-{number + 2}")
        assert state(bench) == "ready"
