"""Start-up: the same path after a clean stop and after a crash; nothing is traded until what is held is known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mqd_core.domain.events import (
    AccountSnapshot,
    Command,
    HeldPosition,
    OrderStatus,
    Outcome,
    QueryOutcome,
    RunEnded,
    RunStarted,
    SubmitOutcome,
    TimerFired,
)
from mqd_core.domain.market import MINUTE_NS, SECOND_NS
from mqd_core.domain.order_state import Life
from mqd_core.domain.records import Alert, Approved, BookMoved, Denied, DeskMoved
from mqd_core.engine.effects import CancelOrder, QueryOrder, SubmitOrder, TakeSnapshot
from mqd_core.engine.engine import Engine
from mqd_core.testing.bars import make_bars, session_of
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
START_NS = session_of().open_ns - 60 * MINUTE_NS


def settings(script: dict[int, Any] | None = None, seen: int = 0, **changes: Any) -> Any:
    """An engine's settings with one scripted strategy that buys ten shares at a time."""
    return make_settings([make_slot(ScriptedStrategy(script, seen))], FixedSizer("10"), **changes)


def restarted(old: Workbench, script: dict[int, Any] | None = None, seen: int = 0, run: bool = True) -> Workbench:
    """The desk of a new process, from the snapshot of the old one, at the same venue."""
    bench = Workbench(settings(script, seen), old.venue)
    bench.engine.restore(old.engine.snapshot())
    return bench.start(old.engine.now_ns, "run-2") if run else bench


def moves(bench: Workbench) -> list[str]:
    """The states that the desk went through."""
    return [move.after.value for move in bench.of(DeskMoved)]


def account(ts: int, cash: str, held: dict[str, str] | None = None, **changes: Any) -> AccountSnapshot:
    """An account as the broker sees it."""
    positions = tuple(
        HeldPosition(symbol=symbol, quantity=D(quantity), average_price=D(1))
        for symbol, quantity in (held or {}).items()
    )
    return AccountSnapshot(ts=ts, account="a", cash=D(cash), buying_power=D(cash), positions=positions, **changes)


class Doubtful(ObedientVenue):
    """A venue that answers no question until it is told to, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.is_mute = False

    def perform(self, effect: Any, now_ns: int) -> Any:
        if not self.is_mute:
            yield from super().perform(effect, now_ns)


class TestFirstStart:
    def test_opens_the_books(self) -> None:
        """A new desk asks for the account, opens its books with that cash, and is ready."""
        bench = Workbench(settings()).start()
        assert moves(bench) == ["recovering", "ready"]
        assert [type(effect) for effect in bench.effects if not hasattr(effect, "alert")] == [TakeSnapshot]
        (opening,) = bench.of(BookMoved)
        assert (opening.cause, opening.cash) == ("opening", D(1000))
        assert bench.engine.facts.equity == D(1000)

    def test_foreign_position(self) -> None:
        """An account that holds what the desk did not buy freezes it, by name, before anything is traded."""
        venue = ObedientVenue()
        venue.positions = {"GME": D(5)}
        bench = Workbench(settings({1: enter()}), venue).start().play(make_bars([50.0]))
        assert moves(bench)[-1] == "frozen"
        assert "5 GME" in bench.engine.reason
        assert [alert.code for alert in bench.of(Alert)].count("books_differ") == 1
        assert bench.of(Denied)[0].code == "desk_frozen"

    def test_nothing_before_the_answer(self) -> None:
        """While the account is not known nothing is sent, neither in nor out."""
        venue = Doubtful()
        venue.is_mute = True
        bench = Workbench(settings({1: enter(), 2: leave()}), venue).start().play(make_bars([50.0, 50.0]))
        assert moves(bench) == ["recovering"]
        assert [denied.code for denied in bench.of(Denied)] == ["desk_recovering", "nothing_held"]
        bench.enter(account(bench.engine.now_ns, "1000"))
        assert moves(bench)[-1] == "ready"

    def test_limits_are_measured_from_the_account(self) -> None:
        """A desk that starts inside a session measures its loss from what the account then has, not from nothing."""
        start_ns = session_of().open_ns + 30 * MINUTE_NS
        bench = Workbench(settings(limits=make_limits(daily_loss_limit_usd=D(50)))).start(start_ns)
        assert bench.engine._desk.limits.state().day_base == D(1000)
        assert bench.engine._desk.limits.fixed_level() == D(950)

    @pytest.mark.parametrize("text", ["", "margin call"])
    def test_blocked_account(self, text: str) -> None:
        """A blocked account halts the desk, also when that is learned while it recovers."""
        bench = Workbench(settings(), Doubtful())
        bench.venue.is_mute = True  # type: ignore[attr-defined]
        bench.start().enter(account(START_NS, "1000", blocked=True, text=text))
        assert moves(bench) == ["recovering", "halted"]
        assert (text or "has blocked the account") in bench.engine.reason


class TestRestart:
    def test_agrees(self) -> None:
        """A desk whose books agree with the account is ready again, with its position and without a new order."""
        old = Workbench(settings({1: enter()})).start().play(make_bars([50.0, 50.0]))
        bench = restarted(old)
        assert moves(bench) == ["recovering", "ready"]
        assert bench.engine.facts.book_quantity("scripted", "SPY") == D(10)
        assert bench.sent(SubmitOrder) == []

    @pytest.mark.parametrize(
        ("cash", "held", "words"),
        [
            ("500", {"SPY": "9"}, "SPY: books 10, broker 9"),
            ("500", {}, "SPY: books 10, broker 0"),
            ("500", {"SPY": "10", "QQQ": "0.5"}, "QQQ: books 0, broker 0.5"),
            ("499.99", {"SPY": "10"}, "cash: books 500, broker 499.99"),
        ],
    )
    def test_differs(self, cash: str, held: dict[str, str], words: str) -> None:
        """A difference freezes the desk and names both sides; no trade is invented to make them agree."""
        old = Workbench(settings({1: enter()})).start().play(make_bars([50.0, 50.0]))
        old.venue.cash, old.venue.positions = D(cash), {symbol: D(quantity) for symbol, quantity in held.items()}
        bench = restarted(old)
        assert moves(bench) == ["recovering", "frozen"]
        assert bench.engine.reason == words
        assert bench.engine.facts.book_quantity("scripted", "SPY") == D(10)

    def test_open_order_explains_its_own_symbol_only(self) -> None:
        """Fills of an open order may be on their way; what differs in another symbol differs all the same."""
        old = Workbench(settings({1: enter()})).start().play(make_bars([50.0]))
        old.venue.is_holding = True
        assert moves(restarted(old))[-1] == "ready"
        old.venue.positions = {"SPY": D(3)}
        assert moves(restarted(old))[-1] == "ready"
        old.venue.positions = {"SPY": D(3), "GME": D(1)}
        assert moves(restarted(old))[-1] == "frozen"

    def test_again_and_again(self) -> None:
        """Recovering twice, or once more in the middle of it, ends where recovering once does."""
        old = Workbench(settings({1: enter()})).start().play(make_bars([50.0, 50.0]))
        once = restarted(old)
        twice = restarted(once)
        assert moves(twice) == ["recovering", "ready"]
        twice.enter(
            RunStarted(ts=twice.engine.now_ns, run_id="3", desk_id="d", mode="x", book=1, configuration="", feed="")
        )
        assert moves(twice)[-1] == "ready"
        assert twice.engine._desk.ledger.state() == once.engine._desk.ledger.state()
        assert twice.engine.decision_hash == once.engine.decision_hash == old.engine.decision_hash


class TestOrders:
    def crashed(self, outcome: Outcome, **venue: Any) -> Workbench:
        """A desk that died when it had sent an order, or was about to."""
        old = Workbench(settings({1: enter()}), Doubtful()).start()
        old.venue.is_mute = True  # type: ignore[attr-defined]
        old.play(make_bars([50.0]))
        (effect,) = old.sent(SubmitOrder)
        old.venue.is_mute = False  # type: ignore[attr-defined]
        if outcome is Outcome.ACCEPTED:
            list(old.venue.perform(effect, old.engine.now_ns))
        for name, value in venue.items():
            setattr(old.venue, name, value)
        return old

    def test_sent(self) -> None:
        """An order that the venue has is adopted, and not sent again."""
        bench = restarted(self.crashed(Outcome.ACCEPTED))
        assert moves(bench) == ["recovering", "ready"]
        (order,) = bench.engine._desk.orders.open_orders()
        assert order.machine.life is Life.WORKING
        assert bench.sent(SubmitOrder) == []
        assert len(bench.sent(QueryOrder)) == 1

    def test_not_sent(self) -> None:
        """An order that a venue in process never saw is sent: the run goes on as if nothing had happened."""
        bench = restarted(self.crashed(Outcome.NOT_SENT))
        (effect,) = bench.sent(SubmitOrder)
        assert effect.attempt == 2
        assert moves(bench) == ["recovering", "ready"]
        bench.play(make_bars([50.0, 51.0])[1:])
        assert bench.engine.facts.book_quantity("scripted", "SPY") == D(10)

    def test_not_found_is_not_not_sent(self) -> None:
        """At a venue of its own, "not found" is asked again, and given up after a minute; till then nothing trades."""
        bench = restarted(self.crashed(Outcome.NOT_SENT, is_final=False))
        assert bench.engine.facts.desk_state.value == "recovering"
        bench.wait(bench.engine.now_ns + 59 * SECOND_NS)
        assert bench.engine.facts.desk_state.value == "recovering"
        bench.wait(bench.engine.now_ns + 31 * SECOND_NS)
        assert moves(bench) == ["recovering", "ready"]
        assert bench.sent(SubmitOrder) == []
        assert bench.engine.working == 0

    def test_no_answer(self) -> None:
        """A broker that does not answer is asked again within a second, and recovery waits."""
        old = self.crashed(Outcome.ACCEPTED, query_outcome=Outcome.UNKNOWN)
        bench = restarted(old)
        assert bench.engine.facts.desk_state.value == "recovering"
        due_ns = bench.engine.next_timer_ns
        assert due_ns is not None
        assert due_ns <= bench.engine.now_ns + 2 * SECOND_NS
        old.venue.query_outcome = None
        bench.enter(TimerFired(ts=due_ns))
        assert moves(bench) == ["recovering", "ready"]

    def test_filled_meanwhile(self) -> None:
        """What filled while no desk was there is found by asking, booked, and told to the strategy."""
        old = self.crashed(Outcome.ACCEPTED)
        (order,) = old.venue.orders
        old.venue.fill(order, "10", "49.5", old.engine.now_ns)
        bench = restarted(old)
        assert moves(bench) == ["recovering", "ready"]
        assert (bench.engine.facts.cash, bench.engine.working) == (D(505), 0)
        assert [move.cause for move in bench.of(BookMoved)] == ["fill"]

    def test_cancel_in_flight(self) -> None:
        """A cancel that may or may not have been sent is sent again: a second one does no harm."""
        old = self.crashed(Outcome.ACCEPTED)
        old.enter(QueryOutcome(ts=old.engine.now_ns, client_order_id="x", outcome=Outcome.UNKNOWN))
        (known,) = old.venue.orders.values()
        old.enter(known.report(old.engine.now_ns))
        old.venue.is_mute = True  # type: ignore[attr-defined]
        old.enter(Command(ts=old.engine.now_ns, command_id="c", name="halt"))
        old.venue.is_mute = False  # type: ignore[attr-defined]
        bench = restarted(old)
        assert len(bench.sent(CancelOrder)) == 1
        assert known.status is OrderStatus.CANCELED
        assert (bench.engine.working, moves(bench)[-1]) == (0, "halted")


class TestCare:
    def halted(self, name: str = "halt") -> Workbench:
        """A desk that a person has halted, or that froze at another's order."""
        bench = Workbench(settings({1: enter(), 2: enter()})).start().play(make_bars([50.0]))
        if name == "halt":
            bench.enter(Command(ts=bench.engine.now_ns, command_id="c", name="halt", reason="lunch"))
        else:
            outcome = SubmitOutcome(ts=bench.engine.now_ns, client_order_id="web-1", attempt=1, outcome=Outcome.UNKNOWN)
            bench.enter(outcome)
        return bench

    @pytest.mark.parametrize(("name", "state"), [("halt", "halted"), ("freeze", "frozen")])
    def test_outlives_the_process(self, name: str, state: str) -> None:
        """A desk that was halted or frozen is so again after any number of starts, for the same reason."""
        bench = self.halted(name)
        reason = bench.engine.reason
        for _ in range(3):
            bench = restarted(bench)
            assert (moves(bench)[-1], bench.engine.reason) == (state, reason)

    def test_outlives_a_crash_in_recovery(self) -> None:
        """A process that dies while it recovers a halted desk leaves a halted desk."""
        old = self.halted()
        bench = Workbench(settings(), Doubtful())
        bench.engine.restore(old.engine.snapshot())
        bench.venue.is_mute = True  # type: ignore[attr-defined]
        bench.start(old.engine.now_ns)
        assert moves(bench) == ["recovering"]
        again = Workbench(settings(), old.venue)
        again.engine.restore(bench.engine.snapshot())
        again.start(old.engine.now_ns)
        assert (moves(again), again.engine.reason) == (["recovering", "halted"], "lunch")

    def test_asked_for_in_recovery(self) -> None:
        """A halt that comes while the desk recovers holds when it has; so does a freeze, if no halt came."""
        for names, state in ((("halt",), "halted"), (("halt", "freeze"), "halted"), (("freeze",), "frozen")):
            bench = Workbench(settings(), Doubtful())
            bench.venue.is_mute = True  # type: ignore[attr-defined]
            bench.start()
            for name in names:
                if name == "halt":
                    bench.enter(Command(ts=START_NS, command_id="c", name="halt"))
                else:
                    bench.enter(SubmitOutcome(ts=START_NS, client_order_id="web", attempt=1, outcome=Outcome.UNKNOWN))
            assert moves(bench) == ["recovering"]
            bench.enter(account(START_NS, "1000"))
            assert moves(bench) == ["recovering", state]

    def test_resumed(self) -> None:
        """A person resumes a halted desk; to resume one that recovers or is ready means nothing."""
        bench = self.halted()
        bench.enter(Command(ts=bench.engine.now_ns, command_id="d", name="resume", reason="back"))
        assert (moves(bench)[-1], bench.engine.reason) == ("ready", "back")
        for name in ("resume", "dance"):
            bench.enter(Command(ts=bench.engine.now_ns, command_id="e", name=name))
        assert [alert.code for alert in bench.of(Alert)].count("command_ignored") == 2
        bench.play(make_bars([50.0, 50.0])[1:])
        assert len(bench.of(Approved)) == 2


def test_a_second_account_changes_nothing() -> None:
    """An account that is read while the desk trades neither opens books nor compares: fills may be on their way."""
    bench = Workbench(settings()).start()
    before = bench.engine.snapshot()
    bench.enter(account(START_NS, "5", {"GME": "3"}))
    bench.enter(RunEnded(ts=START_NS, reason="finished"))
    fresh = Engine(settings())
    fresh.restore(before)
    assert bench.engine._desk.ledger.state() == fresh._desk.ledger.state()
    assert bench.engine.facts.desk_state.value == "ready"
